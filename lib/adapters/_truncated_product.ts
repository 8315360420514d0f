/** The best approximation of a product of thin matrices of a lower rank, without the product. @module */
import { float32Tensor, matrixShape, type TensorData, toFloat32 } from "../io/tensors.ts";

/** Columns, each of one length. */
type Columns = Float64Array[];

/**
 * `B A` of rank `rank` by its singular values, the largest kept: `B' = U Σ`, `A' = Vᵀ`.
 *
 * `B = Q R` and `Aᵀ = P S`, so that `B A = Q (R Sᵀ) Pᵀ`, and the small matrix in the middle is decomposed by one-sided Jacobi
 * rotations (Golub and Van Loan, 4th edition, 8.6.3).
 *
 * @param product `b` `[out, n]` and `a` `[n, in]`.
 * @param rank At most the rows of the result that are not 0.
 */
export function truncatedProduct(
  product: { a: TensorData; b: TensorData },
  rank: number,
): { a: TensorData; b: TensorData } {
  const [size, ins] = matrixShape(product.a);
  const outs = product.b.shape[0]!;
  const [a, b] = [toFloat32(product.a), toFloat32(product.b)];
  const left = orthogonalised(
    Array.from({ length: size }, (_, r) => Float64Array.from({ length: outs }, (_, row) => b[row * size + r]!)),
  );
  const right = orthogonalised(
    Array.from({ length: size }, (_, r) => Float64Array.from(a.subarray(r * ins, (r + 1) * ins))),
  );
  // Columns of M = R Sᵀ: M[i][j] = Σ_k R[i][k] S[j][k].
  const middle: Columns = Array.from(
    { length: size },
    (_, j) =>
      Float64Array.from({ length: size }, (_, i) => sumOver(size, (k) => left.upper[k]![i]! * right.upper[k]![j]!)),
  );
  const rotation: Columns = identity(size);
  rotate(middle, rotation);
  const order = middle.map((column, j) => ({ j, value: Math.sqrt(dot(column, column)) }))
    .sort((x, y) => y.value - x.value).slice(0, rank);
  const [newA, newB] = [new Float32Array(rank * ins), new Float32Array(outs * rank)];
  for (const [r, { j, value }] of order.entries()) {
    if (value === 0) continue;
    for (let row = 0; row < outs; row++) {
      newB[row * rank + r] = sumOver(size, (k) => left.basis[k]![row]! * middle[j]![k]!);
    }
    for (let column = 0; column < ins; column++) {
      newA[r * ins + column] = sumOver(size, (k) => right.basis[k]![column]! * rotation[j]![k]!);
    }
  }
  return { a: float32Tensor([rank, ins], newA), b: float32Tensor([outs, rank], newB) };
}

function sumOver(count: number, term: (k: number) => number): number {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += term(k);
  return sum;
}

function dot(x: Float64Array, y: Float64Array): number {
  return sumOver(x.length, (i) => x[i]! * y[i]!);
}

function identity(size: number): Columns {
  return Array.from({ length: size }, (_, j) => Float64Array.from({ length: size }, (_, i) => i === j ? 1 : 0));
}

/** Gram-Schmidt, twice for the digits; `upper[k][i]` is how much of basis i column k has. Dependent columns give a basis of 0. */
function orthogonalised(columns: Columns): { basis: Columns; upper: Columns } {
  const basis: Columns = [];
  const upper: Columns = [];
  for (const column of columns) {
    const rest = column.slice();
    const parts = new Float64Array(columns.length);
    for (let pass = 0; pass < 2; pass++) {
      for (const [i, unit] of basis.entries()) {
        const part = dot(unit, rest);
        parts[i]! += part;
        for (const [row, value] of unit.entries()) rest[row]! -= part * value;
      }
    }
    const length = Math.sqrt(dot(rest, rest));
    const isNew = length > 1e-12 * Math.sqrt(dot(column, column));
    if (isNew) parts[basis.length] = length;
    basis.push(isNew ? rest.map((value) => value / length) : new Float64Array(column.length));
    upper.push(parts);
  }
  return { basis, upper };
}

/** Turns pairs of columns until all are orthogonal; `rotation` takes the same turns. */
function rotate(columns: Columns, rotation: Columns): void {
  for (let sweep = 0, isDone = false; sweep < 60 && !isDone; sweep++) {
    isDone = true;
    for (let p = 0; p < columns.length; p++) {
      for (let q = p + 1; q < columns.length; q++) {
        const [x, y] = [columns[p]!, columns[q]!];
        const [xx, yy, xy] = [dot(x, x), dot(y, y), dot(x, y)];
        if (Math.abs(xy) <= 1e-15 * Math.sqrt(xx * yy)) continue;
        isDone = false;
        const ratio = (yy - xx) / (2 * xy);
        const tangent = (ratio >= 0 ? 1 : -1) / (Math.abs(ratio) + Math.hypot(1, ratio));
        const cosine = 1 / Math.hypot(1, tangent);
        for (const tree of [columns, rotation]) turn(tree[p]!, tree[q]!, cosine, tangent * cosine);
      }
    }
  }
}

function turn(x: Float64Array, y: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < x.length; i++) {
    const [u, v] = [x[i]!, y[i]!];
    x[i] = cosine * u - sine * v;
    y[i] = sine * u + cosine * v;
  }
}
