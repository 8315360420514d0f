/**
 * What the attention programs share. In all of them a thread owns one row (a query, or a key) in registers and walks
 * over tiles of the other side in workgroup memory, where all threads read the same address at once.
 *
 * @module
 */
import type { Uniform } from "../../webgpu/device_cache.ts";

/** Threads, and so rows, of a workgroup. */
export const ROWS = 64;
/** Score of a masked key. Finite, because WGSL has no literal infinities. */
export const MASKED = "-1e9";
/** Score of a place beyond the last key: no probability even where every key is masked. */
export const OUTSIDE = "-3e38";
/** A row whose log-sum-exp is below this had every key masked, so it is uniform over the keys. */
export const ALL_MASKED = "-5e8";

/** Shape of one attention call. */
export interface AttentionShape {
  /** Batch. */
  batch: number;
  /** Queries. */
  queries: number;
  /** Keys. */
  keys: number;
  /** Heads. */
  heads: number;
  /** Width of one head. */
  depth: number;
  /** Factor of the scores. */
  scale: number;
  /** Query i sees keys 0..i only. */
  causal: boolean;
  /** Element type of the key mask: float32, int32 or bool (held as i32), or that none is given. */
  mask: "none" | "f32" | "i32";
}

/** How the code for a head width is laid out. */
export interface DepthPlan {
  /** Vectors of four that hold one row. */
  vectors: number;
  /** Element type of the big buffers. */
  type: "f32" | "vec4<f32>";
  /** Rows of a tile. */
  tile: number;
  /** Whether loops over `vectors` are written out. */
  unrolled: boolean;
}

/** Plans the code for a head width: tiles of at most 8 KiB for each of two arrays, so that 16 KiB suffice. */
export function planDepth(depth: number): DepthPlan {
  const vectors = Math.ceil(depth / 4);
  let tile = 32;
  while (tile > 1 && tile * vectors * 16 > 4096) tile /= 2;
  if (tile * vectors * 16 > 7680) {
    throw new RangeError(
      `Cannot run attention on webgpu as a head must be at most 1920 wide: current value is ${depth}`,
    );
  }
  return { vectors, type: depth % 4 === 0 ? "vec4<f32>" : "f32", tile, unrolled: vectors <= 20 };
}

/** Names the code: everything that changes it besides the kind of program. */
export function depthKey(shape: AttentionShape): string {
  return `${shape.depth},${shape.causal ? "causal" : "full"},${shape.mask}`;
}

/** In WGSL with exponentials.ts, a probability from its logarithm: held in float32's range for rows beyond the last, and NaN where that is. */
export function probability(logarithm: string): string {
  return `expOf(select(${logarithm}, 80.0, ${logarithm} > 80.0))`;
}

/** The mask's binding, if there is one. */
export function maskInput(shape: AttentionShape): (readonly [string, string])[] {
  return shape.mask === "none" ? [] : [["keyMask", shape.mask]];
}

/** Uniforms of every attention program. */
export function attentionUniforms(shape: AttentionShape): Record<string, Uniform> {
  return {
    batch: { u32: shape.batch },
    heads: { u32: shape.heads },
    queries: { u32: shape.queries },
    keys: { u32: shape.keys },
    scale: { f32: shape.scale },
    inverseKeys: { f32: 1 / shape.keys },
  };
}

/** One statement for every vector of a row; `at("q")` is the place of row `q` in it. */
export function eachVector(plan: DepthPlan, statement: (index: (row: string) => string, c: string) => string): string {
  if (!plan.unrolled) {
    return `for (var c = 0u; c < ${plan.vectors}u; c++) { ${statement((row) => `${row}[c]`, "c")} }`;
  }
  return Array.from({ length: plan.vectors }, (_, c) => statement((row) => `${row}${c}`, `${c}u`)).join("\n");
}

/** Declares a row of zeros in registers. */
export function declareRow(plan: DepthPlan, row: string): string {
  if (!plan.unrolled) return `var ${row}: array<vec4<f32>, ${plan.vectors}>;`;
  return eachVector(plan, (index) => `var ${index(row)} = vec4<f32>(0.0);`);
}

/** Functions that read (`load_x(row, head, c)`) or write (`store_x(row, head, c, four)`) vector `c` of a head's row. */
export function rowAccess(plan: DepthPlan, depth: number, kind: "load" | "store", buffer: string): string {
  const stride = plan.type === "f32" ? depth : plan.vectors;
  const place = (index: string) => `(row * params.heads + head) * ${stride}u + ${index}`;
  if (plan.type !== "f32") {
    return kind === "load"
      ? `fn load_${buffer}(row: u32, head: u32, c: u32) -> vec4<f32> { return ${buffer}[${place("c")}]; }`
      : `fn store_${buffer}(row: u32, head: u32, c: u32, four: vec4<f32>) { ${buffer}[${place("c")}] = four; }`;
  }
  const lanes = [0, 1, 2, 3].map((lane) => {
    const element = `${buffer}[start + ${lane}u]`;
    const act = kind === "load" ? `four[${lane}] = ${element};` : `${element} = four[${lane}];`;
    return lane === 0 ? act : `if (c * 4u + ${lane}u < ${depth}u) { ${act} }`;
  }).join(" ");
  return kind === "load"
    ? `fn load_${buffer}(row: u32, head: u32, c: u32) -> vec4<f32> {
  let start = ${place("c * 4u")}; var four = vec4<f32>(0.0); ${lanes} return four; }`
    : `fn store_${buffer}(row: u32, head: u32, c: u32, four: vec4<f32>) {
  let start = ${place("c * 4u")}; ${lanes} }`;
}

/** Fills tiles from rows `base ..` of `[batch, count, W]` buffers; places beyond `count` become zero. */
export function loadTiles(plan: DepthPlan, count: string, tiles: readonly (readonly [string, string])[]): string {
  const reads = tiles.map(([tile, buffer]) => `${tile}[j][c] = load_${buffer}(batch * ${count} + base + j, head, c);`);
  const zeros = tiles.map(([tile]) => `${tile}[j][c] = vec4<f32>(0.0);`);
  return `for (var i = lane; i < ${plan.tile * plan.vectors}u; i += ${ROWS}u) {
      let j = i / ${plan.vectors}u;
      let c = i % ${plan.vectors}u;
      if (base + j < ${count}) { ${reads.join(" ")} } else { ${zeros.join(" ")} }
    }`;
}

/** Declares a tile in workgroup memory. */
export function declareTile(plan: DepthPlan, tile: string): string {
  return `var<workgroup> ${tile}: array<array<vec4<f32>, ${plan.vectors}>, ${plan.tile}>;`;
}

/**
 * The entry point's head: finds the batch, the head and the thread's row among `count` rows in blocks of 64. With two parts
 * every block has two workgroups.
 */
export function entry(count: string, partCount: 1 | 2 = 1): string {
  return `@compute @workgroup_size(${ROWS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let blocks = (${count} + ${ROWS - 1}u) / ${ROWS}u;
  let all = groupIndex(group, groups);
  let part = all % ${partCount}u;
  let index = all / ${partCount}u;
  if (index >= params.batch * params.heads * blocks) { return; }
  let firstRow = (index % blocks) * ${ROWS}u;
  let head = (index / blocks) % params.heads;
  let batch = index / (blocks * params.heads);
  let row = firstRow + lane;
  let inside = row < ${count};`;
}
