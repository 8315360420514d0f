/**
 * Attention's forward program: softmax with a running maximum over tiles of keys, so that no `[heads, N, N]` tensor
 * is ever in memory.
 *
 * Source: T. Dao et al., FlashAttention, NeurIPS 2022, algorithm 1 (one query per thread, tiles of keys and values).
 *
 * @module
 */
import * as parts from "./webgpu_parts.ts";
import type { AttentionShape } from "./webgpu_parts.ts";
import { EXPONENTIALS } from "../../webgpu/exponentials.ts";
import type { GpuProgram } from "../../webgpu/run.ts";

/** Keys handled between two updates of the running maximum. */
const CHUNK = 8;

/** Program: query, key, value (, keyMask) to context and logSumExp. */
export function attentionProgram(shape: AttentionShape): GpuProgram {
  const plan = parts.planDepth(shape.depth);
  const type = plan.type;
  const chunk = Math.min(CHUNK, plan.tile);
  const keys = Array.from({ length: chunk }, (_, k) => k);
  return {
    key: `AceAttention,${parts.depthKey(shape)}`,
    inputs: [["query", type], ["key", type], ["value", type], ...parts.maskInput(shape)],
    outputs: [["context", type], ["logSumExp", "f32"]],
    uniforms: parts.attentionUniforms(shape),
    workgroups: shape.batch * shape.heads * Math.ceil(shape.queries / parts.ROWS),
    code: () => `
${EXPONENTIALS}
${parts.rowAccess(plan, shape.depth, "load", "query")}
${parts.rowAccess(plan, shape.depth, "load", "key")}
${parts.rowAccess(plan, shape.depth, "load", "value")}
${parts.rowAccess(plan, shape.depth, "store", "context")}
${parts.declareTile(plan, "keyTile")}
${parts.declareTile(plan, "valueTile")}
var<workgroup> fixed: array<f32, ${plan.tile}>; // 0, or the score that replaces the key's own
${parts.entry("params.queries")}
  ${parts.declareRow(plan, "q")}
  ${parts.declareRow(plan, "acc")}
  if (inside) {
    ${
      parts.eachVector(
        plan,
        (of, c) => `${of("q")} = load_query(batch * params.queries + row, head, ${c}) * params.scale;`,
      )
    }
  }
  var top = f32(${parts.OUTSIDE});
  var total = 0.0;
  ${keyEnd(shape)}
  for (var base = 0u; base < end; base += ${plan.tile}u) {
    workgroupBarrier();
    ${parts.loadTiles(plan, "params.keys", [["keyTile", "key"], ["valueTile", "value"]])}
    if (lane < ${plan.tile}u) {
      var score = f32(${parts.OUTSIDE});
      if (base + lane < params.keys) {
        score = ${
      shape.mask !== "none"
        ? `select(f32(${parts.MASKED}), 0.0, f32(keyMask[batch * params.keys + base + lane]) > 0.5)`
        : "0.0"
    };
      }
      fixed[lane] = score;
    }
    workgroupBarrier();
    for (var j = 0u; j < ${plan.tile}u; j += ${chunk}u) {
      ${keys.map((k) => score(shape, plan, k)).join("\n")}
      let newTop = max(top, ${keys.map((k) => `s${k}`).reduce((a, b) => `max(${a}, ${b})`)});
      let rescale = expOf(top - newTop);
      top = newTop;
      ${keys.map((k) => `let p${k} = expOf(s${k} - top);`).join(" ")}
      total = total * rescale + (${keys.map((k) => `p${k}`).join(" + ")});
      ${
      parts.eachVector(
        plan,
        (of, c) =>
          `${of("acc")} = ${of("acc")} * rescale` +
          keys.map((k) => ` + p${k} * valueTile[j + ${k}u][${c}]`).join("") + ";",
      )
    }
    }
  }
  if (inside) {
    let inverse = 1.0 / total;
    ${
      parts.eachVector(
        plan,
        (of, c) => `store_context(batch * params.queries + row, head, ${c}, ${of("acc")} * inverse);`,
      )
    }
    logSumExp[(batch * params.heads + head) * params.queries + row] = top + logOf(total);
  }
}`,
  };
}

/** A causal program without a mask stops at the block's last query; with one, a row may need every key (all masked). */
function keyEnd(shape: AttentionShape): string {
  return shape.causal && shape.mask === "none"
    ? `let end = min(params.keys, firstRow + ${parts.ROWS}u);`
    : "let end = params.keys;";
}

function score(shape: AttentionShape, plan: parts.DepthPlan, k: number): string {
  const causal = shape.causal ? `s${k} = select(s${k}, ${parts.MASKED}, base + j + ${k}u > row);` : "";
  return `
      var t${k} = vec4<f32>(0.0);
      ${parts.eachVector(plan, (of, c) => `t${k} += ${of("q")} * keyTile[j + ${k}u][${c}];`)}
      var s${k} = (t${k}.x + t${k}.y) + (t${k}.z + t${k}.w);
      ${causal}
      s${k} = select(s${k}, fixed[j + ${k}u], fixed[j + ${k}u] < 0.0);`;
}
