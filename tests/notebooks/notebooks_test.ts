/**
 * Every notebook: its form, its code as one type-checked module, and itself in the real Deno kernel (needs Python with
 * nbclient; ACE_PYTHON names it, else python3).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join, toFileUrl } from "@std/path";
import { joinCells, longestFunction, type Notebook, sourceOf } from "./join.ts";
import { inFolder } from "../folder.ts";

const FOLDER = new URL("../../notebooks/", import.meta.url);
const HERE = fromFileUrl(new URL(".", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

const names = [...Deno.readDirSync(FOLDER)].map((entry) => entry.name).filter((name) => name.endsWith(".ipynb")).sort();
const python = Deno.env.get("ACE_PYTHON") ?? "python3";
const hasPython = await run(python, ["-c", "import nbclient, nbformat"]).then(({ code }) => code === 0, () => false);
const reason = hasPython ? "" : ` [skipped: ${python} has no nbclient, set ACE_PYTHON]`;

async function run(
  command: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, ...options }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** The joined cells of a notebook behind the shim. */
function moduleOf(notebook: Notebook, folder: URL): string {
  return `import "${toFileUrl(join(HERE, "shim.ts")).href}";\n${joinCells(notebook, folder)}`;
}

/** Runs the joined cells of a notebook with the shim, in the notebook's folder, without a network. */
async function runJoined(
  notebook: Notebook,
  folder: URL,
  types: "--check" | "--no-check" = "--check",
): Promise<{ code: number; text: string }> {
  const scratch = await Deno.makeTempDir({ prefix: "ace-notebook-" });
  try {
    const file = join(scratch, "notebook.ts");
    await Deno.writeTextFile(file, moduleOf(notebook, folder));
    const permissions = ["--allow-read", "--allow-write", "--allow-env", "--deny-net"];
    return await run(
      Deno.execPath(),
      ["run", types, "--config", CONFIG, "--no-lock", ...permissions, file],
      { cwd: fromFileUrl(folder), env: { SMOKE: "1", NO_COLOR: "1" } },
    );
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

function runKernel(files: string[], more: string[] = []): Promise<{ code: number; text: string }> {
  return run(python, [join(HERE, "run_notebooks.py"), "--deno", Deno.execPath(), ...more, ...files]);
}

for (const name of names) {
  const url = new URL(name, FOLDER);
  const text = await Deno.readTextFile(url);
  const notebook: Notebook = JSON.parse(text);
  const code = notebook.cells.filter((cell) => cell.cell_type === "code");

  Deno.test(`${name} is thin, clean and small`, () => {
    assert(text.length < 1_000_000, `${text.length} bytes`);
    assertEquals(notebook.metadata["kernelspec"], {
      display_name: "ACE-LoRA (Deno)",
      language: "typescript",
      name: "ace-lora",
    }, "opens with the kernel of deno task kernel");
    assert(!/\\u001b\[/i.test(text), "no ANSI colours");
    assert(code.length > 0, "has code");
    for (const [i, cell] of code.entries()) {
      const source = sourceOf(cell);
      assertEquals(cell.execution_count ?? null, null, `code cell ${i} keeps no execution count`);
      assert(longestFunction(source) <= 10, `code cell ${i} has a function of more than ten lines`);
      assert(!source.includes("import.meta"), `code cell ${i} uses import.meta, which the kernel refuses`);
      assertEquals((cell.outputs ?? []).filter((o) => o["output_type"] === "error"), [], `code cell ${i}`);
    }
    for (const [, path] of code.map(sourceOf).join("\n").matchAll(/from\s*["'](\.[^"']*)["']/g)) {
      assertMatch(path!, /^\.\.\/mod\.ts$|^\.\.\/lib\/\w+\/mod\.ts$/, "imports from the package's own entries only");
    }
  });

  Deno.test(`${name} joined to one module runs with SMOKE=1 without a network`, async () => {
    const { code, text } = await runJoined(notebook, FOLDER, "--no-check");
    assertEquals(code, 0, text);
    assertMatch(text, /displayed [1-9]/, "shows something");
  });
}

Deno.test("each notebook joined to one module type-checks", async () => {
  await inFolder(async (scratch) => {
    const files = await Promise.all(names.map(async (name) => {
      const notebook: Notebook = JSON.parse(await Deno.readTextFile(new URL(name, FOLDER)));
      const file = join(scratch, `${name}.ts`);
      await Deno.writeTextFile(file, moduleOf(notebook, FOLDER));
      return file;
    }));
    // All in one: the package is checked once.
    const { code, text } = await run(Deno.execPath(), ["check", "--config", CONFIG, "--no-lock", ...files]);
    assertEquals(code, 0, text);
  });
});

Deno.test({
  name: `the notebooks run in the real Deno kernel with SMOKE=1${
    names.length === 0 ? " [skipped: no notebooks]" : reason
  }`,
  ignore: !hasPython || names.length === 0,
  fn: async () => {
    const { code, text } = await runKernel(names.map((name) => fromFileUrl(new URL(name, FOLDER))));
    assertEquals(code, 0, text);
  },
});

/** A notebook file with the given code cells. */
function notebookOf(...sources: string[]): Notebook & { nbformat_minor: number } {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: sources.map((source, i) => ({
      id: `cell${i}`,
      cell_type: "code",
      metadata: {},
      execution_count: null,
      outputs: [],
      source,
    })),
  };
}
const SHOW = 'import { figureDisplay, lossFigure, show } from "../lib/display/mod.ts";';

Deno.test("joinCells() makes relative imports absolute and leaves names and other texts alone", () => {
  const joined = joinCells(
    notebookOf(
      'import { a } from "../mod.ts";',
      'import * as tf from "@tensorflow/tfjs";\nawait import("./x.ts");\nconst p = "../data";',
    ),
    new URL("file:///r/notebooks/"),
  );
  assertEquals(
    joined,
    '// cell 0\nimport { a } from "file:///r/mod.ts";\n\n// cell 1\nimport * as tf from "@tensorflow/tfjs";\n' +
      'await import("file:///r/notebooks/x.ts");\nconst p = "../data";\n',
  );
});

Deno.test("longestFunction() counts from head to closing brace", () => {
  assertEquals(longestFunction("const a = 1;\nif (a) {\n\n\n}"), 0);
  assertEquals(longestFunction("function f() {\n  return 1;\n}\nconst g = () => {\n  for (;;) {\n  }\n  x();\n};"), 5);
});

Deno.test("a joined notebook fails on a type error, on a thrown error and on a request", async () => {
  const cases: [string, RegExp][] = [
    ["const n: number = 'text';", /TS2322/],
    ["throw new Error('stop here');", /stop here/],
    ["await fetch('http://127.0.0.1:8999/');", /NotCapable|Requires net access/],
  ];
  for (const [source, message] of cases) {
    const { code, text } = await runJoined(notebookOf(source), FOLDER);
    assertEquals(code, 1, text);
    assertMatch(text, message);
  }
});

Deno.test("a joined notebook counts what it shows", async () => {
  const notebook = notebookOf(
    SHOW,
    'await show(figureDisplay(lossFigure([{ name: "a", loss: [2, 1] }])));',
    'await show("x");',
  );
  const { code, text } = await runJoined(notebook, FOLDER);
  assertEquals(code, 0, text);
  assertMatch(text, /displayed 2/);
});

Deno.test({
  name: `run_notebooks.py keeps clean outputs of show() and fails on an error${reason}`,
  ignore: !hasPython,
  fn: async () => {
    await inFolder(async (scratch) => {
      const file = join(scratch, "good.ipynb"), bad = join(scratch, "bad.ipynb");
      const display = toFileUrl(fromFileUrl(new URL("../../lib/display/", import.meta.url))).href;
      // The names of the package's dependencies, which the kernel looks up from the notebook's folder.
      const { imports } = JSON.parse(await Deno.readTextFile(CONFIG)) as { imports: Record<string, string> };
      const npm = Object.fromEntries(Object.entries(imports).filter(([, target]) => target.startsWith("npm:")));
      await Deno.writeTextFile(join(scratch, "deno.json"), JSON.stringify({ imports: npm }));
      const shows = [1, 2, 3].map((i) => `await show(figureDisplay(lossFigure([{ name: "a", loss: [3, ${i}] }])));`);
      await Deno.writeTextFile(
        file,
        JSON.stringify(notebookOf(
          `import { lossFigure } from "${display}curves.ts";\nimport { figureDisplay, show } from "${display}show.ts";`,
          ...shows,
          // Deno's kernel hands a printed line over beside the cell: printed last, it may come after the cell's end and be lost.
          'console.log("\\x1b[31mred\\x1b[0m", Deno.env.get("SMOKE"), Deno.cwd());\n' +
            "await new Promise((resolve) => setTimeout(resolve, 2000));",
        )),
      );
      const good = await runKernel([file], ["--write-clean"]);
      assertEquals(good.code, 0, good.text);
      const notebook: Notebook = JSON.parse(await Deno.readTextFile(file));
      assertEquals(notebook.cells.map((cell) => cell.execution_count), [null, null, null, null, null]);
      for (const [i, cell] of notebook.cells.slice(1, 4).entries()) {
        const data = cell.outputs!.map((output) => output["data"] as Record<string, unknown>);
        assertEquals(data.length, 1, `cell ${i + 1} shows one figure`);
        assertEquals([data[0]!["text/plain"]].flat().join(""), `loss (nats) over step: a ends at ${i + 1}.000`);
        assert("application/vnd.plotly.v1+json" in data[0]!);
      }
      assertEquals(notebook.cells[4]!.outputs!.map((o) => [o["text"]].flat().join("")), [
        `red 1 ${await Deno.realPath(scratch)}\n`,
      ]);
      await Deno.writeTextFile(bad, JSON.stringify(notebookOf("1;", 'throw new RangeError("too far");')));
      const failed = await runKernel([bad]);
      assertEquals(failed.code, 1);
      assertMatch(failed.text, /bad\.ipynb: failed, cell 1: RangeError: too far/);
    });
  },
});
