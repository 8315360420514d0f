/** Scores that read more than one feature of each text: GLoRIA's words, MedCLIP's pads; against their own arithmetic. */
import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import { dirname, join } from "@std/path";
import { aceLoraModel } from "../../lib/ace_lora.ts";
import { classifyByProtocol } from "../../lib/clip/zero_shot/ask.ts";
import { localSimilarities } from "../../lib/clip/zero_shot/local.ts";
import { PROTOCOLS } from "../../lib/clip/zero_shot/presets.ts";
import type { Protocol } from "../../lib/clip/zero_shot/protocol.ts";
import { protocolScores } from "../../lib/clip/zero_shot/protocol_scores.ts";
import type { ImageSource } from "../../lib/clip/zero_shot/scores.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import type { Tensor4D } from "../../lib/tensor/types.ts";
import { tokenizerFromVocab } from "../../lib/text/tokenizer.ts";
import { testOnBackends } from "../backends.ts";
import { noLeak } from "../close.ts";
import { caseOf, layoutFiles, openCase, repeated } from "./layout_cases.ts";

/** A fixture's model, asked about its images by a protocol; `wanted` are the library's scores. */
async function scoresOf(
  folder: string,
  names: { pixels: string; wanted: string },
  protocolOf: (prompts: never) => Protocol,
): Promise<{ scores: Float32Array; wanted: Float32Array }> {
  const layout = caseOf(folder);
  const { prompts, vocabulary } = JSON.parse(
    await Deno.readTextFile(join(dirname(layoutFiles(layout).weights), "prompts.json")),
  );
  const { params, config, expected } = await openCase(layout);
  const rows = Array.from({ length: 64 }, (_, id) => vocabulary[id] ?? `[unused${id}]`);
  const small = expected.get(names.pixels)!;
  const pixels = await repeated(tf.clone(small) as Tensor4D, config.vision.imageSize);
  const { imageSize } = config.vision;
  const values = await pixels.data() as Float32Array;
  const each = values.length / small.shape[0]!;
  const images: ImageSource = {
    size: small.shape[0]!,
    imageSize,
    pixels: (indices) =>
      Promise.resolve(Float32Array.from(indices.flatMap((i) => [...values.subarray(i * each, (i + 1) * each)]))),
  };
  const protocol = protocolOf(prompts as never);
  const task = { protocol, classes: Object.keys(protocol.prompts), config, tokenizer: tokenizerFromVocab(rows) };
  const wanted = await expected.get(names.wanted)!.data() as Float32Array;
  const model = aceLoraModel({ encoders: config, learnScale: false });
  let scores: Float32Array = new Float32Array();
  await noLeak(async () => {
    scores = await classifyByProtocol(model, params, images, task, { batchSize: 1 });
  });
  disposeParams(params);
  tf.dispose([pixels, ...expected.values()]);
  return { scores, wanted };
}

/** To what rounding leaves of a network's depth and of a logarithm of sums: 4e-6 of them with one order of sums, 1e-6 with another. */
function assertScores({ scores, wanted }: { scores: Float32Array; wanted: Float32Array }): void {
  assert(scores.length === wanted.length && new Set(wanted).size > 1);
  const unit = Math.max(1, ...wanted.map(Math.abs));
  scores.forEach((score, i) => assertAlmostEquals(score, wanted[i]!, 4e-6 * unit, `${i}`));
}

// On wasm alone: maps of 299 pixels take long elsewhere, where the test below compares words and places.
Deno.test("classifyByProtocol() gives GLoRIA's similarity of words and places, and its mean with the global one", async () => {
  await selectBackend({ backend: "wasm" });
  for (const [similarity, wanted] of [["local", "local.scores"], ["both", "local.both"]] as const) {
    const asked = (prompts: readonly string[]): Protocol => ({
      ...PROTOCOLS["gloria"]!,
      prompts: Object.fromEntries(prompts.map((prompt) => [prompt, [prompt]])),
      similarity,
      score: "cosine",
    });
    assertScores(await scoresOf("gloria", { pixels: "local.pixels", wanted }, asked));
  }
});

testOnBackends(
  "classifyByProtocol() counts the pads of a class's prompts as MedCLIP's PromptClassifier does",
  async () => {
    for (const pool of ["mean", "max"] as const) {
      const asked = (prompts: Protocol["prompts"]): Protocol => ({ ...PROTOCOLS["medclip"]!, prompts, pool });
      assertScores(await scoresOf("medclip_resnet", { pixels: "pixels", wanted: `padded.${pool}` }, asked));
    }
  },
);

testOnBackends(
  "localSimilarities() is at least 0 where a word is all zeros, and stays finite at any length",
  async () => {
    const places = tf.tensor3d([[1, 0, 0, 1]].flat(), [1, 2, 2]);
    for (const size of [1e-6, 1, 1e4]) {
      const words = Float32Array.of(-size, -size);
      const factors = { attention: 4, cosine: 5 };
      const alone = localSimilarities(places, { words, empty: 0 }, factors);
      const padded = localSimilarities(places, { words, empty: 3 }, factors);
      const [[lone], [more]] = [await alone.data(), await padded.data()] as [Float32Array, Float32Array];
      assertAlmostEquals(lone!, -5, 1e-4, `${size}`); // the only word has every place alike
      assertAlmostEquals(more!, 0, 1e-6, `${size}`);
      tf.dispose([alone, padded]);
    }
    places.dispose();
  },
);

Deno.test("protocolScores() refuses local similarities whose prompts are not pooled by mean or max", () => {
  const layout = Float32Array.of(1, 0);
  const protocol: Protocol = { name: "own", prompts: [], similarity: "both" };
  const classes = [{ prompts: layout }];
  const similarity = { embedding: 2, scale: 1 };
  assertThrows(
    () => protocolScores(protocol, layout, classes, similarity, [[{ prompts: Float32Array.of(2) }]]),
    RangeError,
    'pooled by mean or max: current value is "tokens"',
  );
});

testOnBackends("localSimilarities() is what the words find, step by step", async () => {
  const [map, words, empty] = [[[.5, -1, .2], [1.5, .3, -.7]], [[1, .5, -.25], [-.5, 2, 1]], 2];
  const dot = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const softmax = (x: number[]): number[] => {
    const powers = x.map(Math.exp);
    return powers.map((power) => power / powers.reduce((a, b) => a + b, 0));
  };
  const shares = map.map((place) => softmax([...words.map((word) => dot(place, word)), ...new Array(empty).fill(0)]));
  const best = words.map((word, w) => {
    const attention = softmax(shares.map((share) => 4 * share[w]!));
    const seen = word.map((_, e) => dot(attention, map.map((place) => place[e]!)));
    return 5 * dot(word, seen) / Math.sqrt(dot(word, word) * dot(seen, seen));
  });
  const places = tf.tensor3d([map]);
  const text = { words: Float32Array.from(words.flat()), empty };
  const actual = localSimilarities(places, text, { attention: 4, cosine: 5 });
  assertAlmostEquals((await actual.data())[0]!, Math.max(...best, 0), 1e-5);
  tf.dispose([places, actual]);
});
