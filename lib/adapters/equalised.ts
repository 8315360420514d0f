/** Updates of several ranks and scalings as a record holds them. @module */
import { float32Tensor, matrixShape, toFloat32 } from "../io/tensors.ts";
import type { LoraEntry } from "./record.ts";

/**
 * The updates under one rank and one scaling, as an adapter's record has them: a lower rank is filled up with zeros, and what
 * another scaling differs by goes into B. The products are the same, exactly but for the rounding of such a B.
 */
export function equalised(read: readonly { entries: readonly LoraEntry[]; scaling: number }[]): {
  lora: LoraEntry[];
  scaling: number;
} {
  const { scaling } = read[0]!;
  const ranks = read.flatMap(({ entries }) => entries.map(({ a }) => a.shape[0]!));
  const rank = Math.max(...ranks);
  const lora = read.flatMap(({ entries, scaling: own }) => {
    const factor = Math.abs(own - scaling) > 1e-9 * Math.abs(scaling) ? own / scaling : 1;
    return entries.map((entry) =>
      entry.a.shape[0] === rank && factor === 1 ? entry : { ...entry, ...widened(entry, rank, factor) }
    );
  });
  return { lora, scaling };
}

function widened({ a, b }: LoraEntry, rank: number, factor: number): Pick<LoraEntry, "a" | "b"> {
  const [own, inSize] = matrixShape(a);
  const outSize = b.shape[0]!;
  const [valuesA, valuesB] = [toFloat32(a), toFloat32(b)];
  const [wideA, wideB] = [new Float32Array(rank * inSize), new Float32Array(outSize * rank)];
  wideA.set(valuesA);
  for (let row = 0; row < outSize; row++) {
    for (let r = 0; r < own; r++) wideB[row * rank + r] = factor * valuesB[row * own + r]!;
  }
  return { a: float32Tensor([rank, inSize], wideA), b: float32Tensor([outSize, rank], wideB) };
}
