/** Exported models against the library: the same features by onnxruntime, for every kind of tower and affinity. */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { join } from "@std/path";
import { type AceLoraConfig, aceLoraModel, type AceLoraParams, initAceLora } from "../../lib/ace_lora.ts";
import { CLIP_VIT_B_16, MED_SIGLIP_448 } from "../../lib/clip/architectures.ts";
import type { ClipConfig } from "../../lib/clip/config.ts";
import { initClip } from "../../lib/clip/params.ts";
import { exportOnnx } from "../../lib/export/onnx/model.ts";
import { float, onnxGraph } from "../../lib/export/onnx/graph.ts";
import { joinPieces } from "../../lib/io/protobuf.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams, namedTensors, withTensors } from "../../lib/tensor/params.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";
import type { Tensor, Tensor2D, Tensor4D } from "../../lib/tensor/types.ts";
import { l2Normalise } from "../../lib/tensor/kernels/l2_normalise/api.ts";
import { inFolder } from "../folder.ts";
import { LAYOUT_CASES, openCase } from "../clip/layout_cases.ts";
import { hasPython, runPython } from "../io/_python.ts";
import { SMALL } from "../small_model.ts";

await selectBackend({ backend: "wasm" });
const ready = await hasPython("onnxruntime", "onnx");

const CAUSAL: ClipConfig = {
  ...SMALL,
  vision: { ...SMALL.vision, kind: "clip", activation: "quick-gelu" },
  text: {
    ...CLIP_VIT_B_16.text,
    vocabularySize: 40,
    contextLength: 10,
    positions: 10,
    width: 16,
    depth: 2,
    heads: 2,
    mlpWidth: 32,
  },
};
const SIGLIP: ClipConfig = {
  ...MED_SIGLIP_448,
  vision: { ...MED_SIGLIP_448.vision, imageSize: 16, patchSize: 4, width: 16, depth: 2, heads: 2, mlpWidth: 32 },
  text: {
    ...MED_SIGLIP_448.text,
    ...{ vocabularySize: 40, contextLength: 10, positions: 10, width: 16, depth: 2, heads: 2, mlpWidth: 32 },
  },
  embedding: 16,
};
const both = ["image", "text"] as const;
const hgnn = { topK: 3, hidden: 8, encoders: both };
const CASES: Record<string, AceLoraConfig> = {
  "a frozen BERT pair": { encoders: SMALL, learnScale: false },
  "LoRA and ACE-HGNN": { encoders: SMALL, lora: ACE_LORA_LORA, hgnn },
  "ACE-HGNN alone, by text logits": { encoders: SMALL, hgnn },
  "a mean-pooled BERT with poolers": {
    encoders: {
      ...SMALL,
      vision: { ...SMALL.vision, pool: "pooler" },
      text: { ...SMALL.text, pool: "mean", head: "linear", headWidth: 0 },
    },
  },
  "a causal tower by the largest id, ACE-HGNN on images": {
    encoders: CAUSAL,
    lora: ACE_LORA_LORA,
    hgnn: { ...hgnn, encoders: ["image"] },
  },
  "a causal tower by its end of text": {
    encoders: { ...CAUSAL, text: { ...CAUSAL.text, eotId: 3 } as ClipConfig["text"] },
  },
  "ACE-HGNN above a causal tower, the largest id read": { encoders: CAUSAL, lora: ACE_LORA_LORA, hgnn },
  "ACE-HGNN above a causal tower by its end of text, by probabilities": {
    encoders: { ...CAUSAL, text: { ...CAUSAL.text, eotId: 3 } as ClipConfig["text"] },
    hgnn,
    textAffinity: "probabilities",
  },
  "ACE-HGNN above a mean-pooled BERT": {
    encoders: { ...SMALL, text: { ...SMALL.text, pool: "mean", head: "linear", headWidth: 0 } },
    lora: ACE_LORA_LORA,
    hgnn,
  },
  "SigLIP, pooled by attention": { encoders: SIGLIP },
  "SigLIP with LoRA and ACE-HGNN": { encoders: SIGLIP, lora: ACE_LORA_LORA, hgnn },
  "a sigmoid similarity with its bias": { encoders: { ...SMALL, similarity: "sigmoid" } },
};

/** A model all of whose leaves are random, LoRA's B too. */
async function randomModel(config: AceLoraConfig): Promise<AceLoraParams> {
  const base = initClip(config.encoders, 3);
  const fresh = await initAceLora(base, config, { seed: 4 });
  const rng = mulberry32(9);
  const noisy = [...namedTensors(fresh)].filter(([name]) => /bias|Bias|lora|posEmbed|word/.test(name)).map((
    [name, x],
  ) =>
    [name, tf.tensor(Float32Array.from({ length: x.size }, () => 0.3 * gaussian(rng)), x.shape)] as [string, Tensor]
  );
  const params = withTensors(fresh, new Map(noisy));
  disposeParams(fresh, params);
  disposeParams(base, params);
  return params;
}

const SCRIPT = `
import json, sys
import numpy as np, onnx, onnxruntime
found = []
for folder in sys.argv[1:]:
    inputs = json.load(open(folder + "/inputs.json"))
    out = {}
    for name, key, dtype in [("image", "pixel_values", np.float32), ("text", "input_ids", np.int64)]:
        onnx.checker.check_model(folder + f"/{name}.onnx", full_check=True)
        session = onnxruntime.InferenceSession(folder + f"/{name}.onnx", providers=["CPUExecutionProvider"])
        value = np.array(inputs[key]["values"], dtype).reshape(inputs[key]["shape"])
        out[name] = session.run([f"{name}_features"], {key: value})[0].ravel().tolist()
    found.append(out)
print(json.dumps(found))
`;

/** onnxruntime-web in a process of its own, by a computed name: neither the package nor its lock file knows it. */
const WEB_SCRIPT = `
const ort = await import(["npm:", "onnxruntime-web", "@1.30.0"].join(""));
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
const found = [];
for (const folder of Deno.args) {
  const inputs = JSON.parse(await Deno.readTextFile(folder + "/inputs.json"));
  const out = {};
  for (const [name, key, type, Values] of [["image", "pixel_values", "float32", Float32Array], ["text", "input_ids", "int64", BigInt64Array]]) {
    const session = await ort.InferenceSession.create(await Deno.readFile(folder + "/" + name + ".onnx"), { executionProviders: ["wasm"] });
    const { values, shape } = inputs[key];
    const data = Values === BigInt64Array ? Values.from(values, BigInt) : Values.from(values);
    const results = await session.run({ [key]: new ort.Tensor(type, data, shape) });
    out[name] = [...results[name + "_features"].data];
  }
  found.push(out);
}
console.log(JSON.stringify(found));
Deno.exit(0);
`;

async function runOnnxWeb(...args: string[]): Promise<string> {
  const flags = [
    "run",
    "--quiet",
    "--no-config",
    "--no-lock",
    "--no-prompt",
    "--allow-read",
    "--allow-env",
    "--allow-sys",
  ];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...flags, "-", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(WEB_SCRIPT));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

const web = await runOnnxWeb().then(() => true, () => false);

/** Where exported models are run, and how near they must come. */
const RUNTIMES = [
  {
    runtime: "onnxruntime",
    isReady: ready,
    need: "onnxruntime and onnx; set ACE_PYTHON",
    tolerance: 1e-5,
    features: (folders: string[]) => runPython(SCRIPT, folders),
  },
  {
    runtime: "onnxruntime-web",
    isReady: web,
    need: "onnxruntime-web of the npm registry",
    tolerance: 1e-4,
    features: (folders: string[]) => runOnnxWeb(...folders),
  },
];

const able = RUNTIMES.filter(({ isReady }) => isReady);
const lacks = RUNTIMES.filter(({ isReady }) => !isReady).map(({ runtime, need }) =>
  `${runtime} skipped: needs ${need}`
);

/** What a runtime computes of a folder's inputs. */
type Features = Record<"image" | "text", number[]>;

async function writeInputs(folder: string, planes: Tensor, ids: Tensor): Promise<void> {
  const of = async (x: Tensor) => ({ values: [...await x.data()], shape: x.shape });
  const inputs = { pixel_values: await of(planes), input_ids: await of(ids) };
  await Deno.writeTextFile(join(folder, "inputs.json"), JSON.stringify(inputs));
}

for (const [name, config] of Object.entries(CASES)) {
  Deno.test({
    name: [`exportOnnx() gives the library's features in ONNX runtimes: ${name}`, ...lacks].join("; "),
    ignore: able.length === 0,
    fn: async () => {
      const folder = await Deno.makeTempDir();
      const params = await randomModel(config);
      const before = tf.memory().numTensors;
      const files = await exportOnnx(params, config, folder);
      assertEquals(tf.memory().numTensors, before);
      assertEquals(Object.values(files).map((path) => path.split("/").at(-1)), [
        "image.onnx",
        "text.onnx",
        "preprocessing.json",
      ]);
      const { imageSize } = config.encoders.vision;
      const rng = mulberry32(5);
      const pixels = tf.tensor4d(
        Float32Array.from({ length: 3 * imageSize * imageSize * 3 }, () => gaussian(rng)),
        [3, imageSize, imageSize, 3],
      ) as Tensor4D;
      const planes = tf.transpose(pixels, [0, 3, 1, 2]);
      const rows = [[2, 7, 9, 12, 8, 3, 0, 0, 0, 0], [2, 31, 3, 0, 0, 0, 0, 0, 0, 0], [
        2,
        5,
        6,
        7,
        8,
        9,
        10,
        11,
        12,
        39,
      ]];
      const ids = tf.tensor2d(rows, undefined, "int32") as Tensor2D;
      await writeInputs(folder, planes, ids);
      const model = aceLoraModel(config);
      const merged = model.forEvaluation(params);
      const features = { image: model.imageFeatures(merged, pixels), text: model.textFeatures(merged, ids) };
      for (const { runtime, tolerance, features: run } of able) {
        const [actual] = JSON.parse(await run([folder])) as [Features];
        for (const tower of both) {
          const expected = await features[tower].data();
          assertEquals(actual[tower].length, expected.length);
          for (const [i, value] of expected.entries()) {
            assertAlmostEquals(actual[tower][i]!, value, tolerance, `${runtime} ${tower} ${i}`);
          }
        }
      }
      const { similarity } = JSON.parse(await Deno.readTextFile(files.preprocessing));
      const [bias] = await params.logitBias?.data() ?? [];
      assertEquals([similarity.kind, similarity.bias], [config.encoders.similarity, bias]);
      tf.dispose([pixels, planes, ids, features.image, features.text]);
      disposeParams(merged, params);
      disposeParams(params);
      await Deno.remove(folder, { recursive: true });
    },
  });
}

/** Layouts whose towers, poolings or projections have no operators there. */
const NOT_EXPORTED: readonly RegExp[] = [
  /resnet/,
  /swin/,
  /dino/,
  /eva/,
  /^pmc_clip/,
  /^mgca/,
  /^(gloria|cxr_clip|cxr_clip_mlp|convirt)$/,
];
const isExported = ({ folder }: { folder: string }): boolean => !NOT_EXPORTED.some((name) => name.test(folder));

Deno.test("exportOnnx() refuses in one line the layouts whose parts it has no operators for", async () => {
  await selectBackend({ backend: "wasm" });
  for (const layout of LAYOUT_CASES.filter((layout) => !isExported(layout))) {
    const { params, config: encoders, expected: given } = await openCase(layout);
    const error = await assertRejects(() => exportOnnx(params, { encoders }, "not/made"), RangeError, "as ONNX as its");
    assertEquals(error.message.includes("\n"), false, layout.folder);
    tf.dispose([...given.values()]);
    disposeParams(params);
  }
});

Deno.test({
  name: [
    "exportOnnx() of every layout that is exported gives, in ONNX runtimes, the features of the library that saved it",
    ...lacks,
  ].join("; "),
  ignore: able.length === 0,
  fn: () =>
    inFolder(async (out) => {
      const folders: string[] = [];
      const expected: Features[] = [];
      const cases = LAYOUT_CASES.filter(isExported);
      for (const layout of cases) {
        const { params, config: encoders, expected: given } = await openCase(layout);
        const folder = join(out, layout.folder);
        await exportOnnx(params, { encoders }, folder);
        const planes = tf.transpose(given.get("pixels")!, [0, 3, 1, 2]);
        await writeInputs(folder, planes, given.get("ids")!);
        const unit = async (tower: "image" | "text"): Promise<number[]> => {
          const rows = tf.tidy(() => l2Normalise(tf.reshape(given.get(tower)!, [-1, encoders.embedding]) as Tensor2D));
          const values = [...await rows.data()];
          rows.dispose();
          return values;
        };
        folders.push(folder);
        expected.push({ image: await unit("image"), text: await unit("text") });
        tf.dispose([planes, ...given.values()]);
        disposeParams(params);
      }
      for (const { runtime, features } of able) {
        const actual = JSON.parse(await features(folders)) as Features[];
        for (const [k, { folder }] of cases.entries()) {
          for (const tower of both) {
            assertEquals(actual[k]![tower].length, expected[k]![tower].length);
            for (const [i, value] of expected[k]![tower].entries()) {
              assertAlmostEquals(actual[k]![tower][i]!, value, 1e-4, `${runtime} ${folder} ${tower} ${i}`);
            }
          }
        }
      }
    }),
});

Deno.test("exportOnnx() refuses what it has no operators for, by name, and writes nothing", async () => {
  const folder = await Deno.makeTempDir();
  const context = tf.zeros([2, 16]) as Tensor2D;
  const plain: AceLoraConfig = { encoders: SMALL };
  const base = await randomModel(plain);
  const learned = { ...base, text: { ...base.text, trunk: { ...base.text.trunk, context } } };
  await assertRejects(() => exportOnnx(learned, plain, folder), RangeError, '"text.trunk.context"');
  assertEquals([...Deno.readDirSync(folder)].length, 0);
  disposeParams(learned);
  await Deno.remove(folder);
});

Deno.test("onnxGraph() writes negative axes in two's complement and shares small constants", () => {
  const graph = onnxGraph();
  const x = graph.input("x", "float32", ["n", 2]);
  assertEquals(graph.constant([1, 2], [2]), graph.constant([1, 2], [2]));
  assert(graph.constant([1, 2], [2]) !== graph.constant([1, 2], [2], "int64"));
  graph.output(graph.op("LayerNormalization", [x], { axis: -1, epsilon: float(1) }), "y", ["n", 2]);
  const bytes = joinPieces(graph.write({ name: "g", version: "1", text: "", metadata: {} }));
  const minusOne = [0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
  assert([...bytes].some((_, i) => minusOne.every((byte, k) => bytes[i + k] === byte)));
});
