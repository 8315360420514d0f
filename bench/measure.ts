/** Paired timing: contenders take turns in one schedule, and ratios are taken turn by turn. @module */

/** One side of a comparison. */
export interface Contender {
  /** Who, e.g. `ace-lora` or `pytorch`. */
  name: string;
  /** Does the work once and returns its milliseconds. */
  run: () => Promise<number>;
  /** Runs before those that count, however long they take. @default {0} */
  warmUp?: number;
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
  /** Of how many turns. */
  turns?: number;
}

/** How long to go on. */
export interface Effort {
  /** Turns after warm-up at least. @default {3} */
  least?: number;
  /** Turns after warm-up at most. @default {15} */
  most?: number;
  /** No new turn after so many seconds, once there are `least`. @default {8} */
  seconds?: number;
  /** Runs of each side before those that count: fewer where {@linkcode WARM_SECONDS} are over, but those that the side asks for. @default {1} */
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
  return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios), turns: ratios.length };
}

/** A ratio in another unit. */
export function inUnit(figure: Ratio, convert: (value: number) => number): Ratio {
  return { ...figure, median: convert(figure.median), low: convert(figure.low), high: convert(figure.high) };
}

/** Of a side's runs before those that count. What takes as long has its code compiled and its memory touched after one. */
export const WARM_SECONDS = 2;

/** Runs after which a library's weights are packed and the steps that need them packed are used: it packs in the fourth of an encoding. */
export const PACKED_RUNS = 5;

/** Pauses, and lets signals be delivered: a side that does not wait for anything would keep them out. */
const pauseFor = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Lets the contenders take turns.
 *
 * @param onLost Called with a side that threw; the others go on without it, and it has no times. Without it the error is thrown.
 */
export async function takeTurns(
  contenders: readonly Contender[],
  effort: Effort = {},
  onLost?: (name: string, error: unknown) => void,
): Promise<Map<string, Times>> {
  const { least = 3, most = 15, seconds = 8, warmUp = 1, pause = 0 } = effort;
  const sides = contenders.map(({ name, run, warmUp: asked = 0 }) => ({
    ...{ name, run, asked, warmed: 0, samples: [] as number[], isLost: false },
  }));
  const rounds = Math.max(warmUp, ...sides.map(({ asked }) => asked));
  let start = performance.now();
  for (let turn = -rounds; turn < most; turn++) {
    if (turn === 0) start = performance.now();
    if (turn >= least && performance.now() - start > seconds * 1000) break;
    for (const side of sides) {
      const round = turn + rounds;
      const isWarming = round < side.asked || (round < warmUp && side.warmed <= WARM_SECONDS * 1000);
      if (side.isLost || (turn < 0 && !isWarming)) continue;
      await pauseFor(pause);
      try {
        const milliseconds = await side.run();
        if (turn >= 0) side.samples.push(milliseconds);
        else side.warmed += milliseconds;
      } catch (error) {
        if (!onLost) throw error;
        side.isLost = true;
        onLost(side.name, error);
      }
    }
  }
  return new Map(sides.filter(({ isLost }) => !isLost).map(({ name, samples }) => [name, times(samples)]));
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
