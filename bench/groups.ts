/** The groups of the bench: what is timed against what, and the aims each figure answers to. @module */
import { HEAP } from "../lib/cli/permissions.ts";
import { errorMessage } from "../lib/platform/error_message.ts";
import { initWasm } from "../lib/tensor/wasm/init.ts";
import { encoding, imageTower, trainingStep } from "./counts.ts";
import { type Contender, type Effort, inUnit, ours, ratio, takeTurns, type Times, times } from "./measure.ts";
import { contender, NATIVE, type Peer, type PeerContender } from "./peers/peer.ts";
import { blockPiece, FORMS, hgnnPiece, matmulPiece, peakRun } from "./pieces.ts";
import { type Aim, atLeast, atMost, loadAverage, type Measurement, measurement } from "./record.ts";
import { makeWork, SIZES, type WorkOptions } from "./work.ts";

/** What the groups work with. */
export interface Bench {
  /** PyTorch, where it is. */
  torch?: Peer;
  /** onnxruntime-web, transformers.js and jax-js, where they are. */
  javaScript?: Peer;
  /** This library with 256-bit products, where V8 can. */
  wide?: Peer;
  /** This library as `deno task native` has it, where a system BLAS library is. */
  native?: Peer;
  /** Two processes of MPI, one thread each, likewise. */
  ranks?: Peer;
  /** Numbers of threads to compare at, e.g. 1 and 2. */
  threads: readonly number[];
  /** Folder of the image tower as ONNX, where it could be exported. */
  onnxPath?: string;
  /** Called with each measurement as it is made; it is on disk once this resolves. */
  onMeasurement(group: string, measurement: Measurement): Promise<void>;
  /** Called with each aim's row. */
  onAim(aim: Aim): void;
  /** Called with what had to be left out, and why. */
  onSkip(what: string, reason: string): void;
}

/** The other sides, by the names they have in results. */
const NAMES = {
  wide: "ace-lora, 256-bit",
  native: NATIVE,
  torch: "pytorch",
  onnx: "onnxruntime-web",
  transformers: "transformers.js",
  jax: "jax-js",
  product: "one product of the native library",
} as const;
/** In which process each runs; the others share the JavaScript peers'. */
const PROCESSES: Partial<Record<keyof typeof NAMES, "wide" | "native" | "torch">> = {
  ...{ wide: "wide", native: "native", torch: "torch", product: "native" },
};
/** The product that rates the native library: the first of a block's MLP over eight images. */
const PRODUCT = { kind: "matmul", m: 1576, k: 768, n: 3072 } as const;
type Peers = Partial<Record<keyof typeof NAMES, Record<string, unknown>>>;

/** Ours against the peers, taking turns, at one number of threads. */
async function compare(
  bench: Bench,
  group: string,
  name: string,
  work: { run: () => void | Promise<void>; threads: number; peers: Peers; effort?: Effort },
): Promise<Measurement> {
  const { threads, peers } = work;
  await initWasm({ threads });
  const others: PeerContender[] = [];
  for (const [key, request] of Object.entries(peers) as [keyof typeof NAMES, Record<string, unknown>][]) {
    const peer = PROCESSES[key] ? bench[PROCESSES[key]] : bench.javaScript;
    if (!peer) continue;
    try {
      others.push(await contender(peer, NAMES[key], request, threads));
    } catch (error) {
      bench.onSkip(`${name}: ${NAMES[key]}`, errorMessage(error));
    }
  }
  const made = await takeTurnsWith(bench, name, threads, [ours("ace-lora", work.run)], others, work.effort);
  await bench.onMeasurement(group, made);
  return made;
}

/** Sides and peers taking turns; a peer that dies or does not answer is left out of the row. */
async function takeTurnsWith(
  bench: Bench,
  name: string,
  threads: number,
  sides: readonly Contender[],
  others: readonly PeerContender[],
  effort?: Effort,
): Promise<Measurement> {
  const turns = await takeTurns([...sides, ...others], effort, (side, error) => {
    if (!others.some((other) => other.name === side)) throw error;
    bench.onSkip(`${name}: ${side}`, errorMessage(error));
  });
  for (const other of others) await other.drop();
  const library = turns.has(NATIVE) && bench.native?.versions[NATIVE];
  return { ...measurement(name, threads, turns), ...(library ? { library } : {}) };
}

/** The sides of our own, as rows name them. */
const OURS = {
  plain: ["ace-lora", ""],
  wide: [NAMES.wide, ", 256-bit products"],
  native: [NAMES.native, ", native"],
} as const;

/** Aims against a peer: at most so many times its time, for each side of ours that was there. */
function aimAgainst(
  bench: Bench,
  made: Measurement,
  peer: keyof typeof NAMES,
  name: string,
  limits: Partial<Record<keyof typeof OURS, number>>,
): void {
  const theirs = made.times[NAMES[peer]];
  if (!theirs) return;
  for (const [key, limit] of Object.entries(limits) as [keyof typeof OURS, number][]) {
    const [side, words] = OURS[key];
    const time = made.times[side];
    const library = key === "native" && made.library ? `, ${made.library}` : "";
    if (time) bench.onAim(atMost(name + words + library, limit, ratio(time, theirs)));
  }
}

/** An aim against the floor: the work's operations at the rate the same library reached in one product, turn by turn. */
function aimAgainstFloor(bench: Bench, made: Measurement, flop: number, name: string, limit: number): void {
  const [time, product] = [made.times[NAMES.native], made.times[NAMES.product]];
  if (!time || !product) return;
  const scale = 2 * PRODUCT.m * PRODUCT.k * PRODUCT.n / flop;
  bench.onAim(atMost(`${name}, ${made.library}`, limit, inUnit(ratio(time, product), (times) => times * scale)));
}

/** wasm matmul 512x768x3072 in all forms, against the SIMD peak, PyTorch and jax-js. */
export async function matmulGroup(bench: Bench): Promise<void> {
  const [m, k, n] = [512, 768, 3072];
  await initWasm({ threads: 1 });
  // As long as the product should take: a turn of either is as likely to be interrupted.
  const peak = peakRun(2 * m * k * n / 96);
  const pieces = FORMS.map((form) => ({
    piece: matmulPiece(m, k, n, form),
    name: `${form[0] ? "A'" : "A"} ${form[1] ? "B'" : "B"}`,
  }));
  const sides = await takeTurns(
    [ours("SIMD peak", peak.run), ...pieces.map(({ piece, name }) => ours(name, piece.forward))],
    { warmUp: 4, least: 5, most: 25, seconds: 8 },
  );
  const [[, peakTimes], ...formTimes] = [...sides] as [[string, Times], ...[string, Times][]];
  const scale = 100 * 2 * m * k * n / peak.flop; // 100 %: as many operations in as much time
  const shares = formTimes.map(([, t]) => times(peakTimes.samples.map((p, i) => p / t.samples[i]! * scale)));
  await bench.onMeasurement("matmul", {
    name: `${m}x${k}x${n}, all forms, and the SIMD peak`,
    threads: 1,
    load: loadAverage(),
    times: Object.fromEntries(sides),
    ratios: {},
    more: {
      "SIMD peak, GFLOP/s": peak.flop / peakTimes.median / 1e6,
      ...Object.fromEntries(formTimes.map(([name, t]) => [`${name}, GFLOP/s`, 2 * m * k * n / t.median / 1e6])),
      ...Object.fromEntries(formTimes.map(([name], i) => [`${name}, % of the peak`, shares[i]!.median])),
    },
  });
  const worst = shares.reduce((a, b) => (b.median < a.median ? b : a));
  bench.onAim(
    atLeast(
      `wasm matmul ${m}x${k}x${n}, one thread, slowest of four transpose forms, share of the SIMD peak`,
      60,
      { median: worst.median, low: worst.min, high: worst.max, turns: worst.samples.length },
      "%",
    ),
  );
  for (const threads of bench.threads) {
    await compare(bench, "matmul", `${m}x${k}x${n}, ${threads} thread(s)`, {
      run: pieces[0]!.piece.forward,
      threads,
      peers: {
        wide: { kind: "matmul", m, k, n },
        native: { kind: "matmul", m, k, n },
        torch: { kind: "matmul", m, k, n },
        jax: { kind: "jax-matmul", m, k, n },
      },
      effort: { warmUp: 3, least: 3, most: 15, seconds: 5 },
    });
  }
  for (const { piece } of pieces) piece.dispose();
}

/** Image and text encoding at both sizes. */
export async function encodingGroup(bench: Bench): Promise<void> {
  const time = async (kind: "image" | "text", size: WorkOptions["size"], batch: number, threads: number) => {
    const work = await makeWork({ size, batch });
    const onnx = size === "full" && kind === "image" && bench.onnxPath !== undefined;
    const made = await compare(bench, "encoding", `${size} ${kind} encoding, batch ${batch}, ${threads} thread(s)`, {
      run: kind === "image" ? work.encodeImages : work.encodeTexts,
      threads,
      peers: {
        wide: { kind, size, batch },
        native: { kind, size, batch },
        torch: { kind, size, batch },
        ...(size === "full" && batch === 8 ? { product: PRODUCT } : {}),
        ...(onnx
          ? {
            onnx: { kind: "onnx-image", path: bench.onnxPath, batch, side: 224 },
            transformers: { kind: "transformers-image", path: bench.onnxPath, batch, side: 224 },
          }
          : {}),
      },
      effort: size === "full"
        // A turn of one image is short, and three of them say little.
        ? { warmUp: 4, least: batch === 1 ? 7 : 3, most: 7, seconds: 15, pause: 300 }
        : { warmUp: 3, seconds: 4 },
    });
    work.dispose();
    return made;
  };
  const tower = imageTower(SIZES.full);
  for (const threads of bench.threads) {
    await time("image", "mini", 64, threads);
    const one = await time("image", "full", 1, threads);
    const alone = (rival: string): string => `image encoding, full size, against ${rival}, ${threads} thread(s) each`;
    aimAgainst(bench, one, "onnx", alone("onnxruntime-web"), { plain: 1, wide: 1 });
    aimAgainst(bench, one, "transformers", alone("transformers.js"), { native: 1 });
    const eight = await time("image", "full", 8, threads);
    const name = `image encoding, full size, batch 8, against PyTorch, ${threads} thread(s) each`;
    aimAgainst(bench, eight, "torch", name, { plain: 2.5, wide: 2.5, native: 1 });
    const floor = `image encoding, full size, batch 8, native, against its floor, ${threads} thread(s)`;
    aimAgainstFloor(bench, eight, encoding("", tower, 8).flop, floor, 1.15);
  }
  await time("text", "full", 1, Math.max(...bench.threads));
}

/** A training step with the paper's settings at both sizes. */
export async function trainingGroup(bench: Bench): Promise<void> {
  const time = async (options: WorkOptions, threads: number, effort: Effort) => {
    const work = await makeWork(options);
    const { size, batch, microBatch } = options;
    const micro = microBatch ? ` in micro-batches of ${microBatch}` : "";
    const name = `${size} training step, batch ${batch}${micro}, ${threads} thread(s)`;
    const step = { kind: "step", ...options };
    const peers: Peers = { wide: step, native: step, torch: step, ...(size === "full" ? { product: PRODUCT } : {}) };
    const made = await compare(bench, "training", name, { run: work.step, threads, peers, effort });
    work.dispose();
    return made;
  };
  const flop = trainingStep("", SIZES.full, 4).flop;
  for (const threads of bench.threads) {
    const mini = await time({ size: "mini", batch: 64 }, threads, { warmUp: 3, least: 5, most: 15, seconds: 10 });
    const small = `MINI training step, batch 64, against PyTorch, ${threads} thread(s) each`;
    aimAgainst(bench, mini, "torch", small, { plain: 1.2, wide: 1.2, native: 0.9 });
    const effort: Effort = { warmUp: 2, least: 2, most: 5, seconds: 30 };
    // In micro-batches, which are for memory, with all threads: they take both sides as much longer with one.
    for (const microBatch of threads === Math.max(...bench.threads) ? [4, 2] : [4]) {
      const full = await time({ size: "full", batch: 4, ...(microBatch < 4 ? { microBatch } : {}) }, threads, effort);
      const large = `training step, full size, batch 4${microBatch < 4 ? ` in micro-batches of ${microBatch}` : ""}`;
      aimAgainst(bench, full, "torch", `${large}, against PyTorch, ${threads} thread(s) each`, {
        ...{ plain: 2.5, wide: 2.5, native: 1 },
      });
      // What micro-batches encode twice is not in the floor.
      if (microBatch === 4) {
        aimAgainstFloor(bench, full, flop, `${large}, native, against its floor, ${threads} thread(s)`, 1.3);
      }
    }
  }
}

/** The full-size training step on two processors: by two threads, by two processes of one thread each, and on one. */
export async function ranksGroup(bench: Bench): Promise<void> {
  const { native, ranks } = bench;
  if (!native || !ranks) return bench.onSkip("two ranks", "needs MPI and a system BLAS library");
  const step = { kind: "step", size: "full", batch: 4, microBatch: 2 };
  const sides = [
    await contender(native, "one process of 2 threads", step, 2),
    await contender(ranks, "2 ranks of 1 thread", step, 1),
    await contender(native, "one process of 1 thread", step, 1),
  ];
  const library = native.versions[NATIVE]!;
  const name = "full training step, batch 4 in micro-batches of 2, native";
  const made = await takeTurnsWith(bench, name, 2, [], sides, { least: 3, most: 5, seconds: 30 });
  await bench.onMeasurement("ranks", { ...made, library });
  const [threads, two] = sides.map(({ name }) => made.times[name]);
  if (!threads || !two) return;
  const aim = `two ranks of one thread against one process of two threads, full-size step, ${library}`;
  bench.onAim(atMost(aim, 1.05, ratio(two, threads)));
}

/** Forward and backward of one ViT-B block with LoRA. */
export async function blockGroup(bench: Bench): Promise<void> {
  const batch = 2;
  const piece = blockPiece(batch);
  for (const threads of bench.threads) {
    const effort: Effort = { warmUp: 2, least: 3, most: 9, seconds: 5 };
    for (const backward of [false, true]) {
      await compare(
        bench,
        "block",
        `block with LoRA, ${backward ? "with" : "without"} gradients, ${threads} thread(s)`,
        {
          run: backward ? piece.both : piece.forward,
          threads,
          peers: {
            wide: { kind: "block", batch, backward },
            native: { kind: "block", batch, backward },
            torch: { kind: "block", batch, backward },
            ...(backward ? {} : { jax: { kind: "jax-block", batch, backward } }),
          },
          effort,
        },
      );
    }
    // The two passes again, taking turns, for their ratio.
    await initWasm({ threads });
    const turns = await takeTurns([ours("both", piece.both), ours("forward", piece.forward)], effort);
    const backward = inUnit(ratio(turns.get("both")!, turns.get("forward")!), (both) => both - 1);
    bench.onAim(atMost(`backward / forward of a ViT-B block with LoRA, wasm, ${threads} thread(s)`, 2.5, backward));
  }
  // jax-js takes 25 s for one gradient, so three turns of either have to do.
  await compare(bench, "block", "block with LoRA, with gradients, beside jax-js, 1 thread(s)", {
    run: piece.both,
    threads: 1,
    peers: { jax: { kind: "jax-block", batch, backward: true } },
    effort: { warmUp: 1, least: 3, most: 3, seconds: 0 },
  });
  piece.dispose();
}

/** ACE-HGNN, sparse against dense. */
export async function hgnnGroup(bench: Bench): Promise<void> {
  await initWasm({ threads: 1 });
  for (const tokens of [196, 255]) {
    for (const backward of [false, true]) {
      const forms = (["sparse", "dense"] as const).map((form) => ({ form, piece: hgnnPiece(tokens, 64, form) }));
      const passes = backward ? "forward and backward" : "forward";
      const sides: Contender[] = forms.map(({ form, piece }) => ours(form, backward ? piece.both : piece.forward));
      const others: PeerContender[] = [];
      for (const { form } of bench.torch ? forms : []) {
        const work = { kind: "hgnn", tokens, batch: 64, form, backward };
        const side = `pytorch ${form}`;
        try {
          others.push(await contender(bench.torch!, side, work, 1));
        } catch (error) {
          bench.onSkip(`ACE-HGNN, N = ${tokens}, ${passes}: ${side}`, errorMessage(error));
        }
      }
      const name = `ACE-HGNN, N = ${tokens}, batch 64, E = 512, ${passes}`;
      const made = await takeTurnsWith(bench, name, 1, sides, others, { warmUp: 1, least: 3, most: 9, seconds: 6 });
      for (const { piece } of forms) piece.dispose();
      await bench.onMeasurement("hgnn", made);
      const faster = ratio(made.times["dense"]!, made.times["sparse"]!);
      bench.onAim(
        atLeast(`ACE-HGNN sparse against dense, N = ${tokens}, batch 64, ${passes}`, 10, faster, "times faster"),
      );
    }
  }
}

/** Peak memory of the mini model's training over batch sizes: three rounds, each run in a process of its own. */
export async function memoryGroup(bench: Bench): Promise<void> {
  const path = decodeURIComponent(new URL("memory.ts", import.meta.url).pathname);
  const batches = [64, 256, 1024];
  const growths: number[] = [];
  const more: Record<string, number> = {};
  for (let round = 0; round < 3; round++) {
    const peaks: number[] = [];
    for (const batch of batches) {
      const args = [
        "run",
        HEAP,
        "--quiet",
        "--allow-read",
        "--allow-env",
        "--allow-run=grep",
        path,
        String(batch),
        "16",
      ];
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
      if (!success) return bench.onSkip("peak memory", new TextDecoder().decode(stderr).trim().split("\n")[0]!);
      const { peakMiB, wasmHeapMiB } = JSON.parse(new TextDecoder().decode(stdout));
      peaks.push(peakMiB);
      more[`batch ${batch}, round ${round + 1}: peak MiB`] = peakMiB;
      more[`batch ${batch}, round ${round + 1}: wasm heap MiB`] = wasmHeapMiB;
    }
    growths.push(100 * (peaks.at(-1)! / peaks[0]! - 1));
  }
  const name = "MINI, peak memory in micro-batches of 16 (VmHWM)";
  await bench.onMeasurement("memory", { name, threads: 1, load: loadAverage(), times: {}, ratios: {}, more });
  const [low, median, high] = growths.sort((a, b) => a - b) as [number, number, number];
  bench.onAim(
    atMost("peak memory, MINI, batch 64 to 1,024 with micro-batches of 16, growth", 10, { median, low, high }, "%"),
  );
}
