/**
 * The functions of `./browser` on every runtime, beside Deno's answers; and docs/platforms.md, whose table they make: run this
 * file with `deno run -A --deny-ffi` to write the columns of the runtimes that are there.
 */
import { assert, assertEquals } from "@std/assert";
import { findChromium, withPage } from "../browser/chromium.ts";
import type { PortableResult } from "./portable.ts";
import { inPage, onDeno, onNode, portableFilms, portableFolder, startServer } from "./runtimes.ts";

const DOCUMENT = new URL("../../docs/platforms.md", import.meta.url);
/** What numbers may differ by where the engine has other functions of `Math`, or a GPU computes. */
const TOLERANCE = 1e-5;

const chromium = await findChromium();
const executables = { node: Deno.env.get("ACE_NODE"), bun: Deno.env.get("ACE_BUN") };
const small = { pairs: 4, batch: 2 };

interface Runtime {
  /** Title of its column. */
  title: string;
  /** Why it cannot run here; absent where it can. */
  missing?: string;
  /** Whether it has V8, and so Deno's bits. */
  isV8: boolean;
  /** Settings that differ. */
  task?: { backend: "webgpu"; pairs: number; batch: number };
  run(folder: string, task: Parameters<typeof onDeno>[1]): Promise<PortableResult>;
}

async function inChromium(
  folder: string,
  task: Parameters<typeof onDeno>[1],
  { plain = false, webgpu = false } = {},
): Promise<PortableResult> {
  const server = await startServer(folder, plain);
  try {
    let result: PortableResult | undefined;
    await withPage(chromium!, async (page) => {
      await page.open(`${server.address}assets/mini_vocab.txt`);
      result = await inPage(page, server.address, task);
    }, { webgpu });
    return result!;
  } finally {
    await server.close();
  }
}

const noChromium = chromium === null ? { missing: "no chromium on PATH, set ACE_CHROMIUM" } : {};
const RUNTIMES: Runtime[] = [
  {
    title: "Node 22",
    isV8: true,
    ...executables.node ? {} : { missing: "ACE_NODE names none" },
    run: (folder, task) => onNode(executables.node!, folder, task),
  },
  {
    title: "Bun",
    isV8: false,
    ...executables.bun ? {} : { missing: "ACE_BUN names none" },
    run: (folder, task) => onNode(executables.bun!, folder, task),
  },
  { title: "Chromium", isV8: true, ...noChromium, run: (folder, task) => inChromium(folder, task) },
  {
    title: "Chromium, not isolated",
    isV8: true,
    ...noChromium,
    run: (folder, task) => inChromium(folder, task, { plain: true }),
  },
  {
    title: "Chromium, WebGPU",
    isV8: false,
    task: { backend: "webgpu", ...small },
    ...Deno.env.get("ACE_BROWSER_WEBGPU")
      ? noChromium
      : { missing: "SwiftShader takes minutes to compile the shaders: ACE_BROWSER_WEBGPU asks for it" },
    run: (folder, task) => inChromium(folder, task, { webgpu: true }),
  },
];

/** Largest difference between numbers, relative to those above 1. */
function difference(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Infinity;
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!) / Math.max(1, Math.abs(b[i]!))), 0);
}

/** By function: "same bits", or how much the numbers differ. */
function compared(result: PortableResult, deno: PortableResult): Map<string, string> {
  const cells = new Map<string, string>();
  for (const name of new Set([...Object.keys(deno.bits), ...Object.keys(deno.numbers)])) {
    const numbers = deno.numbers[name];
    const isSame = result.bits[name] === deno.bits[name] &&
      (numbers === undefined || JSON.stringify(result.numbers[name]) === JSON.stringify(numbers));
    const most = numbers && difference(result.numbers[name] ?? [], numbers);
    cells.set(name, isSame ? "same bits" : most === undefined ? "differs" : `within ${bound(most)}`);
  }
  return cells;
}

/** The power of ten above a difference, from 1e-5, so that a table does not change with each run. */
const bound = (most: number): string => most < TOLERANCE ? "1e-5" : `1e${Math.ceil(Math.log10(most))}`;

const name = "decodeImage(), loadClip(), classifyImages(), fit() and others of ./browser come to Deno's answers";

async function measure(check: (runtime: Runtime, cells: Map<string, string>) => void): Promise<void> {
  const films = await portableFilms();
  const folder = await portableFolder(films);
  try {
    const task = { backend: "wasm" as const, films, pairs: 64, batch: 32 };
    const reference = new Map<string, PortableResult>();
    for (const runtime of RUNTIMES.filter(({ missing }) => missing === undefined)) {
      const own = { ...task, ...runtime.task };
      const key = JSON.stringify([own.pairs, own.batch]);
      if (!reference.has(key)) reference.set(key, await onDeno(folder, { ...own, backend: "wasm" }));
      check(runtime, compared(await runtime.run(folder, own), reference.get(key)!));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Rows of the document's table: the function, then a cell for each runtime. */
function tableOf(text: string): string[][] {
  const [, table = ""] = /<!-- table: [^>]*-->([\s\S]*?)<!-- \/table -->/.exec(text) ?? [];
  return table.split("\n").filter((line) => line.startsWith("| `")).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
}

const withTable = (text: string, rows: readonly string[][]): string => {
  const heads = ["function", ...RUNTIMES.map(({ title }) => title)];
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const table = [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
  return text.replace(/(<!-- table: [^>]*-->\n)[\s\S]*?(<!-- \/table -->)/, (_, a, b) => `${a}\n${table}\n\n${b}`);
};

if (import.meta.main) {
  const text = await Deno.readTextFile(DOCUMENT);
  const rows = new Map(tableOf(text).map(([head, ...cells]) => [head!, cells]));
  const names = new Set<string>();
  await measure((runtime, cells) => {
    for (const [name, cell] of cells) {
      const head = `\`${name}\``;
      names.add(head);
      const row = rows.get(head) ?? RUNTIMES.map(() => "");
      row[RUNTIMES.indexOf(runtime)] = cell;
      rows.set(head, row);
    }
    console.log(runtime.title, Object.fromEntries(cells));
  });
  await Deno.writeTextFile(DOCUMENT, withTable(text, [...names].map((head) => [head, ...rows.get(head)!])));
} else {
  Deno.test(name, async (t) => {
    const rows = tableOf(await Deno.readTextFile(DOCUMENT));
    for (const { title, missing } of RUNTIMES) {
      if (missing !== undefined) {
        await t.step({ name: `on ${title} [skipped: ${missing}]`, ignore: true, fn: () => {} });
      }
    }
    await measure((runtime, cells) => {
      const at = RUNTIMES.indexOf(runtime) + 1;
      assertEquals(
        Object.fromEntries(cells),
        Object.fromEntries(rows.map((row) => [row[0]!.slice(1, -1), row[at]!])),
        `docs/platforms.md is stale: ${runtime.title}`,
      );
      for (const [name, cell] of cells) {
        assert(cell === "same bits" || (!runtime.isV8 && cell === "within 1e-5"), `${runtime.title}: ${name} ${cell}`);
      }
    });
  });
}
