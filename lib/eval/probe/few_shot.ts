/** Methods compared at growing numbers of shots, over seeds. @module */
import { macroAuroc } from "../metrics/auroc.ts";
import { isProbeName, PROBE_METHODS, type ProbeName } from "./methods.ts";
import { drawShots, type Shots } from "./shots.ts";
import { type ProbeAnswer, type ProbeTask, shareRight } from "./task.ts";
import type { LabelledFeatures } from "./neighbours.ts";
import { keysOf } from "../../platform/known_keys.ts";
import { CALL, checkOptions, LIST, listOf, NUMBERS, RECORD, type Rules } from "../../platform/options.ts";

/** A set in three parts, as unit features. */
export interface FewShotData extends Pick<ProbeTask, "classFeatures" | "scale"> {
  /** Cases that shots are drawn from. */
  train: LabelledFeatures;
  /** Cases that settings are chosen on; shots are drawn from them, too. */
  validation: LabelledFeatures;
  /** Cases asked about, all of them. */
  test: LabelledFeatures;
}

/** Figures of one method at one number of shots. */
export interface FewShotRun {
  /** Seed of the draw. */
  seed: number;
  /** Cases trained on. */
  cases: number;
  /** Share of right answers on the test part. */
  accuracy: number;
  /** Macro one-vs-rest AUROC on it; null where the test part has one class. */
  auroc: number | null;
  /** Settings that the validation shots chose. */
  chosen?: Record<string, number>;
}

/** Mean and deviation over the seeds. */
export interface Spread {
  /** Mean. */
  mean: number;
  /** Sample standard deviation; null of a single run. */
  deviation: number | null;
}

/** A method's row at one number of shots. */
export interface FewShotRow {
  /** Name of the method. */
  method: string;
  /** Shots of each class; null for the whole part. */
  shots: number | null;
  /** Accuracy over the runs. */
  accuracy: Spread;
  /** AUROC over the runs; null where it is undefined. */
  auroc: Spread | null;
  /** One a seed; one alone where the seed changes nothing. */
  runs: FewShotRun[];
}

/** A method that reads more than features, such as one that trains on the images. */
export type OtherMethod = (shots: Shots, seed: number) => Promise<ProbeAnswer>;

/** Options of {@linkcode fewShot}. */
export interface FewShotOptions {
  /** Shots of each class; Infinity for the whole part. @default {[1, 2, 4, 8, 16, Infinity]} */
  shots?: readonly number[];
  /** Seeds. @default {[1, 2, 3], as CoOp's} */
  seeds?: readonly number[];
  /** Methods on features. @default {all} */
  methods?: readonly ProbeName[];
  /** Further methods, by name. @default {none} */
  others?: Readonly<Record<string, OtherMethod>>;
  /** Runs made before, by the keys that `onResult` gives; they are not made again. @default {none} */
  known?: ReadonlyMap<string, FewShotRun>;
  /** Called with each run made, under its key. */
  onResult?: (key: string, run: FewShotRun) => void | Promise<void>;
  /** Ends the work before the next run, and a method that listens to it at once: the error is then the signal's reason. */
  signal?: AbortSignal;
  /** Called before each run, and at the end, with what is done, what there is, and the run's name. */
  onRun?: (done: number, total: number, name: string) => void;
}

/** What they must be. */
const FEW_SHOT_RULES: Rules<FewShotOptions> = {
  shots: LIST,
  seeds: NUMBERS,
  methods: listOf(keysOf(PROBE_METHODS)),
  others: RECORD,
  known: RECORD,
  onResult: CALL,
  signal: RECORD,
  onRun: CALL,
};

/** The name of one run, unique within a plan. */
function runKey(method: string, shots: number | null, seed: number): string {
  return `${method} at ${shots ?? "all"}, seed ${seed}`;
}

/**
 * Runs each method at each number of shots with each seed; all methods of a seed learn from the same shots.
 *
 * @returns One row a method and number of shots.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function fewShot(data: FewShotData, options: FewShotOptions = {}): Promise<FewShotRow[]> {
  checkOptions("probe", options, FEW_SHOT_RULES);
  const { shots = [1, 2, 4, 8, 16, Infinity], seeds = [1, 2, 3], others = {}, onRun, known, signal } = options;
  const { methods = keysOf(PROBE_METHODS) } = options;
  const plan = [...methods, ...Object.keys(others)].flatMap((method) =>
    shots.map((count) => {
      const isSettled = count === Infinity && !(method in others) && isProbeName(method) &&
        !PROBE_METHODS[method].isRandom;
      return { method, count, seeds: isSettled ? seeds.slice(0, 1) : seeds };
    })
  );
  const total = plan.reduce((sum, { seeds }) => sum + seeds.length, 0);
  const rows: FewShotRow[] = [];
  let done = 0;
  for (const { method, count, seeds } of plan) {
    const runs: FewShotRun[] = [];
    const shots = count === Infinity ? null : count;
    for (const seed of seeds) {
      const key = runKey(method, shots, seed);
      onRun?.(done++, total, key);
      let run = known?.get(key);
      if (!run) {
        await new Promise((resolve) => setTimeout(resolve, 0)); // lets a signal be delivered
        signal?.throwIfAborted();
        run = await runOf(data, others[method] ?? onFeatures(data, method as ProbeName), { shots: count, seed });
        await options.onResult?.(key, run);
      }
      runs.push(run);
    }
    rows.push({ method, shots, ...spreads(runs), runs });
  }
  onRun?.(total, total, "done");
  return rows;
}

/** One run: the shots drawn, and the figures of the answers on the test part. */
async function runOf(
  data: FewShotData,
  method: OtherMethod,
  { shots, seed }: { shots: number; seed: number },
): Promise<FewShotRun> {
  const drawn = drawShots(Array.from(data.train.targets), Array.from(data.validation.targets), { shots, seed });
  const { scores, chosen } = await method(drawn, seed);
  const targets = Array.from(data.test.targets);
  return {
    seed,
    cases: drawn.train.length,
    accuracy: shareRight(scores, targets),
    auroc: aurocOf(scores, targets),
    ...(chosen ? { chosen } : {}),
  };
}

/** A method that learns from features alone. */
function onFeatures(data: FewShotData, name: ProbeName): OtherMethod {
  return async (drawn, seed) => await PROBE_METHODS[name].answer(taskOf(data, drawn, seed));
}

function spreads(runs: readonly FewShotRun[]): Pick<FewShotRow, "accuracy" | "auroc"> {
  const aurocs = runs.flatMap(({ auroc }) => auroc ?? []);
  return {
    accuracy: spread(runs.map(({ accuracy }) => accuracy)),
    auroc: aurocs.length === runs.length ? spread(aurocs) : null,
  };
}

function taskOf(data: FewShotData, drawn: Shots, seed: number): ProbeTask {
  const { train, validation, test, classFeatures, scale } = data;
  return {
    train: someOf(train, drawn.train),
    validation: someOf(validation, drawn.validation),
    queries: test.features,
    classFeatures,
    scale,
    seed,
  };
}

/** The cases at these places. */
function someOf({ features, targets, classes }: LabelledFeatures, rows: readonly number[]): LabelledFeatures {
  const width = features.length / targets.length;
  const out = new Float32Array(rows.length * width);
  rows.forEach((place, i) => {
    for (let e = 0; e < width; e++) out[i * width + e] = features[place * width + e]!;
  });
  return { features: out, targets: rows.map((place) => targets[place]!), classes };
}

/** Macro one-vs-rest AUROC; null where all cases are of one class. */
export function aurocOf(scores: ArrayLike<number>, targets: readonly number[]): number | null {
  if (new Set(targets).size < 2) return null;
  return macroAuroc(scores, targets).value;
}

function spread(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length < 2) return { mean, deviation: null };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)) };
}
