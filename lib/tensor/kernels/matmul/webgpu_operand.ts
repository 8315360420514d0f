/** What a matrix product is of, and how a workgroup loads one operand into its memory. @module */
import { HALVES } from "../../webgpu/halves.ts";
import type { Finish } from "./webgpu_epilogue.ts";
import type { MatMulShape, MatMulTile } from "./webgpu_plan.ts";

/** One loop over up to three batch axes: sizes, and each operand's strides in matrices (0 where it is broadcast). */
export interface BatchAxes {
  /** Sizes, outermost first. */
  sizes: readonly [number, number, number];
  /** Strides of `a`. */
  strideA: readonly [number, number, number];
  /** Strides of `b`. */
  strideB: readonly [number, number, number];
}

/** What the programs need besides the plan. */
export interface MatMulCall extends Finish {
  /** Sizes. */
  shape: MatMulShape;
  /** Whether `a` is `[k, m]`. */
  transposeA: boolean;
  /** Whether `b` is `[n, k]`. */
  transposeB: boolean;
  /** Batch axes. */
  axes: BatchAxes;
  /** Whether the sums of each column of `a`, `[m]`, are the last output: for `transposeA`, one product and unsplit sums. */
  sums?: boolean;
  /** Whether every `b` takes two bytes a number; where it cannot be read four at a time it is widened before. @default {false} */
  half?: boolean;
}

/** An operand of the product, as one workgroup sees it. */
export interface Operand {
  /** Name of its buffer. */
  buffer: "a" | "b";
  /** Whether it is contiguous along k. */
  alongK: boolean;
  /** Whether it is read four at a time. */
  four: boolean;
  /** Threads along its rows (`a`) or columns (`b`). */
  threads: number;
  /** Rows or columns per thread. */
  perThread: number;
  /** Terms of a step. */
  depth: number;
  /** The uniform with the number of its rows or columns. */
  limit: "m" | "n";
  /** Whether each layer has its own, read by a function. @default {false} */
  several?: boolean;
  /** Whether it takes two bytes a number, read four at a time. @default {false} */
  half?: boolean;
}

/** The WGSL type of an operand's elements. */
export function elementType({ four, half = false }: Operand): string {
  return half ? HALVES : four ? "vec4<f32>" : "f32";
}

/** The two operands of a call. */
export function operands(call: MatMulCall, tile: MatMulTile): [Operand, Operand] {
  const { m, n, k } = call.shape;
  const a: Operand = {
    buffer: "a",
    alongK: !call.transposeA,
    four: (call.transposeA ? m : k) % 4 === 0,
    threads: tile.threadsY,
    perThread: tile.rows,
    depth: tile.depth,
    limit: "m",
    several: call.several?.of === "terms",
  };
  const four = (call.transposeB ? k : n) % 4 === 0;
  const b: Operand = {
    buffer: "b",
    alongK: call.transposeB,
    four,
    half: four && call.half === true,
    threads: tile.threadsX,
    perThread: tile.columns,
    depth: tile.depth,
    limit: "n",
    several: call.several !== undefined,
  };
  return [a, b];
}

/** Workgroup memory. Along k: [result][k/4][thread], padded against bank conflicts of the writes; else [result/4][k/4][4][thread]. */
export function declareTile(o: Operand): string {
  const padded = o.threads + (o.depth === 16 ? 2 : 4);
  const type = o.alongK
    ? `array<array<array<vec4<f32>, ${padded}>, ${o.depth / 4}>, ${o.perThread}>`
    : `array<array<array<array<vec4<f32>, ${o.threads}>, 4>, ${o.depth / 4}>, ${o.perThread / 4}>`;
  return `var<workgroup> ${o.buffer}Tile: ${type};`;
}

/** `load_a(e, first, k0, kEnd, base)`: vector `e` of the tile from memory, zero outside; `save_a(e, four)` keeps it. */
export function loadAndSave(o: Operand): string {
  const x = o.buffer;
  const across = o.alongK ? o.depth / 4 : o.threads * o.perThread / 4;
  const [outer, inner] = o.alongK ? ["place", "term"] : ["term", "place"];
  const width = o.alongK ? "params.k" : `params.${o.limit}`;
  const innerEnd = o.alongK ? "kEnd" : `params.${o.limit}`;
  const position = o.alongK
    ? `let place = first + e / ${across}u; let term = k0 + (e % ${across}u) * 4u;`
    : `let place = first + (e % ${across}u) * 4u; let term = k0 + e / ${across}u;`;
  const stored = (index: string): string => o.several ? `read_${x}(${index})` : `${x}[${index}]`;
  const value = (index: string): string => o.half ? `widen(${stored(index)})` : stored(index);
  const read = o.four
    ? `if (place < params.${o.limit} && term < kEnd) { four = ${
      value(`(base + ${outer} * ${width} + ${inner}) / 4u`)
    }; }`
    : `if (place < params.${o.limit} && term < kEnd) {
    let index = base + ${outer} * ${width} + ${inner};
    four.x = ${value("index")};
    if (${inner} + 1u < ${innerEnd}) { four.y = ${value("index + 1u")}; }
    if (${inner} + 2u < ${innerEnd}) { four.z = ${value("index + 2u")}; }
    if (${inner} + 3u < ${innerEnd}) { four.w = ${value("index + 3u")}; }
  }`;
  const r = o.alongK ? `e / ${across}u` : `e % ${across}u`;
  const target = o.alongK
    ? `${x}Tile[(${r}) / ${o.threads}u][e % ${across}u][(${r}) % ${o.threads}u]`
    : `${x}Tile[(${r}) / ${o.threads}u][(e / ${across}u) / 4u][(e / ${across}u) % 4u][(${r}) % ${o.threads}u]`;
  return `
fn load_${x}(e: u32, first: u32, k0: u32, kEnd: u32, base: u32) -> vec4<f32> {
  var four = vec4<f32>(0.0);
  ${position}
  ${read}
  return four;
}
fn save_${x}(e: u32, four: vec4<f32>) { ${target} = four; }`;
}

/** One statement for each vector that a thread loads of an operand's tile. */
export function eachLoad(o: Operand, workgroupThreads: number, statement: (name: string, e: string) => string): string {
  const total = o.threads * o.perThread * o.depth / 4;
  return Array.from({ length: Math.ceil(total / workgroupThreads) }, (_, i) => {
    const code = statement(`${o.buffer}Next${i}`, `lane + ${i * workgroupThreads}u`);
    return (i + 1) * workgroupThreads <= total ? code : `if (lane + ${i * workgroupThreads}u < ${total}u) { ${code} }`;
  }).join("\n");
}

/** Declares the registers of {@linkcode eachLoad}. */
export function declareLoads(o: Operand, workgroupThreads: number): string {
  const loads = Math.ceil(o.threads * o.perThread * o.depth / 4 / workgroupThreads);
  return Array.from({ length: loads }, (_, i) => `var ${o.buffer}Next${i} = vec4<f32>(0.0);`).join(" ");
}
