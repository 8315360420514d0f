/** Several adapters of one model as one: their updates added, stacked or voted on. @module */
import { float32Tensor, type TensorData, toFloat32 } from "../io/tensors.ts";
import { loraScaling } from "../peft/lora/config.ts";
import { deriveSeed, mulberry32 } from "../tensor/random.ts";
import { truncatedProduct } from "./_truncated_product.ts";
import { joinedCases } from "./case_lists.ts";
import { layersText } from "./positions.ts";
import { TARGETS } from "./config.ts";
import { type AdapterFile, gatherHypergraph, hypergraphTensor, type LoraEntry, refuseHead } from "./record.ts";
import { entriesOf } from "../platform/known_keys.ts";
import { inSentence } from "../platform/nearest.ts";
import { checkOptions, FLAG, FRACTION, INTEGER, LIST, oneOf, type Rules, TEXTS } from "../platform/options.ts";

/** The ways of {@linkcode combineAdapters}, by PEFT's names. */
export const COMBINATIONS = ["linear", "cat", "svd", "ties", "dare_linear", "dare_ties"] as const;

/** One of {@linkcode COMBINATIONS}. */
export type Combination = (typeof COMBINATIONS)[number];

/** Options of {@linkcode combineAdapters}. */
export interface CombineOptions {
  /** One of {@linkcode COMBINATIONS}. @default {"linear"} */
  combination?: Combination;
  /** One an adapter, negative to take its effect away. @default {equal, with the sum 1} */
  weights?: readonly number[];
  /** Share of each matrix's numbers that `ties` and `dare_*` keep, in (0, 1]. @default {0.5} */
  density?: number;
  /** Of the numbers that `dare_*` drops. @default {0} */
  seed?: number;
  /** Leave out ACE-HGNN where it cannot be combined. @default {false} */
  dropHgnn?: boolean;
  /** What messages call the adapters. @default {adapter 1, adapter 2, ...} */
  names?: readonly string[];
}

/** What they must be. */
const COMBINE_RULES: Rules<CombineOptions> = {
  combination: oneOf(COMBINATIONS),
  weights: LIST,
  density: FRACTION,
  seed: INTEGER,
  dropHgnn: FLAG,
  names: TEXTS,
};

/** The error for adapters whose ACE-HGNN cannot become one. */
export class HypergraphCombineError extends RangeError {
  /** Name shown in stack traces. */
  override name = "HypergraphCombineError";
}

/** An adapter's matrix, and what it counts for. */
interface Weighted {
  values: Float32Array;
  weight: number;
}

/** An update with its adapter's weight times scaling. */
interface WeightedEntry extends LoraEntry {
  weight: number;
  /** The adapter's place in the list. */
  index: number;
}

/**
 * One adapter from several of the same model, as PEFT's `add_weighted_adapter` makes it. With `w` an adapter's weight times
 * its scaling, the result has the scaling 1 and
 *
 * - `linear`: `A = Σ √|w| sign(w) A`, `B = Σ √|w| B`, an approximation of the sum of the updates;
 * - `ties`: the same sums, of the largest numbers of each matrix, where they agree with the elected sign, over their count;
 * - `dare_linear`, `dare_ties`: numbers are kept at random with probability `density` and divided by it;
 * - `cat`: the rows of `w A` and columns of B beside each other, exactly the sum of the updates, of the ranks' sum;
 * - `svd`: the best approximation of that sum of the largest rank among them.
 *
 * An adapter without an update at a place has no vote there. ACE-HGNN's layers are no differences from a base that the
 * adapters share, so that they have no signs to elect nor parts to drop: they are averaged by `linear` alone, with weights
 * that are not negative and sum to 1. The logit scale is the geometric mean. PEFT itself keeps `use_rslora` on the result, and
 * multiplies it by √rank then; here the scaling is 1 whatever the adapters' was.
 *
 * Source: PEFT 0.21 `tuners/lora/model.py`, `utils/merge_utils.py`; Yadav et al. 2023 (TIES), Yu et al. 2024 (DARE).
 *
 * @param adapters At least one, from `readAdapter`.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 * @throws {RangeError} If ranks or sizes differ where they must not, or weights are not what they must be.
 * @throws {HypergraphCombineError} If ACE-HGNN cannot be combined and `dropHgnn` is not set.
 */
export function combineAdapters(adapters: readonly AdapterFile[], options: CombineOptions = {}): AdapterFile {
  checkOptions("combine adapters", options, COMBINE_RULES);
  const { combination = "linear", density = 0.5, seed = 0, dropHgnn = false } = options;
  checkRead(combination, options);
  const names = adapters.map((_, i) => options.names?.[i] ?? `adapter ${i + 1}`);
  const weights = options.weights ?? adapters.map(() => 1 / adapters.length);
  checkCombination(adapters, { combination, weights, names });
  adapters.forEach((adapter, i) => refuseHead(adapter, `combine "${names[i]}" with others`));
  const entries = adapters.flatMap(({ lora, config }, index) =>
    lora.map((entry): WeightedEntry => ({ ...entry, index, weight: weights[index]! * loraScaling(config) }))
  );
  const byLayer = Map.groupBy(entries, ({ encoder, layer, target }) => `${encoder} layer ${layer} ${target}`);
  const ranks = adapters.filter(({ lora }) => lora.length > 0).map(({ config }) => config.rank);
  const rank = combination === "cat" ? ranks.reduce((sum, r) => sum + r, 0) : Math.max(...ranks);
  const lora = [...byLayer].map(([place, parts]): LoraEntry => {
    checkSizes(parts, place, names);
    const { encoder, layer, target } = parts[0]!;
    const product = combination === "cat" || combination === "svd"
      ? stacked(parts, combination === "svd" ? undefined : rank)
      : summed(parts, { combination, density, seed, place });
    return { encoder, layer, target, ...(combination === "svd" ? truncatedProduct(product, rank) : product) };
  });
  const hgnn = dropHgnn ? {} : combinedHgnn(adapters, { combination, weights, names });
  const { config } = adapters[0]!;
  const isDropped = Object.keys(hgnn).length === 0;
  return {
    lora,
    hgnn,
    ...scaleOf(adapters, weights),
    ...joinedCases(adapters),
    config: {
      ...config,
      ...(lora.length === 0 ? {} : {
        rank,
        alpha: Math.sqrt(rank),
        targets: TARGETS.filter((target) => lora.some((entry) => entry.target === target)),
        positions: layersText(lora) === layersText(adapters[0]!.lora) ? config.positions : "custom",
      }),
      ...(isDropped ? { topK: null, hidden: null } : {}),
    },
  };
}

type Settings = Required<Pick<CombineOptions, "combination" | "weights" | "names">>;

function checkCombination(adapters: readonly AdapterFile[], { combination, weights, names }: Settings): void {
  const refuse = (what: string): never => {
    throw new RangeError(`Cannot combine ${names.map((name) => `"${name}"`).join(" and ") || "adapters"} as ${what}`);
  };
  if (adapters.length === 0) refuse("there must be at least one: current number is 0");
  if (weights.length !== adapters.length) {
    refuse(`there must be a weight for each of ${adapters.length}: current number is ${weights.length}`);
  }
  const odd = weights.find((weight) => !Number.isFinite(weight));
  if (odd !== undefined) refuse(`weights must be finite: current value is ${odd}`);
  const carrying = adapters.filter(({ lora }) => lora.length > 0);
  const ranks = carrying.map(({ config }) => config.rank);
  if (combination !== "cat" && combination !== "svd" && new Set(ranks).size > 1) {
    refuse(`${combination} needs one rank: they have ${ranks.join(" and ")}; cat and svd take several`);
  }
}

function checkSizes(entries: readonly WeightedEntry[], place: string, names: readonly string[]): void {
  const first = entries[0]!;
  const size = ({ a, b }: LoraEntry): string => `[${b.shape[0]}, ${a.shape[1]}]`;
  const other = entries.find((entry) => size(entry) !== size(first));
  if (!other) return;
  throw new RangeError(
    `Cannot combine "${names[first.index]}" and "${names[other.index]}" as they must be of one model: ${place} is ` +
      `${size(first)} in the first and ${size(other)} in the second`,
  );
}

/** `A` and `B` each by itself. */
function summed(
  entries: readonly WeightedEntry[],
  { combination, density, seed, place }: { combination: Combination; density: number; seed: number; place: string },
): Pick<LoraEntry, "a" | "b"> {
  const matrix = (key: "a" | "b"): TensorData => {
    const tensors = entries.map((entry): Weighted => {
      const root = Math.sqrt(Math.abs(entry.weight));
      const weight = key === "a" && entry.weight < 0 ? -root : root; // on one side, or two signs would cancel
      const values = toFloat32(entry[key]);
      if (combination === "linear" || density === 1) return { values, weight };
      if (combination === "ties") return { values: largest(values, density), weight };
      return { values: atRandom(values, density, deriveSeed(seed, `${entry.index} ${place} ${key}`)), weight };
    });
    const isElected = combination === "ties" || combination === "dare_ties";
    return float32Tensor(entries[0]![key].shape, isElected ? elected(tensors) : sum(tensors));
  };
  return { a: matrix("a"), b: matrix("b") };
}

function sum(tensors: readonly Weighted[]): Float32Array {
  return tensors[0]!.values.map((_, i) =>
    tensors.reduce((total, { values, weight }) => total + weight * values[i]!, 0)
  );
}

/** The combinations that read an option which others do not. */
const READERS: Readonly<Record<"density" | "seed", readonly Combination[]>> = {
  density: ["ties", "dare_linear", "dare_ties"],
  seed: ["dare_linear", "dare_ties"],
};

/** Refuses options that the combination does not read. */
function checkRead(combination: Combination, options: CombineOptions): void {
  for (const [name, readers] of entriesOf(READERS)) {
    if (options[name] === undefined || readers.includes(combination)) continue;
    throw new TypeError(
      `Cannot combine adapters as ${name} is read by ${inSentence(readers)} alone: current value is "${combination}"`,
    );
  }
}

/** The numbers of the largest magnitudes; 0 for the others. */
function largest(values: Float32Array, density: number): Float32Array {
  const order = Uint32Array.from(values.keys()).sort((i, j) => Math.abs(values[j]!) - Math.abs(values[i]!) || i - j);
  const out = new Float32Array(values.length);
  for (const i of order.subarray(0, Math.floor(density * values.length))) out[i] = values[i]!;
  return out;
}

/** Each number with probability `density`, divided by it, or 0. */
function atRandom(values: Float32Array, density: number, seed: number): Float32Array {
  const rng = mulberry32(seed);
  return values.map((value) => rng() < density ? value / density : 0);
}

/** The mean of the weighted numbers whose sign is that of the sum before weighting; a sum of 0 counts as positive. */
function elected(tensors: readonly Weighted[]): Float32Array {
  return tensors[0]!.values.map((_, i) => {
    const sign = tensors.reduce((total, { values }) => total + values[i]!, 0) >= 0 ? 1 : -1;
    const agreeing = tensors.filter(({ values }) => Math.sign(values[i]!) === sign);
    return agreeing.reduce((total, { values, weight }) => total + weight * values[i]!, 0) /
      Math.max(1, agreeing.length);
  });
}

/** Rows of `w A` and columns of B beside each other, filled up with zeros to `rank`. */
function stacked(entries: readonly WeightedEntry[], rank?: number): Pick<LoraEntry, "a" | "b"> {
  const [ins, outs] = [entries[0]!.a.shape[1]!, entries[0]!.b.shape[0]!];
  const total = rank ?? entries.reduce((count, { a }) => count + a.shape[0]!, 0);
  const [a, b] = [new Float32Array(total * ins), new Float32Array(outs * total)];
  let first = 0;
  for (const entry of entries) {
    const own = entry.a.shape[0]!;
    a.set(toFloat32(entry.a).map((value) => entry.weight * value), first * ins);
    const values = toFloat32(entry.b);
    for (let row = 0; row < outs; row++) b.set(values.subarray(row * own, (row + 1) * own), row * total + first);
    first += own;
  }
  return { a: float32Tensor([total, ins], a), b: float32Tensor([outs, total], b) };
}

function combinedHgnn(
  adapters: readonly AdapterFile[],
  { combination, weights, names }: Pick<Settings, "combination" | "weights" | "names">,
): AdapterFile["hgnn"] {
  const modules = (adapter: AdapterFile): string => Object.keys(adapter.hgnn).sort().join(" and ") || "none";
  if (adapters.every((adapter) => modules(adapter) === "none")) return {};
  const refuse = (what: string): never => {
    throw new HypergraphCombineError(
      `Cannot combine the ACE-HGNN of ${names.map((name) => `"${name}"`).join(" and ")} as ${what}`,
    );
  };
  if (adapters.length > 1 && combination !== "linear") {
    refuse(`its layers are no differences from a common base: only linear averages them, not ${combination}`);
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (Math.abs(total - 1) > 1e-6 || weights.some((weight) => weight < 0)) {
    refuse(`an average needs weights of at least 0 with the sum 1: current value is ${weights.join(", ")}`);
  }
  const facts: [string, (adapter: AdapterFile) => string][] = [
    ["encoders", modules],
    ["members of a hyperedge", ({ config }) => `${config.topK}`],
    ["hidden width", ({ config }) => `${config.hidden}`],
    ["text affinity", ({ config }) => config.textAffinity ?? "probabilities"],
  ];
  for (const [what, of] of facts) {
    const matrices = adapters.map(of);
    if (new Set(matrices).size > 1) refuse(`all must have it alike: its ${what} are ${matrices.join(" / ")}`);
  }
  return gatherHypergraph((leaf) => {
    const tensors = adapters.map((adapter) => hypergraphTensor(adapter.hgnn, leaf));
    if (!tensors[0]) return undefined;
    const { shape } = tensors[0];
    if (tensors.some((tensor) => tensor!.shape.join() !== shape.join())) {
      refuse("they must be of one model's embedding");
    }
    const parts = tensors.map((tensor, i): Weighted => ({ values: toFloat32(tensor!), weight: weights[i]! }));
    return float32Tensor(shape, sum(parts));
  }, names.join(" and "));
}

/** The geometric mean of the scales, where adapters have one. */
function scaleOf(adapters: readonly AdapterFile[], weights: readonly number[]): Pick<AdapterFile, "logitScale"> {
  let [logarithm, total] = [0, 0];
  for (const [i, { logitScale }] of adapters.entries()) {
    if (logitScale === undefined) continue;
    const weight = Math.abs(weights[i]!);
    logarithm += weight * Math.log(logitScale);
    total += weight;
  }
  return total === 0 ? {} : { logitScale: Math.exp(logarithm / total) };
}
