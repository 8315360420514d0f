/** docs/migration.md says where every public name of 0.1.0 went, and says it of the tree as it is. */
import { assert, assertEquals } from "@std/assert";

const text = (path: string): Promise<string> => Deno.readTextFile(new URL(`../../docs/${path}`, import.meta.url));
const page = await text("migration.md");
/** Names of 0.1.0 by entry, as `deno doc --json` of it lists them. */
const OLD: Record<string, string[]> = JSON.parse(
  await Deno.readTextFile(new URL("names_0.1.0.json", import.meta.url)),
);
/** Names of today by entry: docs/api.txt, which `deno task ok` compares. */
const now = new Map(
  (await text("api.txt")).trim().split("\n\n").map((paragraph) => {
    const [head, ...names] = paragraph.split("\n");
    return [head!.split(" ")[0]!, new Set(names.map((name) => name.trim()))];
  }),
);
const everywhere = new Set([...now.values()].flatMap((names) => [...names]));
const front = now.get(".")!;

/** A section of the page. */
function section(title: string): string {
  const [, after] = page.split(`\n## ${title}\n`);
  return after!.split("\n## ")[0]!;
}

/** The identifiers that stand between backticks. */
function named(markdown: string): string[] {
  return [...markdown.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
}

/** Its list, by what stands before each item's colon. */
function listed(title: string): Map<string, string[]> {
  const items = section(title).split(/\n- /).slice(1).map((item) => item.split(/:(.*)/s));
  return new Map(items.map(([room, names]) => [named(room!)[0]!, named(names!)]));
}

const moved = listed("Names at another place");
const inside = listed("Names that stay inside");
const renamed = section("Names renamed or removed").split(/\n- /).slice(1).map((item) => item.split("→"));
/** What has an old name and is something else. */
const HOMONYMS = new Set(["CompareOptions", "Spread", "VitConfig", "comparisonTable"]);

Deno.test("docs/migration.md gives each name of 0.1.0's front door one place, and counts them", () => {
  const places = [
    OLD["."]!.filter((name) => front.has(name)),
    [...moved.values()].flat(),
    [...inside.values()].flat(),
    renamed.flatMap(([old]) => named(old!)),
  ];
  assertEquals(places.flat().sort(), OLD["."]);
  const [kept, atSubPath, within, gone] = places.map((names) => names.length);
  const said = page.replaceAll(/\s+/g, " ");
  assert(said.includes(
    `named ${
      OLD["."]!.length
    } things and names ${front.size} ([api.txt](api.txt)). ${kept} of the old names are still ` +
      `there, ${atSubPath} have a sub-path, ${within} stay inside, ${gone} were renamed or removed.`,
  ));
});

Deno.test("docs/migration.md names sub-paths that export the name, and no name as private that is exported", () => {
  for (const [entry, names] of moved) {
    for (const name of names) assert(now.get(`./${entry}`)!.has(name), `${name} of ./${entry}`);
  }
  for (const name of [...inside.values()].flat()) assert(HOMONYMS.has(name) || !everywhere.has(name), name);
  for (const [old] of renamed) {
    for (const name of named(old!)) assert(HOMONYMS.has(name) || !everywhere.has(name), name);
  }
});

Deno.test("docs/migration.md gives as a new name only what is exported", () => {
  for (const [old, target] of renamed) {
    for (const name of named(target!.split(/ private| inferred/)[0]!)) {
      assert(everywhere.has(name), `${name} for ${old}`);
    }
  }
});

Deno.test("docs/migration.md mentions every name of 0.1.0's sub-paths that is exported no more", () => {
  const mentioned = new Set(named(page));
  for (const [entry, names] of Object.entries(OLD)) {
    for (const name of names) assert(everywhere.has(name) || mentioned.has(name), `${name} of ${entry}`);
  }
});
