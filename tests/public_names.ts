/**
 * The package's public names, as docs/api.txt lists them: reads `deno doc --json` of every entry from standard input and
 * fails where the listing says otherwise; with `--write` it writes the listing (`deno task names`).
 */
import { relative } from "@std/path";

const ROOT = new URL("../", import.meta.url);
const LISTING = new URL("docs/api.txt", ROOT);

interface Documentation {
  nodes: Record<string, { symbols: { name: string }[] }>;
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

const now = await listing(await new Response(Deno.stdin.readable).json());
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
