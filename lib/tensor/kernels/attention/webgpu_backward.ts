/**
 * Attention's gradient programs. Probabilities are computed again from the stored log-sum-exp, so no `[heads, N, N]`
 * tensor is in memory; sums run in a fixed order (no atomics), once per query for dQ and once per key for dK and dV.
 *
 * Source: T. Dao et al., FlashAttention, NeurIPS 2022, appendix B.2: `dS = P (dP - delta)`, `delta = rowsum(dO O)`.
 *
 * @module
 */
import * as parts from "./webgpu_parts.ts";
import type { AttentionShape, DepthPlan } from "./webgpu_parts.ts";
import { EXPONENTIALS } from "../../webgpu/exponentials.ts";
import type { GpuProgram } from "../../webgpu/run.ts";

/** Program: dy, context, logSumExp to stats `[batch, heads, queries, (logSumExp, delta)]`, for devices of 8 bindings. */
export function attentionStatsProgram(shape: AttentionShape): GpuProgram {
  const plan = parts.planDepth(shape.depth);
  return {
    key: `AceAttentionStats,${shape.depth}`,
    inputs: [["dy", plan.type], ["context", plan.type], ["logSumExp", "f32"]],
    outputs: [["stats", "vec2<f32>"]],
    uniforms: parts.attentionUniforms(shape),
    workgroups: shape.batch * shape.heads * Math.ceil(shape.queries / parts.ROWS),
    code: () => `
${parts.rowAccess(plan, shape.depth, "load", "dy")}
${parts.rowAccess(plan, shape.depth, "load", "context")}
${parts.entry("params.queries")}
  if (!inside) { return; }
  var sum = vec4<f32>(0.0);
  for (var c = 0u; c < ${plan.vectors}u; c++) {
    sum += load_dy(batch * params.queries + row, head, c) * load_context(batch * params.queries + row, head, c);
  }
  let slot = (batch * params.heads + head) * params.queries + row;
  stats[slot] = vec2<f32>(logSumExp[slot], (sum.x + sum.y) + (sum.z + sum.w));
}`,
  };
}

/** Program for dQuery. With `stats: "output"` it takes context and logSumExp and also writes the stats. */
export function attentionGradQueryProgram(shape: AttentionShape, stats: "input" | "output"): GpuProgram {
  const plan = parts.planDepth(shape.depth);
  const type = plan.type;
  const writes = stats === "output";
  return {
    key: `AceAttentionGradQuery,${parts.depthKey(shape)},${stats}`,
    inputs: [
      ["dy", type],
      ["query", type],
      ["key", type],
      ["value", type],
      ...(writes ? [["context", type], ["logSumExp", "f32"]] as const : [["stats", "vec2<f32>"]] as const),
      ...parts.maskInput(shape),
    ],
    outputs: [["dQuery", type], ...(writes ? [["stats", "vec2<f32>"]] as const : [])],
    uniforms: parts.attentionUniforms(shape),
    workgroups: shape.batch * shape.heads * Math.ceil(shape.queries / parts.ROWS),
    code: () => `
${EXPONENTIALS}
${["dy", "query", "key", "value"].map((name) => parts.rowAccess(plan, shape.depth, "load", name)).join("\n")}
${writes ? parts.rowAccess(plan, shape.depth, "load", "context") : ""}
${parts.rowAccess(plan, shape.depth, "store", "dQuery")}
${parts.declareTile(plan, "keyTile")}
${parts.declareTile(plan, "valueTile")}
var<workgroup> open: array<f32, ${plan.tile}>; // 1 where the key counts
${parts.entry("params.queries")}
  ${["q", "d", "acc"].map((row) => parts.declareRow(plan, row)).join("\n")}
  let place = batch * params.queries + row;
  let slot = (batch * params.heads + head) * params.queries + row;
  var lse = 0.0;
  var delta = 0.0;
  if (inside) {
    ${
      parts.eachVector(
        plan,
        (of, c) =>
          `${of("q")} = load_query(place, head, ${c}) * params.scale; ${of("d")} = load_dy(place, head, ${c});`,
      )
    }
    ${
      writes
        ? `var sum = vec4<f32>(0.0);
    ${parts.eachVector(plan, (of, c) => `sum += ${of("d")} * load_context(place, head, ${c});`)}
    lse = logSumExp[slot];
    delta = (sum.x + sum.y) + (sum.z + sum.w);
    stats[slot] = vec2<f32>(lse, delta);`
        : "lse = stats[slot].x; delta = stats[slot].y;"
    }
  }
  let end = ${shape.causal ? `min(params.keys, firstRow + ${parts.ROWS}u)` : "params.keys"};
  for (var base = 0u; base < end; base += ${plan.tile}u) {
    workgroupBarrier();
    ${parts.loadTiles(plan, "params.keys", [["keyTile", "key"], ["valueTile", "value"]])}
    if (lane < ${plan.tile}u) {
      var counts = 0.0;
      if (base + lane < params.keys) { counts = ${
      shape.mask !== "none" ? "select(0.0, 1.0, f32(keyMask[batch * params.keys + base + lane]) > 0.5)" : "1.0"
    }; }
      open[lane] = counts;
    }
    workgroupBarrier();
    for (var j = 0u; j < ${plan.tile}u; j++) {
      var st = vec4<f32>(0.0);
      var dt = vec4<f32>(0.0);
      ${
      parts.eachVector(plan, (of, c) => `st += ${of("q")} * keyTile[j][${c}]; dt += ${of("d")} * valueTile[j][${c}];`)
    }
      let p = ${parts.probability("(st.x + st.y) + (st.z + st.w) - lse")};
      let ds = p * ((dt.x + dt.y) + (dt.z + dt.w) - delta);
      let counts = open[j] > 0.5${shape.causal ? " && base + j <= row" : ""};
      let factor = select(0.0, ds, counts);
      ${parts.eachVector(plan, (of, c) => `${of("acc")} += factor * keyTile[j][${c}];`)}
    }
  }
  if (inside) {
    ${parts.eachVector(plan, (of, c) => `store_dQuery(place, head, ${c}, ${of("acc")} * params.scale);`)}
  }
}`,
  };
}

/** Which gradients a thread of {@linkcode attentionGradKeyProgram} computes. */
type KeyGradients = "both" | "key" | "value";

/** Widest head whose dKey and dValue one thread holds. */
const WIDEST_JOINT_HEAD = 32;

/**
 * Program for dKey and dValue. Both at once hold four rows of a head in registers, which fits up to a width of 32; of wider
 * heads half of the workgroups compute dKey and half dValue (three and two rows), which costs the scores twice but spills
 * nothing.
 */
export function attentionGradKeyProgram(shape: AttentionShape): GpuProgram {
  const plan = parts.planDepth(shape.depth);
  const type = plan.type;
  const isJoint = shape.depth <= WIDEST_JOINT_HEAD;
  const loads = ["dy", "query", "key", "value"];
  return {
    key: `AceAttentionGradKey,${parts.depthKey(shape)}`,
    inputs: [
      ...loads.map((name) => [name, type] as const),
      ["stats", "vec2<f32>"],
      ...parts.maskInput(shape),
    ],
    outputs: [["dKey", type], ["dValue", type]],
    uniforms: parts.attentionUniforms(shape),
    workgroups: shape.batch * shape.heads * Math.ceil(shape.keys / parts.ROWS) * (isJoint ? 1 : 2),
    code: () => `
${EXPONENTIALS}
${loads.map((name) => parts.rowAccess(plan, shape.depth, "load", name)).join("\n")}
${parts.rowAccess(plan, shape.depth, "store", "dKey")}
${parts.rowAccess(plan, shape.depth, "store", "dValue")}
${parts.declareTile(plan, "queryTile")}
${parts.declareTile(plan, "dyTile")}
var<workgroup> statsTile: array<vec2<f32>, ${plan.tile}>;
${parts.entry("params.keys", isJoint ? 1 : 2)}
  ${
      isJoint
        ? keyRows(shape, plan, "both")
        : `if (part == 0u) {${keyRows(shape, plan, "value")}} else {${keyRows(shape, plan, "key")}}`
    }
}`,
  };
}

/** What a thread does for its key. */
function keyRows(shape: AttentionShape, plan: DepthPlan, which: KeyGradients): string {
  const [wantKey, wantValue] = [which !== "value", which !== "key"];
  return `
  ${
    ["k", ...(wantKey ? ["v", "dk"] : []), ...(wantValue ? ["dv"] : [])].map((r) => parts.declareRow(plan, r)).join(
      "\n",
    )
  }
  let place = batch * params.keys + row;
  var counts = false;
  if (inside) {
    counts = ${shape.mask !== "none" ? "f32(keyMask[place]) > 0.5" : "true"};
    ${
    parts.eachVector(plan, (of, c) =>
      `${of("k")} = load_key(place, head, ${c}) * params.scale;` +
      (wantKey ? `${of("v")} = load_value(place, head, ${c});` : ""))
  }
  }
  let start = ${shape.causal && shape.mask === "none" ? `(firstRow / ${plan.tile}u) * ${plan.tile}u` : "0u"};
  for (var base = start; base < params.queries; base += ${plan.tile}u) {
    workgroupBarrier();
    ${parts.loadTiles(plan, "params.queries", [["queryTile", "query"], ["dyTile", "dy"]])}
    if (lane < ${plan.tile}u) {
      var both = vec2<f32>(3e38, 0.0); // no probability beyond the last query
      if (base + lane < params.queries) { both = stats[(batch * params.heads + head) * params.queries + base + lane]; }
      statsTile[lane] = both;
    }
    workgroupBarrier();
    for (var j = 0u; j < ${plan.tile}u; j++) {
      ${keyStep(shape, plan, which)}
    }
  }
  if (inside) {
    ${
    parts.eachVector(plan, (of, c) =>
      (wantKey ? `store_dKey(place, head, ${c}, ${of("dk")} * params.scale);` : "") +
      (wantValue ? `store_dValue(place, head, ${c}, ${of("dv")});` : ""))
  }
  }`;
}

/** One query's part of a key's gradients: `dV += P dO`, `dK += P (dP - delta) Q`; a masked score has no gradient. */
function keyStep(shape: AttentionShape, plan: DepthPlan, which: KeyGradients): string {
  const [wantKey, wantValue] = [which !== "value", which !== "key"];
  return `
      let both = statsTile[j];
      var st = vec4<f32>(0.0);
      ${wantKey ? "var dt = vec4<f32>(0.0);" : ""}
      ${
    parts.eachVector(plan, (of, c) =>
      `st += ${of("k")} * queryTile[j][${c}];` + (wantKey ? `dt += ${of("v")} * dyTile[j][${c}];` : ""))
  }
      let seen = counts${shape.causal ? " && row <= base + j" : ""};
      let s = select(f32(${parts.MASKED}), (st.x + st.y) + (st.z + st.w), seen);
      let p = select(${parts.probability("s - both.x")}, params.inverseKeys, both.x < ${parts.ALL_MASKED});
      ${
    wantKey
      ? `let factor = select(0.0, p * ((dt.x + dt.y) + (dt.z + dt.w) - both.y), seen);
      ${parts.eachVector(plan, (of, c) => `${of("dk")} += factor * queryTile[j][${c}];`)}`
      : ""
  }
      ${wantValue ? parts.eachVector(plan, (of, c) => `${of("dv")} += p * dyTile[j][${c}];`) : ""}`;
}
