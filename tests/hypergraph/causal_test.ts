/** ACE-HGNN on a causal text tower, against loops in float64 over the tower's own numbers. */
import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals } from "@std/assert";
import { type AceLoraConfig, aceLoraModel, initAceLora } from "../../lib/ace_lora.ts";
import { CLIP_VIT_B_16 } from "../../lib/clip/architectures.ts";
import type { ClipConfig } from "../../lib/clip/config.ts";
import { initClip } from "../../lib/clip/params.ts";
import { encodeText } from "../../lib/clip/towers/text.ts";
import { hypergraph } from "../../lib/hypergraph/affinities.ts";
import type { BlockParams } from "../../lib/nn/transformer.ts";
import type { LinearParams } from "../../lib/nn/linear.ts";
import { l2Normalise } from "../../lib/tensor/kernels/l2_normalise/api.ts";
import type { Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose } from "../close.ts";

const CONFIG: ClipConfig = {
  ...CLIP_VIT_B_16,
  vision: { ...CLIP_VIT_B_16.vision, imageSize: 16, patchSize: 8, width: 8, depth: 1, heads: 2, mlpWidth: 16 },
  text: {
    ...CLIP_VIT_B_16.text,
    ...{ vocabularySize: 40, contextLength: 8, positions: 8, width: 8, depth: 1, heads: 2, mlpWidth: 16 },
  },
  embedding: 6,
};
/** The largest id ends a text; what follows must not be seen. */
const IDS = [[38, 5, 6, 7, 39, 0, 0, 0], [38, 9, 39, 1, 2, 3, 4, 5], [38, 1, 2, 3, 4, 5, 6, 39]];
const ENDS = [4, 2, 7];

type Rows = number[][];
const rowsOf = async (x: tf.Tensor): Promise<Rows> => await x.array() as Rows;
const norm = (row: number[], weight: number[], bias: number[]): number[] => {
  const mean = row.reduce((a, b) => a + b, 0) / row.length;
  const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
  return row.map((x, i) => (x - mean) / Math.sqrt(variance + 1e-5) * weight[i]! + bias[i]!);
};
const dense = async (layer: LinearParams): Promise<(row: number[]) => number[]> => {
  const weight = await rowsOf(layer.weight);
  const bias = layer.bias ? await layer.bias.array() : undefined;
  return (row) => weight.map((w, o) => w.reduce((sum, x, i) => sum + x * row[i]!, bias?.[o] ?? 0));
};

/** The mean over heads of the end token's attention to the others, in their order; `probabilities` or logits. */
async function attentionOfEnd(
  block: BlockParams,
  input: Rows,
  end: number,
): Promise<{ logits: number[]; p: number[] }> {
  const { attention, norm1 } = block;
  const [weight, bias] = [await norm1.weight.array(), await norm1.bias.array()];
  const normed = input.map((row) => norm(row, weight, bias));
  const [query, key] = [await dense(attention.query), await dense(attention.key)];
  const [q, k] = [query(normed[end]!), normed.map(key)];
  const others = input.map((_, i) => i).filter((i) => i !== end);
  const logits = new Array<number>(others.length).fill(0);
  const p = new Array<number>(others.length).fill(0);
  for (const head of [0, 1]) {
    const score = (i: number): number =>
      [0, 1, 2, 3].reduce((s, d) => s + q[4 * head + d]! * k[i]![4 * head + d]!, 0) / 2;
    const sum = input.reduce((s, _, i) => i <= end ? s + Math.exp(score(i)) : s, 0);
    others.forEach((i, place) => {
      logits[place]! += i < end ? score(i) / 2 : -5e8;
      p[place]! += i < end ? Math.exp(score(i)) / sum / 2 : 0;
    });
  }
  return { logits, p };
}

testOnBackends(
  "encodeText() of a causal tower puts the end of text first, with its query's attention to the others",
  async () => {
    const params = initClip(CONFIG, 4);
    const ids = tf.tensor2d(IDS, [3, 8], "int32") as Tensor2D;
    const { word, position, layers } = params.text.trunk;
    const [words, places] = [await rowsOf(word), await rowsOf(position)];
    const all = encodeText(params, ids, CONFIG, { affinity: "probabilities" });
    const raw = encodeText(params, ids, CONFIG, { affinity: "logits" });
    const only = encodeText(params, ids, CONFIG, { clsOnly: true, affinity: "probabilities" });
    assertEquals([all.tokens.shape, all.affinity!.shape, only.tokens.shape], [[3, 8, 6], [3, 7], [3, 1, 6]]);
    const expected = await Promise.all(IDS.map((text, b) => {
      const input = text.map((id, n) => words[id]!.map((x, i) => x + places[n]![i]!));
      return attentionOfEnd(layers[0]!, input, ENDS[b]!);
    }));
    await assertClose(all.affinity!, tf.tensor2d(expected.map(({ p }) => p)), 1e-5, "probabilities");
    await assertClose(only.affinity!, all.affinity!, 1e-6, "probabilities, one token computed");
    const seen = tf.greater(raw.affinity!, -1e8);
    await assertClose(
      tf.cast(seen, "float32"),
      tf.tensor2d(expected.map(({ p }) => p.map((x) => x > 0 ? 1 : 0))),
      0,
      "seen",
    );
    const visible = (x: tf.Tensor): tf.Tensor => tf.where(seen, x, tf.zerosLike(x));
    await assertClose(
      visible(raw.affinity!),
      visible(tf.tensor2d(expected.map(({ logits }) => logits))),
      1e-5,
      "logits",
    );
    await assertClose(tf.slice(all.tokens, [0, 0, 0], [3, 1, 6]), only.tokens, 1e-5, "the read token");
  },
);

testOnBackends(
  "ACE-HGNN of a causal tower works on [end of text, the others]; what follows the end changes nothing",
  async () => {
    const base = initClip(CONFIG, 4);
    const config: AceLoraConfig = {
      encoders: CONFIG,
      hgnn: { topK: 2, hidden: 3, encoders: ["text"] },
      textAffinity: "probabilities",
    };
    const params = await initAceLora(base, config);
    const ids = tf.tensor2d(IDS, [3, 8], "int32") as Tensor2D;
    const features = aceLoraModel(config).textFeatures(params, ids);
    // The same from parts: tokens in the text's own order, the end's row taken out by hand.
    const { tokens, affinity } = encodeText(params, ids, CONFIG, { affinity: "probabilities" });
    const direct = hypergraph(params.hgnn!.text!, l2Normalise(tokens) as Tensor3D, affinity!, config.hgnn!);
    await assertClose(features, l2Normalise(direct), 1e-6, "features");
    const other = tf.tensor2d(
      [[38, 5, 6, 7, 39, 1, 2, 3], [38, 9, 39, 0, 0, 0, 0, 0], IDS[2]!],
      [3, 8],
      "int32",
    ) as Tensor2D;
    const again = encodeText(params, other, CONFIG, { affinity: "probabilities" });
    await assertClose(again.affinity!, affinity!, 1e-6, "affinity");
    const kept = (x: Tensor3D): tf.Tensor => tf.slice(x, [0, 0, 0], [3, 3, 6]); // the end and two before it
    await assertClose(kept(again.tokens), kept(tokens), 1e-5, "tokens");
    assert(
      (await tf.sum(tf.abs(tf.sub(features, aceLoraModel({ encoders: CONFIG }).textFeatures(base, ids)))).data())[0]! >
        1e-3,
    );
  },
);
