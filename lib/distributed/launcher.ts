/** What launchers and batch systems tell a process of the others they started, by variables of the environment. @module */
import { readVariable } from "../platform/variables.ts";
import { CALL, checkOptions, FLAG, type Rules } from "../platform/options.ts";

/** How many processes were started at once: by Open MPI, MPICH and its kind, srun, and Slurm for a whole job. */
const SIZES = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", "MPI_LOCALNRANKS", "SLURM_NTASKS"] as const;

/** Which of several this process is, and how many there are where that is told. */
const PLACES = [
  { index: "SLURM_PROCID", count: "SLURM_STEP_NUM_TASKS" }, // set outside of srun, too, but not the count
  { index: "SLURM_ARRAY_TASK_ID", count: "SLURM_ARRAY_TASK_COUNT" },
  { index: "JOB_COMPLETION_INDEX", count: undefined }, // Kubernetes tells no more
] as const;

/** The variables that are read here. */
export const LAUNCHER_VARIABLES: readonly string[] = [
  ...SIZES,
  "SLURM_PROCID",
  "SLURM_ARRAY_TASK_ID",
  "SLURM_ARRAY_TASK_COUNT",
  "JOB_COMPLETION_INDEX",
];

/** Reads a variable of the environment. */
export type ReadVariable = (name: string) => string | undefined;

const wholeNumber = (text: string | undefined): number | undefined =>
  /^\d+$/.test(text ?? "") ? Number(text) : undefined;

/** What they must be. */
const LAUNCHED_RULES: Rules<{ job?: boolean; read?: ReadVariable }> = {
  job: FLAG,
  read: CALL,
};

/**
 * How many processes a launcher says it started: 1 without one.
 *
 * @param options `job`: whether a Slurm job's number of tasks counts, though they may not have been started by srun. @default {true}
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function launchedProcesses(options: { job?: boolean; read?: ReadVariable } = {}): number {
  checkOptions("count processes", options, LAUNCHED_RULES);
  const { job = true, read = readVariable } = options;
  const names = SIZES.filter((name) => job || name !== "SLURM_NTASKS");
  return Math.max(1, ...names.map((name) => wholeNumber(read(name)) ?? 1));
}

/** The place of a process among several. */
export interface LaunchedPlace {
  /** From 0. */
  index: number;
  /** How many there are. @default {not told} */
  count?: number;
  /** The variable that says so. */
  variable: string;
}

/** The place of this process by the first variable that tells one, or undefined: a task of srun, of a Slurm array, or a pod of an indexed Job. */
export function launchedPlace(read: ReadVariable = readVariable): LaunchedPlace | undefined {
  for (const { index: variable, count: sizes } of PLACES) {
    const index = wholeNumber(read(variable));
    const count = sizes && wholeNumber(read(sizes));
    if (index === undefined || (variable === "SLURM_PROCID" && count === undefined)) continue;
    return { index, variable, ...(count === undefined ? {} : { count }) };
  }
  return undefined;
}
