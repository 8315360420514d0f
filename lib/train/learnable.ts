/** Whether a run can learn anything, told from its texts and labels before the first step. @module */
import type { Label } from "../losses/label_mask.ts";
import { AMOUNT, checkRecord, COUNT, FLAG, needed, oneOf, type Rules } from "../platform/options.ts";
import { type BatchSource, checkSource, TRAINING_LOSSES, type TrainingLoss } from "./source.ts";

/** The error for pairs from which nothing can be learned. */
export class NothingToLearnError extends RangeError {
  /** Name shown in stack traces. */
  override name = "NothingToLearnError";
  /** What is wrong, for who wants to tell the reasons apart. */
  readonly reason: "pairs" | "batch" | "texts" | "labels" | "targets";

  /**
   * An error about a run's pairs.
   *
   * @param message One line.
   * @param reason What is wrong, for who wants to tell the reasons apart.
   */
  constructor(message: string, reason: "pairs" | "batch" | "texts" | "labels" | "targets") {
    super(message);
    this.reason = reason;
  }
}

/** What is judged. */
export interface LearnableOptions {
  /** Pairs a batch, as many as there can be. */
  batchSize: number;
  /** The loss: with `label-guided` pairs of identical labels are masked. */
  loss: TrainingLoss;
  /** Whether a last batch that is smaller is left out. @default {false} */
  dropLast?: boolean;
  /** Steps of the run, whose learning rates are judged. @default {undefined} not known */
  steps?: number;
  /** Steps of its warm-up. @default {0} */
  warmupSteps?: number;
}

/** What they must be. */
const LEARNABLE_RULES: Rules<LearnableOptions> = {
  batchSize: needed(COUNT),
  loss: needed(oneOf(TRAINING_LOSSES)),
  dropLast: FLAG,
  steps: AMOUNT,
  warmupSteps: AMOUNT,
};

/** Pairs looked at for what is only warned of; what is refused is looked for in all. */
const SAMPLE = 4096;
const CHUNK = 512;

/**
 * Refuses a run that can learn nothing: the contrastive loss tells the pairs of a batch apart, so there must be two of them,
 * with different texts and, under the label-guided loss, with different labels; targets must differ.
 *
 * @returns A line for each reason for which little can be learned.
 * @throws {NothingToLearnError} If nothing can.
 */
export async function checkLearnable(source: BatchSource, options: LearnableOptions): Promise<string[]> {
  checkSource("look at pairs", source);
  checkRecord("look at pairs", "options", options, LEARNABLE_RULES); // a plan has more than these
  const { batchSize, loss, dropLast = false } = options;
  const { size, contextLength } = source;
  if (loss === "supervised") {
    const targets = await countKeys(size, async (indices) => targetKeys(await source.ids(indices), contextLength));
    if (targets.counts.size > 1) return warmupWarnings(options);
    throw nothing("targets", "the images' labels must differ", "the same labels for every image");
  }
  if (size < 2) throw nothing("pairs", "there must be at least two pairs", String(size));
  if (batchSize < 2) throw nothing("batch", "a batch must hold at least two pairs", String(batchSize));
  const texts = await countKeys(size, async (indices) => {
    const ids = await source.ids(indices);
    return indices.map((_, i) => rowKey(ids, i, contextLength));
  });
  if (texts.counts.size === 1) {
    throw nothing("texts", "the texts must differ once they are cut to the model's context", "one text for every pair");
  }
  const labels = loss === "label-guided" && source.labels
    ? await countKeys(size, async (indices) => (await source.labels!(indices)).map(labelKey))
    : undefined;
  if (labels?.counts.size === 1) {
    throw nothing(
      "labels",
      "the label-guided loss must find pairs whose labels differ",
      "the same labels, or none, for every pair",
    );
  }
  return [
    ...(texts.counts.size <= Math.min(batchSize, texts.seen) / 2
      ? [
        `${texts.seen} pairs have only ${texts.counts.size} different texts: half of a batch or more tells apart what is the same`,
      ]
      : []),
    ...(!dropLast && size > batchSize && size % batchSize === 1
      ? [
        `${size} pairs in batches of ${batchSize} leave one for the last batch of an epoch, from which nothing is learned: its loss is 0`,
      ]
      : []),
    ...(await allCut(source)
      ? [`every text fills the model's context of ${contextLength} tokens: what comes after it is cut and not learned`]
      : []),
    ...(labels && shareEqual(labels) > 0.5
      ? [`${Math.round(100 * shareEqual(labels))} % of all pairs have the same labels and are masked`]
      : []),
    ...warmupWarnings(options),
  ];
}

/** A run that ends before its warm-up does never has the learning rate that was asked for, and its first step has none. */
function warmupWarnings({ steps = Infinity, warmupSteps = 0 }: LearnableOptions): string[] {
  if (steps > warmupSteps && (steps > 1 || warmupSteps === 0)) return [];
  return [
    steps === 1
      ? "the run's one step is the first of the warm-up, whose learning rate is 0: nothing is learned; it takes more epochs, smaller batches or no warm-up"
      : `the run's ${steps} steps all belong to the warm-up: the learning rate rises to ${
        Math.round(100 * (steps - 1) / warmupSteps)
      } % of what was asked for; it takes more epochs or a shorter warm-up`,
  ];
}

function nothing(reason: NothingToLearnError["reason"], expected: string, actual: string): NothingToLearnError {
  return new NothingToLearnError(`Cannot train as ${expected}: current value is ${actual}`, reason);
}

interface Counts {
  /** How often each key was seen. */
  counts: Map<string | number, number>;
  /** Rows seen. */
  seen: number;
}

/** Counts keys in evenly spread rows; while all are the same, in the others, too. */
async function countKeys(
  size: number,
  keysOf: (indices: readonly number[]) => Promise<readonly (string | number)[]>,
): Promise<Counts> {
  const counts: Counts = { counts: new Map(), seen: 0 };
  const stride = Math.ceil(size / SAMPLE);
  const rows = (from: number, by: number): number[] =>
    Array.from({ length: Math.ceil((size - from) / by) }, (_, i) => from + i * by);
  for (let offset = 0; offset < stride && counts.counts.size <= 1; offset++) {
    const indices = rows(offset, stride);
    for (let start = 0; start < indices.length; start += CHUNK) {
      for (const key of await keysOf(indices.slice(start, start + CHUNK))) {
        counts.counts.set(key, (counts.counts.get(key) ?? 0) + 1);
        counts.seen++;
      }
    }
  }
  return counts;
}

/** 53 bits that tell a row of token ids from others. */
function rowKey(ids: Int32Array, row: number, length: number): number {
  let [high, low] = [0x811c9dc5, 0x9747b28c];
  for (let i = row * length; i < (row + 1) * length; i++) {
    high = Math.imul(high ^ ids[i]!, 0x01000193);
    low = Math.imul(low ^ ids[i]!, 0x5bd1e995) ^ (low >>> 15);
  }
  return (high >>> 0) * 2 ** 21 + (low >>> 11);
}

/** A key for each row of targets. */
function targetKeys(targets: Int32Array, width: number): string[] {
  return Array.from(
    { length: targets.length / width },
    (_, row) => targets.subarray(row * width, (row + 1) * width).join(),
  );
}

/** Rows with one key are identical to the mask of the loss: only the positive labels count. */
function labelKey(row: readonly Label[]): string {
  return row.map((value) => value === 1 ? 1 : 0).join("");
}

/** Share of the pairs of two different rows that have one key. */
function shareEqual({ counts, seen }: Counts): number {
  let equal = 0;
  for (const count of counts.values()) equal += count * (count - 1);
  return equal / (seen * (seen - 1));
}

/** Whether no text ends before the context does. */
async function allCut({ size, contextLength, ids }: BatchSource): Promise<boolean> {
  for (let start = 0; start < size; start += CHUNK) {
    const rows = Array.from({ length: Math.min(CHUNK, size - start) }, (_, i) => start + i);
    const batch = await ids(rows);
    if (rows.some((_, i) => batch[(i + 1) * contextLength - 1] === 0)) return false;
  }
  return true;
}
