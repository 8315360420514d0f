/** Imports go one way: each folder of lib may import only those named here, and no file imports a barrel. */
import { assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join, relative } from "@std/path";

const ROOT = fromFileUrl(new URL("..", import.meta.url));

/**
 * What each room may import, itself aside; "." stands for the files directly in lib. A fine-tuning method's folder is a room:
 * the paper's file stands on LoRA, and the methods compared with it stand on that.
 */
const ALLOWED: Record<string, string[]> = {
  platform: [],
  tensor: [],
  image: [],
  text: [],
  display: ["io"],
  io: ["tensor", "text"],
  nn: ["tensor"],
  hypergraph: ["nn", "tensor"],
  losses: ["tensor"],
  data: ["clip", "image", "io", "tensor", "text", "train"],
  clip: ["image", "io", "nn", "peft/lora", "tensor", "text"],
  "peft/lora": ["nn", "tensor"],
  ".": ["clip", "hypergraph", "losses", "nn", "peft/lora", "tensor"],
  peft: [".", "clip", "hypergraph", "io", "nn", "peft/lora", "tensor"],
  adapters: [".", "clip", "data", "hypergraph", "io", "nn", "peft/lora", "tensor"],
  train: ["clip", "display", "distributed", "io", "losses", "tensor"],
  distributed: ["tensor"],
  export: [".", "clip", "display", "hypergraph", "io", "nn", "tensor"],
  eval: [".", "clip", "data", "display", "hypergraph", "image", "io", "peft", "tensor", "text", "train"],
  dense: [".", "adapters", "clip", "data", "display", "image", "io", "nn", "tensor", "train"],
};
ALLOWED["model.ts"] = Object.keys(ALLOWED); // the front door: a model with methods over all of them
for (const room of Object.keys(ALLOWED)) if (room !== "platform") ALLOWED[room]!.push("platform"); // below all others
const ROOMS: string[] = Object.keys(ALLOWED);
ALLOWED["reproduction"] = ROOMS;
ALLOWED["jupyter"] = ["image", "platform", "tensor"];
ALLOWED["browser"] = ROOMS; // an entry that lists names of all of them
ALLOWED["cli"] = [...ROOMS, "reproduction"];

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
  if (parts.length === 1) return parts[0]! in ALLOWED ? parts[0]! : ".";
  const nested = parts.slice(0, 2).join("/");
  if (parts[0] === "peft" && parts.at(-1) === "method.ts") return "peft"; // a method's entry in the table
  return nested in ALLOWED ? nested : parts[0]!;
}

/** The files of this package that a module's text imports or exports from, types among them. */
function imported(text: string, file: string): string[] {
  return [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, specifier]) => join(dirname(file), specifier!));
}

Deno.test("lib's imports go one way, and never through a barrel of another folder", async () => {
  const wrong: string[] = [];
  for (const file of await files(join(ROOT, "lib"))) {
    const text = await Deno.readTextFile(file);
    for (const target of imported(text, file)) {
      if (relative(join(ROOT, "lib"), target).startsWith("..")) continue;
      const [from, to] = [folderOf(file), folderOf(target)];
      const name = `${relative(ROOT, file)} imports ${relative(ROOT, target)}`;
      if (from !== to && !ALLOWED[from]?.includes(to)) wrong.push(name);
      if (target.endsWith("/mod.ts")) wrong.push(`${name}, a barrel`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("no command imports another: what two of them need has a file of its own", async () => {
  const cli = join(ROOT, "lib/cli");
  const texts = new Map<string, string>();
  for (const file of await files(cli)) texts.set(file, await Deno.readTextFile(file));
  const isCommand = (file: string): boolean => /^export const COMMAND\b/m.test(texts.get(file) ?? "");
  const wrong = [...texts].flatMap(([file, text]) =>
    imported(text, file).filter(isCommand).map((other) => `${relative(cli, file)} imports ${relative(cli, other)}`)
  );
  assertEquals([...texts.keys()].filter(isCommand).length > 15, true);
  assertEquals(wrong, []);
});

Deno.test("no file of the package imports itself by way of others, not even for types", async () => {
  const graph = new Map<string, string[]>();
  for (const file of await files(join(ROOT, "lib"))) graph.set(file, imported(await Deno.readTextFile(file), file));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) {
      return void circles.push([...path.slice(path.indexOf(file)), file].map((f) => relative(ROOT, f)).join(" -> "));
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  assertEquals(circles, []);
});

/** Files whose functions are Deno's alone; they may be bundled, as they are only called there. */
const DENO_ALONE = ["platform/", "data/pixels/cache.ts", "data/pixels/npy_shard.ts", "display/", "tensor/"];

Deno.test("what a browser gets asks Deno and Node for nothing but through lib/platform", async () => {
  const reached = new Set<string>();
  const wrong: string[] = [];
  const visit = async (file: string): Promise<void> => {
    if (reached.has(file)) return;
    reached.add(file);
    const text = await Deno.readTextFile(file);
    const name = relative(join(ROOT, "lib"), file);
    const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    if (/from "node:|^\s*(await )?using /m.test(code)) wrong.push(`${name}: a module of Node's, or using`);
    if (!DENO_ALONE.some((path) => name.startsWith(path)) && /\bDeno\./.test(code)) wrong.push(`${name}: Deno`);
    const values = code.replaceAll(/(import|export) type [^;]*;/g, "");
    for (const target of imported(values, file)) await visit(target);
  };
  await visit(join(ROOT, "lib/browser/mod.ts"));
  assertEquals(wrong, []);
  assertEquals(reached.size > 100, true);
});

Deno.test("no test changes the process's folder or variables, which the tests that run beside it share", async () => {
  const wrong: string[] = [];
  for (const file of await files(join(ROOT, "tests"))) {
    if (/Deno\.(?:chdir|env\.(?:set|delete))\(/.test(await Deno.readTextFile(file))) wrong.push(relative(ROOT, file));
  }
  assertEquals(wrong, []);
});

/** The names in the braces of an import or a re-export, as the other file calls them. */
function namesIn(braces: string): string[] {
  return braces.split(",").map((one) => one.trim().replace(/^type /, "").split(" as ")[0]!).filter((name) =>
    name !== ""
  );
}

Deno.test("what a file exports is read by another one or published, and entries list their names", async () => {
  const lib = await files(join(ROOT, "lib"));
  const others = await Promise.all(["bench", "tests"].map((folder) => files(join(ROOT, folder))));
  const entries = [join(ROOT, "mod.ts"), ...lib.filter((file) => file.endsWith("/mod.ts"))];
  const used = new Set<string>(); // "file name", or "file *" of one that is taken whole
  for (const file of [...lib, ...others.flat(), join(ROOT, "mod.ts"), join(ROOT, "cli.ts")]) {
    const text = await Deno.readTextFile(file);
    if (entries.includes(file)) assertEquals(text.match(/^export \*.*$/m), null, relative(ROOT, file));
    for (const [, braces, specifier] of text.matchAll(/\{([^{}]*)\}\s*from\s*"(\.[^"]+)"/g)) {
      for (const name of namesIn(braces!)) used.add(`${join(dirname(file), specifier!)} ${name}`);
    }
    for (const [, specifier] of text.matchAll(/(?:\* as \w+ from |import\(\s*)"(\.[^"]+)"/g)) {
      used.add(`${join(dirname(file), specifier!)} *`);
    }
  }
  const unused: string[] = [];
  const whole = ["lib/ace_lora.ts", "lib/tensor/wasm/build.ts"].map((file) => join(ROOT, file)); // the latter a script
  for (const file of lib.filter((path) => !path.endsWith(".d.ts") && !used.has(`${path} *`))) {
    if (whole.includes(file)) continue;
    const text = await Deno.readTextFile(file);
    for (const [, name] of text.matchAll(/^export (?:async )?(?:function\*?|const|class) (\w+)/gm)) {
      if (!used.has(`${file} ${name}`)) unused.push(`${relative(ROOT, file)}: ${name}`);
    }
  }
  assertEquals(unused, []);
});

Deno.test("VERSION and every documented export agree with deno.json", async () => {
  const config = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const { VERSION } = await import("../lib/io/run_facts.ts");
  assertEquals(VERSION, config.version);
  for (const path of Object.values(config.exports) as string[]) {
    assertEquals((await Deno.stat(join(ROOT, path))).isFile, true, path);
  }
});
