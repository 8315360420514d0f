/** An adapter as a plain record, whatever file it comes from. @module */
import { checkFinite, elementCount, type TensorData, toFloat32 } from "../io/tensors.ts";
import { keysOf } from "../platform/known_keys.ts";
import { type AdapterConfig, type AdapterTarget, TARGETS } from "./config.ts";

/** A tower an adapter belongs to. */
export type AdapterEncoder = "image" | "text";

/** The low-rank update of one projection: `W + alpha / √rank · b a`. */
export interface LoraEntry {
  /** Tower. */
  encoder: AdapterEncoder;
  /** Block of the tower, from 0. */
  layer: number;
  /** Projection. */
  target: AdapterTarget;
  /** `[rank, in]`. */
  a: TensorData;
  /** `[out, rank]`. */
  b: TensorData;
}

/** Weight `[out, in]` and bias `[out]` of a linear layer. */
export interface LinearTensors {
  /** `[out, in]`. */
  weight: TensorData;
  /** `[out]`. */
  bias: TensorData;
}

/** A bottleneck of ACE-HGNN. */
export interface BottleneckTensors {
  /** `E -> hidden`. */
  down: LinearTensors;
  /** `hidden -> E`. */
  up: LinearTensors;
}

/** The two bottlenecks of one ACE-HGNN. */
export interface HypergraphTensors {
  /** Of hyperedges. */
  edge: BottleneckTensors;
  /** Of nodes. */
  node: BottleneckTensors;
}

/** An adapter: LoRA, ACE-HGNN and the logit scale. */
export interface AdapterFile {
  /** Updates, by tower, layer and target. */
  lora: LoraEntry[];
  /** ACE-HGNN of each tower that has one. */
  hgnn: Partial<Record<AdapterEncoder, HypergraphTensors>>;
  /** The similarity's scale, already exponentiated. */
  logitScale?: number;
  /** A head that was trained on labels: weight `[C, E]`, bias `[C]`, and what its outputs are called. */
  head?: LinearTensors & { classes: readonly string[] };
  /** Settings. */
  config: AdapterConfig;
  /** Fingerprints of the cases it was trained on, 12 hex digits each, sorted; absent where the file does not say. */
  seen?: readonly string[];
  /** The same of the cases whose figures chose the weights, empty where none did; absent where the file does not say. */
  chose?: readonly string[];
}

/** An adapter that was read, and from where. */
export interface NamedAdapter {
  /** Its path, as it was named. */
  path: string;
  /** What it holds. */
  file: AdapterFile;
}

/** The towers, in the order the files use: text first. */
export const ENCODERS: readonly AdapterEncoder[] = ["text", "image"];

/** A leaf of ACE-HGNN: its path and its tensor. */
export interface HypergraphLeaf {
  /** Tower. */
  encoder: AdapterEncoder;
  /** `edge` or `node`. */
  part: "edge" | "node";
  /** A layer's name and its tensor's. */
  leaf: `${"down" | "up"}.${"weight" | "bias"}`;
}

const LEAVES = {
  "down.weight": ["down", "weight"],
  "down.bias": ["down", "bias"],
  "up.weight": ["up", "weight"],
  "up.bias": ["up", "bias"],
} as const;

/** Every leaf that ACE-HGNN may have, in the order the files use. */
export function hypergraphLeaves(): HypergraphLeaf[] {
  return (["image", "text"] as const).flatMap((encoder) =>
    (["edge", "node"] as const).flatMap((part) => keysOf(LEAVES).map((leaf) => ({ encoder, part, leaf })))
  );
}

/** The tensor at a leaf of ACE-HGNN. */
export function hypergraphTensor(
  hgnn: AdapterFile["hgnn"],
  { encoder, part, leaf }: HypergraphLeaf,
): TensorData | undefined {
  const [layer, kind] = LEAVES[leaf];
  return hgnn[encoder]?.[part][layer][kind];
}

/**
 * Gathers ACE-HGNN from tensors by leaf.
 *
 * @param take Gives a leaf's tensor, or undefined.
 * @param file What messages call the file.
 * @throws {SyntaxError} If a tower has some leaves and not others.
 */
export function gatherHypergraph(
  take: (leaf: HypergraphLeaf) => TensorData | undefined,
  file: string,
): AdapterFile["hgnn"] {
  const hgnn: AdapterFile["hgnn"] = {};
  for (const encoder of ["image", "text"] as const) {
    const leaves = hypergraphLeaves().filter((leaf) => leaf.encoder === encoder);
    const read = new Map(leaves.map((leaf) => [`${leaf.part}.${leaf.leaf}`, take(leaf)]));
    const absent = [...read].filter(([, t]) => !t).map(([name]) => name);
    if (absent.length === leaves.length) continue;
    if (absent.length) {
      throw new SyntaxError(`Cannot read "${file}" as an adapter: ACE-HGNN (${encoder}) lacks ${absent.join(", ")}`);
    }
    const linear = (path: string): LinearTensors => ({
      weight: read.get(`${path}.weight`)!,
      bias: read.get(`${path}.bias`)!,
    });
    const part = (name: string): BottleneckTensors => ({ down: linear(`${name}.down`), up: linear(`${name}.up`) });
    hgnn[encoder] = { edge: part("edge"), node: part("node") };
  }
  return hgnn;
}

const shown = (t: TensorData): string => `[${t.shape}]`;

function checkBottleneck({ down, up }: BottleneckTensors, label: string, fail: (reason: string) => Error): void {
  const [hidden, size] = down.weight.shape;
  const fits = down.weight.shape.length === 2 && down.bias.shape.join() === `${hidden}` &&
    up.weight.shape.join() === `${size},${hidden}` && up.bias.shape.join() === `${size}`;
  if (!fits) {
    const shapes = [down.weight, down.bias, up.weight, up.bias].map(shown).join(", ");
    throw fail(`${label} must be [hidden, E], [hidden], [E, hidden], [E]: found ${shapes}`);
  }
}

function checkHead(
  { weight, bias, classes }: NonNullable<AdapterFile["head"]>,
  file: string,
  fail: (reason: string) => Error,
): void {
  const isFitting = weight.shape.length === 2 && bias.shape.join() === `${weight.shape[0]}` &&
    classes.length === weight.shape[0] && classes.every((name) => typeof name === "string" && name !== "");
  if (!isFitting) {
    throw fail(
      `its head must be [C, E] and [C] with C classes: found ${shown(weight)}, ${shown(bias)}, ${classes.length}`,
    );
  }
  checkFinite(weight, `"${file}" (head weight)`);
  checkFinite(bias, `"${file}" (head bias)`);
}

/** The error for an adapter with a head, where there is no place for one. */
export class HeadPlaceError extends RangeError {
  /** Name shown in stack traces. */
  override name = "HeadPlaceError";
}

/**
 * Refuses to lose a head.
 *
 * @param what What is done, such as `write "x" in PEFT's layout`.
 * @throws {HeadPlaceError} If the adapter has one.
 */
export function refuseHead({ head }: AdapterFile, what: string): void {
  if (!head) return;
  throw new HeadPlaceError(
    `Cannot ${what} as it must have no head of labels: it has one of ${head.classes.length} (${
      head.classes.join(", ")
    })`,
  );
}

/**
 * Checks that an adapter's tensors fit together and are finite, and sorts its updates by tower, layer and target.
 *
 * @param file What messages call the file.
 * @throws {SyntaxError} If shapes do not fit, an update is there twice, or there is nothing.
 * @throws {RangeError} If a number is not finite.
 */
export function checkAdapter(adapter: AdapterFile, file: string): AdapterFile {
  const fail = (reason: string): SyntaxError => new SyntaxError(`Cannot read "${file}" as an adapter: ${reason}`);
  checkUpdates(adapter, file, fail);
  checkHypergraph(adapter, file, fail);
  if (adapter.head) checkHead(adapter.head, file, fail);
  const { logitScale } = adapter;
  if (logitScale !== undefined && !Number.isFinite(logitScale)) {
    throw new RangeError(`Cannot load "${file}" (logit scale) as every number must be finite: it is ${logitScale}`);
  }
  if (adapter.lora.length === 0 && Object.keys(adapter.hgnn).length === 0) {
    throw fail("it has neither LoRA nor ACE-HGNN");
  }
  const order = ({ encoder, layer, target }: LoraEntry): number =>
    ENCODERS.indexOf(encoder) * 1e6 + layer * 10 + TARGETS.indexOf(target);
  return { ...adapter, lora: [...adapter.lora].sort((x, y) => order(x) - order(y)) };
}

function checkUpdates({ lora, config: { rank } }: AdapterFile, file: string, fail: (reason: string) => Error): void {
  const seen = new Set<string>();
  const widths = new Map<AdapterEncoder, { layer: number; width: number }>();
  for (const { encoder, layer, target, a, b } of [...lora].sort((x, y) => x.layer - y.layer)) {
    const label = `${encoder} layer ${layer} ${target}`;
    if (seen.has(label)) throw fail(`${label} is there twice`);
    seen.add(label);
    if (a.shape.length !== 2 || b.shape.length !== 2 || a.shape[0] !== rank || b.shape[1] !== rank) {
      throw fail(`${label} must be [${rank}, in] and [out, ${rank}]: found ${shown(a)} and ${shown(b)}`);
    }
    const own = a.shape[1]!;
    const before = widths.get(encoder) ?? { layer, width: own };
    // Of a tower with stages the width doubles from one to the next, never within a layer.
    const width = layer > before.layer && Number.isInteger(Math.log2(own / before.width)) && own > before.width
      ? own
      : before.width;
    widths.set(encoder, { layer, width });
    if (own !== width || b.shape[0] !== width) {
      throw fail(`${label} must have the tower's width ${width} on both sides: found ${shown(a)} and ${shown(b)}`);
    }
    checkFinite(a, `"${file}" (${label} A)`);
    checkFinite(b, `"${file}" (${label} B)`);
  }
}

function checkHypergraph({ hgnn, config }: AdapterFile, file: string, fail: (reason: string) => Error): void {
  for (const leaf of hypergraphLeaves()) {
    const tensor = hypergraphTensor(hgnn, leaf);
    if (tensor) checkFinite(tensor, `"${file}" (${leaf.encoder} ${leaf.part} ${leaf.leaf})`);
  }
  const sizes = new Set<string>();
  for (const [encoder, { edge, node }] of Object.entries(hgnn)) {
    checkBottleneck(edge, `${encoder} edge bottleneck`, fail);
    checkBottleneck(node, `${encoder} node bottleneck`, fail);
    for (const { down } of [edge, node]) sizes.add(shown(down.weight));
  }
  if (sizes.size > 1) throw fail(`all bottlenecks of ACE-HGNN must have one size: found ${[...sizes].join(", ")}`);
  const hidden = hiddenOf(hgnn);
  if (hidden !== null && hidden !== config.hidden) {
    throw fail(`ACE-HGNN must have the hidden width ${config.hidden} of its config: found ${hidden}`);
  }
}

/**
 * The logit scale as a field, from its tensor when there is one.
 *
 * @throws {SyntaxError} If it is not one number.
 */
export function scaleField(scale: TensorData | undefined, file: string): Pick<AdapterFile, "logitScale"> {
  if (scale === undefined) return {};
  if (elementCount(scale.shape) !== 1) {
    throw new SyntaxError(`Cannot read "${file}" as an adapter: logit_scale must be one number: found ${shown(scale)}`);
  }
  return { logitScale: toFloat32(scale)[0]! };
}

/** The hidden width that ACE-HGNN's tensors have, or null without one. */
export function hiddenOf(hgnn: AdapterFile["hgnn"]): number | null {
  return (hgnn.image ?? hgnn.text)?.edge.down.weight.shape[0] ?? null;
}
