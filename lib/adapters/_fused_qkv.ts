/** One low-rank update of timm's fused `attn.qkv` in place of three of q, k and v, exactly. @module */
import { TARGETS } from "./config.ts";
import type { LoraEntry } from "./record.ts";
import { DTYPE_BYTES, matrixShape, type TensorData } from "../io/tensors.ts";

const QKV = TARGETS.slice(0, 3);

/**
 * Joins the updates of q, k and v of one layer: A stacked `[3R, in]`, B block-diagonal `[3·out, 3R]`. A target without an
 * update gets zeros. The product of the two holds each update's own product in its rows, so nothing is approximated.
 *
 * @throws {TypeError} If the updates differ in type or shape.
 */
export function fuseQkv(entries: readonly LoraEntry[]): { a: TensorData; b: TensorData } {
  const { a: firstA, b: firstB } = entries[0]!;
  const { dtype } = firstA;
  for (const { a, b, encoder, layer, target } of entries) {
    if (
      a.dtype !== dtype || b.dtype !== dtype || a.shape.join() !== firstA.shape.join() ||
      b.shape.join() !== firstB.shape.join()
    ) {
      throw new TypeError(
        `Cannot fuse q, k and v as they must have one type and shape: ${encoder} layer ${layer} ${target} is ${a.dtype} [${a.shape}]`,
      );
    }
  }
  const [rank, inSize] = matrixShape(firstA);
  const outSize = firstB.shape[0]!;
  const size = DTYPE_BYTES[dtype];
  const a = new Uint8Array(3 * rank * inSize * size);
  const b = new Uint8Array(3 * outSize * 3 * rank * size);
  for (const entry of entries) {
    const i = QKV.indexOf(entry.target);
    a.set(entry.a.data, i * rank * inSize * size);
    for (let row = 0; row < outSize; row++) {
      const values = entry.b.data.subarray(row * rank * size, (row + 1) * rank * size);
      b.set(values, ((i * outSize + row) * 3 * rank + i * rank) * size);
    }
  }
  return { a: { dtype, shape: [3 * rank, inSize], data: a }, b: { dtype, shape: [3 * outSize, 3 * rank], data: b } };
}

/**
 * Splits a fused update made by {@linkcode fuseQkv}; undefined where B is not block-diagonal. A target whose A and B are all
 * zeros had no update and is left out.
 */
export function splitQkv(fused: { a: TensorData; b: TensorData }): Pick<LoraEntry, "target" | "a" | "b">[] | undefined {
  const { a, b } = fused;
  const [rank3, inSize] = matrixShape(a);
  const out3 = b.shape[0]!;
  if (rank3 % 3 || out3 % 3 || b.shape[1] !== rank3) return undefined;
  const [rank, outSize, size] = [rank3 / 3, out3 / 3, DTYPE_BYTES[a.dtype]];
  const width = rank * size;
  const parts: Pick<LoraEntry, "target" | "a" | "b">[] = [];
  for (const [i, target] of QKV.entries()) {
    const ownA = a.data.slice(i * rank * inSize * size, (i + 1) * rank * inSize * size);
    const ownB = new Uint8Array(outSize * width);
    for (let row = 0; row < outSize; row++) {
      const offset = (i * outSize + row) * 3 * width;
      for (let j = 0; j < 3; j++) {
        const block = b.data.subarray(offset + j * width, offset + (j + 1) * width);
        if (j === i) ownB.set(block, row * width);
        else if (block.some((byte) => byte !== 0)) return undefined;
      }
    }
    if (ownA.every((byte) => byte === 0) && ownB.every((byte) => byte === 0)) continue;
    parts.push({
      target,
      a: { dtype: a.dtype, shape: [rank, inSize], data: ownA },
      b: { dtype: b.dtype, shape: [outSize, rank], data: ownB },
    });
  }
  return parts;
}

/**
 * Splits any fused update, as PEFT trains one, into three that share A: the rows of `B A` that are q's, k's or v's are those of their
 * own rows of B; undefined where the rows cannot be those of three.
 */
export function shareQkv(
  { a, b }: { a: TensorData; b: TensorData },
): Pick<LoraEntry, "target" | "a" | "b">[] | undefined {
  const [rows, rank] = matrixShape(b);
  if (rows % 3) return undefined;
  const bytes = b.data.length / 3;
  return QKV.map((target, i) => ({
    target,
    a: { ...a, data: a.data.slice() },
    b: { dtype: b.dtype, shape: [rows / 3, rank], data: b.data.slice(i * bytes, (i + 1) * bytes) },
  }));
}
