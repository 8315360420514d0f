/** MPI through FFI: every collective call between real processes, with each library that is there. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";

const PROGRAM = fromFileUrl(new URL("./mpi_program.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));
const LAUNCHERS = { "Open MPI": "mpirun.openmpi", MPICH: "mpirun.mpich" };

async function isThere(launcher: string): Promise<boolean> {
  return await new Deno.Command(launcher, { args: ["--version"], stdout: "null", stderr: "null" }).output()
    .then(({ success }) => success, () => false);
}

async function launch(launcher: string, size: number, args: readonly string[] = []) {
  const root = launcher.includes("openmpi") ? ["--allow-run-as-root", "--oversubscribe"] : [];
  const permissions = ["--allow-ffi", "--allow-env", "--no-prompt"];
  const { code, stdout, stderr } = await new Deno.Command(launcher, {
    args: [
      ...root,
      "-n",
      `${size}`,
      Deno.execPath(),
      "run",
      "--quiet",
      "--config",
      CONFIG,
      ...permissions,
      PROGRAM,
      ...args,
    ],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

for (const [name, launcher] of Object.entries(LAUNCHERS)) {
  const ignore = !await isThere(launcher);
  Deno.test({
    name: `openMpi() gathers, sums, broadcasts and waits between processes: ${name}${
      ignore ? ` (skipped: no ${launcher})` : ""
    }`,
    ignore,
    fn: async () => {
      for (const size of [1, 2, 3]) {
        const { code, stdout, stderr } = await launch(launcher, size);
        assertEquals(code, 0, stderr);
        const found = JSON.parse(stdout);
        const ranks = Array.from({ length: size }, (_, rank) => rank);
        assertEquals(found.size, size);
        assertEquals(found.gathered, ranks.flatMap((rank) => [rank + 0.5, -rank || 0]));
        assertEquals([found.wrong, found.shares], [-1, ranks.flatMap(() => [7, 9])]);
        assert(found.description.includes(`${size} processes`), found.description);
      }
    },
  });

  Deno.test({
    name: `openMpi() refuses a library that is not there, is no MPI, or is another launcher's: ${name}${
      ignore ? " (skipped)" : ""
    }`,
    ignore,
    fn: async () => {
      const missing = await launch(launcher, 2, ["libno-such-mpi.so"]);
      assert(missing.code !== 0 && missing.stderr.includes("none of libno-such-mpi.so"), missing.stderr);
      const other = await launch(launcher, 2, ["libm.so.6"]);
      assert(other.code !== 0 && other.stderr.includes("must have MPI's functions"), other.stderr);
    },
  });
}

Deno.test({
  name: "openMpi() refuses to be silently alone under another library's launcher",
  ignore: !await isThere(LAUNCHERS["Open MPI"]) || !await isThere(LAUNCHERS.MPICH),
  fn: async () => {
    const { code, stderr } = await launch(LAUNCHERS["Open MPI"], 2, ["libmpich.so.12"]);
    assert(code !== 0 && stderr.includes("says that this one is alone"), stderr);
  },
});
