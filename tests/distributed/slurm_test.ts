/** The batch files of docs/cluster.md and of encode's help, word for word but for sizes and paths, on a Slurm of two nodes. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { writePairs } from "../cli/fixtures.ts";
import { inFolder } from "../folder.ts";
import { PACKAGE } from "../cli/run.ts";
import { loggedStep } from "../train/kill_sweep.ts";
import { adapterDigest, isThere, launched, LAUNCHERS, succeed } from "./launch.ts";
import { pause, SLURM_MISSING as missing, withSlurm } from "./slurm.ts";

const MPIS = [["Open MPI", "pmix"], ["MPICH", "pmi2"]] as const;

const SIZES = ["--batch-size", "8", "--micro-batch", "2", "--epochs", "6"];

/** The batch file of docs/cluster.md, its pairs and results in a folder. */
async function batchFile(folder: string, mpi: string): Promise<string> {
  const page = await Deno.readTextFile(join(PACKAGE, "docs", "cluster.md"));
  let text = /```sh\n(#!\/bin\/bash\n#SBATCH[^`]*)```/.exec(page)![1]!;
  for (
    const [printed, here] of [
      ["--ntasks-per-node=4 --cpus-per-task=4", "--ntasks-per-node=2 --cpus-per-task=1"],
      ["--mpi=pmix", `--mpi=${mpi}`],
      ["--pairs pairs.csv", `--pairs ${folder}/pairs.csv`],
      ["--model biomedclip --batch-size 64 --micro-batch 8", `${SIZES.join(" ")} --save-steps 1`],
      ['"results/run"', `${folder}/${mpi}`],
    ] as const
  ) {
    assert(text.includes(printed), `the file has another ${printed}`);
    text = text.replace(printed, here);
  }
  const path = join(folder, `${mpi}.sh`);
  await Deno.writeTextFile(path, text);
  return path;
}

/** The batch file that a command's help prints, its paths in a folder, with the mini model. */
async function arrayFile(folder: string): Promise<string> {
  const { COMMAND } = await import("../../lib/cli/encode.ts");
  const printed = /in job.sh:\n((?: {2}.*\n)*?) *Afterwards/.exec(COMMAND.example)![1]!.replaceAll(/^ {2}/gm, "");
  const text = printed.replace("cases.csv", `${folder}/pairs.csv`).replace("feats.", `${folder}/feats.`)
    .replace("--weights open_clip_pytorch_model.bin --tokenizer tokenizer.json ", "");
  assert(text.startsWith("#!/bin/bash\n") && text.endsWith("--shard auto\n"), text);
  await Deno.writeTextFile(join(folder, "job.sh"), text);
  return join(folder, "job.sh");
}

Deno.test({
  name: `a Slurm array encodes its shards, which a job after it joins; what srun does not connect is refused${
    missing ? ` (skipped: ${missing})` : ""
  }`,
  ignore: missing !== undefined,
  fn: async () => {
    await inFolder(async (folder) => {
      await writePairs(folder, 7);
      await withSlurm(folder, async ({ run, job }) => {
        const submit = ["sbatch", "--parsable", `--chdir=${PACKAGE}`, `--output=${folder}/slurm-%j.out`];
        const id = (await run([...submit, "--array=0-2", await arrayFile(folder)])).trim();
        const merge = `deno task encode --merge --out ${folder}/feats.safetensors`;
        const after = (await run([...submit, `--dependency=afterok:${id}`, "--wrap", merge])).trim();
        await job(after, /COMPLETED/);
        const encode = ["encode", "--images", "pairs.csv", "--out", "one.safetensors"];
        await succeed(launched([], 1, folder, encode));
        const [joined, one] = [await features(folder, "feats"), await features(folder, "one")];
        assertEquals(joined, one);
        const line = ["deno", "task", "mpi", "train", "--pairs", `${folder}/pairs.csv`, "--out", `${folder}/none`];
        const options = ["--mpi=none", "--nodes=2", "--ntasks=2", "--kill-on-bad-exit", `--chdir=${PACKAGE}`];
        const error = await run(["srun", ...options, ...line]).then(() => "it ran", ({ message }) => message);
        assertMatch(error, /says that this one is alone.*--mpi=pmix|direct launched using "srun"/s);
      });
    });
  },
});

/** The tensors and identities of a file of features. */
async function features(folder: string, name: string) {
  const { tensors, metadata } = await readSafetensors(join(folder, `${name}.safetensors`));
  return { tensors, ids: metadata["image_ids"] };
}

const ABSENT = await Promise.all(
  MPIS.map(async ([name]) => await isThere(LAUNCHERS[name][0]) ? undefined : `no ${name}`),
);

Deno.test({
  name: `openMpi() joins processes of two nodes and lets them go, of ${MPIS.map(([name]) => name).join(" and ")}${
    missing ? ` (skipped: ${missing})` : ""
  }`,
  ignore: missing !== undefined || ABSENT.every((reason) => reason),
  fn: async () => {
    await inFolder(async (folder) => {
      await withSlurm(folder, async ({ run }) => {
        const program = fromFileUrl(new URL("./mpi_program.ts", import.meta.url));
        const deno = ["deno", "run", "--quiet", "--config", join(PACKAGE, "deno.json"), "--allow-ffi", "--allow-env"];
        for (const [i, [name, mpi]] of MPIS.entries()) {
          // MPICH 4.0's own MPI_Finalize hung in six of eight such jobs.
          for (let job = 0; job < (ABSENT[i] ? 0 : name === "MPICH" ? 3 : 1); job++) {
            const srun = ["srun", `--mpi=${mpi}`, "--nodes=2", "--ntasks=4", "--kill-on-bad-exit=1", "--time=10"];
            const { size, wrong, description } = JSON.parse(await run([...srun, ...deno, "--no-prompt", program]));
            assertEquals([size, wrong, description.includes(name)], [4, -1, true], description);
          }
        }
      });
    });
  },
});

for (const [name, mpi] of MPIS) {
  // By hand: each takes a minute and more.
  const unasked = Deno.env.get("ACE_SLURM") ? undefined : "set ACE_SLURM";
  const lacks = missing ?? (await isThere(LAUNCHERS[name][0]) ? unasked : `no ${name}`);
  Deno.test({
    name: `a Slurm job is stopped by SIGTERM, put back and goes on to the same bits: ${name} by srun --mpi=${mpi}${
      lacks ? ` (skipped: ${lacks})` : ""
    }`,
    ignore: lacks !== undefined,
    fn: async () => {
      await inFolder(async (folder) => {
        await writePairs(folder, 20);
        await succeed(launched([], 1, folder, ["train", "--pairs", "pairs.csv", ...SIZES, "--out", "alone"]));
        await withSlurm(folder, async ({ run, idle, job }) => {
          const submit = ["sbatch", "--parsable", `--chdir=${PACKAGE}`, `--output=${folder}/slurm-%j.out`];
          const id = (await run([...submit, await batchFile(folder, mpi)])).trim();
          const out = join(folder, mpi);
          while ((await loggedStep(out) ?? 0) < 2) await job(id, /RUNNING|PENDING/) && await pause();
          await run(["scancel", "--signal=TERM", id]);
          const waiting = await job(id, /PENDING|REQUEUED/);
          assertMatch(waiting, /Restarts=1/);
          const step = await loggedStep(out);
          assert(step! < 18, "it was over before it could be stopped");
          // Slurm waits two minutes. In the second in which a job's leave was taken back, a node refuses it.
          await idle();
          await new Promise((resolve) => setTimeout(resolve, 2500));
          await run(["scontrol", "update", `JobId=${id}`, "StartTime=now"]);
          assertMatch(await job(id, /COMPLETED/), /NumNodes=2 .*NumTasks=4/);
          const said = await Deno.readTextFile(join(folder, `slurm-${id}.out`));
          assertMatch(said, new RegExp(`processes: ${name}.* 4 processes`, "i"));
          assertEquals(await adapterDigest(folder, mpi), await adapterDigest(folder, "alone"));
        });
      });
    },
  });
}
