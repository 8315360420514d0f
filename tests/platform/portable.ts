/**
 * The same work on every runtime: the functions of `./browser`, and what they came to. Bundled for Node, Bun and browsers; run as it is
 * by Deno.
 */
import {
  ACE_LORA_HGNN,
  ACE_LORA_LORA,
  aceLoraModel,
  classifyImages,
  decodeImage,
  explainImages,
  fit,
  type FitOptions,
  initAceLora,
  loadAdapter,
  loadClip,
  loadFolder,
  loadPairs,
  mountFiles,
  pairSource,
  saveAdapter,
  selectBackend,
  setAssets,
  trainingSet,
} from "../../lib/browser/mod.ts";
import { decodeSafetensors } from "../../lib/io/safetensors.ts";
import { toFloat32 } from "../../lib/io/tensors.ts";
import { newSha256 } from "../../lib/platform/sha256.ts";
import { system } from "../../lib/platform/system.ts";
import { deriveSeed } from "../../lib/tensor/random.ts";
import { DEMO_SMOKE } from "../../lib/reproduction/demo/demo.ts";

/** What is to be done. */
export interface PortableTask {
  /** Backend. */
  backend: "wasm" | "webgpu" | "cpu";
  /** Threads of the wasm backend. */
  threads?: number;
  /** Files by path: `films/*`, `cohort/pairs.csv.gz` and its images. In a browser they are mounted. */
  films: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
  /** Folder of the films, and one that can be written to. */
  folder: string;
  /** A browser's assets. */
  assets?: string;
  /** Pairs adapted to, in batches of `batch`. */
  pairs: number;
  /** Pairs a step. */
  batch: number;
}

/** What each function came to: a digest where every bit counts, else numbers. */
export interface PortableResult {
  /** Backend, adapter and threads. */
  backend: string;
  /** Whether the page is isolated; absent elsewhere. */
  isolated?: boolean;
  /** SHA-256 by function. */
  bits: Record<string, string>;
  /** Numbers by function. */
  numbers: Record<string, number[]>;
  /** Seconds by function. */
  seconds: Record<string, number>;
}

/** Does the task. */
export async function run(task: PortableTask): Promise<PortableResult> {
  const { films, folder, pairs, batch } = task;
  if (task.assets !== undefined) {
    setAssets(task.assets);
    mountFiles(
      Object.fromEntries(Object.entries(films).map(([path, bytes]) => [`${folder}/${path}`, new Blob([bytes])])),
    );
  }
  const result: PortableResult = { backend: "", bits: {}, numbers: {}, seconds: {} };
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  if (crossOriginIsolated !== undefined) result.isolated = crossOriginIsolated;
  const timed = async <T>(name: string, body: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    const value = await body();
    result.seconds[name] = (performance.now() - start) / 1000;
    return value;
  };
  const digest = (data: Uint8Array): string => newSha256().update(data).digest("hex");

  const names = Object.keys(films).filter((path) => path.startsWith("films/"));
  const images = await timed("decodeImage", async () => {
    const out = [];
    for (const path of names) out.push({ name: path, raster: await decodeImage(films[path]!, path) });
    return out;
  });
  for (const { name, raster } of images) {
    const { buffer, byteOffset, byteLength } = raster.data;
    result.bits[`decodeImage ${name.split("/").at(-1)}`] = digest(new Uint8Array(buffer, byteOffset, byteLength));
  }

  const { name, adapter } = await selectBackend({
    backend: task.backend,
    ...(task.threads === undefined ? {} : { wasm: { threads: task.threads } }),
  });
  result.backend = `${name}, ${adapter}`;
  const clip = await timed("loadClip", () => loadClip());
  const { params, config: encoders, tokenizer } = clip;
  const classifier = { params, config: { encoders, learnScale: false }, tokenizer };
  const labels = ["pneumonia", "pleural effusion", "no finding"];
  const shown = images.map(({ name, raster }) => ({ name, image: () => Promise.resolve(raster) }));
  const answers = await timed("classifyImages", () => classifyImages(classifier, shown, labels));
  result.numbers["classifyImages"] = answers.flatMap(({ scores }) => Object.values(scores));
  const explained = await timed(
    "explainImages",
    () => explainImages(params, images.map(({ raster }) => raster), classifier.config),
  );
  result.numbers["explainImages"] = explained.flatMap(({ attention }) => [...attention]);

  const root = `${folder}/cohort`;
  const cohort = await timed("loadPairs", () => loadPairs(root, { csv: "pairs.csv.gz", text: "text", label: "label" }));
  result.bits["loadPairs"] = cohort.split.hash;
  result.bits["loadFolder"] = (await timed("loadFolder", () => loadFolder(`${root}/classes`))).split.hash;

  // The demo's last method, from the demo's seeds.
  const { seed, epochs, learningRate } = DEMO_SMOKE;
  const hgnn = { ...ACE_LORA_HGNN, hidden: encoders.embedding / 4 };
  const config = { encoders, lora: ACE_LORA_LORA, hgnn };
  const model = aceLoraModel(config, "ACE-LoRA");
  const start = await initAceLora(params, config, { seed });
  const source = pairSource(trainingSet(pairs, deriveSeed(seed, "training")), encoders, tokenizer);
  const settings: FitOptions = { epochs, batchSize: batch, learningRate, warmupEpochs: 0.5, seed };
  const whole = await timed("fit", () => fit(model, start, source, settings));
  const path = `${folder}/adapter.safetensors`;
  await timed("saveAdapter", () => saveAdapter(path, whole.params, config));
  const bytes = await system.readFile(path);
  result.bits["fit and saveAdapter"] = digest(bytes);
  const { tensors } = await decodeSafetensors(bytes);
  result.numbers["fit and saveAdapter"] = [...tensors.values()].flatMap((tensor) => [...toFloat32(tensor)]);
  result.numbers["fit"] = whole.history.map(({ loss }) => loss);

  // The same in two parts, the second from a state on disk.
  const stop = new AbortController();
  const statePath = `${folder}/state.safetensors`;
  const part = await fit(model, start, source, {
    ...settings,
    statePath,
    signal: stop.signal,
    onStep: () => stop.abort(),
  });
  if (!part.interrupted) throw new Error("the first part must end early");
  const resumed = await timed(
    "fit, resumed",
    () => fit(model, start, source, { ...settings, statePath, resume: true }),
  );
  await saveAdapter(path, resumed.params, config);
  const isSame = digest(await system.readFile(path)) === result.bits["fit and saveAdapter"];
  result.bits["fit, stopped and resumed"] = isSame ? "as without a stop" : "other than without a stop";

  const loaded = await loadAdapter(path, params, encoders);
  const [again] = await classifyImages({ ...loaded, tokenizer }, shown.slice(0, 1), labels);
  result.numbers["loadAdapter"] = Object.values(again!.scores);
  return result;
}
