/** What a run writes: measurements with the machine they were made on, and the aims they are held against. @module */
import { cpus } from "node:os";
import { gitRevision, versions } from "../lib/io/run_facts.ts";
import { type Ratio, ratio, type Times } from "./measure.ts";

/** The machine and what ran on it. */
export interface Facts {
  /** When the run began, ISO 8601. */
  date: string;
  /** The processor. */
  adapter: string;
  /** Logical processors. */
  processors: number;
  /** Other work on the machine as the run began: the load average of the last minute, or null where it may not be read. */
  load: number | null;
  /** Versions of everything that was timed. */
  versions: Record<string, string>;
  /** The checkout's revision. */
  revision: string | null;
}

/** Gathers the facts. */
export async function gatherFacts(): Promise<Facts> {
  let cpu = "unknown processor";
  try {
    cpu = cpus()[0]?.model ?? cpu;
  } catch {
    // Not permitted: the name stays unknown.
  }
  return {
    date: new Date().toISOString(),
    adapter: cpu,
    processors: navigator.hardwareConcurrency,
    load: loadAverage(),
    versions: versions(),
    revision: await gitRevision(),
  };
}

/** The load average of the last minute, or null. */
export function loadAverage(): number | null {
  try {
    return Deno.loadavg()[0]!;
  } catch {
    return null;
  }
}

/** One comparison. */
export interface Measurement {
  /** What was done. */
  name: string;
  /** Threads of each side. */
  threads: number;
  /** Turns that the sides took. */
  turns?: number;
  /** The library of the native side. */
  library?: string;
  /** Load average of the last minute when it ended. */
  load: number | null;
  /** Milliseconds of each side. */
  times: Record<string, Times>;
  /** Ratios, turn by turn, under `a / b`. */
  ratios: Record<string, Ratio>;
  /** Other figures. */
  more?: Record<string, number>;
}

/** Makes a measurement of what the sides took, with the ratio of the first side to each other one. */
export function measurement(name: string, threads: number, sides: ReadonlyMap<string, Times>): Measurement {
  const [first, ...others] = [...sides];
  const ratios = others.map(([other, t]) => [`${first![0]} / ${other}`, ratio(first![1], t)]);
  return {
    name,
    threads,
    ...(first ? { turns: first[1].samples.length } : {}),
    load: loadAverage(),
    times: Object.fromEntries(sides),
    ratios: Object.fromEntries(ratios),
  };
}

/** One row of the summary. */
export interface Aim {
  /** What is measured. */
  name: string;
  /** What is aimed at, in words. */
  aim: string;
  /** The figure, in the unit of the aim. */
  measured: number;
  /** Lowest of the turns. */
  low: number;
  /** Highest of the turns. */
  high: number;
  /** How many turns there were, where sides took turns. */
  turns?: number;
  /** Whether the aim is met. */
  met: boolean;
}

/** A row whose figure must be at most `limit`. */
export function atMost(name: string, limit: number, figure: Ratio, unit = "times"): Aim {
  return { name, aim: `at most ${limit} ${unit}`, ...rounded(figure), met: figure.median <= limit };
}

/** A row whose figure must be at least `limit`. */
export function atLeast(name: string, limit: number, figure: Ratio, unit = "times"): Aim {
  return { name, aim: `at least ${limit} ${unit}`, ...rounded(figure), met: figure.median >= limit };
}

function rounded({ median, low, high, turns }: Ratio): Pick<Aim, "measured" | "low" | "high" | "turns"> {
  // Counts are exact.
  const three = (x: number): number => Number.isInteger(x) ? x : Number(x.toPrecision(3));
  return { measured: three(median), low: three(low), high: three(high), ...(turns ? { turns } : {}) };
}
