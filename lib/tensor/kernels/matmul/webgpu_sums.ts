/** The sums of a thread of the matrix product, written out: terms, the loop over them, and where they go. @module */
import type { MatMulCall, Operand } from "./webgpu_operand.ts";

const XYZW = "xyzw";

/** The sums of four terms: `acc[i][h] += a[i] * b[h]`, written out. */
export function fourTerms(a: Operand, b: Operand): string {
  const lines: string[] = [];
  for (const [o, thread] of [[a, "local.y"], [b, "local.x"]] as const) {
    if (!o.alongK) continue;
    for (let i = 0; i < o.perThread; i++) lines.push(`let ${o.buffer}${i} = ${o.buffer}Tile[${i}][q][${thread}];`);
  }
  for (let s = 0; s < 4; s++) {
    for (const [o, thread] of [[a, "local.y"], [b, "local.x"]] as const) {
      if (o.alongK) continue;
      for (let g = 0; g < o.perThread / 4; g++) {
        lines.push(`let ${o.buffer}${g}_${s} = ${o.buffer}Tile[${g}][q][${s}][${thread}];`);
      }
    }
    for (let h = 0; h < b.perThread / 4; h++) {
      if (!b.alongK) continue;
      const four = [0, 1, 2, 3].map((c) => `b${h * 4 + c}.${XYZW[s]}`).join(", ");
      lines.push(`let b${h}_${s} = vec4<f32>(${four});`);
    }
    for (let i = 0; i < a.perThread; i++) {
      const factor = a.alongK ? `a${i}.${XYZW[s]}` : `a${i >> 2}_${s}.${XYZW[i & 3]}`;
      for (let h = 0; h < b.perThread / 4; h++) lines.push(`acc${i}_${h} += ${factor} * b${h}_${s};`);
    }
  }
  return lines.join("\n");
}

/** Writes the sums, each finished first where `finish` says so. */
export function storeResults(call: MatMulCall, a: Operand, b: Operand, finish: boolean): string {
  const lines: string[] = [];
  const four = storesFour(call);
  const finished = (sum: string) => finish ? `finish(${sum}, row, column)` : sum;
  const store = (index: string, value: string) =>
    call.several?.of === "results" ? `store_result(${index}, ${value});` : `result[${index}] = ${value};`;
  for (let i = 0; i < a.perThread; i++) {
    const row = a.alongK ? `local.y + ${a.threads * i}u` : `(local.y + ${a.threads * (i >> 2)}u) * 4u + ${i & 3}u`;
    const stores: string[] = [];
    for (let h = 0; h < b.perThread / 4; h++) {
      if (four) {
        stores.push(`column = firstN + (local.x + ${b.threads * h}u) * 4u;
        if (column < params.n) { ${store("(start + column) / 4u", finished(`acc${i}_${h}`))} }`);
        continue;
      }
      for (let c = 0; c < 4; c++) {
        const column = b.alongK
          ? `local.x + ${b.threads * (h * 4 + c)}u`
          : `(local.x + ${b.threads * h}u) * 4u + ${c}u`;
        stores.push(`column = firstN + ${column};
        if (column < params.n) { ${store("start + column", finished(`acc${i}_${h}.${XYZW[c]}`))} }`);
      }
    }
    lines.push(`row = firstM + ${row};
    if (row < params.m) { let start = outBase + row * params.n; ${stores.join("\n")} }`);
  }
  return lines.join("\n");
}

/** What becomes of the sums of a's columns: the threads of the first column hold them all. */
export function sumsOf(call: MatMulCall, a: Operand): Record<"declare" | "add" | "store", string> {
  if (!call.sums) return { declare: "", add: "", store: "" };
  const groups = Array.from({ length: a.perThread / 4 }, (_, g) => g);
  const store = Array.from(
    { length: a.perThread },
    (_, i) =>
      `row = firstM + (local.y + ${a.threads * (i >> 2)}u) * 4u + ${i & 3}u;
    if (row < params.m) { sums[row] = sum${i >> 2}.${XYZW[i & 3]}; }`,
  );
  return {
    declare: groups.map((g) => `var sum${g} = vec4<f32>(0.0);`).join(" "),
    add: groups.map((g) => [0, 1, 2, 3].map((s) => `sum${g} += a${g}_${s};`).join(" ")).join("\n"),
    store: `if (firstN == 0u && local.x == 0u) { ${store.join("\n")} }`,
  };
}

/** Whether results are written four at a time. */
export function storesFour(call: MatMulCall): boolean {
  return call.shape.n % 4 === 0 && !call.transposeB;
}

/** The loop over the steps of a sum: `next` loads a step, `step` adds the one before. Several terms follow each other. */
export function sumLoop(
  call: MatMulCall,
  depth: number,
  next: (kFrom: string) => string,
  parts: Record<"save" | "add", string>,
): string {
  const add = `let steps = min(${depth / 4}u, (kEnd - k0 + 3u) / 4u);
    for (var q = 0u; q < steps; q++) {
      ${parts.add}
    }`;
  if (call.several?.of !== "terms") {
    return `${next("kStart")}
  for (var k0 = kStart; k0 < kEnd; k0 += ${depth}u) {
    workgroupBarrier();
    ${parts.save}
    workgroupBarrier();
    if (k0 + ${depth}u < kEnd) { ${next(`k0 + ${depth}u`)} }
    ${add}
  }`;
  }
  return `${next("0u")}
  let each = (kEnd + ${depth - 1}u) / ${depth}u;
  for (var t = 0u; t < each * ${call.several.count}u; t++) {
    workgroupBarrier();
    ${parts.save}
    workgroupBarrier();
    if (t + 1u < each * ${call.several.count}u) {
      layer = (t + 1u) / each;
      ${next(`((t + 1u) % each) * ${depth}u`)}
    }
    let k0 = (t % each) * ${depth}u;
    ${add}
  }`;
}
