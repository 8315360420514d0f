/** What the tree promises a reader: no file, and no function, is longer than can be read at once; in the folders that make numbers no type is claimed. */
import { assertEquals } from "@std/assert";
import { fromFileUrl, relative } from "@std/path";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
/** Most lines of a file. */
const MOST = 300;
/** Most lines of a function; the text of shaders and pages that stands in it does not count. */
const MOST_OF_FUNCTION = 50;

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sources(path);
    else if (/\.(ts|c)$/.test(name)) yield path;
  }
}

/** For each line, whether it is wholly text between backticks. */
function textLines(lines: readonly string[]): boolean[] {
  let inside = false;
  return lines.map((line) => {
    const before = inside;
    const code = inside ? line : line.replace(/\/\/.*/, "");
    if (code.replaceAll("\\`", "").split("`").length % 2 === 0) inside = !inside;
    return before && inside;
  });
}

/** The named functions of a formatted file that have more than `most` lines. */
function longFunctions(lines: readonly string[], most: number): string[] {
  const isText = textLines(lines);
  return lines.flatMap((line, first) => {
    const [, indent, name] = /^( *)(?:export )?(?:async )?function\*? (\w+)/.exec(line) ?? [];
    if (name === undefined || isText[first]) return [];
    const last = lines.findIndex((end, i) => i > first && end === `${indent}}`);
    const count = lines.slice(first, last + 1).filter((_, i) => !isText[first + i]).length;
    return count > most ? [`${name}: ${count}`] : [];
  });
}

Deno.test("longFunctions() counts the lines of a function without its text", () => {
  const long = ["export function f(", "  x: number,", "): string {", "  return `a", "b", "c`;", "}"];
  assertEquals(longFunctions([...long, "function g() {", "}"], 5), ["f: 6"]);
  assertEquals(longFunctions(long, 6), []);
});

Deno.test(`no file of lib has more than ${MOST} lines, no function more than ${MOST_OF_FUNCTION}`, async () => {
  const long: string[] = [];
  for await (const path of sources(`${ROOT}lib`)) {
    const lines = (await Deno.readTextFile(path)).trimEnd().split("\n");
    const name = relative(ROOT, path);
    if (lines.length > MOST) long.push(`${name}: ${lines.length}`);
    if (name.endsWith(".ts")) long.push(...longFunctions(lines, MOST_OF_FUNCTION).map((of) => `${name}: ${of}`));
  }
  assertEquals(long, []);
});

/** Where types are found out, not claimed. */
const WITHOUT_CASTS = ["ace_lora.ts", "adapters", "hypergraph", "losses", "nn", "peft", "tensor", "text"];
/** The exceptions, each of one kind. */
const CASTS: Readonly<Record<string, string>> = {
  "lib/hypergraph/affinities.ts": "weights by the affinity of a configuration: its own entry of the table made them",
  "lib/tensor/kernels/register.ts": "tf.js types the call of a kernel by none of its parts",
  "lib/tensor/kernels/run.ts": "tf.js knows of no kernel's inputs, numbers and outputs",
  "lib/tensor/ops.ts": "tf.js types what tidy() looks through for tensors",
  "lib/tensor/params.ts": "a tree whose nodes were exchanged for others of their types",
  "lib/tensor/wasm/init.ts": "one function in the place of WebAssembly.instantiate's two forms",
};

/** The casts of a file's text, but `as const`. */
function castsOf(path: string, text: string): string[] {
  const casts: string[] = [];
  Deno.lint.runPlugin(
    {
      name: "layout",
      rules: {
        casts: {
          create: ({ sourceCode }) => ({
            "TSAsExpression, TSTypeAssertion"(node: Deno.lint.Node) {
              casts.push(sourceCode.getText(node));
            },
          }),
        },
      },
    },
    path,
    text,
  );
  return casts.filter((cast) => !/\bas const$/.test(cast));
}

Deno.test("castsOf() finds what is claimed, not what is narrowed, renamed or satisfied", () => {
  const text =
    `import { a as b } from "a"; const c = ["a"] as const; const d = b as string; const e = {} satisfies object;`;
  assertEquals(castsOf("a.ts", text), ["b as string"]);
});

Deno.test("where numbers are made no type is claimed, but in the places that say why", async () => {
  const found = new Map<string, string[]>();
  for await (const path of sources(`${ROOT}lib`)) {
    const name = relative(ROOT, path);
    if (!name.endsWith(".ts") || !WITHOUT_CASTS.includes(name.split("/")[1]!)) continue;
    const casts = castsOf(name, await Deno.readTextFile(path));
    if (casts.length > 0) found.set(name, casts);
  }
  assertEquals([...found].filter(([name]) => !(name in CASTS)), []);
  assertEquals(Object.keys(CASTS).filter((name) => !found.has(name)), []);
});
