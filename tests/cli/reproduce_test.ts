/** reproduce, end to end at the smallest scale: a table, its JSON files and the report; then nothing is left to do. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { inFolder } from "./fixtures.ts";
import { fail, MINI_FILES, run, snapshot, succeed } from "./run.ts";

Deno.test("reproduce ends in a report on its folder, and carries out no run twice", async () => {
  await inFolder(async (folder) => {
    const out = join(folder, "results");
    await Deno.mkdir(out);
    const args = ["reproduce", "table2", "--scale", "smoke", "--workers", "1", "--out", out];
    const permissions = { read: [...MINI_FILES, folder], write: [out] };
    const first = await run(args, permissions);
    assertEquals(first.code, 0, first.stderr);
    assert(/Table 2: medical vision-language models\n[\s\S]*not published here/.test(first.stdout), first.stdout);
    assert(first.stdout.includes("2 runs carried out, 0 done before"), first.stdout);
    const files = Object.keys(await snapshot(out));
    for (const name of ["report.html", "report.md"]) assert(files.includes(name), files.join());
    assert((await Deno.readTextFile(join(out, "report.html"))).includes("Generalist + ACE-LoRA"));

    assert((await succeed(args, permissions)).includes("0 runs carried out, 2 done before"));
    assertEquals(Object.keys(await snapshot(out)), files);
  });
});

Deno.test("reproduce refuses a table it does not know", async () => {
  await fail(["reproduce", "table9"], [/name tables among all, table1/]);
});

Deno.test("reproduce refuses table 4 at the paper's scale, and says what is missing", async () => {
  await fail(["reproduce", "table4", "--scale", "paper"], [
    /Cannot reproduce table4 at the paper's scale as its heads are trained on the adapters of table1/,
  ], { write: ["results"] });
});
