/** BiomedCLIP at its real width: this package against the PyTorch code of tests/parity/reference, on the same files. */
import * as tf from "@tensorflow/tfjs";
import { join } from "@std/path";
import { aceLoraModel, imageTokens, textTokens } from "../../lib/ace_lora.ts";
import { rsnaLike } from "../../lib/data/synthetic/sets.ts";
import { promptTexts } from "../../lib/clip/zero_shot/prompts.ts";
import { encodeClasses, encodeImages, zeroShotScores } from "../../lib/clip/zero_shot/scores.ts";
import { chosenHyperedges } from "../../lib/hypergraph/ace_hgnn.ts";
import { toPixels } from "../../lib/image/preprocess.ts";
import { readImage } from "../../lib/image/read.ts";
import { BIOMED_CLIP } from "../../lib/clip/architectures.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor, type TensorData, toFloat32 } from "../../lib/io/tensors.ts";
import { loadAdapter } from "../../lib/adapters/model.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import type { Tensor2D, Tensor4D } from "../../lib/tensor/types.ts";
import { loadTokenizer } from "../../lib/text/load_tokenizer.ts";
import { encode } from "../../lib/text/tokenizer.ts";

const HERE = new URL(".", import.meta.url).pathname;
const MINI_VOCABULARY = new URL("../../data/mini_vocab.txt", import.meta.url).pathname;

/** Where the released adapter and real images may lie. */
export const REAL_DATA = Deno.env.get("ACE_REAL_DATA") ?? new URL("../../../shared/data", import.meta.url).pathname;

/** Radiographs that are encoded where they are there: JPEG and DICOM. */
const REAL_IMAGES = [
  "dicom/chest_nih_dx_implicit.dcm",
  "dicom/chest_nih_udacity2_rle.dcm",
  "covidcxr/images/000001-6.jpg",
  "covidcxr/images/16660_1_1.jpg",
];
const LABELS = ["pneumonia", "no finding", "pleural effusion"];
const IMAGES = 4;
const SIDE = BIOMED_CLIP.vision.imageSize;
const CONTEXT = BIOMED_CLIP.text.contextLength;

/** What is checked. */
export interface FullSizeSettings {
  /** Folder for the files. */
  folder: string;
  /** Layers of each tower: 12, or fewer for a cut. */
  layers: number;
  /** Rows of the word table: 28,895 or 30,522. */
  vocabulary: number;
  /** A Python with torch and safetensors. */
  python: string;
}

/** What PyTorch said about its run. */
export interface ReferenceFacts {
  torch: string;
  threads: number;
  smallest_gap: number;
  seconds: { load: number; image: number; text: number };
}

export const exists = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false);

const realFile = async (name: string): Promise<string | undefined> => {
  const path = join(REAL_DATA, name);
  return await exists(path) ? path : undefined;
};

async function python(settings: FullSizeSettings, script: string, args: string[]): Promise<string> {
  const output = await new Deno.Command(settings.python, { args: [join(HERE, script), ...args] }).output();
  if (!output.success) throw new Error(new TextDecoder().decode(output.stderr));
  return new TextDecoder().decode(output.stdout);
}

/** The tokeniser: the real one, or the mini model's, whose ids are rows of any table. */
export const tokenizerPath = async (): Promise<string> =>
  await realFile("biomedclip/biomedclip_tokenizer.json") ?? MINI_VOCABULARY;

/** Writes the checkpoint and the adapter: the released one where it is there. Returns the checkpoint's parameters. */
export async function makeFiles(settings: FullSizeSettings): Promise<number> {
  const adapter = await realFile("ace_lora/ACE_LoRA.pt");
  const args = ["--out", settings.folder, "--layers", `${settings.layers}`, "--vocabulary", `${settings.vocabulary}`];
  return Number(await python(settings, "make_checkpoint.py", [...args, ...(adapter ? ["--adapter", adapter] : [])]));
}

/** Writes pixels and ids, and has PyTorch compute the reference from them. */
export async function makeReference(settings: FullSizeSettings): Promise<ReferenceFacts> {
  const real = await Promise.all(REAL_IMAGES.map(realFile));
  const images = real.every((path) => path !== undefined)
    ? await Promise.all(real.map((path) => readImage(path!)))
    : await Promise.all((await rsnaLike(IMAGES, 1)).cases.map((one) => one.image()));
  const { mean, std } = BIOMED_CLIP;
  const pixels = new Float32Array(IMAGES * SIDE * SIDE * 3);
  images.forEach((image, i) =>
    pixels.set(toPixels(image, { size: SIDE, mode: "eval", mean, std }), i * SIDE * SIDE * 3)
  );
  const texts = promptTexts(LABELS);
  const ids = encode(await loadTokenizer(await tokenizerPath()), texts, { contextLength: CONTEXT });
  const tensors = {
    pixels: float32Tensor([IMAGES, SIDE, SIDE, 3], pixels),
    ids: { dtype: "I32", shape: [texts.length, CONTEXT], data: new Uint8Array(ids.buffer) } as TensorData,
  };
  await writeSafetensors(join(settings.folder, "inputs.safetensors"), tensors, {
    prompts: `${texts.length / LABELS.length}`,
  });
  return JSON.parse(await python(settings, "make_reference.py", [settings.folder]));
}

/** Largest absolute differences by name, and what the run took. */
export interface Comparison {
  differences: Record<string, number>;
  /** Whether the members of each image's CLS hyperedge are the same. */
  sameMembers: boolean;
  seconds: { load: number; adapter: number; image: number; text: number };
  vocabulary: number;
}

/** Loads the files, computes all that the reference holds on the backend in use, and compares. */
export async function compare(folder: string): Promise<Comparison> {
  const began = performance.now();
  const lap = (from: number): number => (performance.now() - from) / 1000;
  const { params: base, config: encoders } = await loadClip({
    weights: join(folder, "open_clip_pytorch_model.bin"),
    tokenizer: await tokenizerPath(),
  });
  const loaded = lap(began);
  const adapterBegan = performance.now();
  const { params, config } = await loadAdapter(join(folder, "adapter.pt"), base, encoders);
  const model = aceLoraModel(config);
  const merged = model.forEvaluation(params);
  const adapted = lap(adapterBegan);
  const { tensors: inputs, metadata } = await readSafetensors(join(folder, "inputs.safetensors"));
  const { tensors: expected } = await readSafetensors(join(folder, "reference.safetensors"));
  const differences: Record<string, number> = {};
  const check = (name: string, values: ArrayLike<number>): void => {
    const reference = toFloat32(expected.get(name)!);
    if (reference.length !== values.length) {
      throw new TypeError(`${name}: ${values.length} numbers, expected ${reference.length}`);
    }
    let largest = 0;
    // NaN is greater than no number, so it is made the largest.
    reference.forEach((value, i) =>
      largest = Math.max(largest, Number.isNaN(values[i]!) ? Infinity : Math.abs(value - values[i]!))
    );
    differences[name] = largest;
  };

  const pixels = toFloat32(inputs.get("pixels")!);
  const ids = new Int32Array(inputs.get("ids")!.data.slice().buffer);
  const count = inputs.get("pixels")!.shape[0]!, texts = inputs.get("ids")!.shape[0]!;
  const size = SIDE * SIDE * 3;
  const image = (i: number): Tensor4D => tf.tensor4d(pixels.subarray(i * size, (i + 1) * size), [1, SIDE, SIDE, 3]);
  const text = (i: number): Tensor2D =>
    tf.tensor2d(ids.subarray(i * CONTEXT, (i + 1) * CONTEXT), [1, CONTEXT], "int32");

  const frozen = aceLoraModel({ encoders, learnScale: false });
  const rows = { image: [] as number[], text: [] as number[], imageLora: [] as number[], textLora: [] as number[] };
  const affinities = { image: [] as number[], text: [] as number[] };
  const plain = { frozenImages: [] as number[], frozenTexts: [] as number[] };
  const chosen: number[] = [];
  const seconds = { image: 0, text: 0 };
  const push = async (to: number[], tensor: tf.Tensor): Promise<void> => {
    to.push(...await tensor.data());
    tensor.dispose();
  };
  const cls = (tokens: tf.Tensor3D): tf.Tensor =>
    tf.reshape(tf.slice(tokens, [0, 0, 0], [1, 1, tokens.shape[2]]), [-1]);
  for (let i = 0; i < count; i++) {
    const x = image(i);
    await push(plain.frozenImages, frozen.imageFeatures(base, x));
    const { tokens, affinity } = imageTokens(merged, x, config);
    const [edges] = await chosenHyperedges(tokens, affinity!, config.hgnn!.topK);
    chosen.push(...edges![0]!.members);
    await push(rows.imageLora, cls(tokens as tf.Tensor3D));
    await push(affinities.image, affinity!);
    tokens.dispose();
    const from = performance.now();
    await push(rows.image, model.imageFeatures(merged, x));
    seconds.image += lap(from) / count;
    x.dispose();
  }
  for (let i = 0; i < texts; i++) {
    const x = text(i);
    await push(plain.frozenTexts, frozen.textFeatures(base, x));
    const { tokens, affinity } = textTokens(merged, x, config);
    await push(rows.textLora, cls(tokens as tf.Tensor3D));
    await push(affinities.text, affinity!);
    tokens.dispose();
    const from = performance.now();
    await push(rows.text, model.textFeatures(merged, x));
    seconds.text += lap(from) / texts;
    x.dispose();
  }
  check("image.frozen", plain.frozenImages);
  check("text.frozen", plain.frozenTexts);
  check("image.lora", rows.imageLora);
  check("text.lora", rows.textLora);
  check("image.affinity", affinities.image);
  check("text.affinity", affinities.text);
  check("image.ace", rows.image);
  check("text.ace", rows.text);

  const prompts = Number(metadata["prompts"]);
  const tokens = { ids, contextLength: CONTEXT };
  const source = {
    size: count,
    imageSize: SIDE,
    pixels: (indices: readonly number[]) =>
      Promise.resolve(Float32Array.from(indices.flatMap((i) => [...pixels.subarray(i * size, (i + 1) * size)]))),
  };
  const classes = await encodeClasses(model, merged, tokens, prompts);
  check("class.ace", classes);
  const scaleOf = async (m: typeof model, p: typeof merged): Promise<number> => {
    const scale = m.scale(p);
    const [value] = await scale.data();
    scale.dispose();
    return value!;
  };
  const features = await encodeImages(model, merged, source, { batchSize: 2 });
  check("scores", zeroShotScores(features, classes, await scaleOf(model, merged), encoders.embedding));
  const frozenClasses = await encodeClasses(frozen, base, tokens, prompts);
  const frozenFeatures = Float32Array.from(plain.frozenImages);
  check(
    "scores.frozen",
    zeroShotScores(frozenFeatures, frozenClasses, await scaleOf(frozen, base), encoders.embedding),
  );

  const members = toFloat32(expected.get("image.chosen")!);
  const topK = members.length / count;
  const sorted = (list: ArrayLike<number>, i: number): string =>
    Array.from(list).slice(i * topK, (i + 1) * topK).sort((a, b) => a - b).join();
  // The reference counts tokens with the CLS token first, a hyperedge's members are patches.
  const patches = Array.from(members, (token) => token - 1);
  const sameMembers = Array.from({ length: count }, (_, i) => sorted(patches, i) === sorted(chosen, i)).every(Boolean);
  disposeParams(merged, params);
  disposeParams(params);
  return {
    differences,
    sameMembers,
    seconds: { load: loaded, adapter: adapted, ...seconds },
    vocabulary: encoders.text.vocabularySize,
  };
}
