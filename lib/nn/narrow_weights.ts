/** A model's matrices at half their bytes. @module */
import { canNarrow, narrowed } from "../tensor/kernels/narrow/api.ts";
import { mapTensors, mapTree } from "../tensor/params.ts";
import type { Tensor } from "../tensor/types.ts";
import { isLinear } from "./linear.ts";

/**
 * The tree with the matrices of its linear layers rounded to float16, at two bytes a number on webgpu; sums stay float32. Layers
 * that carry an update keep their low-rank factors as they are. On other backends, which have no such numbers, the tree itself.
 *
 * @param params Any params tree; its matrices are freed where they are replaced, the rest is shared.
 * @throws {RangeError} If a number is beyond 65,504, float16's largest.
 */
export async function narrowWeights<T>(params: T): Promise<T> {
  if (!canNarrow()) return params;
  const matrices = new Set<Tensor>();
  mapTree(params, (node) => {
    if (isLinear(node) && node.weight.size % 4 === 0) matrices.add(node.weight);
    return undefined;
  });
  const replacements = new Map<Tensor, Tensor>();
  for (const matrix of matrices) {
    replacements.set(matrix, await narrowed(matrix));
    matrix.dispose();
  }
  return mapTensors(params, (tensor) => replacements.get(tensor) ?? tensor);
}
