/** LoRA folded into a checkpoint's own tensors, under the names and in the shapes they came in. @module */
import { loraScaling } from "../peft/lora/config.ts";
import { TARGET_LAYERS } from "../peft/lora/inject.ts";
import type { Checkpoint } from "../clip/checkpoint/checkpoint.ts";
import { layoutLabel } from "../clip/checkpoint/find_layout.ts";
import { clipPlace } from "../clip/checkpoint/layout.ts";
import { publishedModel } from "../clip/config_file/published.ts";
import { MERGED_SCALE } from "../clip/config_file/stored_values.ts";
import { readFinite } from "../io/tensor_file.ts";
import { elementCount, float32Tensor, matrixShape, type TensorData, toFloat32 } from "../io/tensors.ts";
import { TOWER_NAMES } from "../nn/towers.ts";
import { type AdapterFile, type LoraEntry, refuseHead } from "./record.ts";
import { AdapterSizeError } from "./size_error.ts";
import { checkOptions, FLAG, type Rules, TEXT } from "../platform/options.ts";

/** Options of {@linkcode mergeIntoCheckpoint}. */
export interface MergeOptions {
  /** What messages call the adapter. @default {"the adapter"} */
  name?: string;
  /** Leave out ACE-HGNN, for which such weights have no place: the result is then not what was trained. @default {false} */
  dropHgnn?: boolean;
}

/** What they must be. */
const MERGE_RULES: Rules<MergeOptions> = { name: TEXT, dropHgnn: FLAG };

/** The error for an adapter of which a layout of plain weights can hold only a part. */
export class HypergraphMergeError extends RangeError {
  /** Name shown in stack traces. */
  override name = "HypergraphMergeError";
}

/**
 * The tensors of a checkpoint with an adapter's LoRA merged, `W + alpha / √R · B A`, and its logit scale: the layout's own
 * names (a wrapper's prefix is left out), shapes and order. Tensors that change are float32, also those that were stored in
 * half precision; the others are as they were, those that the model does not use among them. A scale for which the layout has no
 * tensor is not in them.
 *
 * @param checkpoint An open checkpoint; only tensors below its wrapper are taken.
 * @param adapter From `readAdapter`.
 * @throws {HypergraphMergeError} If the adapter has ACE-HGNN and `dropHgnn` is not set.
 * @throws {AdapterSizeError} If the adapter was made for a model of other sizes.
 * @throws {RangeError} If a number is NaN or infinite.
 * @throws {TypeError} If an option is unknown or of another kind.
 */
export async function mergeIntoCheckpoint(
  checkpoint: Checkpoint,
  adapter: AdapterFile,
  options: MergeOptions = {},
): Promise<Map<string, TensorData>> {
  checkOptions("merge an adapter", options, MERGE_RULES);
  const { file, wrapper, shapes } = checkpoint;
  const { name = "the adapter", dropHgnn = false } = options;
  refuseHead(adapter, `merge "${name}" into "${file.path}"`);
  const towers = Object.keys(adapter.hgnn);
  if (towers.length > 0 && !dropHgnn) {
    throw new HypergraphMergeError(
      `Cannot merge "${name}" into "${file.path}" as ${layoutLabel(checkpoint.layout)} has no place for ACE-HGNN: ` +
        `the adapter has it in the ${towers.join(" and ")} encoder`,
    );
  }
  const updates = Map.groupBy(adapter.lora, (entry) => placeOf(checkpoint, entry, name).name);
  const scale = adapter.logitScale;
  const out = new Map<string, TensorData>();
  for (const [tensor, shape] of shapes) {
    const stored = await readFinite(file, wrapper + tensor);
    const entries = updates.get(tensor) ?? [];
    if (tensor === "logit_scale" && scale !== undefined) out.set(tensor, float32Tensor(shape, [Math.log(scale)]));
    else out.set(tensor, entries.length === 0 ? stored : merged(checkpoint, stored, entries, adapter));
  }
  return out;
}

/**
 * What must stand beside merged tensors, as text, for them to be read as their checkpoint was: the values that its configuration
 * was read from, and the adapter's scale where the layout has no tensor for it. Empty for most layouts.
 */
export function mergedMetadata(checkpoint: Checkpoint, { logitScale }: AdapterFile): Record<string, string> {
  const { config, values = [] } = publishedModel(checkpoint) ?? {};
  const kept = new Map(values);
  if (config?.scale !== undefined && logitScale !== undefined) kept.set(MERGED_SCALE, logitScale);
  return Object.fromEntries(
    [...kept].map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}

/** Where an update's weight stands, checked against the checkpoint's shapes. */
function placeOf(
  { file, layout, shapes }: Checkpoint,
  { encoder, layer, target, a, b }: LoraEntry,
  name: string,
): { name: string; third?: 0 | 1 | 2 } {
  const place = clipPlace(layout, `${TOWER_NAMES[encoder]}.${layer}.attention.${TARGET_LAYERS[target]}.weight`);
  const shape = shapes.get(place.name);
  const needed = [b.shape[0]! * (place.third === undefined ? 1 : 3), a.shape[1]!];
  if (shape?.join() === needed.join()) return place;
  throw new AdapterSizeError(
    `Cannot merge "${name}" into "${file.path}" as "${place.name}" must be [${needed}]: ${
      shape ? `current shape is [${shape}]` : "it is missing"
    }`,
    name,
  );
}

function merged(
  { layout }: Checkpoint,
  stored: TensorData,
  entries: readonly LoraEntry[],
  { config }: AdapterFile,
): TensorData {
  const values = new Float32Array(toFloat32(stored));
  for (const { encoder, layer, target, a, b } of entries) {
    const leaf = `${TOWER_NAMES[encoder]}.${layer}.attention.${TARGET_LAYERS[target]}.weight`;
    const first = (clipPlace(layout, leaf).third ?? 0) * elementCount([b.shape[0]!, a.shape[1]!]);
    addProduct(values.subarray(first), { a, b, scaling: loraScaling(config) });
  }
  return float32Tensor(stored.shape, values);
}

/** Adds `scaling · B A` to a weight `[out, in]`. */
function addProduct(weight: Float32Array, update: { a: TensorData; b: TensorData; scaling: number }): void {
  const [rank, width] = matrixShape(update.a);
  const [a, b] = [toFloat32(update.a), toFloat32(update.b)];
  for (let row = 0; row < update.b.shape[0]!; row++) {
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += b[row * rank + r]! * a[r * width + column]!;
      weight[row * width + column]! += update.scaling * sum;
    }
  }
}
