/** What the tree promises a reader: no file, and no function, is longer than can be read at once. */
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
