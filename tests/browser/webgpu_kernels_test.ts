/**
 * The WebGPU kernels in Chromium: the tests of tests/tensor/webgpu_*_test.ts, bundled and run in a page on SwiftShader, which
 * computes on the processor. Deno compiles their shaders with naga, Chromium with Tint: neither may have a word to say.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join, toFileUrl } from "@std/path";
import { startServer } from "../platform/runtimes.ts";
import { findChromium, type Page, withPage } from "./chromium.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const FILES = [
  "elementwise",
  "layer_norm",
  "attention",
  "matmul",
  "linear",
  "hyperedges",
  "affinity",
  "fused",
  "faults",
];

/**
 * Left out: SwiftShader takes long to compile or run them, and smaller ones reach the same code; and Chromium tells of a lost device
 * later than Deno, not at the next call.
 */
const LEFT_OUT = new RegExp([
  ...[
    "more rows than one dimension",
    "197 tokens",
    "head of 96",
    "head of 34",
    "head of 260",
    "of 197x36x40",
    "of 65x17x33",
  ],
  ...["matMulProgram\\(\\) with the tile", "fusedMlp\\(\\) with .*(33, 20|6, 515)", "270, 10", "of 70 tokens"],
  ...["a device lost inside a step", "synchronous read of a lost device"],
].join("|"));

/** What the page has in place of `node:assert`. */
const ASSERT = `
export class AssertionError extends Error {
  constructor({ message }) { super(message); this.name = "AssertionError"; }
}
const text = (value) => JSON.stringify(value, (_, x) =>
  ArrayBuffer.isView(x) ? [...x].map(String) : typeof x === "number" ? Object.is(x, -0) ? "-0" : String(x) : x);
const check = (isRight, a, b, message) => {
  if (!isRight) throw new AssertionError({ message: message ?? text(a) + " beside " + text(b) });
};
export const deepStrictEqual = (a, b, message) => check(text(a) === text(b), a, b, message);
export const notDeepStrictEqual = (a, b, message) => check(text(a) !== text(b), a, b, message);
`;

/** Collects the tests, and what compilers of shaders say. */
const RUNNER = `
globalThis.tests = [];
globalThis.registerTest = (...given) => tests.push(given.length === 1 ? given[0] : { name: given[0], fn: given[1] });
const messages = [];
const { createShaderModule } = GPUDevice.prototype;
GPUDevice.prototype.createShaderModule = function (descriptor) {
  const module = createShaderModule.call(this, descriptor);
  messages.push(module.getCompilationInfo().then(({ messages }) => messages.map(({ type, message, lineNum }) =>
    [descriptor.label, type, lineNum, message].join(": "))));
  return module;
};
globalThis.shaderMessages = async () => ({ modules: messages.length, told: (await Promise.all(messages)).flat() });
`;

/** A folder with a page that has registered the tests. */
async function writePage(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "ace-kernels-" });
  const entry = join(folder, "entry.ts"), bundle = join(folder, "bundle.js");
  const url = (name: string) => toFileUrl(join(ROOT, `tests/tensor/${name}.ts`)).href;
  await Deno.writeTextFile(
    entry,
    `${FILES.map((name) => `import "${url(`webgpu_${name}_test`)}";\n`).join("")}
import { NAN_CASES } from "${url("nan_cases")}";
import { gpuTest } from "${url("webgpu_support")}";
for (const [name, body] of NAN_CASES) gpuTest(name, body);
`,
  );
  const args = ["bundle", "--quiet", "--config", join(ROOT, "deno.json"), "--platform", "browser"];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args, "--external", "node:assert", "-o", bundle, entry],
    cwd: ROOT,
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const code = (await Deno.readTextFile(bundle)).replaceAll(/\bDeno\.test\(/g, "registerTest(")
    .replaceAll('"node:assert"', '"./assert.js"');
  await Deno.writeTextFile(bundle, code);
  await Deno.writeTextFile(join(folder, "assert.js"), ASSERT);
  await Deno.writeTextFile(join(folder, "runner.js"), RUNNER);
  await Deno.writeTextFile(
    join(folder, "index.html"),
    `<!doctype html><link rel="icon" href="data:,"><script src="runner.js"></script>
<script type="module">import "./bundle.js"; globalThis.isReady = true;</script>`,
  );
  return folder;
}

/** Runs test `i` in the page; what it threw, or nothing. */
const runTest = (page: Page, i: number): Promise<string | null> =>
  page.evaluate(
    `Promise.resolve().then(() => tests[${i}].fn()).then(() => null, (error) => error.stack ?? String(error))`,
  );

const chromium = await findChromium();
Deno.test({
  name: `the WebGPU kernels equal float64 in Chromium, and Tint says nothing about their shaders${
    chromium === null ? " (skipped: no chromium on PATH, set ACE_CHROMIUM)" : ""
  }`,
  ignore: chromium === null,
  fn: async (t) => {
    const folder = await writePage();
    const server = await startServer(folder);
    try {
      await withPage(chromium!, async (page) => {
        await page.open(server.address);
        await page.evaluate(`new Promise((resolve) => {
          const look = () => globalThis.isReady ? resolve() : setTimeout(look, 50);
          look();
        })`);
        const tests: { name: string; ignore?: boolean }[] = await page.evaluate(
          "tests.map(({ name, ignore }) => ({ name, ignore: ignore === true }))",
        );
        assert(tests.length > 80, `${tests.length} tests`);
        assertEquals(tests.filter(({ ignore }) => ignore).map(({ name }) => name), []);
        for (const [i, { name }] of tests.entries()) {
          if (LEFT_OUT.test(name)) continue;
          await t.step(name, async () => assertEquals(await runTest(page, i), null));
        }
        const { modules, told } = await page.evaluate("shaderMessages()");
        assertEquals(told, []);
        assert(modules > 60, `${modules} shaders`);
      }, { webgpu: true });
    } finally {
      await server.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
