/** Slurm on machines within this one: a login machine and two nodes of 16 processors. */
import { dirname, join } from "@std/path";
import { isThere } from "./launch.ts";
import { type Machines, machinesMissing, startMachines } from "./machines.ts";

/** Why there can be none here; undefined if there can. */
export const SLURM_MISSING: string | undefined = await isThere("slurmctld", "-V") && await isThere("slurmd", "-V")
  ? await machinesMissing()
  : "no slurmctld and slurmd";

/** Slurm as a user sees it. */
export interface Slurm {
  /** The output of a command on the login machine; throws where it fails. */
  run(line: readonly string[]): Promise<string>;
  /** Waits until nothing of a job is left on the nodes. */
  idle(): Promise<void>;
  /** Waits until a job is in a state, and gives all that Slurm says of it. */
  job(id: string, state: RegExp): Promise<string>;
}

export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}

/** A Slurm of a login machine and two nodes, in a folder that all of them see. */
export async function withSlurm(folder: string, body: (slurm: Slurm) => Promise<void>): Promise<void> {
  const machines = await startMachines(folder, ["login", "n1", "n2"]);
  try {
    await body(await startSlurm(machines, folder));
  } finally {
    await machines.close();
  }
}

async function startSlurm(machines: Machines, folder: string): Promise<Slurm> {
  const config = join(folder, "slurm.conf");
  await Deno.mkdir(join(folder, "state"));
  await Deno.writeTextFile(
    config,
    [
      ...["ClusterName=ace", "SlurmctldHost=login", "SlurmUser=root", "AuthType=auth/none", "CredType=cred/none"],
      ...["ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none", "SlurmdParameters=config_overrides"],
      ...["SelectType=select/cons_tres", "SelectTypeParameters=CR_Core", "MailProg=/bin/true"],
      `StateSaveLocation=${folder}/state`,
      ...["SlurmdSpoolDir", "TmpFS"].map((name) => `${name}=${folder}/%n-${name}`),
      ...["Slurmctld", "Slurmd"].flatMap((name) => [
        `${name}PidFile=/dev/shm/${name}.pid`,
        `${name}LogFile=${folder}/${name === "Slurmd" ? "%n" : name}.log`,
      ]),
      ...["NodeName=n[1-2] CPUs=16 RealMemory=2000", "PartitionName=all Nodes=ALL Default=YES"],
      "",
    ].join("\n"),
  );
  const env = {
    SLURM_CONF: config,
    PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`,
    ...{ ACE_BACKEND: "wasm", ACE_BLAS: "off", NO_COLOR: "1" }, // as launched() has it
  };
  const run = async (line: readonly string[], on = "login"): Promise<string> => {
    const options = { env, cwd: folder, stdin: "null" } as const;
    const { success, stdout, stderr } = await machines.command(on, line, options).output();
    if (!success) throw new Error(`${line.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  };
  await run(["slurmctld", "-i"]);
  for (const node of ["n1", "n2"]) {
    for (const name of ["SlurmdSpoolDir", "TmpFS"]) await Deno.mkdir(join(folder, `${node}-${name}`));
    await run(["slurmd"], node);
  }
  const hasStep = async (node: string): Promise<boolean> => {
    const names = ["sh", "-c", "cat /proc/[0-9]*/comm 2>/dev/null || true"];
    return (await run(names, node)).includes("slurmstepd");
  };
  const idle = async (): Promise<void> => {
    while (!/^2\s*$/.test(await run(["sinfo", "--noheader", "--states=idle", "--format=%D"]))) await pause();
    // A step's own process ends after its job, and keeps the socket of PMIx by its numbers, which are the next start's, too.
    for (const node of ["n1", "n2"]) while (await hasStep(node)) await pause();
  };
  await idle();
  return {
    run,
    idle,
    async job(id, state) {
      for (;; await pause()) {
        const said = await run(["scontrol", "show", "job", id]);
        const now = /JobState=(\S+)/.exec(said)![1]!;
        if (state.test(now)) return said;
        if (/FAILED|TIMEOUT|NODE_FAIL/.test(now)) throw new Error(`${said}${await told(id)}`);
      }
    },
  };

  async function told(id: string): Promise<string> {
    return await Deno.readTextFile(join(folder, `slurm-${id}.out`)).catch(() => "");
  }
}
