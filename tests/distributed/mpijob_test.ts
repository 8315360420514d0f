/** The MPIJob of docs/cluster.md as the MPI operator starts it: mpirun in one machine, which reaches the workers by ssh. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { writePairs } from "../cli/fixtures.ts";
import { eventually } from "../eventually.ts";
import { inFolder } from "../folder.ts";
import { hasPython, runPython, skipName } from "../io/_python.ts";
import { PACKAGE } from "../cli/run.ts";
import { loggedStep } from "../train/kill_sweep.ts";
import { adapterDigest, isThere, launched, LAUNCHERS, succeed } from "./launch.ts";
import { startMachines } from "./machines.ts";
import { sshMissing, startSshd } from "./ssh.ts";

const missing = await isThere(LAUNCHERS["Open MPI"][0]) ? await sshMissing() : "no Open MPI";

const NAME = "ace-lora";
const DOMAIN = `${NAME}-worker.default.svc`;
const WORKERS = [0, 1].map((i) => `${NAME}-worker-${i}`);
const SIZES = ["--batch-size", "8", "--micro-batch", "2", "--epochs", "6", "--save-steps", "1"];

const hasYaml = await hasPython("yaml");

/** Fields of the operator's v2beta1 and of Kubernetes' pods, as far as the file may use them: any other is a mistyped one. */
const FIELDS: Record<string, readonly string[]> = {
  "": ["apiVersion", "kind", "metadata", "spec"],
  "spec": ["slotsPerWorker", "runPolicy", "mpiReplicaSpecs"],
  "spec.runPolicy": ["cleanPodPolicy", "backoffLimit"],
  "spec.mpiReplicaSpecs": ["Launcher", "Worker"],
  "role": ["replicas", "restartPolicy", "template"],
  "role.template": ["spec"],
  "role.template.spec": ["containers", "volumes"],
  "container": ["name", "image", "command", "args", "resources", "volumeMounts"],
};

Deno.test({
  name: skipName(
    "the MPIJob has the operator's fields alone, as many processes as slots, processors for their threads, and volumes for its paths",
    hasYaml,
    "Python with yaml",
  ),
  ignore: !hasYaml,
  fn: async () => {
    const page = await Deno.readTextFile(join(PACKAGE, "docs", "cluster.md"));
    const text = /```yaml\n(apiVersion: kubeflow[^`]*)```/.exec(page)![1]!;
    const job = JSON.parse(
      await runPython("import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.argv[1])))", [text]),
    );
    const known = (place: string, value: object): void =>
      assertEquals(Object.keys(value).filter((key) => !FIELDS[place]!.includes(key)), [], place);
    const { spec, apiVersion, kind } = job;
    assertEquals([apiVersion, kind], ["kubeflow.org/v2beta1", "MPIJob"]);
    known("", job);
    known("spec", spec);
    known("spec.runPolicy", spec.runPolicy);
    known("spec.mpiReplicaSpecs", spec.mpiReplicaSpecs);
    const { Launcher, Worker } = spec.mpiReplicaSpecs;
    const containers = [Launcher, Worker].map((role) => {
      known("role", role);
      known("role.template", role.template);
      known("role.template.spec", role.template.spec);
      assertEquals(role.template.spec.containers.length, 1); // the operator looks at the first
      known("container", role.template.spec.containers[0]);
      return role.template.spec.containers[0];
    });
    const [launcher, worker] = containers;
    assertEquals(worker.image, launcher.image);
    assertEquals(worker.command, undefined); // the operator has it run sshd, with its key where root's lies
    const { command, args } = launcher;
    assertEquals(Launcher.replicas, 1);
    assertEquals(command[command.indexOf("-n") + 1], `${Worker.replicas * spec.slotsPerWorker}`);
    assert(command.includes(`ACE_THREADS=${Number(worker.resources.limits.cpu) / spec.slotsPerWorker}`));
    const mounts = worker.volumeMounts as { name: string; mountPath: string }[];
    const volumes = Worker.template.spec.volumes as { name: string }[];
    assertEquals(mounts.map(({ name }) => name), volumes.map(({ name }) => name));
    for (const path of args.filter((word: string) => word.startsWith("/"))) {
      assert(mounts.some(({ mountPath }) => path.startsWith(`${mountPath}/`)), path);
    }
  },
});

/** The launcher's command, its numbers and paths those of here. */
async function launcherLine(folder: string, size: number): Promise<string[]> {
  const page = await Deno.readTextFile(join(PACKAGE, "docs", "cluster.md"));
  const words = (key: string): string[] =>
    new RegExp(`${key}: \\[(mpirun|deno)(.*)\\]`).exec(page)!.slice(1).join("").replaceAll('"', "").split(", ");
  const here: Record<string, string> = {
    "4": `${size}`,
    "ACE_THREADS=4": "ACE_THREADS=1",
    "/data/pairs.csv": `${folder}/pairs.csv`,
    "/out/run": `${folder}/run`,
  };
  return [...words("command"), ...words("args")].map((word) => here[word] ?? word).concat(SIZES);
}

Deno.test({
  name:
    `an MPIJob trains by ssh on two workers to the bits of one, ends when one is killed, and goes on with the other${
      missing ? ` (skipped: ${missing})` : ""
    }`,
  ignore: missing !== undefined,
  fn: async () => {
    await inFolder(async (folder) => {
      await writePairs(folder, 20);
      await succeed(launched([], 1, folder, ["train", "--pairs", "pairs.csv", ...SIZES, "--out", "alone"]));
      const expected = await adapterDigest(folder, "alone");
      const machines = await startMachines(folder, [`${NAME}-launcher`, ...WORKERS], DOMAIN);
      const job = async (workers: readonly string[], slots: number) => {
        const hostfile = join(folder, "hostfile");
        await Deno.writeTextFile(hostfile, workers.map((name) => `${name}.${DOMAIN} slots=${slots}\n`).join(""));
        return machines.command(`${NAME}-launcher`, await launcherLine(folder, workers.length * slots), {
          cwd: PACKAGE,
          env: { // as the operator sets them
            OMPI_MCA_orte_keep_fqdn_hostnames: "true",
            OMPI_MCA_orte_default_hostfile: hostfile,
            OMPI_MCA_orte_set_default_slots: `${slots}`,
            OMPI_MCA_plm_rsh_args: `-o ConnectionAttempts=10 -F ${folder}/ssh_config`,
          },
          stdin: "null",
          stdout: "piped",
          stderr: "piped",
        });
      };
      try {
        await startSshd(machines, folder, WORKERS);
        const whole = await (await job(WORKERS, 2)).output();
        const said = new TextDecoder().decode(whole.stderr);
        assert(whole.success && said.includes("4 processes"), said);
        assertEquals(await adapterDigest(folder, "run"), expected);
        await Deno.remove(join(folder, "run"), { recursive: true });

        const child = (await job(WORKERS, 1)).spawn();
        const output = child.output();
        await eventually(async () => (await loggedStep(join(folder, "run")) ?? 0) >= 2, "the second step", 20);
        await machines.kill(WORKERS[1]!);
        const killed = await output;
        const told = new TextDecoder().decode(killed.stderr) + new TextDecoder().decode(killed.stdout);
        assert(!killed.success && told.includes(WORKERS[1]!), told);
        assert((await loggedStep(join(folder, "run")))! < 18, "it was over before it could be killed");

        const rest = await (await job(WORKERS.slice(0, 1), 2)).output();
        assert(rest.success, new TextDecoder().decode(rest.stderr));
        assertEquals(await adapterDigest(folder, "run"), expected);
      } finally {
        await machines.close();
      }
    });
  },
});
