/** A run of the page, and the same on Deno. */
import { ACE_LORA_HGNN } from "../../lib/hypergraph/ace_hgnn.ts";
import { aceLoraModel, initAceLora } from "../../lib/ace_lora.ts";
import { saveAdapter } from "../../lib/adapters/model.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { pairSource } from "../../lib/data/sources.ts";
import { trainingSet } from "../../lib/data/synthetic/sets.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { deriveSeed } from "../../lib/tensor/random.ts";
import { fit } from "../../lib/train/fit.ts";
import type { App } from "./driver.ts";

/** A run on drawn pairs: fields of the form by their ids. */
export interface PageRun {
  count: number;
  batch: number;
  epochs: number;
  seed: number;
  rate: number;
}

/** Fills the form and starts. */
export async function startRun(app: App, run: PageRun): Promise<void> {
  for (const [id, value] of Object.entries(run)) await app.fill(id, value);
  await app.press("run-start");
}

/** The adapter that Deno trains from the same settings, of the shipped model or another one's folder. */
export async function adapterOfDeno(path: string, run: PageRun, model?: string): Promise<Uint8Array> {
  await selectBackend({ backend: "wasm" });
  const { params, config: encoders, tokenizer } = await loadClip(model);
  const hidden = Math.round(encoders.embedding / 4);
  const config = { encoders, lora: ACE_LORA_LORA, hgnn: { ...ACE_LORA_HGNN, hidden } };
  const { seed, count, epochs, batch: batchSize, rate: learningRate } = run;
  const start = await initAceLora(params, config, { seed });
  const source = pairSource(trainingSet(count, deriveSeed(seed, "training")), encoders, tokenizer);
  const settings = { epochs, batchSize, learningRate, warmupEpochs: 0.5, seed };
  const result = await fit(aceLoraModel(config, "ACE-LoRA"), start, source, settings);
  await saveAdapter(path, result.params, config, { chose: new Set() }); // as in the page, nothing was validated
  disposeParams(result.params, params);
  disposeParams(start);
  return await Deno.readFile(path);
}

/**
 * For `inWorkers`: a run that can be held. Its clock is so fast that every step is told and kept, which is else done every
 * fifth of a second and every ten, and {@linkcode holdRun} keeps it from ending before the test has done what it means to do.
 */
export const HELD_RUN: string = `{
  const now = performance.now.bind(performance);
  performance.now = () => 1e4 * now();
  const tell = postMessage.bind(globalThis);
  let left = Infinity, held, later;
  const hold = () => {
    later = setTimeout.bind(globalThis);
    // A run pauses for no time between its steps.
    globalThis.setTimeout = (turn, wait, ...rest) => held && wait === 0 ? held.push(turn) : later(turn, wait, ...rest);
  };
  globalThis.postMessage = (message, ...rest) => {
    if (!later) hold(); // there are no timers yet before the worker's first line
    if (message?.event === "step" && --left <= 0) held ??= [];
    tell(message, ...rest);
  };
  globalThis.holdAfter = (steps) => left = steps;
  addEventListener("message", ({ data }) => {
    if (data.name !== "stopAdapting") return;
    left = Infinity;
    for (const turn of held?.splice(0) ?? []) later(turn, 0);
    held = undefined;
  });
}`;

/** Lets the next run of the page's workers take so many steps and no more until it is stopped. */
export async function holdRun(app: App, steps: number): Promise<void> {
  await app.page.evaluateInWorkers(`void holdAfter(${steps})`);
}

/** Steps in the state that is kept, or 0. */
export const STEPS_KEPT: string = `(async () => {
  try {
    const run = await (await navigator.storage.getDirectory()).getDirectoryHandle("run");
    const file = await (await run.getFileHandle("state.safetensors")).getFile();
    const length = new DataView(await file.slice(0, 8).arrayBuffer()).getUint32(0, true);
    return Number(JSON.parse(await file.slice(8, 8 + length).text()).__metadata__.step);
  } catch {
    return 0;
  }
})()`;
