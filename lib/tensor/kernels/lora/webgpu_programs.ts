/**
 * The narrow products of low-rank updates: `R` columns beside thousands of rows. Each reads its wide operand once for
 * all the layers that share it, and draws dropout masks on the way instead of storing them.
 *
 * @module
 */
import { dropUniforms, STAYS } from "../matmul/webgpu_epilogue.ts";
import type { Uniform } from "../../webgpu/device_cache.ts";
import type { GpuProgram } from "../../webgpu/run.ts";

/** Layers of one shape that read the same rows. */
export interface LoraGroup {
  /** Number of layers, L. */
  layers: number;
  /** R of each. */
  rank: number;
  /** Rows of x. */
  rows: number;
  /** Columns of x. */
  inSize: number;
  /** Columns of the layers' results. */
  outSize: number;
  /** Factor of each update. */
  scalings: readonly number[];
  /** Dropout of each update's input; 0 for none. */
  rates: readonly number[];
  /** Seeds of the masks. */
  seeds: readonly number[];
}

const THREADS = 64;
/** Sums a thread keeps at most. */
const MOST_SUMS = 48;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const MAIN = `(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32)`;

/** Uniforms of the masks and factors, `low0Seed` and so on. */
function layerUniforms(g: LoraGroup): Record<string, Uniform> {
  return Object.fromEntries(
    upTo(g.layers).flatMap((l) => [
      ...Object.entries(dropUniforms({ rate: g.rates[l]!, seed: g.seeds[l]! }, `drop${l}`)),
      [`scaling${l}`, { f32: g.scalings[l]! }],
    ]),
  );
}

/** Ends a program in which each of `THREADS` threads holds part of `rows x ranks` sums: adds the parts, stores them. */
function storeSums(g: LoraGroup, rowsEach: number, dropped: boolean): string {
  const ranks = g.layers * g.rank;
  const count = rowsEach * ranks;
  const factor = (l: number) => `params.scaling${l}${dropped && g.rates[l]! > 0 ? ` * params.drop${l}Scale` : ""}`;
  return `
  ${upTo(count).map((i) => `partial[${i * (THREADS + 1)}u + lane] = s${i};`).join("\n  ")}
  workgroupBarrier();
  if (lane < ${count}u && first + lane / ${ranks}u < params.rows) {
    var total = 0.0;
    for (var t = 0u; t < ${THREADS}u; t++) { total += partial[lane * ${THREADS + 1}u + t]; }
    let layer = (lane % ${ranks}u) / ${g.rank}u;
    var factor = ${factor(0)};
    ${upTo(g.layers).slice(1).map((l) => `if (layer == ${l}u) { factor = ${factor(l)}; }`).join("\n    ")}
    low[(first + lane / ${ranks}u) * ${ranks}u + lane % ${ranks}u] = total * factor;
  }`;
}

/** `low[row, l R + r] = scaling_l Σ_i drop_l(x)[row, i] A_l[r, i]`: x is read once. */
export function loraDownProgram(g: LoraGroup): GpuProgram {
  const ranks = g.layers * g.rank;
  const rowsEach = Math.max(1, Math.min(4, Math.floor(MOST_SUMS / ranks)));
  const width = g.inSize % 4 === 0 ? 4 : 1;
  const type = width === 4 ? "vec4<f32>" : "f32";
  const mask = (l: number, index: string) => {
    const stays = (c: number) => `stays(${index} + ${c}u, params.drop${l}Seed, params.drop${l}Threshold)`;
    return width === 4 ? `vec4<f32>(${upTo(4).map(stays).join(", ")})` : stays(0);
  };
  const dropped = g.rates.map((rate) => rate > 0);
  return {
    key: `AceLoraDown,${width},${g.layers},${g.rank},${dropped}`,
    inputs: [["x", type], ...upTo(g.layers).map((l) => [`a${l}`, type] as const)],
    outputs: [["low", "f32"]],
    uniforms: { rows: { u32: g.rows }, steps: { u32: g.inSize / width }, ...layerUniforms(g) },
    workgroups: Math.ceil(g.rows / rowsEach),
    code: () => `
${STAYS}
var<workgroup> partial: array<f32, ${rowsEach * ranks * (THREADS + 1)}>;
@compute @workgroup_size(${THREADS})
fn main${MAIN} {
  let first = groupIndex(group, groups) * ${rowsEach}u;
  if (first >= params.rows) { return; }
  ${upTo(rowsEach * ranks).map((i) => `var s${i} = 0.0;`).join(" ")}
  ${upTo(rowsEach).map((q) => `let start${q} = min(first + ${q}u, params.rows - 1u) * params.steps;`).join("\n  ")}
  for (var i = lane; i < params.steps; i += ${THREADS}u) {
    ${
      upTo(g.layers).flatMap((l) => upTo(g.rank).map((r) => `let f${l}_${r} = a${l}[${r}u * params.steps + i];`))
        .join("\n    ")
    }
    ${
      upTo(rowsEach).map((q) =>
        `let x${q} = x[start${q} + i];
    ${
          upTo(g.layers).map((l) =>
            `let x${q}_${l} = x${q}${dropped[l] ? ` * ${mask(l, `(start${q} + i) * ${width}u`)}` : ""};
    ${
              upTo(g.rank).map((r) =>
                `s${q * ranks + l * g.rank + r} += ${
                  width === 4 ? `dot(x${q}_${l}, f${l}_${r})` : `x${q}_${l} * f${l}_${r}`
                };`
              ).join(" ")
            }`
          ).join("\n    ")
        }`
      ).join("\n    ")
    }
  }
  ${storeSums(g, rowsEach, true)}
}`,
  };
}

/** `low[row, l R + r] = scaling_l Σ_o dy_l[row, o] B_l[o, r]`, the gradient of what the down-projection gave. */
export function loraGradLowProgram(g: LoraGroup): GpuProgram {
  const ranks = g.layers * g.rank;
  const rowsEach = Math.max(1, Math.min(4, Math.floor(MOST_SUMS / ranks)));
  const fours = g.rank % 4 === 0;
  const factor = (l: number, r: number) => fours ? `f${l}_${r >> 2}.${"xyzw"[r & 3]}` : `f${l}_${r}`;
  return {
    key: `AceLoraGradLow,${fours},${g.layers},${g.rank}`,
    inputs: [
      ...upTo(g.layers).map((l) => [`dy${l}`, "f32"] as const),
      ...upTo(g.layers).map((l) => [`b${l}`, fours ? "vec4<f32>" : "f32"] as const),
    ],
    outputs: [["low", "f32"]],
    uniforms: { rows: { u32: g.rows }, width: { u32: g.outSize }, ...layerUniforms(g) },
    workgroups: Math.ceil(g.rows / rowsEach),
    code: () => `
var<workgroup> partial: array<f32, ${rowsEach * ranks * (THREADS + 1)}>;
@compute @workgroup_size(${THREADS})
fn main${MAIN} {
  let first = groupIndex(group, groups) * ${rowsEach}u;
  if (first >= params.rows) { return; }
  ${upTo(rowsEach * ranks).map((i) => `var s${i} = 0.0;`).join(" ")}
  ${upTo(rowsEach).map((q) => `let start${q} = min(first + ${q}u, params.rows - 1u) * params.width;`).join("\n  ")}
  for (var i = lane; i < params.width; i += ${THREADS}u) {
    ${
      upTo(g.layers).flatMap((l) => {
        const loads = fours ? g.rank / 4 : g.rank;
        return upTo(loads).map((r) => `let f${l}_${r} = b${l}[i * ${loads}u + ${r}u];`);
      }).join("\n    ")
    }
    ${
      upTo(rowsEach).flatMap((q) =>
        upTo(g.layers).map((l) =>
          `let g${q}_${l} = dy${l}[start${q} + i]; ${
            upTo(g.rank).map((r) => `s${q * ranks + l * g.rank + r} += g${q}_${l} * ${factor(l, r)};`).join(" ")
          }`
        )
      ).join("\n    ")
    }
  }
  ${storeSums(g, rowsEach, false)}
}`,
  };
}

/** How many rows one workgroup of the matrices' gradients sums. */
export function loraRowBlock(rows: number): number {
  return rows <= 256 ? rows : Math.max(32, Math.ceil(rows / 128));
}

/** Columns that the sums cover: the wider of x and the results. */
export function loraColumns(g: LoraGroup): number {
  return Math.max(g.inSize, g.outSize);
}

/**
 * Over blocks of rows, `sums[block, l R + r, i] = Σ dLow[row, l R + r] drop_l(x)[row, i]` (A's gradient, before its
 * factor) and behind them `Σ low[row, l R + r] dy_l[row, o]` (B's).
 */
export function loraSumsProgram(g: LoraGroup): GpuProgram {
  const ranks = g.layers * g.rank;
  const block = loraRowBlock(g.rows);
  const columns = loraColumns(g);
  const columnGroups = Math.ceil(columns / THREADS);
  const blocks = Math.ceil(g.rows / block);
  const dropped = g.rates.map((rate) => rate > 0);
  return {
    key: `AceLoraSums,${g.layers},${g.rank},${dropped}`,
    inputs: [
      ["x", "f32"],
      ["low", "f32"],
      ["dLow", "f32"],
      ...upTo(g.layers).map((l) => [`dy${l}`, "f32"] as const),
    ],
    outputs: [["sums", "f32"]],
    uniforms: {
      rows: { u32: g.rows },
      inSize: { u32: g.inSize },
      outSize: { u32: g.outSize },
      columns: { u32: columns },
      rowsPerBlock: { u32: block },
      columnGroups: { u32: columnGroups },
      total: { u32: columnGroups * blocks },
      ...layerUniforms(g),
    },
    workgroups: columnGroups * blocks,
    code: () => `
${STAYS}
@compute @workgroup_size(${THREADS})
fn main${MAIN} {
  let index = groupIndex(group, groups);
  let block = index / params.columnGroups;
  let column = (index % params.columnGroups) * ${THREADS}u + lane;
  if (index >= params.total || column >= params.columns) { return; }
  let end = min(params.rows, (block + 1u) * params.rowsPerBlock);
  ${upTo(2 * ranks).map((i) => `var s${i} = 0.0;`).join(" ")}
  for (var row = block * params.rowsPerBlock; row < end; row++) {
    let start = row * ${ranks}u;
    if (column < params.inSize) {
      let place = row * params.inSize + column;
      let value = x[place];
      ${
      upTo(g.layers).map((l) =>
        `let x_${l} = value${dropped[l] ? ` * stays(place, params.drop${l}Seed, params.drop${l}Threshold)` : ""}; ${
          upTo(g.rank).map((r) => `s${l * g.rank + r} += x_${l} * dLow[start + ${l * g.rank + r}u];`).join(" ")
        }`
      ).join("\n      ")
    }
    }
    if (column < params.outSize) {
      let place = row * params.outSize + column;
      ${
      upTo(g.layers).map((l) =>
        `let g_${l} = dy${l}[place]; ${
          upTo(g.rank).map((r) => `s${ranks + l * g.rank + r} += g_${l} * low[start + ${l * g.rank + r}u];`).join(" ")
        }`
      ).join("\n      ")
    }
    }
  }
  let to = block * ${2 * ranks}u * params.columns + column;
  ${upTo(2 * ranks).map((i) => `sums[to + ${i}u * params.columns] = s${i};`).join("\n  ")}
}`,
  };
}

/** Adds the blocks in order and stores them as the gradients of each A, `[R, in]`, and each B, `[out, R]`. */
export function loraGradMatricesProgram(g: LoraGroup): GpuProgram {
  const ranks = g.layers * g.rank;
  const columns = loraColumns(g);
  const blocks = Math.ceil(g.rows / loraRowBlock(g.rows));
  const store = upTo(2 * ranks).map((i) => {
    const [l, r] = [Math.floor((i % ranks) / g.rank), i % g.rank];
    return i < ranks
      ? `case ${i}u: { if (column < params.inSize) { dA${l}[${r}u * params.inSize + column] = total${
        g.rates[l]! > 0 ? ` * params.drop${l}Scale` : ""
      }; } }`
      : `case ${i}u: { if (column < params.outSize) { dB${l}[column * ${g.rank}u + ${r}u] = total; } }`;
  });
  return {
    key: `AceLoraGradMatrices,${g.layers},${g.rank},${g.rates.map((rate) => rate > 0)}`,
    inputs: [["sums", "f32"]],
    outputs: [
      ...upTo(g.layers).map((l) => [`dA${l}`, "f32"] as const),
      ...upTo(g.layers).map((l) => [`dB${l}`, "f32"] as const),
    ],
    uniforms: {
      size: { u32: 2 * ranks * columns },
      columns: { u32: columns },
      inSize: { u32: g.inSize },
      outSize: { u32: g.outSize },
      blocks: { u32: blocks },
      ...layerUniforms(g),
    },
    workgroups: Math.ceil(2 * ranks * columns / THREADS),
    code: () => `
@compute @workgroup_size(${THREADS})
fn main${MAIN} {
  let i = groupIndex(group, groups) * ${THREADS}u + lane;
  if (i >= params.size) { return; }
  let column = i % params.columns;
  var total = 0.0;
  for (var block = 0u; block < params.blocks; block++) { total += sums[block * params.size + i]; }
  switch (i / params.columns) {
    ${store.join("\n    ")}
    default: {}
  }
}`,
  };
}
