/** A CLIP's weights from and to checkpoint tensors. @module */
import * as tf from "@tensorflow/tfjs";
import { isShape } from "../../io/key_report.ts";
import { namedTensors } from "../../tensor/params.ts";
import type { Tensor } from "../../tensor/types.ts";
import type { ClipParams } from "../params.ts";
import { type ClipLayout, clipPlace } from "./layout.ts";
import type { ClipPlace } from "./tower_names.ts";
import type { ClipConfig } from "../config.ts";
import { buildClip, clipShapes } from "../params.ts";

/** Numbers of one checkpoint tensor, in torch's layout. */
export interface CheckpointTensor {
  /** Its shape. */
  shape: readonly number[];
  /** Its values, row-major. */
  values: Float32Array;
}

/** Which part of how many a leaf is of a tensor that several share. */
function fusedPart({ third, half }: ClipPlace): { part: number; of: number } | undefined {
  if (third !== undefined) return { part: third, of: 3 };
  return half === undefined ? undefined : { part: half, of: 2 };
}

function checkpointShape(place: ClipPlace, shape: readonly number[]): number[] {
  const fused = fusedPart(place);
  if (fused) return [fused.of * shape[0]!, ...shape.slice(1)];
  if (place.as === "transposed") return [...shape].reverse();
  if (place.as === "flat") return shape.slice(shape.findIndex((size, i) => size !== 1 || i === shape.length - 1));
  if (place.as !== "convolution") return [...shape];
  const side = kernelSide(place, shape[1]!);
  return [shape[0]!, shape[1]! / side ** 2, side, side];
}

/** The side of a convolution's kernel; a patch embedding's has three channels. */
function kernelSide({ kernel }: ClipPlace, fan: number): number {
  return kernel ?? Math.sqrt(fan / 3);
}

/** Leaves that the checkpoint does not hold, as the configuration says what they are. */
function isConfigured(config: ClipConfig, leaf: string): boolean {
  return leaf === "logitScale" && config.scale !== undefined;
}

/** Every tensor a checkpoint of this configuration and layout must hold, with its shape. */
export function expectedClip(config: ClipConfig, layout: ClipLayout): Map<string, number[]> {
  const out = new Map<string, number[]>();
  for (const [leaf, shape] of clipShapes(config)) {
    if (isConfigured(config, leaf)) continue;
    const place = clipPlace(layout, leaf);
    out.set(place.name, checkpointShape(place, shape));
  }
  return out;
}

/**
 * Loads a CLIP from checkpoint tensors, one at a time, so that memory holds the model and one tensor more.
 *
 * @param config Sizes.
 * @param layout The checkpoint's names.
 * @param read Reads the tensor of a checkpoint name.
 * @returns New tensors, freed by `disposeParams`.
 * @throws {TypeError} If a tensor has another shape than the configuration asks for.
 */
export async function loadClipTensors(
  config: ClipConfig,
  layout: ClipLayout,
  read: (name: string) => Promise<CheckpointTensor>,
): Promise<ClipParams> {
  const made = new Map<string, Tensor>();
  let last: { name: string; tensor: CheckpointTensor } | undefined;
  try {
    for (const [leaf, shape] of grouped(config, layout)) {
      const place = clipPlace(layout, leaf);
      const tensor: CheckpointTensor = last?.name === place.name ? last.tensor : await read(place.name);
      last = { name: place.name, tensor };
      const expected = checkpointShape(place, shape);
      if (!isShape(tensor.shape, expected)) {
        throw new TypeError(
          `Cannot load "${place.name}" as it must have shape [${expected}]: current shape is [${tensor.shape}]`,
        );
      }
      made.set(leaf, tf.tensor(fromCheckpoint(place, expected, tensor.values), shape));
    }
  } catch (error) {
    for (const tensor of made.values()) tensor.dispose();
    throw error;
  }
  if (config.scale !== undefined) made.set("logitScale", tf.scalar(Math.log(config.scale)));
  return buildClip(config, (leaf) => made.get(leaf)!);
}

/** Leaves that share a checkpoint tensor next to each other. */
function grouped(config: ClipConfig, layout: ClipLayout): [string, number[]][] {
  const groups = new Map<string, [string, number[]][]>();
  for (const entry of clipShapes(config)) {
    if (isConfigured(config, entry[0])) continue;
    const { name } = clipPlace(layout, entry[0]);
    const group = groups.get(name);
    if (group) group.push(entry);
    else groups.set(name, [entry]);
  }
  return [...groups.values()].flat();
}

function fromCheckpoint(place: ClipPlace, shape: readonly number[], values: Float32Array): Float32Array {
  const fused = fusedPart(place);
  if (fused) {
    const size = values.length / fused.of;
    return values.slice(fused.part * size, (fused.part + 1) * size);
  }
  if (place.as === "transposed") return swapped(values, 1, shape[0]!, shape[1]!);
  return place.as === "convolution" ? swapped(values, shape[0]!, shape[1]!, shape[2]! * shape[3]!) : values;
}

/** `[rows, a, b] -> [rows, b, a]`. */
function swapped(values: Float32Array, rows: number, a: number, b: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < a; i++) {
      for (let j = 0; j < b; j++) out[(r * b + j) * a + i] = values[(r * a + i) * b + j]!;
    }
  }
  return out;
}

/**
 * A CLIP's numbers under a layout's checkpoint names, in torch's layout: the inverse of {@linkcode loadClipTensors}.
 *
 * @param params Weights without LoRA (merge first).
 * @param layout Names to write.
 * @throws {RangeError} If the layout has no name for one of the tensors.
 */
export async function toClipTensors(params: ClipParams, layout: ClipLayout): Promise<Map<string, CheckpointTensor>> {
  const out = new Map<string, { shape: number[]; values: Float32Array }>();
  for (const [leaf, tensor] of namedTensors(params)) {
    const place = clipPlace(layout, leaf);
    const shape = checkpointShape(place, tensor.shape);
    const values = await tensor.data<"float32">();
    const fused = fusedPart(place);
    if (!fused) {
      out.set(place.name, { shape, values: toCheckpointOrder(place, shape, values) });
      continue;
    }
    if (!out.has(place.name)) out.set(place.name, { shape, values: new Float32Array(fused.of * values.length) });
    out.get(place.name)!.values.set(values, fused.part * values.length);
  }
  return out;
}

function toCheckpointOrder(place: ClipPlace, shape: readonly number[], values: Float32Array): Float32Array {
  if (place.as === "transposed") return swapped(values, 1, shape[1]!, shape[0]!);
  if (place.as === "convolution") return swapped(values, shape[0]!, shape[2]! * shape[3]!, shape[1]!);
  return new Float32Array(values);
}
