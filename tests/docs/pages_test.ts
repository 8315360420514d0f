/** docs/add_a_data_set.md, add_a_model.md and add_a_kernel.md, followed word by word in a copy of the package. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { syntheticChest } from "../../lib/data/synthetic/chest.ts";
import { encodePng } from "../../lib/image/png.ts";
import { pack } from "../package/pack.ts";

/** Writes the files that a page adds (`Add \`FILE\`:`) and makes the changes it shows (`\`FILE\`:`, then diffs). */
async function follow(page: string, folder: string): Promise<void> {
  const text = await Deno.readTextFile(fromFileUrl(new URL(`../../docs/${page}`, import.meta.url)));
  let file = "";
  for (const [, path, language, code] of text.matchAll(/`(lib\/\S+\.ts)`:$|^```(\w+)\n([\s\S]*?)^```$/gm)) {
    if (path !== undefined) file = join(folder, path);
    else if (language === "ts") {
      await Deno.mkdir(dirname(file), { recursive: true });
      await Deno.writeTextFile(file, code!);
    } else if (language === "diff") {
      const lines = code!.trimEnd().split("\n");
      const side = (sign: string): string =>
        lines.filter((line) => line[0] === " " || line[0] === sign).map((line) => line.slice(1)).join("\n");
      const before = await Deno.readTextFile(file);
      assertEquals(before.split(side("-") + "\n").length, 2, `${file} holds once:\n${side("-")}`);
      await Deno.writeTextFile(file, before.replace(side("-"), () => side("+")));
    }
  }
}

/** The packed package with a page's changes, in which `body` works. */
async function inCopy(page: string, body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "ace-page-" });
  try {
    await pack(folder);
    await Deno.copyFile(fromFileUrl(new URL("../../deno.json", import.meta.url)), join(folder, "deno.json"));
    await follow(page, folder);
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function run(folder: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--check",
      "--quiet",
      "--no-lock",
      "--no-prompt",
      "--allow-read",
      "--allow-env",
      "--deny-net",
      ...args,
    ],
    cwd: folder,
    env: { NO_COLOR: "1", ACE_BACKEND: "wasm", INIT_CWD: folder },
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals(code, 0, text);
  return text;
}

Deno.test("docs/add_a_data_set.md adds a set that evaluate reads, with what it leaves out", async () => {
  await inCopy("add_a_data_set.md", async (folder) => {
    const films = join(folder, "shenzhen/CXR_png");
    await Deno.mkdir(films, { recursive: true });
    for (const [i, target] of [0, 1, 1, 0].entries()) {
      await Deno.writeFile(join(films, `CHNCXR_000${i}_${target}.png`), encodePng(syntheticChest(i + 1).image));
    }
    await Deno.writeTextFile(join(films, "Thumbs.db"), "");
    const args = ["evaluate", "--dataset", "shenzhen", "--root", "shenzhen", "--resamples", "50", "--out", "results"];
    const text = await run(folder, [`--allow-write=${folder}`, "cli.ts", ...args]);
    assertMatch(text, /shenzhen all: 5 read, 4 kept, dropped 1 \(other file\)/);
    assert((await Deno.stat(join(folder, "results/metrics.json"))).isFile);
  });
});

const PROGRAM = `
import { selectBackend } from "./lib/tensor/backend.ts";
import { loadCheckpoint, openCheckpoint } from "./lib/clip/checkpoint/checkpoint.ts";
import { toClipTensors } from "./lib/clip/checkpoint/tensors.ts";
import { BIOMED_CLIP, CLIP_VIT_B_16 } from "./lib/clip/architectures.ts";
import type { ClipConfig } from "./lib/clip/config.ts";
import { parseClipConfig } from "./lib/clip/config_file/parse.ts";
import { initClip } from "./lib/clip/params.ts";
import { writeSafetensors } from "./lib/io/safetensors.ts";
import { float32Tensor } from "./lib/io/tensors.ts";
import { namedTensors } from "./lib/tensor/params.ts";

await selectBackend({ backend: "cpu" });
const size = { depth: 2, heads: 2 };
const made: ClipConfig = {
  ...CLIP_VIT_B_16,
  vision: { ...CLIP_VIT_B_16.vision, ...size, imageSize: 16, patchSize: 8, width: 12, mlpWidth: 20 },
  text: {
    ...BIOMED_CLIP.text,
    ...{ ...size, width: 8, mlpWidth: 16, vocabularySize: 64, contextLength: 10, positions: 12, head: "linear", headWidth: 0 },
  },
  embedding: 6,
};
const params = initClip(made, 3);
const layout = { vision: "open_clip", visionPrefix: "visual.", text: "chinese_clip", textPrefix: "bert." } as const;
const tensors = [...await toClipTensors(params, layout)]
  .map(([name, { shape, values }]) => ["module." + name, float32Tensor(shape, values)] as const);
await writeSafetensors("model.safetensors", new Map(tensors));
const checkpoint = await openCheckpoint("model.safetensors");
const config = parseClipConfig(await Deno.readTextFile("open_clip_config.json"), {
  config: "open_clip_config.json",
  weights: "model.safetensors",
  sizes: checkpoint.sizes,
});
const read = namedTensors(await loadCheckpoint(checkpoint, config));
for (const [name, tensor] of namedTensors(params)) {
  const [a, b] = [await tensor.data(), await read.get(name)!.data()];
  if (a.some((x, i) => x !== b[i])) throw new Error(name);
}
console.log("read", read.size, checkpoint.wrapper, config.text.kind, config.text.contextLength);
`;

Deno.test("docs/add_a_model.md adds a layout whose weights are read back to the bit, below a trainer's prefix", async () => {
  await inCopy("add_a_model.md", async (folder) => {
    const page = await Deno.readTextFile(fromFileUrl(new URL("../../docs/add_a_model.md", import.meta.url)));
    await Deno.writeTextFile(join(folder, "open_clip_config.json"), /```json\n([\s\S]*?)```/.exec(page)![1]!);
    await Deno.writeTextFile(join(folder, "program.ts"), PROGRAM);
    assertMatch(await run(folder, [`--allow-write=${folder}`, "program.ts"]), /^read \d+ module\. bert 10$/m);
  });
});

const KERNEL_PROGRAM = `
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "./lib/tensor/backend.ts";
import { silu } from "./lib/tensor/kernels/silu/api.ts";

const x = [-4, -0.5, 0, 1, 3], s = x.map((v) => 1 / (1 + Math.exp(-v)));
const wanted = [x.map((v, i) => v * s[i]!), x.map((v, i) => s[i]! * (1 + v * (1 - s[i]!)))];
for (const backend of ["cpu", "wasm", "webgpu"] as const) {
  const started = await selectBackend({ backend, allowSoftware: true }).catch(() => null);
  if (!started) continue;
  const given = tf.tensor1d(x);
  const results = [silu(given), tf.grad((t: tf.Tensor) => tf.sum(silu(t)))(given)];
  for (const [k, result] of results.entries()) {
    const values = await result.data();
    const gap = Math.max(...wanted[k]!.map((v, i) => Math.abs(v - values[i]!)));
    if (!(gap < 1e-5)) throw new Error(backend + " " + k + ": " + gap);
  }
  console.log(backend, "agrees");
}
`;

Deno.test("docs/add_a_kernel.md adds a kernel that agrees with the formula, with its gradient, on every backend there is", async () => {
  await inCopy("add_a_kernel.md", async (folder) => {
    await Deno.writeTextFile(join(folder, "program.ts"), KERNEL_PROGRAM);
    assertMatch(await run(folder, ["program.ts"]), /^cpu agrees$[\s\S]*^wasm agrees$/m);
  });
});
