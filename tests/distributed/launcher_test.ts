import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { launchedPlace, launchedProcesses } from "../../lib/distributed/launcher.ts";
import { inFolder } from "../folder.ts";
import { writePairs } from "../cli/fixtures.ts";
import { PACKAGE } from "../cli/run.ts";

const reading = (variables: Record<string, string>) => (name: string): string | undefined => variables[name];

Deno.test("launchedProcesses() is what any launcher says, a Slurm job's tasks only where they count", () => {
  const count = (variables: Record<string, string>, job = true) => launchedProcesses({ job, read: reading(variables) });
  assertEquals(count({}), 1);
  assertEquals(count({ OMPI_COMM_WORLD_SIZE: "4" }), 4);
  assertEquals(count({ PMI_SIZE: "2", SLURM_NTASKS: "8" }), 8);
  assertEquals(count({ PMI_SIZE: "2", SLURM_NTASKS: "8" }, false), 2);
  assertEquals(count({ SLURM_NTASKS: "8" }, false), 1); // in the job's own script one process runs
  assertEquals(count({ PMI_SIZE: "many" }), 1);
});

Deno.test("launchedPlace() is srun's task, a Slurm array's, or an indexed Job's, the first that tells", () => {
  const place = (variables: Record<string, string>) => launchedPlace(reading(variables));
  assertEquals(place({ SLURM_PROCID: "0", SLURM_NTASKS: "8" }), undefined);
  const task = { SLURM_PROCID: "3", SLURM_STEP_NUM_TASKS: "8" };
  assertEquals(place(task), { index: 3, count: 8, variable: "SLURM_PROCID" });
  const array = { SLURM_ARRAY_TASK_ID: "2", SLURM_ARRAY_TASK_COUNT: "4" };
  assertEquals(place({ SLURM_PROCID: "0", ...array }), { index: 2, count: 4, variable: "SLURM_ARRAY_TASK_ID" });
  assertEquals(place({ ...task, ...array })?.variable, "SLURM_PROCID");
  assertEquals(place({ JOB_COMPLETION_INDEX: "5" }), { index: 5, variable: "JOB_COMPLETION_INDEX" });
});

const { tasks } = JSON.parse(await Deno.readTextFile(join(PACKAGE, "deno.json")));

Deno.test("encode takes the share of srun's task, of an array's with auto, and is not silently one of several", async () => {
  await inFolder(async (folder) => {
    await writePairs(folder, 5);
    const encode = async (variables: Record<string, string>, ...more: string[]) => {
      const permissions = (tasks.encode.command as string).split(" ").filter((word) => word.startsWith("--"));
      const args = ["run", "--quiet", "--no-prompt", ...permissions, join(PACKAGE, "cli.ts"), "encode"];
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [...args, "--images", "pairs.csv", "--out", "f.safetensors", ...more],
        cwd: folder,
        env: { ACE_BACKEND: "wasm", ACE_THREADS: "1", NO_COLOR: "1", INIT_CWD: folder, ...variables },
        stdin: "null",
      }).output();
      const files = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.startsWith("f."))
        .sort();
      for (const name of files) await Deno.remove(join(folder, name), { recursive: true });
      return { code, told: new TextDecoder().decode(stderr), files };
    };
    const task = await encode({ SLURM_PROCID: "1", SLURM_STEP_NUM_TASKS: "2" });
    assertEquals([task.code, task.files], [0, ["f.shard-1-of-2.safetensors"]], task.told);
    assert(task.told.includes("share 1 of 2 (from 0), as SLURM_PROCID says"), task.told);
    const array = await encode({ SLURM_ARRAY_TASK_ID: "3", SLURM_ARRAY_TASK_COUNT: "3" }, "--shard", "auto");
    assertEquals([array.code, array.files], [0, ["f.shard-0-of-3.safetensors"]], array.told);
    const pod = await encode({ JOB_COMPLETION_INDEX: "1" }, "--shard", "auto/2");
    assertEquals([pod.code, pod.files], [0, ["f.shard-1-of-2.safetensors"]], pod.told);
    for (
      const [variables, words, ...more] of [
        [{ JOB_COMPLETION_INDEX: "1" }, "JOB_COMPLETION_INDEX is 1, and nothing says of how many: --shard auto/8"],
        [{}, "--shard auto/2: neither SLURM_PROCID", "--shard", "auto/2"],
        [{ OMPI_COMM_WORLD_SIZE: "2" }, "2 processes were started, which only deno task mpi connects"],
      ] as [Record<string, string>, string, ...string[]][]
    ) {
      const { code, told, files } = await encode(variables, ...more);
      assert(told.includes(words), told);
      assertEquals([code, files], [1, []], told);
    }
  });
});
