/**
 * The hyperedges that reach a sample's first token, and their gradient: one dispatch, and two.
 *
 * Sample by sample: the k members m_i of the first edge are the largest affinities, with a softmax's shares w_i; the nearest of
 * a member are the k other tokens of largest cosine, with shares s_ij of a softmax of the cosines c_ij.
 *
 * @module
 */
import { lanes, output, type WebgpuCall } from "../../webgpu/call.ts";
import { add4, atLeast, ROW_THREADS, rowMain, workgroupSum } from "../../webgpu/rows.ts";
import { type GpuProgram, runProgram } from "../../webgpu/run.ts";
import type { Info3D } from "../info.ts";
import type { KernelResult } from "../interface.ts";
import { PICK_LARGEST, pickLargest } from "../top_k_softmax/webgpu.ts";

interface Sizes {
  /** Samples. */
  batch: number;
  /** Tokens besides the first, N. */
  nodes: number;
  /** Width of a token. */
  width: number;
  k: number;
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const uniforms = ({ nodes, width }: Sizes, rows: number): GpuProgram["uniforms"] => ({
  rows: { u32: rows },
  nodes: { u32: nodes },
  steps: { u32: width / lanes(width).width },
});

/** `place(i, 0)` is member i, `place(i, 1 + j)` its j-th nearest; `share` likewise w_i, s_ij, and behind them c_ij. */
const stored = (k: number): string => `
fn place(sample: u32, i: u32, j: u32) -> u32 { return u32(places[(sample * ${k}u + i) * ${k + 1}u + j]); }
fn share(sample: u32, i: u32, j: u32) -> f32 { return shares[(sample * ${k}u + i) * ${2 * k + 1}u + j]; }`;

/** Where token `node` begins, 0 being the first after CLS. */
const TOKEN = `
fn tokenStart(sample: u32, node: u32) -> u32 { return (sample * (params.nodes + 1u) + node + 1u) * params.steps; }`;

function forwardProgram(size: Sizes): GpuProgram {
  const { batch, nodes, width, k } = size;
  const { type, width: four } = lanes(width);
  const chosen = upTo(k);
  return {
    key: `AceHyperedges,${k},${nodes},${four}`,
    inputs: [["tokens", type], ["affinity", "f32"]],
    outputs: [["edges", type], ["incoming", "f32"], ["places", "i32"], ["shares", "f32"]],
    uniforms: uniforms(size, batch * (k + 1)),
    workgroups: batch * (k + 1),
    code: () =>
      `
var<workgroup> cosines: array<f32, ${nodes}>;` + PICK_LARGEST + TOKEN +
      rowMain(`  let sample = row / ${k + 1}u;
  let edge = row % ${k + 1}u;
  let first = tokenStart(sample, 0u) - params.steps;
  ${pickLargest({ k, score: "affinity[sample * params.nodes + i]", size: "params.nodes" })}
  if (edge == 0u) {
    for (var c = lane; c < params.steps; c += ${ROW_THREADS}u) {
      edges[start + c] = tokens[first + c]${
        chosen.map((j) => ` + w${j} * tokens[tokenStart(sample, p${j}) + c]`).join("")
      };
    }
    if (lane == 0u) { incoming[row] = 1.0; }
    return;
  }
  var own = p0;
  var weight = w0;
  ${chosen.map((j) => `if (edge == ${j + 1}u) { own = p${j}; weight = w${j}; }`).join("\n  ")}
  let here = tokenStart(sample, own);
  for (var i = lane; i < params.nodes; i += ${ROW_THREADS}u) {
    let there = tokenStart(sample, i);
    var squares = vec3<f32>(0.0);
    for (var c = 0u; c < params.steps; c++) {
      let a = tokens[here + c];
      let b = tokens[there + c];
      squares += vec3<f32>(${["a * a", "b * b", "a * b"].map((x) => add4(four, x)).join(", ")});
    }
    cosines[i] = squares.z / sqrt(${atLeast("squares.x", "1e-24")}) / sqrt(${atLeast("squares.y", "1e-24")});
  }
  workgroupBarrier();
  ${pickLargest({ k, score: "cosines[i]", open: "i != own", size: "params.nodes", prefix: "near_" })}
  ${chosen.map((j) => `let n${j} = select(own, near_p${j}, near_p${j} != params.nodes);`).join(" ")}
  for (var c = lane; c < params.steps; c += ${ROW_THREADS}u) {
    edges[start + c] = weight * tokens[first + c] + tokens[here + c]${
        chosen.map((j) => ` + near_w${j} * tokens[tokenStart(sample, n${j}) + c]`).join("")
      };
  }
  if (lane == 0u) {
    incoming[row] = weight;
    let slot = sample * ${k}u + edge - 1u;
    places[slot * ${k + 1}u] = i32(own);
    shares[slot * ${2 * k + 1}u] = weight;
    ${
        chosen.map((j) =>
          `places[slot * ${k + 1}u + ${j + 1}u] = i32(n${j});
    shares[slot * ${2 * k + 1}u + ${j + 1}u] = near_w${j};
    shares[slot * ${2 * k + 1}u + ${k + 1 + j}u] = near_v${j};`
        ).join("\n    ")
      }
  }`),
  };
}

/**
 * Factors of member i, from products over the width: `dw_i`, `p_i = Σ_j dc_ij c_ij / |x_i|²`, and for each of its nearest
 * `a_ij = dc_ij / (|x_i| |x_j|)` and `p_ij = dc_ij c_ij / |x_j|²`, with `dc = s (ds - Σ s ds)`. A token of no length has p = 0.
 */
function factorsProgram(size: Sizes): GpuProgram {
  const { batch, k, width } = size;
  const { type, width: four } = lanes(width);
  const near = upTo(k);
  const sums = 3 + 2 * k; // dH_0 x_i, dH_i x_0, x_i x_i, then dH_i x_j and x_j x_j of each
  return {
    key: `AceHyperedgesFactors,${k},${four}`,
    inputs: [
      ["dEdges", type],
      ["dIncoming", "f32"],
      ["tokens", type],
      ["places", "i32"],
      ["shares", "f32"],
    ],
    outputs: [["factors", "f32"]],
    uniforms: uniforms(size, batch * k),
    workgroups: batch * k,
    code: () =>
      workgroupSum("f32") + TOKEN + stored(k) +
      rowMain(`  let sample = row / ${k}u;
  let i = row % ${k}u;
  let first = tokenStart(sample, 0u) - params.steps;
  let own = tokenStart(sample, place(sample, i, 0u));
  let top = sample * ${k + 1}u * params.steps;
  let edge = top + (i + 1u) * params.steps;
  ${near.map((j) => `let start${j} = tokenStart(sample, place(sample, i, ${j + 1}u));`).join(" ")}
  ${upTo(sums).map((s) => `var sum${s} = ${type}(0.0);`).join(" ")}
  for (var c = lane; c < params.steps; c += ${ROW_THREADS}u) {
    let x = tokens[own + c];
    let d = dEdges[edge + c];
    sum0 += dEdges[top + c] * x;
    sum1 += d * tokens[first + c];
    sum2 += x * x;
    ${
        near.map((j) =>
          `let x${j} = tokens[start${j} + c]; sum${3 + j} += d * x${j}; sum${3 + k + j} += x${j} * x${j};`
        )
          .join("\n    ")
      }
  }
  ${upTo(sums).map((s) => `let all${s} = groupSum(${add4(four, `sum${s}`)}, lane);`).join("\n  ")}
  if (lane > 0u) { return; }
  let mean = ${near.map((j) => `share(sample, i, ${j + 1}u) * all${3 + j}`).join(" + ")};
  let to = row * ${2 + 2 * k}u;
  let ownSquare = ${atLeast("all2", "1e-24")};
  var along = 0.0;
  ${
        near.map((j) =>
          `let dc${j} = share(sample, i, ${j + 1}u) * (all${3 + j} - mean);
  let cosine${j} = share(sample, i, ${k + 1 + j}u);
  let square${j} = ${atLeast(`all${3 + k + j}`, "1e-24")};
  along += dc${j} * cosine${j};
  factors[to + ${2 + j}u] = dc${j} / sqrt(ownSquare) / sqrt(square${j});
  factors[to + ${2 + k + j}u] = select(0.0, dc${j} * cosine${j} / square${j}, square${j} > 1e-24);`
        ).join("\n  ")
      }
  factors[to] = all0 + all1 + dIncoming[sample * ${k + 1}u + i + 1u];
  factors[to + 1u] = select(0.0, along / ownSquare, ownSquare > 1e-24);`),
  };
}

/** Each token's gradient from those it takes part in, in one order; most take part in none. */
function backwardProgram(size: Sizes): GpuProgram {
  const { batch, nodes, width, k } = size;
  const { type } = lanes(width);
  const factor = (i: string, index: string): string => `factors[(sample * ${k}u + ${i}) * ${2 + 2 * k}u + ${index}]`;
  return {
    key: `AceHyperedgesGrad,${k},${type}`,
    inputs: [["dEdges", type], ["tokens", type], ["places", "i32"], ["shares", "f32"], ["factors", "f32"]],
    outputs: [["dTokens", type], ["dAffinity", "f32"]],
    uniforms: uniforms(size, batch * (nodes + 1)),
    workgroups: batch * (nodes + 1),
    code: () =>
      TOKEN + stored(k) + rowMain(`  let sample = row / (params.nodes + 1u);
  let node = row % (params.nodes + 1u);
  let top = sample * ${k + 1}u * params.steps;
  for (var c = lane; c < params.steps; c += ${ROW_THREADS}u) {
    var total = ${type}(0.0);
    if (node == 0u) { total = dEdges[top + c]; }
    for (var i = 0u; i < ${k}u; i++) {
      let d = dEdges[top + (i + 1u) * params.steps + c];
      if (node == 0u) {
        total += share(sample, i, 0u) * d;
        continue;
      }
      let own = place(sample, i, 0u);
      let isOwn = own + 1u == node;
      if (isOwn) {
        total += d + share(sample, i, 0u) * dEdges[top + c] - ${factor("i", "1u")} * tokens[start + c];
      }
      for (var j = 0u; j < ${k}u; j++) {
        let other = place(sample, i, j + 1u);
        if (isOwn) { total += ${factor("i", "2u + j")} * tokens[tokenStart(sample, other) + c]; }
        if (other + 1u == node) {
          total += share(sample, i, j + 1u) * d + ${factor("i", "2u + j")} * tokens[tokenStart(sample, own) + c] -
            ${factor("i", `${2 + k}u + j`)} * tokens[start + c];
        }
      }
    }
    dTokens[start + c] = total;
  }
  if (lane == 0u && node > 0u) {
    var slope = 0.0;
    for (var i = 0u; i < ${k}u; i++) {
      if (place(sample, i, 0u) + 1u != node) { continue; }
      var mean = 0.0;
      for (var l = 0u; l < ${k}u; l++) { mean += share(sample, l, 0u) * ${factor("l", "0u")}; }
      slope = share(sample, i, 0u) * (${factor("i", "0u")} - mean);
    }
    dAffinity[sample * params.nodes + node - 1u] = slope;
  }`),
  };
}

function sizesOf(tokens: Info3D, k: number): Sizes {
  const [batch, size, width] = tokens.shape;
  return { batch, nodes: size - 1, width, k };
}

/** AceHyperedges: 1 dispatch. */
export function hyperedges({ inputs, attrs, backend }: WebgpuCall<"AceHyperedges">): KernelResult<"AceHyperedges"> {
  const { tokens, affinity } = inputs;
  const size = sizesOf(tokens, attrs.k);
  const { batch, width, k } = size;
  const outputs: KernelResult<"AceHyperedges"> = [
    output(backend, [batch, k + 1, width]),
    output(backend, [batch, k + 1, 1]),
    output(backend, [batch, k, k + 1], "int32"),
    output(backend, [batch, k, 2 * k + 1]),
  ];
  runProgram(backend, forwardProgram(size), { inputs: [tokens, affinity], outputs });
  return outputs;
}

/** AceHyperedgesGrad: 2 dispatches. */
export function hyperedgesGrad(
  { inputs, attrs, backend }: WebgpuCall<"AceHyperedgesGrad">,
): KernelResult<"AceHyperedgesGrad"> {
  const { dEdges, dIncoming, tokens, places, shares } = inputs;
  const size = sizesOf(tokens, attrs.k);
  const { batch, nodes, k } = size;
  const factors = output(backend, [batch, k, 2 + 2 * k]);
  const known = [tokens, places, shares];
  runProgram(backend, factorsProgram(size), { inputs: [dEdges, dIncoming, ...known], outputs: [factors] });
  const outputs: KernelResult<"AceHyperedgesGrad"> = [output(backend, tokens.shape), output(backend, [batch, nodes])];
  runProgram(backend, backwardProgram(size), { inputs: [dEdges, ...known, factors], outputs });
  backend.disposeData(factors.dataId);
  return outputs;
}
