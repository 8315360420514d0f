import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { Arguments, UsageError } from "../../lib/cli/command.ts";
import { holdOutput } from "../../lib/cli/output.ts";
import { pathAdvice } from "../../lib/cli/paths.ts";
import { inFolder } from "../folder.ts";

const PLAIN = new Arguments([], {});
const OVERWRITE = new Arguments([], { overwrite: true });
const names = async (folder: string): Promise<string[]> =>
  (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();

Deno.test("holdOutput() lets one run at a time write to a folder or a file, and leaves no lock behind", async () => {
  await inFolder(async (folder) => {
    const outputs = [
      { path: join(folder, "out"), results: ["metrics.json"] },
      { path: join(folder, "f.safetensors") },
    ];
    for (const output of outputs) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      const first = holdOutput(PLAIN, output, async () => {
        begun.resolve();
        await promise;
        return 7;
      });
      await begun.promise;
      await assertRejects(
        () => holdOutput(OVERWRITE, output, () => Promise.resolve()),
        UsageError,
        `another run is writing to "${output.path}": --out names another place`,
      );
      resolve();
      assertEquals(await first, 7);
      assertEquals(await holdOutput(PLAIN, output, () => Promise.resolve(8)), 8);
    }
    assertEquals(await names(folder), []);
  });
});

Deno.test("holdOutput() refuses an earlier result unless it may be written over, before any work", async () => {
  await inFolder(async (folder) => {
    const output = { path: folder, results: ["metrics.json", "page.html"] };
    await Deno.writeTextFile(join(folder, "page.html"), "before");
    let worked = 0;
    const work = () => Promise.resolve(++worked);
    await assertRejects(() => holdOutput(PLAIN, output, work), UsageError, `"${join(folder, "page.html")}"`);
    await assertRejects(
      () => holdOutput(PLAIN, { path: join(folder, "page.html"), option: "explain" }, work),
      UsageError,
      "is there already: --explain names another place, --overwrite writes over it",
    );
    assertEquals(worked, 0);
    await holdOutput(OVERWRITE, output, work);
    await holdOutput(PLAIN, { ...output, mayReplace: true }, work);
    assertEquals([worked, await names(folder)], [2, ["page.html"]]);
  });
});

Deno.test("holdOutput() removes the folders it made where the work fails, and keeps what was written", async () => {
  await inFolder(async (folder) => {
    const output = { path: join(folder, "a", "b"), results: ["metrics.json"] };
    const fails = () => Promise.reject(new RangeError("no such column"));
    await assertRejects(() => holdOutput(PLAIN, output, fails), RangeError, "no such column");
    assertEquals(await names(folder), []);
    const half = async (): Promise<void> => {
      await Deno.writeTextFile(join(folder, "a", "b", "state"), "");
      throw new RangeError("interrupted");
    };
    await assertRejects(() => holdOutput(PLAIN, output, half), RangeError);
    assertEquals(await names(join(folder, "a", "b")), ["state"]);
  });
});

Deno.test("advice about a path names no folder that holdOutput() made, and names those that were there", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "films.csv"), "");
    const advise = (): Promise<string> => pathAdvice(join(folder, "none"));
    const told = `name one that is there: ${JSON.stringify(folder)} holds films.csv`;
    for (const path of ["nome", "results"]) { // the first is near what was typed
      assertEquals(await holdOutput(PLAIN, { path: join(folder, path, "probe"), results: ["a.json"] }, advise), told);
    }
    await Deno.mkdir(join(folder, "results"));
    const within = await holdOutput(PLAIN, { path: join(folder, "results", "probe"), results: ["a.json"] }, advise);
    assertEquals(within, `${told}, results`);
  });
});
