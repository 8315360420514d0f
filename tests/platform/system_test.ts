/** What a reader says of a path where nothing is. */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { loadFolder } from "../../lib/data/folder.ts";
import { loadPairs } from "../../lib/data/pairs.ts";
import { readParquet } from "../../lib/data/parquet.ts";
import { fileSource } from "../../lib/io/byte_source.ts";
import { loadTokenizer } from "../../lib/text/load_tokenizer.ts";
import { loadSpaceBpe } from "../../lib/text/space_bpe.ts";
import { loadUnigram } from "../../lib/text/unigram_file.ts";

const READERS = { loadFolder, loadPairs, loadSpaceBpe, loadTokenizer, loadUnigram, readParquet };

for (const [name, read] of Object.entries(READERS)) {
  Deno.test(`${name}() names the path where nothing is, without the system's own words`, async () => {
    const folder = await Deno.makeTempDir();
    const path = join(folder, "gone");
    const said = `Cannot read "${path}": there is no such file or folder`;
    const error = await assertRejects((): Promise<unknown> => read(path), Deno.errors.NotFound);
    assertEquals(error.message, said);
    await Deno.remove(folder);
  });
}

Deno.test("fileSource() names the path where nothing is", async () => {
  await assertRejects(() => fileSource("gone"), Error, 'Cannot open "gone": there is no such file');
});
