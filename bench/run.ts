/**
 * `deno task bench [group ...]`: paired runs on the wasm backend, beside PyTorch (the Python of ACE_PYTHON),
 * onnxruntime-web, transformers.js and jax-js where they can be started, and beside itself with 256-bit products where V8
 * can and by a system BLAS library (ACE_BLAS's, or the first there is). Writes results/bench/*.json, summary.json and
 * report.html as it goes: a run that is stopped leaves what it has. Groups: see `GROUPS`; all by default.
 *
 * `--save` also keeps a copy of the summary in bench/results.
 *
 * @module
 */
import { join, resolve } from "@std/path";
import { UsageError } from "../lib/cli/command.ts";
import { catchInterrupts, watchTaskRunner } from "../lib/cli/interrupt.ts";
import { runStandalone } from "../lib/cli/standalone.ts";
import { errorMessage } from "../lib/platform/error_message.ts";
import { readVariable } from "../lib/platform/variables.ts";
import { selectBackend } from "../lib/tensor/backend.ts";
import { didYouMean } from "../lib/platform/nearest.ts";
import { decodingGroup, feedingGroup } from "./data.ts";
import {
  type Bench,
  blockGroup,
  encodingGroup,
  hgnnGroup,
  matmulGroup,
  memoryGroup,
  ranksGroup,
  trainingGroup,
} from "./groups.ts";
import { firstStepGroup } from "./gpu/first_step.ts";
import { dispatchesGroup } from "./gpu/group.ts";
import { keep, keepReport, type Kept } from "./keep.ts";
import { pageGroup } from "./page.ts";
import { type Peer, startJavaScript, startNative, startRanks, startTorch, startWide } from "./peers/peer.ts";
import { type Aim, type Facts, gatherFacts, type Measurement } from "./record.ts";
import { servingGroup } from "./serving.ts";

/** Each group, and the minutes it takes about on two quiet cores with every peer. */
const GROUPS: Readonly<Record<string, readonly [(bench: Bench) => Promise<void>, number]>> = {
  matmul: [matmulGroup, 1],
  block: [blockGroup, 3],
  hgnn: [hgnnGroup, 1],
  memory: [memoryGroup, 4],
  encoding: [encodingGroup, 4],
  training: [trainingGroup, 6],
  ranks: [ranksGroup, 1.5],
  dispatches: [dispatchesGroup, 0.2],
  "first-step": [firstStepGroup, 0.5],
  serving: [servingGroup, 0.5],
  page: [pageGroup, 1],
  decoding: [decodingGroup, 2],
  feeding: [feedingGroup, 4],
};

const FOLDER = "results/bench";

const number = (x: number): string => x >= 100 ? x.toFixed(0) : x.toPrecision(3);
const minutes = (x: number): string => x < 1 ? `${Math.round(60 * x)} s` : `${Number(x.toPrecision(2))} min`;
const turnsOf = (turns: number | undefined): string => turns ? `, ${turns} turn${turns === 1 ? "" : "s"}` : "";

/** The groups asked for, each once. */
function groupsOf(asked: readonly string[]): string[] {
  const known = Object.keys(GROUPS);
  const unknown = asked.find((name) => !known.includes(name));
  if (unknown === undefined) return asked.length > 0 ? [...new Set(asked)] : known;
  throw new UsageError(
    `Cannot run a group as it must be one of ${known.join(", ")}: current value is "${unknown}"${
      didYouMean(unknown, known)
    }`,
  );
}

function tellAim({ met, name, measured, low, high, turns, aim }: Aim): void {
  const range = `${number(low)} to ${number(high)}${turnsOf(turns)}`;
  console.log(`  ${met ? "met   " : "missed"}  ${name}: ${number(measured)} (${range}), aim ${aim}`);
}

function tellMeasurement({ name, times, turns, library, more = {} }: Measurement): void {
  const sides = Object.entries(times).map(([side, t]) =>
    `${side} ${number(t.median)} ms (${number(t.min)} to ${number(t.max)})`
  );
  const figures = Object.entries(more).map(([figure, value]) => `${figure} ${number(value)}`);
  const how = `${turnsOf(turns)}${library ? `, native by ${library}` : ""}`;
  console.log(`${name}${how}: ${[...sides, ...figures].join("; ")}`);
}

type Peers = Pick<Bench, "torch" | "javaScript" | "wide" | "native" | "ranks">;

/** The other sides that the groups need, those that start. */
async function startPeers(names: readonly string[], onSkip: Bench["onSkip"]): Promise<Peers> {
  const peers: Peers = {};
  const start = async (key: keyof Peers, what: string, begin: () => Promise<Peer>): Promise<void> => {
    try {
      peers[key] = await begin();
    } catch (error) {
      onSkip(what, errorMessage(error));
    }
  };
  const needs = (...groups: string[]): boolean => names.some((name) => groups.includes(name));
  if (needs("matmul", "block", "hgnn", "encoding", "training")) {
    await start("torch", "PyTorch (set ACE_PYTHON to a Python that has it)", startTorch);
  }
  if (needs("matmul", "block", "encoding")) {
    await start("javaScript", "onnxruntime-web, transformers.js and jax-js", startJavaScript);
  }
  if (needs("matmul", "block", "encoding", "training")) await start("wide", "256-bit products", startWide);
  if (needs("matmul", "block", "encoding", "training", "ranks")) {
    await start("native", "products by a system BLAS library", startNative);
  }
  if (needs("ranks") && peers.native) await start("ranks", "two processes of MPI", startRanks);
  return peers;
}

/** Writes the image tower as ONNX for the peers that read it, and runs `body`. */
async function withOnnx(bench: Bench, body: () => Promise<void>): Promise<void> {
  const path = join(FOLDER, "image_tower");
  try {
    if (bench.torch && bench.javaScript) {
      await Deno.mkdir(FOLDER, { recursive: true });
      try {
        await bench.torch.ask({ do: "export", path, batch: 1 });
        bench.onnxPath = path;
      } catch (error) {
        bench.onSkip("onnxruntime-web and transformers.js (the ONNX file is written by PyTorch)", errorMessage(error));
      }
    }
    await body();
  } finally {
    delete bench.onnxPath;
    await Deno.remove(path, { recursive: true }).catch(() => {});
  }
}

async function run(names: readonly string[], isSaved: boolean): Promise<number> {
  const began = performance.now();
  // Whatever the environment says: 256-bit products and a library, which needs a permission, have processes of their own.
  await selectBackend({ backend: "wasm", wasm: { wide: false, blas: "off" } });
  const kept: Kept = { facts: await gatherFacts(), aims: [], skipped: [], groups: new Map(), seconds: new Map() };
  const { facts, aims, skipped, groups, seconds } = kept;
  const options = { folder: FOLDER, names, began, ...(isSaved ? { copy: copyOf(facts, names) } : {}) };
  const estimate = names.reduce((sum, name) => sum + GROUPS[name]![1], 0);
  console.log(
    `about ${minutes(estimate)} on two quiet cores with all peers, in ${shownFolder()}; Ctrl-C keeps what is there`,
  );
  const interruption = catchInterrupts();
  watchTaskRunner();
  const onSkip = (what: string, reason: string): void => {
    if (interruption.signal.aborted) return; // peers end with the run
    console.log(`skipped: ${what} (${reason})`);
    skipped.push({ what, reason });
  };
  let running: Peer[] = [];
  interruption.signal.addEventListener("abort", async () => {
    for (const peer of running) void peer.close(true);
    if (groups.size > 0) await keepReport(kept, options); // else an earlier run's files stay
    console.log(
      `\nstopped: ${groups.size > 0 ? `${shownFolder()} has what was measured` : "nothing was measured yet"}`,
    );
    await Promise.all(running.map((peer) => peer.close(true)));
    Deno.exit(interruption.exitCode());
  });
  const peers = await startPeers(names, onSkip);
  running = Object.values(peers);
  const takeVersions = (): void => running.forEach(({ versions }) => void Object.assign(facts.versions, versions));
  takeVersions();
  console.log(`${facts.adapter}, ${facts.processors} processors, load ${facts.load?.toFixed(2) ?? "unknown"}`);
  console.log(Object.entries(facts.versions).map(([name, version]) => `${name} ${version}`).join(", "));

  const bench: Bench = {
    ...peers,
    threads: facts.processors > 1 ? [1, 2] : [1],
    onSkip,
    onAim(aim) {
      aims.push(aim);
      tellAim(aim);
    },
    async onMeasurement(group, measurement) {
      groups.set(group, [...groups.get(group) ?? [], measurement]);
      takeVersions();
      tellMeasurement(measurement);
      await keep(kept, options);
    },
  };
  let failed = 0;
  for (const name of names) {
    console.log(`\n${name}, about ${minutes(GROUPS[name]![1])}`);
    const groupBegan = performance.now();
    const [measure] = GROUPS[name]!;
    try {
      if (name === "encoding") await withOnnx(bench, () => measure(bench));
      else await measure(bench);
    } catch (error) {
      failed++;
      onSkip(`the rest of ${name}`, errorMessage(error));
    }
    seconds.set(name, Math.round((performance.now() - groupBegan) / 1000));
    console.log(`${name} took ${minutes(seconds.get(name)! / 60)}`);
    await keepReport(kept, options);
  }
  await Promise.all(running.map((peer) => peer.close()));
  const met = aims.filter(({ met }) => met).length;
  const took = minutes((performance.now() - began) / 60_000);
  console.log(`\n${met} of ${aims.length} aims met in ${took}; ${shownFolder()}/summary.json, report.html`);
  return failed === 0 ? 0 : 1;
}

/** Where results are: the package's folder, which is not named to somebody who stands in it. */
function shownFolder(): string {
  const stands = readVariable("INIT_CWD");
  return stands === undefined || resolve(stands) === Deno.cwd() ? FOLDER : resolve(FOLDER);
}

/** The copy's name: the day, the processor and, where not all were run, the groups. */
function copyOf({ adapter, date }: Facts, names: readonly string[]): string {
  const cpu = adapter.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  const some = names.length === Object.keys(GROUPS).length ? "" : `-${names.join("-")}`;
  return `bench/results/${date.slice(0, 10)}-${cpu}${some}.json`;
}

await runStandalone({
  name: "bench",
  summary: "Speed and memory against the aims, beside PyTorch (ACE_PYTHON) and JavaScript peers",
  positionals: `[${Object.keys(GROUPS).join(" | ")}] ...`,
  options: { save: { help: "Keep a copy of the summary in bench/results" } },
  example: "deno task bench matmul",
  run: (args) => run(groupsOf(args.positionals), args.flag("save")),
});
