/** MPI through FFI: every collective call between real processes, with each library that is there. */
import { assert, assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { exists } from "../../lib/io/files.ts";
import { isThere, LAUNCHERS, MPICH_5 } from "./launch.ts";
import { inFolder } from "../folder.ts";

const PROGRAM = fromFileUrl(new URL("./mpi_program.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

async function launch(launcher: readonly string[], size: number, args: readonly string[] = [], library = "") {
  const deno = [Deno.execPath(), "run", "--quiet", "--config", CONFIG, "--allow-ffi", "--allow-env", "--no-prompt"];
  const [command, ...more] = launcher;
  const { code, stdout, stderr } = await new Deno.Command(command!, {
    args: [...more, "-n", `${size}`, ...deno, PROGRAM, ...args],
    stdin: "null",
    env: { HWLOC_HIDE_ERRORS: "2", ACE_MPI: library },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** What the processes say that mpi_program.ts starts. */
async function checkCalls(launcher: readonly string[], size: number, args: readonly string[] = []): Promise<string> {
  const { code, stdout, stderr } = await launch(launcher, size, args);
  assertEquals(code, 0, stderr);
  const found = JSON.parse(stdout);
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  assertEquals(found.size, size);
  assertEquals(found.gathered, ranks.flatMap((rank) => [rank + 0.5, -rank || 0]));
  assertEquals([found.wrong, found.shares], [-1, ranks.flatMap(() => [7, 9])]);
  assert(found.description.includes(`${size} processes`), found.description);
  return found.description;
}

for (const [name, launcher] of Object.entries(LAUNCHERS)) {
  const ignore = !await isThere(launcher[0]);
  const skipped = ignore ? ` (skipped: no ${launcher[0]})` : "";
  Deno.test({
    name: `openMpi() gathers, sums, broadcasts and waits between processes: ${name}${skipped}`,
    ignore,
    fn: async () => {
      for (const size of [1, 2, 3]) await checkCalls(launcher, size);
    },
  });

  Deno.test({
    name: `openMpi() refuses a library that is not there, or is no MPI: ${name}${skipped}`,
    ignore,
    fn: async () => {
      const folder = await Deno.makeTempDir();
      await Deno.writeTextFile(join(folder, "libmpi.so"), "no library");
      const damaged = await launch(launcher, 2, [join(folder, "libmpi.so")]);
      await Deno.remove(folder, { recursive: true });
      assert(
        damaged.code !== 0 && /libmpi.so can be opened: .*(invalid ELF|file too short)/.test(damaged.stderr),
        damaged.stderr,
      );
      const missing = await launch(launcher, 2, ["libno-such-mpi.so"]);
      assert(
        missing.code !== 0 && missing.stderr.includes("none of libno-such-mpi.so can be opened\n"),
        missing.stderr,
      );
      const other = await launch(launcher, 2, ["libm.so.6"]);
      assert(other.code !== 0 && other.stderr.includes("must have MPI's functions"), other.stderr);
    },
  });
}

const standard = await exists(join(MPICH_5, "libmpi_abi.so.1"));

Deno.test({
  name: `openMpi() takes MPI 5's standard ABI and MPICH's by what the library says, whatever the file is called${
    standard ? "" : " (skipped: no MPICH 5 beside ACE_PYTHON)"
  }`,
  ignore: !standard,
  fn: async () => {
    await inFolder(async (folder) => {
      await Deno.symlink(join(MPICH_5, "mpich"), join(folder, "mpich")); // the libraries it needs
      for (const name of ["libmpi_abi.so.1", "libmpi.so.12"]) {
        const renamed = join(folder, name === "libmpi.so.12" ? "libmpi_abi.so.0" : "libmpi.so");
        await Deno.symlink(join(MPICH_5, name), renamed);
        for (const path of [join(MPICH_5, name), renamed]) {
          const description = await checkCalls([join(dirname(MPICH_5), "bin", "mpirun")], 2, [path]);
          assert(description.includes("MPICH Version: 5"), description);
        }
      }
    });
  },
});

Deno.test({
  name: "openMpi() refuses to be silently alone under another library's launcher, which a variable may name, too",
  ignore: !await isThere(LAUNCHERS["Open MPI"][0]) || !await isThere(LAUNCHERS.MPICH[0]),
  fn: async () => {
    for (const [args, library] of [[["libmpich.so.12"], ""], [[], "libmpich.so.12"]] as const) {
      const { code, stderr } = await launch(LAUNCHERS["Open MPI"], 2, args, library);
      assert(code !== 0 && /"libmpich.so.12" must.*says that this one is alone.*ACE_MPI can name/.test(stderr), stderr);
    }
  },
});
