/** Imports go one way: each folder of lib may import only those named here, and no file imports a barrel. */
import { assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join, relative } from "@std/path";

const ROOT = fromFileUrl(new URL("..", import.meta.url));

/** Everything below the whole jobs. */
const JOBS: string[] = [
  ".",
  "data",
  "dense",
  "display",
  "encoders",
  "eval",
  "hypergraph",
  "image",
  "io",
  "lora",
  "losses",
  "nn",
  "peft",
  "tensor",
  "text",
  "train",
];

/** What each folder may import, itself aside; "." stands for the files directly in lib. */
const ALLOWED: Record<string, string[]> = {
  tensor: [],
  nn: ["tensor"],
  encoders: ["nn", "tensor"],
  lora: ["nn", "tensor"],
  hypergraph: ["nn", "tensor"],
  losses: ["tensor"],
  image: ["tensor"],
  text: [],
  io: ["tensor"],
  display: ["tensor", "io"],
  data: ["image", "io", "tensor", "text"],
  ".": ["encoders", "hypergraph", "lora", "losses", "nn", "tensor"],
  peft: [".", "encoders", "hypergraph", "io", "lora", "losses", "nn", "tensor", "text"],
  dense: [".", "encoders", "image", "io", "losses", "nn", "tensor", "train", "data"],
  train: [".", "io", "losses", "tensor"],
  eval: [".", "tensor"],
  tasks: JOBS,
  cli: [...JOBS, "tasks"],
};

async function files(folder: string): Promise<string[]> {
  const out: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) out.push(...await files(path));
    else if (entry.name.endsWith(".ts")) out.push(path);
  }
  return out;
}

function folderOf(path: string): string {
  const parts = relative(join(ROOT, "lib"), path).split("/");
  return parts.length === 1 ? "." : parts[0]!;
}

Deno.test("lib's imports go one way, and never through a barrel of another folder", async () => {
  const wrong: string[] = [];
  for (const file of await files(join(ROOT, "lib"))) {
    const text = await Deno.readTextFile(file);
    for (const [, specifier] of text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
      const target = join(dirname(file), specifier!);
      if (relative(join(ROOT, "lib"), target).startsWith("..")) continue;
      const [from, to] = [folderOf(file), folderOf(target)];
      const name = `${relative(ROOT, file)} imports ${relative(ROOT, target)}`;
      if (from !== to && !ALLOWED[from]?.includes(to)) wrong.push(name);
      const isBarrel = target.endsWith("/mod.ts") && !target.includes("synthetic/") && !target.includes("metrics/");
      if (isBarrel && !file.endsWith("/mod.ts")) wrong.push(`${name}, a barrel`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("no file of the package has a circular value import", async () => {
  const graph = new Map<string, string[]>();
  for (const file of await files(join(ROOT, "lib"))) {
    const text = (await Deno.readTextFile(file)).replaceAll(/import type [^;]+;/g, "").replaceAll(
      /export type \{[^;]+;/g,
      "",
    );
    graph.set(file, [...text.matchAll(/from\s*"(\.[^"]+)"/g)].map(([, specifier]) => join(dirname(file), specifier!)));
  }
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) {
      return void cycles.push([...path.slice(path.indexOf(file)), file].map((f) => relative(ROOT, f)).join(" -> "));
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  assertEquals(cycles, []);
});

Deno.test("VERSION and every documented export agree with deno.json", async () => {
  const config = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const { VERSION } = await import("../lib/tasks/run_facts.ts");
  assertEquals(VERSION, config.version);
  for (const path of Object.values(config.exports) as string[]) {
    assertEquals((await Deno.stat(join(ROOT, path))).isFile, true, path);
  }
});
