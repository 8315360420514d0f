/**
 * The matrix product's programs, for any tile of webgpu_plan.ts and all four transposed forms.
 *
 * Each step loads `depth` terms of both operands into workgroup memory, as vectors of four along the operand's own
 * contiguous axis: along k (`A`, `Bᵀ`) or along the rows or columns (`Aᵀ`, `B`). Transposing four vectors of four is
 * then only a naming of registers, so no form is slower by itself. The next step's loads are issued before this
 * step's sums. The inner code is written out (no loop over results): naga adds counters to loops.
 *
 * @module
 */
import { WIDEN } from "../../webgpu/halves.ts";
import type { GpuProgram } from "../../webgpu/run.ts";
import {
  buffers,
  epilogueInputs,
  epilogueKey,
  epilogueOutputs,
  epilogueUniforms,
  finishFunction,
  readFunction,
} from "./webgpu_epilogue.ts";
import {
  declareLoads,
  declareTile,
  eachLoad,
  elementType,
  loadAndSave,
  type MatMulCall,
  type Operand,
  operands,
} from "./webgpu_operand.ts";
import type { MatMulPlan } from "./webgpu_plan.ts";
import { fourTerms, storeResults, storesFour, sumLoop, sumsOf } from "./webgpu_sums.ts";

function batchCode(batch: number, a: Operand, b: Operand): string {
  const offset = (o: Operand) =>
    `(i0 * params.${o.buffer}0 + i1 * params.${o.buffer}1 + i2 * params.${o.buffer}2) * params.${o.limit} * params.k`;
  if (batch === 1) return "let aBase = 0u; let bBase = 0u;";
  return `let i2 = batch % params.size2; let i1 = (batch / params.size2) % params.size1;
  let i0 = batch / (params.size2 * params.size1);
  let aBase = ${offset(a)}; let bBase = ${offset(b)};`;
}

/** The current layer of several products, and what reads its operands and stores its result. */
function severalFunctions(call: MatMulCall, operands: readonly Operand[], outType: string): string {
  if (!call.several) return "";
  const { count, of } = call.several;
  const stores = buffers("result", count).map((buffer, l) =>
    `${l === count - 1 ? "default:" : `case ${l}u:`} { ${buffer}[index] = value; }`
  );
  return `var<private> layer: u32;
${operands.filter((o) => o.several).map((o) => readFunction(o.buffer, elementType(o), count)).join("\n")}
${of === "results" ? `fn store_result(index: u32, value: ${outType}) { switch layer { ${stores.join(" ")} } }` : ""}`;
}

/** The program of the sums. With several splits the output is `[splits, batch, m, n]` and not finished. */
export function matMulProgram(call: MatMulCall, plan: MatMulPlan): GpuProgram {
  const { tile } = plan;
  const [a, b] = operands(call, tile);
  const finish = plan.splits === 1;
  const four = storesFour(call);
  const outType = outTypeOf(call);
  const { m, n, k, batch } = call.shape;
  const results = resultsOf(call);
  const workgroups = plan.tilesM * plan.tilesN * plan.splits * batch * (results ?? 1);
  return {
    key: `AceMatMul,${Object.values(tile)},${call.transposeA},${call.transposeB},${a.four},${b.four},${outType},` +
      `${batch === 1},${call.sums ?? false},${b.half},${finish ? epilogueKey(call) : "parts"}`,
    inputs: [
      ...[a, b].flatMap((o) =>
        buffers(o.buffer, o.several ? call.several?.count : undefined).map((name) => [name, elementType(o)] as const)
      ),
      ...(finish ? epilogueInputs(call, four) : []),
    ],
    outputs: [
      ...buffers("result", results).map((name) => [name, outType] as const),
      ...(finish ? epilogueOutputs(call, four) : []),
      ...(call.sums ? [["sums", "f32"]] as const : []),
    ],
    uniforms: {
      m: { u32: m },
      n: { u32: n },
      k: { u32: k },
      tilesM: { u32: plan.tilesM },
      tilesN: { u32: plan.tilesN },
      splits: { u32: plan.splits },
      splitDepth: { u32: plan.splitDepth },
      batch: { u32: batch },
      workgroups: { u32: workgroups },
      size1: { u32: call.axes.sizes[1] },
      size2: { u32: call.axes.sizes[2] },
      ...Object.fromEntries(call.axes.strideA.map((stride, i) => [`a${i}`, { u32: stride }])),
      ...Object.fromEntries(call.axes.strideB.map((stride, i) => [`b${i}`, { u32: stride }])),
      ...(finish ? epilogueUniforms(call) : {}),
    },
    workgroups,
    code: () => matMulCode(call, plan),
  };
}

function outTypeOf(call: MatMulCall): "vec4<f32>" | "f32" {
  return storesFour(call) ? "vec4<f32>" : "f32";
}

/** How many products have a result of their own; undefined if it is one. */
function resultsOf({ several }: MatMulCall): number | undefined {
  return several?.of === "results" ? several.count : undefined;
}

function matMulCode(call: MatMulCall, plan: MatMulPlan): string {
  const { tile } = plan;
  const [a, b] = operands(call, tile);
  const threads = tile.threadsX * tile.threadsY;
  const finish = plan.splits === 1;
  const sums = sumsOf(call, a);
  const results = resultsOf(call);
  const accs = Array.from(
    { length: a.perThread },
    (_, i) => Array.from({ length: b.perThread / 4 }, (_, h) => `var acc${i}_${h} = vec4<f32>(0.0);`).join(" "),
  );
  const loads = (o: Operand, first: string, kFrom: string): string =>
    eachLoad(o, threads, (name, e) => `${name} = load_${o.buffer}(${e}, ${first}, ${kFrom}, kEnd, ${o.buffer}Base);`);
  const next = (kFrom: string): string => `${loads(a, "firstM", kFrom)}\n${loads(b, "firstN", kFrom)}`;
  return `
${b.half ? WIDEN : ""}
${declareTile(a)}
${declareTile(b)}
${severalFunctions(call, [a, b], outTypeOf(call))}
${loadAndSave(a)}
${loadAndSave(b)}
${finish ? finishFunction(call, storesFour(call)) : ""}
@compute @workgroup_size(${tile.threadsX}, ${tile.threadsY})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let index = groupIndex(group, groups);
  if (index >= params.workgroups) { return; }
  let firstN = (index % params.tilesN) * ${tile.threadsX * tile.columns}u;
  let firstM = ((index / params.tilesN) % params.tilesM) * ${tile.threadsY * tile.rows}u;
  let part = index / (params.tilesN * params.tilesM);
  ${results ? "layer = part;" : ""}
  let split = ${results ? "0u" : "part % params.splits"};
  let batch = ${results ? "0u" : "part / params.splits"};
  ${batchCode(call.shape.batch, a, b)}
  let outBase = (split * params.batch + batch) * params.m * params.n;
  let kStart = split * params.splitDepth;
  let kEnd = min(params.k, kStart + params.splitDepth);
  ${accs.join("\n")}
  ${sums.declare}
  ${declareLoads(a, threads)}
  ${declareLoads(b, threads)}
  ${
    sumLoop(call, tile.depth, next, {
      save: [
        eachLoad(a, threads, (name, e) => `save_a(${e}, ${name});`),
        eachLoad(b, threads, (name, e) => `save_b(${e}, ${name});`),
      ].join("\n"),
      add: `${fourTerms(a, b)}\n${sums.add}`,
    })
  }
  var row = 0u;
  var column = 0u;
  ${storeResults(call, a, b, finish)}
  ${sums.store}
}`;
}

/** The program that adds the parts of split sums, in order, and finishes them. */
export function addPartsProgram(call: MatMulCall, splits: number): GpuProgram {
  const { m, n, batch } = call.shape;
  const width = n % 4 === 0 ? 4 : 1;
  const type = width === 4 ? "vec4<f32>" : "f32";
  const size = batch * m * n / width;
  return {
    key: `AceMatMulAddParts,${width},${epilogueKey(call)}`,
    inputs: [["parts", type], ...epilogueInputs(call, width === 4)],
    outputs: [["result", type], ...epilogueOutputs(call, width === 4)],
    uniforms: { size: { u32: size }, splits: { u32: splits }, n: { u32: n }, ...epilogueUniforms(call) },
    workgroups: Math.ceil(size / 64),
    code: () => `
${finishFunction(call, width === 4)}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let i = groupIndex(group, groups) * 64u + lane;
  if (i >= params.size) { return; }
  var total = ${type}(0.0);
  for (var split = 0u; split < params.splits; split++) { total += parts[split * params.size + i]; }
  let place = i * ${width}u;
  result[i] = finish(total, place / params.n, place % params.n);
}`,
  };
}
