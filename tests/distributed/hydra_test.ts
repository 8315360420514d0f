/** Two machines joined by MPICH's own launcher (Hydra) through ssh: the bits of one, a killed process told, other code and files refused. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { exists } from "../../lib/io/files.ts";
import { writePairs } from "../cli/fixtures.ts";
import { inFolder } from "../folder.ts";
import { PACKAGE } from "../cli/run.ts";
import { isThere, launchedTasks } from "./launch.ts";
import { killRanks } from "./kill_ranks.ts";
import { type Machines, startMachines } from "./machines.ts";
import { sshMissing, startSshd } from "./ssh.ts";

const missing = await isThere("mpiexec.hydra") ? await sshMissing() : "no MPICH";
const skipped = missing ? ` (skipped: ${missing})` : "";
const NODES = ["a", "b"];

/** Jobs from a third machine, as from a login node: UCX talks over no bridge, which the first one has for its network. */
async function withNodes(
  body: (nodes: { folder: string; machines: Machines; job: ReturnType<typeof jobsOn> }) => Promise<void>,
): Promise<void> {
  await inFolder(async (folder) => {
    const machines = await startMachines(folder, ["login", ...NODES]);
    try {
      await writePairs(folder, 20);
      const settings = await startSshd(machines, folder, NODES);
      await body({ folder, machines, job: jobsOn(machines, folder, settings) });
    } finally {
      await machines.close();
    }
  });
}

/** `mpiexec -hosts ... -n ... deno task mpi ...` on a machine. */
function jobsOn(machines: Machines, folder: string, settings: string) {
  return (size: number, args: readonly string[]): Deno.Command => {
    const hydra = ["mpiexec.hydra", "-hosts", NODES.join(","), "-n", `${size}`];
    const ssh = `HYDRA_LAUNCHER_EXTRA_ARGS=-F ${settings}`;
    return launchedTasks([...machines.prefix("login", folder), ssh, ...hydra], folder, args);
  };
}

Deno.test({
  name:
    `MPICH trains on two machines by ssh to the bits of one, tells which process was killed, also as it starts, and goes on${skipped}`,
  ignore: missing !== undefined,
  fn: async () => {
    await withNodes(async ({ folder, job }) => {
      const { killed, ends } = await killRanks(folder, job, { kills: 3, seed: 3, most: 2 });
      assertEquals([killed.length, ends.length > 0, ends.every(({ equal }) => equal)], [3, true, true]);
    });
  },
});

Deno.test({
  name: `a machine of another version, other weights or images ends a job of two, which says so${skipped}`,
  ignore: missing !== undefined,
  fn: async () => {
    await withNodes(async ({ folder, machines, job }) => {
      const own = join(folder, "own"); // what lies on b's own disk
      await Deno.mkdir(own);
      const weights = join(PACKAGE, "data", "mini_generalist.safetensors");
      const facts = join(PACKAGE, "lib", "io", "run_facts.ts");
      const changed = await Deno.readFile(weights);
      changed[changed.length - 1]! ^= 1;
      await Deno.writeFile(join(own, "weights"), changed);
      await Deno.writeTextFile(
        join(own, "facts"),
        (await Deno.readTextFile(facts)).replace(/VERSION = ".*"/, 'VERSION = "9.9.9"'),
      );
      await Deno.writeFile(join(own, "image"), await Deno.readFile(join(folder, "0.png")));
      const train = ["train", "--pairs", "pairs.csv", "--batch-size", "8", "--micro-batch", "2", "--out", "out"];
      const evaluate = ["evaluate", "--images", "pairs.csv", "--class-column", "Edema", "--out", "out"];
      for (
        const [file, over, line, why] of [
          [
            "facts",
            facts,
            train,
            /rank 1: Cannot run as one of 2 processes as all must have the same version: that of process 1 is "9.9.9"/,
          ],
          ["weights", weights, train, /rank 1: Cannot train .* the same weights: that of process 1/],
          ["image", join(folder, "0.png"), train, /rank 1: Cannot train .* the same images: that of process 1/],
          ["weights", weights, evaluate, /rank 1: Cannot evaluate .* the same weights_sha256: that of process 1/],
        ] as const
      ) {
        const mount = async (...line: string[]): Promise<void> => {
          const { success, stderr } = await machines.command("b", line).output();
          assert(success, new TextDecoder().decode(stderr));
        };
        await mount("mount", "--bind", join(own, file), over);
        const { code, stderr } = await job(2, line).output();
        await mount("umount", "-l", over);
        const told = new TextDecoder().decode(stderr);
        assertMatch(told, why);
        assert(code !== 0 && !await exists(join(folder, "out", "adapter.safetensors")), told);
      }
    });
  },
});
