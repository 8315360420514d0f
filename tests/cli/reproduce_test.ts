/** reproduce, end to end at the smallest scale: a table, its JSON files and the report; then nothing is left to do. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { lockFile } from "../../lib/io/lock.ts";
import { inFolder } from "../folder.ts";
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

Deno.test("reproduce says in one line what is wrong with its options", async () => {
  await fail(["reproduce", "table1", "--methods", "loar"], [/--methods must be among none, .*current value is "loar"/]);
  await fail(["reproduce", "table1", "--part", "4/3"], [/--part must be i\/n with i from 0 or 1 to n/]);
  await inFolder(async (folder) => {
    const out = join(folder, "results");
    const permissions = { read: [...MINI_FILES, folder], write: [folder] };
    await fail(["reproduce", "table4", "--scale", "paper", "--out", out], [/--data names it/], permissions);
    await fail(["reproduce", "table1", "--scale", "paper", "--draw", "2"], [/--draw goes with/], permissions);
  });
});

Deno.test("reproduce --part runs beside other parts, join to the whole, and beside itself is refused", async () => {
  await inFolder(async (folder) => {
    const out = join(folder, "results");
    await Deno.mkdir(out);
    const args = ["reproduce", "table2", "--scale", "smoke", "--workers", "1", "--out", out];
    const permissions = { read: [...MINI_FILES, folder], write: [out] };
    const other = await lockFile(join(out, ".part-1-of-2.lock"));
    assert((await succeed([...args, "--part", "0/2"], permissions)).includes("1 run carried out"));
    await fail([...args, "--part", "1/2"], [/another run is writing to/], permissions);
    await other.release();
    assert((await succeed([...args, "--part", "1/2"], permissions)).includes("1 run carried out"));
    assert((await succeed(args, permissions)).includes("0 runs carried out, 2 done before"));
  });
});
