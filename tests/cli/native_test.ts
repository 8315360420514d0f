/** The native library's name, version, kind of processor and threads stand in the backend's line and in what commands write. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { inFolder } from "../folder.ts";
import { writeClasses, writePairs } from "./fixtures.ts";
import { PACKAGE } from "./run.ts";

const { tasks } = JSON.parse(await Deno.readTextFile(join(PACKAGE, "deno.json")));
const PERMISSIONS = (tasks.native.command as string).split(" ").filter((word) => word.startsWith("--"));

/** `deno task native ...` with one thread, from a folder. */
async function native(folder: string, args: readonly string[]) {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", ...PERMISSIONS, join(PACKAGE, "cli.ts"), ...args],
    cwd: folder,
    env: { ACE_BACKEND: "wasm", ACE_THREADS: "1", ACE_BLAS: "", NO_COLOR: "1", INIT_CWD: folder },
    stdin: "null",
  }).output();
  return { code, told: new TextDecoder().decode(stderr) };
}

const tried = await native(".", ["doctor"]);
const [, line = ""] = /^backend: wasm \((.*)\)$/m.exec(tried.told) ?? [];
/** A name, a version and a kind of processor. */
const LIBRARY = /, ((OpenBLAS|MKL|BLIS|Accelerate)\D*[\d.]*.*), 1 thread$/;
const ready = LIBRARY.test(line);

Deno.test({
  name: `records and features of native runs name the library, its processor and threads${
    ready ? "" : " (skipped: no BLAS library)"
  }`,
  ignore: !ready,
  fn: async () => {
    if (line.includes("OpenBLAS")) assert(/OpenBLAS [\d.]+ \(\w+\), 1 thread$/.test(line), line);
    await inFolder(async (folder) => {
      await writeClasses(join(folder, "set"), ["normal", "pneumonia"], 4);
      await writePairs(folder, 8);
      const recordOf = async (name: string, ...args: string[]) => {
        const { code, told } = await native(folder, [...args, "--out", name.split("/")[0]!]);
        assertEquals(code, 0, told);
        const { backend, adapter } = JSON.parse(await Deno.readTextFile(join(folder, name)));
        return { backend: `${backend} (${adapter})`, told: /^backend: (.*)$/m.exec(told)?.[1] };
      };
      const own = { backend: `wasm (${line})`, told: `wasm (${line})` };
      const few = ["--pairs", "pairs.csv", "--epochs", "1", "--batch-size", "4", "--micro-batch", "4"];
      assertEquals(await recordOf("trained/training.json", "train", ...few), own);
      assertEquals(await recordOf("judged/metrics.json", "evaluate", "--images", "set"), own);
      // Two workers, which are told of the option as this process is.
      const table = ["reproduce", "table1", "--scale", "smoke", "--methods", "none,heads", "--workers", "2"];
      assertEquals(await recordOf("table/table1/heads-seed1.json", ...table), own);
      const off = await recordOf("off/table1/heads-seed1.json", ...table, "--blas", "off");
      assert(off.backend === off.told && !line.includes(off.backend) && !LIBRARY.test(off.backend), off.backend);
      const { code, told } = await native(folder, ["encode", "--images", "set", "--out", "f.safetensors"]);
      assertEquals(code, 0, told);
      assertEquals((await readSafetensors(join(folder, "f.safetensors"))).metadata["backend"], `wasm (${line})`);
    });
  },
});

Deno.test("deno task native names another remedy than itself for a library that cannot be opened", async () => {
  const { code, told } = await native(".", ["doctor", "--blas", "nowhere.so"]);
  assertEquals(code, 1);
  assert(told.includes('"nowhere.so"') && told.includes("--blas auto") && !told.includes("task native"), told);
});
