/**
 * ACE-LoRA: parameter-efficient adaptation of medical vision-language models, on Deno.
 *
 * A frozen image-text model gets LoRA in its attention and ACE-HGNN over its tokens, and learns from image-report pairs with
 * the label-guided InfoNCE loss. Every block is a pure function over plain records of tensors: it borrows what it is given
 * and returns new tensors that the caller owns.
 *
 * Letters in shapes: B batch, N tokens, D width (768), E embedding (512), H heads, R rank, K members of a hyperedge,
 * C classes, P prompts, S image side in pixels.
 *
 * @example Zero-shot scores of the shipped mini model
 * ```ts
 * import { aceLoraModel, classifyZeroShot, classPrompts, imageSource, loadModel, rsnaLike, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config, tokenizer } = await loadModel();
 * const set = rsnaLike(4, 1); // synthetic radiographs
 * const model = aceLoraModel({ encoders: config, learnScale: false });
 * const prompts = classPrompts(set.classes, config, tokenizer);
 * const scores = await classifyZeroShot(model, params, imageSource(set.cases, config), prompts);
 * assertEquals(scores.length, set.cases.length * set.classes.length);
 * ```
 *
 * @module
 */
export * from "./lib/ace_lora.ts";
export * from "./lib/model.ts";
export * from "./lib/adapters/mod.ts";
export * from "./lib/clip/mod.ts";
export * from "./lib/dense/mod.ts";
export * from "./lib/eval/mod.ts";
export { averagePrecision } from "./lib/eval/metrics/precision_recall.ts";
export * from "./lib/hypergraph/mod.ts";
export * from "./lib/losses/mod.ts";
export * from "./lib/peft/mod.ts";
export * from "./lib/reproduction/mod.ts";
export * from "./lib/tensor/mod.ts";
export * from "./lib/train/mod.ts";
export { chexpert5xN, rsnaLike, siimLike, syntheticChest, trainingSet } from "./lib/data/synthetic/mod.ts";
export { describeDataset } from "./lib/data/dataset.ts";
export { loadFolder } from "./lib/data/folder.ts";
export { loadPairs } from "./lib/data/pairs.ts";
export { classPrompts, imageSource, pairSource } from "./lib/data/sources.ts";
export { hashPath } from "./lib/io/hash_path.ts";
export { gitRevision, versions } from "./lib/io/run_facts.ts";
export { readImage } from "./lib/image/read.ts";
export { toPixels } from "./lib/image/preprocess.ts";
export { encode } from "./lib/text/tokenizer.ts";
export { loadTokenizer } from "./lib/text/load_tokenizer.ts";
export * from "./lib/display/mod.ts";
