/** Paired timing: contenders take turns in one schedule, and ratios are taken turn by turn. @module */

/** One side of a comparison. */
export interface Contender {
  /** Who, e.g. `ace-lora` or `pytorch`. */
  name: string;
  /** Does the work once and returns its milliseconds. */
  run: () => Promise<number>;
}

/** Milliseconds of one side. */
export interface Times {
  /** Median. */
  median: number;
  /** Fastest. */
  min: number;
  /** Slowest. */
  max: number;
  /** All, in order. */
  samples: number[];
}

/** A ratio with its spread. */
export interface Ratio {
  /** Median of the ratios of each turn. */
  median: number;
  /** Lowest. */
  low: number;
  /** Highest. */
  high: number;
}

/** How long to go on. */
export interface Effort {
  /** Turns after warm-up at least. @default {3} */
  least?: number;
  /** Turns after warm-up at most. @default {15} */
  most?: number;
  /** No new turn after so many seconds, once there are `least`. @default {8} */
  seconds?: number;
  /** Turns before those that count. @default {1} */
  warmUp?: number;
  /** Milliseconds before each run: threads of other sides look for work for a while after theirs, on the processors of the next. @default {0} */
  pause?: number;
}

/** The middle value; the mean of the two middle ones for an even number. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Median, fastest and slowest of some milliseconds. */
export function times(samples: number[]): Times {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples), samples };
}

/** Turn by turn, a over b. */
export function ratio(a: Times, b: Times): Ratio {
  const ratios = a.samples.slice(0, b.samples.length).map((value, i) => value / b.samples[i]!);
  return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) };
}

/** Lets the contenders take turns. */
export async function takeTurns(contenders: readonly Contender[], effort: Effort = {}): Promise<Map<string, Times>> {
  const { least = 3, most = 15, seconds = 8, warmUp = 1, pause = 0 } = effort;
  const samples = contenders.map((): number[] => []);
  let start = performance.now();
  for (let turn = -warmUp; turn < most; turn++) {
    if (turn === 0) start = performance.now();
    if (turn >= least && performance.now() - start > seconds * 1000) break;
    for (const [i, { run }] of contenders.entries()) {
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      const milliseconds = await run();
      if (turn >= 0) samples[i]!.push(milliseconds);
    }
  }
  return new Map(contenders.map(({ name }, i) => [name, times(samples[i]!)]));
}

/** A contender of this process. */
export function ours(name: string, work: () => void | Promise<void>): Contender {
  const run = async (): Promise<number> => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  return { name, run };
}
