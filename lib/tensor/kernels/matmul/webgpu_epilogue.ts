/**
 * What a matrix product does to each result before it is stored, so that it costs no pass over memory of its own:
 * `result = activation(drop(sum + bias) + drop'(low factor) + addend) slope(kept)`, every part optional.
 *
 * @module
 */
import type { Uniform } from "../../webgpu/device_cache.ts";
import type { DropoutAttributes } from "../attributes.ts";
import { activationCode, type GpuActivation } from "./webgpu_activation.ts";

/** The product of a few columns with a factor, added to the result. */
export interface LowRank {
  /** R, terms of the product. */
  rank: number;
  /** Columns of `low`, `[m, stride]`. */
  stride: number;
  /** The first of the R columns of `low` that take part; with several products the first one's, the others' follow. */
  offset: number;
  /** `outputs`: the factor is `[n, R]`; `ranks`: it is `[R, n]`. */
  layout: "outputs" | "ranks";
  /** Dropout of this term alone, for each product whose sum it is added to. @default {none} */
  drops?: readonly (DropoutAttributes | undefined)[];
}

/**
 * Several products of one shape in one program. `results`: they share `a`, and each has its own b, bias, factor and result.
 * `terms`: each has its own a, b and factor, and their sum is the result.
 */
export interface Several {
  /** How many, at least 2. */
  count: number;
  /** What there are several of. */
  of: "results" | "terms";
}

/** Names of the buffers of one kind: `b`, or `b0`, `b1` and so on. */
export function buffers(name: string, count: number | undefined): string[] {
  return count === undefined ? [name] : Array.from({ length: count }, (_, l) => `${name}${l}`);
}

/** `read_<name>(index)` in WGSL: from the buffer of the current layer. */
export function readFunction(name: string, type: string, count: number): string {
  const cases = buffers(name, count).map((buffer, l) =>
    l === count - 1 ? `default: { return ${buffer}[index]; }` : `case ${l}u: { return ${buffer}[index]; }`
  );
  return `fn read_${name}(index: u32) -> ${type} { switch layer { ${cases.join(" ")} } }`;
}

/** The parts besides bias and activation. Tensors are given in the order low, factor, addend, kept. */
export interface Epilogue {
  /** Dropout of sum and bias, by the result's own index. */
  drop?: DropoutAttributes;
  /** Low-rank term. */
  lowRank?: LowRank;
  /** Whether a tensor `[m, n]` is added. */
  addend?: boolean;
  /** Whether what the activation is applied to is a second output, `[m, n]`. */
  keep?: boolean;
  /** Multiplies the result with the slope of this activation at a tensor `[m, n]`. */
  slope?: GpuActivation;
}

/** All that is done to the sums of a product. */
export interface Finish {
  /** Whether a bias of `[n]` is added. */
  bias: boolean;
  /** Applied to the sums last. */
  activation: "linear" | GpuActivation;
  /** What else is done to each result before it is stored; for one product, not a batch of them. */
  epilogue?: Epilogue;
  /** Several products at once, neither a batch nor split. @default {one} */
  several?: Several;
}

/** The seed, and from which hash on an element stays. */
export function dropUniforms(drop: DropoutAttributes, name: string): Record<string, Uniform> {
  return {
    [`${name}Seed`]: { u32: drop.seed >>> 0 },
    [`${name}Threshold`]: { u32: Math.min(0xffffffff, Math.ceil(drop.rate * 2 ** 32)) },
    [`${name}Scale`]: { f32: drop.rate >= 1 ? 0 : 1 / (1 - drop.rate) },
  };
}

/** `stays(index, seed, threshold)` in WGSL: 1 or 0, by the hash of dropout/webgpu.ts. */
export const STAYS = `
fn stays(index: u32, seed: u32, threshold: u32) -> f32 {
  var h = (index * 0x9E3779B1u) ^ seed;
  h = (h ^ (h >> 16u)) * 0x85ebca6bu;
  h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
  h = h ^ (h >> 16u);
  return select(0.0, 1.0, h >= threshold);
}`;

const lowFours = (low: LowRank): string => rankFours(low) ? "vec4<f32>" : "f32";

const factorType = (low: LowRank, four: boolean): string =>
  low.layout === "outputs" ? lowFours(low) : four ? "vec4<f32>" : "f32";

/** Whether `low` and the factor are read as vectors over the rank. */
function rankFours(low: LowRank): boolean {
  return low.layout === "outputs" && low.rank % 4 === 0 && low.stride % 4 === 0 && low.offset % 4 === 0;
}

/** Everything about bias, activation and epilogue that changes the code. */
export function epilogueKey(call: Finish): string {
  const { drop, lowRank, addend, keep, slope } = call.epilogue ?? {};
  const dropped = lowRank?.drops?.map((drop) => drop !== undefined).join("") ?? "";
  const low = lowRank ? `${lowRank.rank}${lowRank.layout}${rankFours(lowRank)}${dropped}` : "";
  const several = call.several ? `${call.several.count}${call.several.of}` : "";
  return `${several},${call.bias},${call.activation},${drop !== undefined},${low},${addend ?? false}` +
    `,${keep ?? false},${slope ?? ""}`;
}

/** The buffers after `a` and `b` (or the parts); `four` when results are stored four at a time. */
export function epilogueInputs(call: Finish, four: boolean): (readonly [string, string])[] {
  const { lowRank, addend, slope } = call.epilogue ?? {};
  const type = four ? "vec4<f32>" : "f32";
  const { several } = call;
  const each = (name: string, type: string, count = several?.count) =>
    buffers(name, count).map((buffer) => [buffer, type] as const);
  const inputs: (readonly [string, string])[] = call.bias ? each("bias", type) : [];
  if (lowRank) inputs.push(["low", lowFours(lowRank)], ...each("factor", factorType(lowRank, four)));
  if (addend) inputs.push(["addend", type]);
  if (slope) inputs.push(["slopeAt", type]);
  return inputs;
}

/** The buffers after the result. */
export function epilogueOutputs(call: Finish, four: boolean): (readonly [string, string])[] {
  return call.epilogue?.keep ? [["kept", four ? "vec4<f32>" : "f32"]] : [];
}

/** The numbers the epilogue reads. */
export function epilogueUniforms(call: Finish): Record<string, Uniform> {
  const { drop, lowRank } = call.epilogue ?? {};
  return {
    ...(drop ? dropUniforms(drop, "drop") : {}),
    ...(lowRank ? { lowStride: { u32: lowRank.stride }, lowOffset: { u32: lowRank.offset } } : {}),
    ...Object.assign({}, ...(lowRank?.drops ?? []).map((drop, l) => drop ? dropUniforms(drop, `low${l}`) : {})),
  };
}

/** `mask_<name>(index)`: what dropout multiplies the result at `index` with (and the three after it). */
function maskFunction(name: string, four: boolean): string {
  const drop = (index: string) => `stays(${index}, params.${name}Seed, params.${name}Threshold)`;
  const value = four ? `vec4<f32>(${[0, 1, 2, 3].map((c) => drop(`index + ${c}u`)).join(", ")})` : drop("index");
  return `fn mask_${name}(index: u32) -> ${four ? "vec4<f32>" : "f32"} { return ${value} * params.${name}Scale; }`;
}

/** A product of a few columns with a factor; `skip` columns behind the first one's, the factor as `read` gives it. */
function lowRankTerm(low: LowRank, four: boolean, skip: string, read: (index: string) => string): string {
  const { rank } = low;
  const start = `(row * params.lowStride + params.lowOffset + ${skip})`;
  const ranks = Array.from({ length: rankFours(low) ? rank / 4 : rank }, (_, r) => r);
  const sum = (term: (r: number) => string) => ranks.map(term).join(" + ");
  const dotted = (c: number) =>
    rankFours(low)
      ? sum((r) => `dot(low[${start} / 4u + ${r}u], ${read(`(column + ${c}u) * ${rank / 4}u + ${r}u`)})`)
      : sum((r) => `low[${start} + ${r}u] * ${read(`(column + ${c}u) * ${rank}u + ${r}u`)}`);
  if (low.layout === "ranks") {
    const place = (r: number) => four ? `(${r}u * params.n + column) / 4u` : `${r}u * params.n + column`;
    return sum((r) => `low[${start} + ${r}u] * ${read(place(r))}`);
  }
  return four ? `vec4<f32>(${[0, 1, 2, 3].map(dotted).join(", ")})` : dotted(0);
}

/** All low-rank terms of a result, each with its dropout. */
function lowRankSum(call: Finish, low: LowRank, four: boolean): string {
  const { several, epilogue } = call;
  const factors = several?.of === "terms" ? buffers("factor", several.count) : ["factor"];
  const read = (buffer: string) => (index: string): string =>
    several?.of === "results" ? `read_factor(${index})` : `${buffer}[${index}]`;
  const skip = (l: number): string => several?.of === "results" ? `layer * ${low.rank}u` : `${l * low.rank}u`;
  const mask = (l: number): string => epilogue?.lowRank?.drops?.[l] ? ` * mask_low${l}(index)` : "";
  return factors.map((buffer, l) => `(${lowRankTerm(low, four, skip(l), read(buffer))})${mask(l)}`).join(" + ");
}

/** `finish(sum, row, column)` in WGSL; with `four` the sums of four columns from `column` on. */
export function finishFunction(call: Finish, four: boolean): string {
  const type = four ? "vec4<f32>" : "f32";
  const { drop, lowRank, addend, keep, slope } = call.epilogue ?? {};
  const drops = lowRank?.drops ?? [];
  const functions = [drop || drops.some(Boolean) ? STAYS : "", activationCode(call.activation, slope)];
  if (drop) functions.push(maskFunction("drop", four));
  drops.forEach((drop, l) => drop && functions.push(maskFunction(`low${l}`, four)));
  const results = call.several?.of === "results" ? call.several.count : undefined;
  if (results && call.bias) functions.push(readFunction("bias", type, results));
  if (results && lowRank) functions.push(readFunction("factor", factorType(lowRank, four), results));
  const each = (f: string, x: (lane: string) => string): string =>
    four ? `${type}(${[..."xyzw"].map((lane) => `${f}(${x(`.${lane}`)})`).join(", ")})` : `${f}(${x("")})`;
  const here = `index${four ? " / 4u" : ""}`;
  const lines: string[] = [];
  const column = `column${four ? " / 4u" : ""}`;
  if (call.bias) lines.push(`y += ${results ? `read_bias(${column})` : `bias[${column}]`};`);
  if (drop) lines.push("y *= mask_drop(index);");
  if (lowRank) lines.push(`y += ${lowRankSum(call, lowRank, four)};`);
  if (addend) lines.push(`y += addend[${here}];`);
  if (keep) lines.push(`kept[${here}] = y;`);
  if (call.activation !== "linear") lines.push(`y = ${each("activate", (lane) => `y${lane}`)};`);
  if (slope) lines.push(`let x = slopeAt[${here}];`, `y *= ${each("slope", (lane) => `x${lane}`)};`);
  return `${functions.join("\n")}
fn finish(sum: ${type}, row: u32, column: u32) -> ${type} {
  var y = sum;
  let index = row * params.n + column;
  ${lines.join("\n  ")}
  return y;
}`;
}
