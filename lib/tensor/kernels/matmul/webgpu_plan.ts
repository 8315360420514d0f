/** Chooses tiles and splits of a matrix product for the GPU, as a pure function. @module */

/** One product `[batch, m, k] x [batch, k, n]`; an operand that is not batched counts as one matrix. */
export interface MatMulShape {
  /** Number of products. */
  batch: number;
  /** Rows of the result. */
  m: number;
  /** Columns of the result. */
  n: number;
  /** Terms of each sum. */
  k: number;
}

/** A workgroup of `threadsX x threadsY`; each thread owns `rows x columns` results and a step covers `depth` terms. */
export interface MatMulTile {
  /** Threads along the columns. */
  threadsX: number;
  /** Threads along the rows. */
  threadsY: number;
  /** Rows per thread, a multiple of 4. */
  rows: number;
  /** Columns per thread, a multiple of 4. */
  columns: number;
  /** Terms loaded at once, a multiple of 4. */
  depth: number;
}

/** A tile, and in how many parts the sums are computed. */
export interface MatMulPlan {
  /** The tile. */
  tile: MatMulTile;
  /** Workgroups along the rows. */
  tilesM: number;
  /** Workgroups along the columns. */
  tilesN: number;
  /** Parts of each sum; beyond one, a second program adds the parts in a fixed order. */
  splits: number;
  /** Terms of one part. */
  splitDepth: number;
}

/** What the plan may use. */
export interface MatMulLimits {
  /** Workgroup memory in bytes. */
  maxComputeWorkgroupStorageSize: number;
  /** Largest buffer a program can see, in bytes. */
  maxStorageBufferBindingSize: number;
  /** Workgroups that keep the device busy. @default {512} */
  targetWorkgroups?: number;
}

const tile = (threadsX: number, threadsY: number, perThread: number, depth: number): MatMulTile => ({
  threadsX,
  threadsY,
  rows: perThread,
  columns: perThread,
  depth,
});

/** The tiles in use, by name. Results per workgroup: 128x128, 64x64, 32x32, 16x16, then four for few columns or rows. */
export const MATMUL_TILES = {
  big: tile(16, 16, 8, 16),
  bigIn16KiB: tile(16, 16, 8, 8),
  middle: tile(16, 16, 4, 16),
  small: tile(8, 8, 4, 16),
  tiny: tile(4, 4, 4, 16),
  fourColumns: tile(1, 64, 4, 8),
  sixteenColumns: tile(4, 32, 4, 8),
  fourRows: tile(64, 1, 4, 8),
  sixteenRows: tile(32, 4, 4, 8),
} as const;

/** Fewest terms worth a part of their own. */
const SHORTEST_PART = 128;
/** Up to this many terms a sum stays whole: its parts would save less time than the second dispatch takes. */
const LONGEST_WHOLE = 512;
/** Most bytes spent on the parts. */
const MOST_PART_BYTES = 1 << 26;

function count(size: number, per: number): number {
  return Math.ceil(size / per);
}

function chooseTile(shape: MatMulShape, limits: MatMulLimits): MatMulTile {
  const { batch, m, n } = shape;
  if (m <= 16 && n <= 16) return MATMUL_TILES.tiny;
  if (n <= 4) return MATMUL_TILES.fourColumns;
  if (m <= 4) return MATMUL_TILES.fourRows;
  if (n <= 16) return MATMUL_TILES.sixteenColumns;
  if (m <= 16) return MATMUL_TILES.sixteenRows;
  const target = limits.targetWorkgroups ?? 512;
  if (batch * count(m, 128) * count(n, 128) * 2 >= target) {
    return limits.maxComputeWorkgroupStorageSize >= 18432 ? MATMUL_TILES.big : MATMUL_TILES.bigIn16KiB;
  }
  return batch * count(m, 64) * count(n, 64) * 4 >= target ? MATMUL_TILES.middle : MATMUL_TILES.small;
}

/** Options of {@linkcode planMatMul}. */
export interface PlanOptions {
  /** Whether sums must stay whole. @default {false} */
  unsplit?: boolean;
}

/**
 * Plans one product. The sums are split when there are too few tiles to keep a big GPU busy and the sums are long:
 * the gradients of a rank-4 LoRA (768 x 4 results, sums over every token) would else use a handful of workgroups.
 */
export function planMatMul(shape: MatMulShape, limits: MatMulLimits, options: PlanOptions = {}): MatMulPlan {
  const chosen = chooseTile(shape, limits);
  const tilesM = count(shape.m, chosen.threadsY * chosen.rows);
  const tilesN = count(shape.n, chosen.threadsX * chosen.columns);
  const workgroups = shape.batch * tilesM * tilesN;
  const target = limits.targetWorkgroups ?? 512;
  const resultBytes = shape.batch * shape.m * shape.n * 4;
  const most = Math.min(
    Math.floor(shape.k / SHORTEST_PART),
    Math.floor(Math.min(MOST_PART_BYTES, limits.maxStorageBufferBindingSize) / resultBytes),
  );
  const wanted = options.unsplit || shape.k <= LONGEST_WHOLE || workgroups * 2 > target
    ? 1
    : Math.max(1, Math.min(count(target, workgroups), most));
  const splitDepth = Math.max(chosen.depth, count(count(shape.k, wanted), chosen.depth) * chosen.depth);
  return { tile: chosen, tilesM, tilesN, splits: count(shape.k, splitDepth), splitDepth };
}
