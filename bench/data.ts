/**
 * The groups `decoding` and `feeding` of the bench: films to squares beside Pillow and pydicom, and what keeps a training run
 * waiting. Decoding is compared by processor time, which other work on the machine lengthens less than the clock's.
 *
 * @module
 */
import process from "node:process";
import { encode } from "fast-png";
import { join } from "@std/path";
import { aceLoraModel, initAceLora } from "../lib/ace_lora.ts";
import { BIOMED_CLIP, MINI } from "../lib/clip/architectures.ts";
import { loadClip } from "../lib/clip/load.ts";
import { loadPairs } from "../lib/data/pairs.ts";
import { openDecodePool } from "../lib/data/pixels/decode_pool.ts";
import { decodeFile } from "../lib/data/pixels/decode.ts";
import { openImageReader } from "../lib/data/pixels/reader.ts";
import { pairSource, squareTransform } from "../lib/data/sources.ts";
import { trainingSet } from "../lib/data/synthetic/sets.ts";
import { ACE_LORA_HGNN } from "../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../lib/peft/lora/config.ts";
import { errorMessage } from "../lib/platform/error_message.ts";
import { disposeParams } from "../lib/tensor/params.ts";
import { initWasm } from "../lib/tensor/wasm/init.ts";
import type { FitOptions } from "../lib/train/options.ts";
import { fit } from "../lib/train/fit.ts";
import { openRunLog } from "../lib/train/log/run_log.ts";
import type { Bench } from "./groups.ts";
import { type Contender, ours, takeTurns, times } from "./measure.ts";
import { contender, type Peer, startDecoders } from "./peers/peer.ts";
import { atLeast, atMost, loadAverage, measurement } from "./record.ts";
import { filmJpeg } from "./rehearsal/film.ts";
import { succeed } from "./rehearsal/process.ts";

/** Processor milliseconds of all threads of this process. */
function processorTime(name: string, work: () => Promise<unknown>): Contender {
  const run = async (): Promise<number> => {
    const began = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1000;
  };
  return { name, run };
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  await Deno.mkdir("results/bench", { recursive: true });
  const folder = await Deno.realPath(await Deno.makeTempDir({ dir: "results/bench", prefix: "data-" }));
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** How a film becomes a square of 224 pixels. */
const SQUARE = { ...squareTransform(BIOMED_CLIP, "train"), exif: false };

/** One film, decoded in turns with a Python that does the same. */
async function compareDecoding(bench: Bench, peer: Peer, name: string, path: string): Promise<void> {
  const rival = path.endsWith(".jpg") ? "Pillow" : "pydicom, pylibjpeg and Pillow";
  const other = await contender(peer, rival, { path }, 1);
  const mine = processorTime("ace-lora", () => decodeFile(path, SQUARE));
  const made = measurement(
    `${name}, 2544 x 3056 grey to 224, processor time`,
    1,
    await takeTurns([mine, other], { warmUp: 2, least: 7, most: 15, seconds: 20 }),
  );
  await other.drop();
  await bench.onMeasurement("decoding", made);
  bench.onAim(
    atMost(`${name} to 224, against ${rival}`, rival === "Pillow" ? 1 : 1.1, Object.values(made.ratios)[0]!),
  );
}

/** A JPEG, and the DICOM files that a Python makes of it, against Pillow, pydicom and pylibjpeg. */
async function decodingBesidePython(bench: Bench, folder: string, jpeg: string, progressive: string): Promise<void> {
  try {
    const peer = await startDecoders();
    await compareDecoding(bench, peer, "JPEG", jpeg);
    await compareDecoding(bench, peer, "progressive JPEG", progressive);
    try {
      const films = await peer.ask({ do: "make", jpeg, folder }) as Record<string, string>;
      for (const [name, path] of Object.entries(films)) await compareDecoding(bench, peer, name, path);
    } catch (error) {
      bench.onSkip("DICOM beside pydicom and pylibjpeg, which are yours to install", errorMessage(error));
    }
    await peer.close();
  } catch (error) {
    bench.onSkip("Pillow (ACE_PYTHON names a Python that has it)", errorMessage(error));
  }
}

/** 16 copies of a JPEG, decoded by one worker and by two. */
async function decodingInWorkers(bench: Bench, folder: string, jpeg: string): Promise<void> {
  const paths = Array.from({ length: 16 }, (_, i) => join(folder, `${i}.jpg`));
  for (const path of paths) await Deno.copyFile(jpeg, path);
  const pools = [1, 2].map((workers) => openDecodePool({ workers }));
  const sides = pools.map((pool) =>
    ours(`${pool.workers} worker${pool.workers === 1 ? "" : "s"}`, async () => {
      await Promise.all(paths.map((path) => pool.decode(path, SQUARE)));
    })
  );
  const made = measurement(
    "16 JPEGs in workers",
    2,
    await takeTurns(sides, { warmUp: 1, least: 5, most: 9, seconds: 20 }),
  );
  pools.forEach((pool) => pool.close());
  await bench.onMeasurement("decoding", made);
  bench.onAim(atLeast("two workers against one", 1.8, Object.values(made.ratios)[0]!, "times the rate"));
}

/** One film of 2544 x 3056 as JPEG and as DICOM, to a square of 224 pixels; then many JPEGs by one worker and by two. */
export async function decodingGroup(bench: Bench): Promise<void> {
  await inFolder(async (folder) => {
    const size = { width: 2544, height: 3056 };
    const [jpeg, progressive] = [join(folder, "film.jpg"), join(folder, "progressive.jpg")];
    await Deno.writeFile(jpeg, await filmJpeg({ seed: 3, ...size }));
    await Deno.writeFile(progressive, await filmJpeg({ seed: 3, ...size, isProgressive: true }));
    await decodingBesidePython(bench, folder, jpeg, progressive);
    await decodingInWorkers(bench, folder, jpeg);
  });
}

/** `count` drawn pairs of 64 pixels as a table and PNG files. */
async function writePairs(folder: string, count: number): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const rows = ["path,text"];
  for (const [i, one] of trainingSet(count, 1).cases.entries()) {
    const { width, height, data } = await one.image();
    await Deno.writeFile(join(folder, `${i}.png`), encode({ width, height, channels: 1, depth: 8, data }));
    rows.push(`${i}.png,"${one.text!.replaceAll('"', '""')}"`);
  }
  await Deno.writeTextFile(join(folder, "pairs.csv"), rows.join("\n"));
  return join(folder, "pairs.csv");
}

/** Trains from where the model was, and forgets what was trained. */
type Train = (options: FitOptions) => Promise<void>;

/** Gives `use` a training of the mini model on 320 cached images. */
async function withCachedPairs(folder: string, use: (train: Train) => Promise<void>): Promise<void> {
  const table = await writePairs(join(folder, "pairs"), 320);
  const { params: base, config: encoders, tokenizer } = await loadClip();
  const config = { encoders, lora: ACE_LORA_LORA, hgnn: { ...ACE_LORA_HGNN, hidden: encoders.embedding / 4 } };
  const dataset = await loadPairs(table, { text: "text", chexpert: false });
  const start = await initAceLora(base, config);
  const reader = openImageReader({ cache: join(folder, "cache"), workers: 1 });
  for (const { path } of dataset.cases) await reader.read(path!, squareTransform(MINI, "train"));
  await reader.flush();
  const source = pairSource(dataset, encoders, tokenizer, { reader });
  await use(async (options) => {
    const { params } = await fit(aceLoraModel(config), start, source, { loss: "info-nce", ...options });
    disposeParams(params, start);
  });
  await reader.close();
  disposeParams(start);
}

/** The share of a step that waits for images read from the cache. */
async function waitingForData(bench: Bench, train: Train): Promise<void> {
  const shares: number[] = [];
  await train({
    epochs: 3,
    onStep: ({ step, waiting, seconds }) => void (step > 1 && shares.push(waiting / seconds)),
  });
  const percent = times(shares.map((share) => 100 * share));
  bench.onAim(
    atMost(
      "waiting for data with the cache, MINI, batch 64",
      2,
      { ...percent, low: percent.min, high: percent.max },
      "%",
    ),
  );
}

/** Steps with all that is written beside them, against bare ones. */
async function stepsThatWrite(bench: Bench, folder: string, train: Train): Promise<void> {
  let run = 0;
  const written = async (): Promise<void> => {
    const out = join(folder, `run ${run++}`);
    const log = openRunLog(out);
    await train({
      ...{ epochs: 5, batchSize: 64, microBatch: 16, statePath: join(out, "state.safetensors"), saveSteps: 100 },
      onStart: (report) => log.onStart(report),
      onStep: (report) => log.onStep(report),
      onSave: () => log.onSave(),
    });
    await log.close(false);
  };
  const sides = [
    processorTime("with log, page and state", written),
    processorTime("bare", () => train({ epochs: 5, batchSize: 64, microBatch: 16 })),
  ];
  const made = measurement(
    "MINI, 25 steps of 64 pairs, log, page and five states against bare, processor time",
    1,
    await takeTurns(sides, { warmUp: 1, least: 3, most: 7, seconds: 60 }),
  );
  await bench.onMeasurement("feeding", made);
  bench.onAim(atMost("a step with log, page and state, against bare", 1.03, Object.values(made.ratios)[0]!));
}

/** What the size of the set adds to a training's memory. */
async function memoryOfSets(bench: Bench, folder: string): Promise<void> {
  const peaks: Record<string, number> = {};
  for (const count of [200, 2000]) {
    const pairs = await writePairs(join(folder, `pairs of ${count}`), count);
    const cache = join(folder, `cache of ${count}`);
    const { peak } = await succeed("train", [
      ...["--pairs", pairs, "--cache", cache, "--loss", "info-nce", "--batch-size", "50", "--micro-batch", "25"],
      ...["--epochs", `${2000 / count}`, "--backend", "wasm", "--out", join(folder, `out of ${count}`)],
    ]);
    if (peak === null) return bench.onSkip("peak memory by the set's size", "no /proc here");
    peaks[`${count} images: peak MiB`] = peak;
  }
  const [few, many] = Object.values(peaks) as [number, number];
  const name = "MINI, 40 steps of 50 pairs, sets of 200 and 2,000 images (VmHWM)";
  await bench.onMeasurement("feeding", { name, threads: 1, load: loadAverage(), times: {}, ratios: {}, more: peaks });
  const growth = 100 * (many / few - 1);
  bench.onAim(
    atMost("peak memory, 2,000 against 200 images, growth", 5, { median: growth, low: growth, high: growth }, "%"),
  );
}

/** Waiting for images read from the cache, a step with all that is written beside it, and memory by the set's size. */
export async function feedingGroup(bench: Bench): Promise<void> {
  await initWasm({ threads: 1 }); // a thread that waits for work takes processor time
  await inFolder(async (folder) => {
    await withCachedPairs(folder, async (train) => {
      await waitingForData(bench, train);
      await stepsThatWrite(bench, folder, train);
    });
    await memoryOfSets(bench, folder);
  });
}
