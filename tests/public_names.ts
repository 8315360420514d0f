/**
 * The package's public names, as docs/api.txt lists them: reads `deno doc --json` of every entry from standard input and
 * fails where the listing says otherwise, or where a function of mod.ts has no example; with `--write` it writes the listing (`deno task names`).
 */
import { relative } from "@std/path";

const ROOT = new URL("../", import.meta.url);
const LISTING = new URL("docs/api.txt", ROOT);

interface Location {
  filename: string;
  line: number;
  col: number;
}

interface Declaration {
  kind: string;
  location: Location;
  jsDoc?: { tags?: { kind: string }[] };
  /** Of a reference, where an entry exports what another one does. */
  def?: { target: Location };
}

interface Documentation {
  nodes: Record<string, { symbols: { name: string; declarations: Declaration[] }[] }>;
}

/** Functions of the front door that have no example; those there are run under `deno test --doc`. */
function withoutExample({ nodes }: Documentation): string[] {
  const place = ({ filename, line, col }: Location): string => `${filename}:${line}:${col}`;
  const all = Object.values(nodes).flatMap(({ symbols }) => symbols).flatMap(({ declarations }) => declarations);
  const own = new Map(all.filter(({ kind }) => kind !== "reference").map((one) => [place(one.location), one]));
  return nodes[new URL("mod.ts", ROOT).href]!.symbols.filter(({ name, declarations: [first] }) => {
    const declaration = first!.kind === "reference" ? own.get(place(first!.def!.target)) : first!;
    if (!declaration) throw new RangeError(`Cannot check "${name}" as deno doc must be given its sub-path: it was not`);
    return declaration.kind === "function" && !declaration.jsDoc?.tags?.some(({ kind }) => kind === "example");
  }).map(({ name }) => name);
}

/** Entry points by the file they name. */
async function entries(): Promise<Map<string, string>> {
  const { exports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  return new Map(Object.entries<string>(exports).map(([entry, file]) => [relative(".", file), entry]));
}

/** One paragraph an entry: its sub-path and how many names, then the names. */
async function listing({ nodes }: Documentation): Promise<string> {
  const byFile = new Map(Object.entries(nodes).map(([url, { symbols }]) => [url, symbols.map(({ name }) => name)]));
  const paragraphs = [...await entries()].map(([file, entry]) => {
    const names = byFile.get(new URL(file, ROOT).href);
    if (!names) throw new RangeError(`Cannot list the names of "${file}" as deno doc must be given it: it was not`);
    return [`${entry} (${new Set(names).size})`, ...[...new Set(names)].sort()].join("\n  ");
  });
  return paragraphs.join("\n\n") + "\n";
}

const documentation: Documentation = await new Response(Deno.stdin.readable).json();
const bare = withoutExample(documentation);
if (bare.length > 0) {
  console.error(`Functions of mod.ts without an @example: ${bare.join(", ")}`);
  Deno.exit(1);
}
const now = await listing(documentation);
if (Deno.args.includes("--write")) {
  await Deno.writeTextFile(LISTING, now);
} else {
  const before = new Set((await Deno.readTextFile(LISTING)).split("\n"));
  const after = new Set(now.split("\n"));
  const changes = [
    ...[...before.difference(after)].map((line) => `- ${line.trim()}`),
    ...[...after.difference(before)].map((line) => `+ ${line.trim()}`),
  ];
  if (now !== await Deno.readTextFile(LISTING)) {
    console.error(`Public names differ from docs/api.txt; where that is meant: deno task names\n${changes.join("\n")}`);
    Deno.exit(1);
  }
}
