/** Named tensors in a few flat ones, so that an update costs a few kernels instead of one a tensor. @module */
import * as tf from "@tensorflow/tfjs";
import { packTensors, unpackTensors } from "../tensor/kernels/pack/api.ts";
import type { Tensor, Tensor1D } from "../tensor/types.ts";

/** One tensor's place. */
export interface FlatPart {
  /** Its name. */
  name: string;
  /** Its shape. */
  shape: number[];
}

/** Which tensors stand in which flat tensor, in order. */
export type FlatLayout = readonly (readonly FlatPart[])[];

/** From this many numbers on a tensor is left on its own: packing it would save nothing. */
const ALONE = 1 << 18;
/** Numbers in one flat tensor at most: 64 MiB, half of WebGPU's smallest limit. */
const MOST = 1 << 24;

/** The places of the given tensors. */
export function flatLayout(tensors: ReadonlyMap<string, Pick<Tensor, "shape" | "size">>): FlatLayout {
  const groups: FlatPart[][] = [];
  let [open, used]: [FlatPart[], number] = [[], 0];
  for (const [name, { shape, size }] of tensors) {
    const part = { name, shape: [...shape] };
    if (size >= ALONE) {
      groups.push([part]);
      continue;
    }
    if (open.length === 0 || used + size > MOST) {
      [open, used] = [[], 0];
      groups.push(open);
    }
    open.push(part);
    used += size;
  }
  return groups;
}

/**
 * One flat tensor a group.
 *
 * @throws {RangeError} If a tensor is missing.
 */
export function packNamed(layout: FlatLayout, tensors: ReadonlyMap<string, Tensor>): Tensor1D[] {
  return layout.map((parts) => {
    const all = parts.map(({ name }) => {
      const tensor = tensors.get(name);
      if (!tensor) throw new RangeError(`Cannot pack tensors as "${name}" is missing: ${tensors.size} are given`);
      return tensor;
    });
    return all.length === 1 ? all[0]!.as1D() : packTensors(all);
  });
}

/** The tensors again, by name and in the layout's order. The caller disposes them. */
export function unpackNamed(layout: FlatLayout, flats: readonly Tensor1D[]): Map<string, Tensor> {
  return new Map(layout.flatMap((parts, i): [string, Tensor][] => {
    const flat = flats[i]!;
    if (parts.length === 1) return [[parts[0]!.name, tf.reshape(flat, parts[0]!.shape)]];
    const tensors = unpackTensors(flat, parts.map(({ shape }) => shape));
    return parts.map(({ name }, j) => [name, tensors[j]!]);
  }));
}
