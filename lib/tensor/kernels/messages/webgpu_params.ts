/** The gradients of both layers of a bottleneck in one program: two products of few terms beside each other, with their sums. @module */
import type { GpuProgram } from "../../webgpu/run.ts";
import { mapTuple } from "../../../platform/map_tuple.ts";

/** Threads along a side of a workgroup; each has 4 x 4 results. */
const SIDE = 8;

/** `dWeight[i, j] = Σ_t a[t, i] b[t, j]` and `dBias[i] = Σ_t a[t, i]`. */
interface Layer {
  /** Terms. */
  terms: number;
  /** Columns of a. */
  m: number;
  /** Columns of b. */
  n: number;
  /** From row to row of b. A number behind its columns is the term's weight in dBias. */
  stride: number;
}

const tilesOf = (size: number): number => Math.ceil(size / (4 * SIDE));

/** `load_<name>(term, four)` in WGSL: four neighbouring numbers of a row, 0 beyond its end. */
function load(name: string, columns: number, stride: number): string {
  const fours = columns % 4 === 0 && stride % 4 === 0;
  const one = (lane: number): string =>
    lane === 0 ? `${name}[at]` : `select(0.0, ${name}[at + ${lane}u], four * 4u + ${lane}u < ${columns}u)`;
  const body = fours
    ? `return ${name}[term * ${stride / 4}u + four];`
    : `let at = term * ${stride}u + four * 4u; return vec4<f32>(${[0, 1, 2, 3].map(one).join(", ")});`;
  return `fn load_${name}(term: u32, four: u32) -> vec4<f32> { ${body} }`;
}

const typeOf = (columns: number, stride: number): string => columns % 4 === 0 && stride % 4 === 0 ? "vec4<f32>" : "f32";

/** `product<l>(tile, lane)` in WGSL. */
function product(l: 1 | 2, { m, n, stride }: Layer): string {
  const weight = typeOf(n, stride) === "f32"
    ? `b${l}[term * ${stride}u + ${n}u]`
    : `b${l}[term * ${stride / 4}u + ${n / 4}u].x`;
  const four = [0, 1, 2, 3];
  return `
${load(`a${l}`, m, m)}
${load(`b${l}`, n, stride)}
fn product${l}(tile: u32, lane: u32) {
  let row = (tile / ${tilesOf(n)}u) * ${SIDE}u + lane / ${SIDE}u;
  let column = (tile % ${tilesOf(n)}u) * ${SIDE}u + lane % ${SIDE}u;
  if (row * 4u >= ${m}u || column * 4u >= ${n}u) { return; }
  ${four.map((i) => `var sum${i} = vec4<f32>(0.0);`).join(" ")}
  var bias = vec4<f32>(0.0);
  for (var term = 0u; term < params.terms${l}; term++) {
    let a = load_a${l}(term, row);
    let b = load_b${l}(term, column);
    ${four.map((i) => `sum${i} += a[${i}] * b;`).join(" ")}
    bias += a${stride > n ? ` * ${weight}` : ""};
  }
  ${
    four.map((i) =>
      `if (row * 4u + ${i}u < ${m}u) {
    let to = (row * 4u + ${i}u) * ${n}u + column * 4u;
    ${four.map((j) => `if (column * 4u + ${j}u < ${n}u) { dWeight${l}[to + ${j}u] = sum${i}[${j}]; }`).join(" ")}
    if (column == 0u) { dBias${l}[row * 4u + ${i}u] = bias[${i}]; }
  }`
    ).join("\n  ")
  }
}`;
}

/** Program: dHidden, x, dy, what the second layer was given, to dWeight and dBias of the first layer, then of the second. */
export function messagesGradParamsProgram({ first, second }: Record<"first" | "second", Layer>): GpuProgram {
  const tiles = mapTuple([first, second], ({ m, n }) => tilesOf(m) * tilesOf(n));
  return {
    key: `AceMessagesGradParams,${[first, second].flatMap(({ m, n, stride }) => [m, n, stride])}`,
    inputs: [
      ["a1", typeOf(first.m, first.m)],
      ["b1", typeOf(first.n, first.stride)],
      ["a2", typeOf(second.m, second.m)],
      ["b2", typeOf(second.n, second.stride)],
    ],
    outputs: [["dWeight1", "f32"], ["dBias1", "f32"], ["dWeight2", "f32"], ["dBias2", "f32"]],
    uniforms: {
      terms1: { u32: first.terms },
      terms2: { u32: second.terms },
      first: { u32: tiles[0] },
      all: { u32: tiles[0] + tiles[1] },
    },
    workgroups: tiles[0] + tiles[1],
    code: () => `
${product(1, first)}
${product(2, second)}
@compute @workgroup_size(${SIDE * SIDE})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let tile = groupIndex(group, groups);
  if (tile >= params.all) { return; }
  if (tile < params.first) { product1(tile, lane); } else { product2(tile - params.first, lane); }
}`,
  };
}
