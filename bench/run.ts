/**
 * `deno task bench [group ...]`: paired runs on the wasm backend, beside PyTorch (the Python of ACE_PYTHON),
 * onnxruntime-web, transformers.js and jax-js where they can be started, and beside itself with 256-bit products where V8
 * can. Writes results/bench/*.json, summary.json and report.html. Groups: matmul, block, hgnn, memory, encoding, training, ranks,
 * dispatches, first-step, serving, page, decoding, feeding; all by default.
 *
 * `--save` also keeps a copy of the summary in bench/results.
 *
 * @module
 */
import { join } from "@std/path";
import { commandLine } from "../lib/cli/standalone.ts";
import { writeFileAtomic } from "../lib/io/files.ts";
import { selectBackend } from "../lib/tensor/backend.ts";
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
import { pageGroup } from "./page.ts";
import { type Peer, startJavaScript, startNative, startRanks, startTorch, startWide } from "./peers/peer.ts";
import { type Aim, gatherFacts, loadAverage, type Measurement, writeGroup } from "./record.ts";
import { benchReport } from "./report.ts";
import { servingGroup } from "./serving.ts";

const GROUPS: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  matmul: matmulGroup,
  block: blockGroup,
  hgnn: hgnnGroup,
  memory: memoryGroup,
  encoding: encodingGroup,
  training: trainingGroup,
  ranks: ranksGroup,
  dispatches: dispatchesGroup,
  "first-step": firstStepGroup,
  serving: servingGroup,
  page: pageGroup,
  decoding: decodingGroup,
  feeding: feedingGroup,
};

const FOLDER = "results/bench";
const args = commandLine({
  name: "bench",
  summary: "Speed and memory against the aims, beside PyTorch (ACE_PYTHON) and JavaScript peers",
  positionals: `[${Object.keys(GROUPS).join(" | ")}] ...`,
  options: { save: { help: "Keep a copy of the summary in bench/results" } },
  example: "deno task bench matmul",
});
const save = args.flag("save");
const asked = args.positionals;
const unknown = asked.find((name) => !Object.hasOwn(GROUPS, name));
if (unknown !== undefined) {
  console.error(
    `error: Cannot run a group as it must be one of ${Object.keys(GROUPS).join(", ")}: current value is "${unknown}"`,
  );
  Deno.exit(2);
}
const names = asked.length > 0 ? asked : Object.keys(GROUPS);

const began = performance.now();
// Whatever the environment says: 256-bit products have a process of their own.
await selectBackend({ backend: "wasm", wasm: { wide: false } });
const facts = await gatherFacts();
const aims: Aim[] = [];
const skipped: { what: string; reason: string }[] = [];
const groups = new Map<string, Measurement[]>();
const onSkip = (what: string, reason: string): void => {
  console.log(`skipped: ${what} (${reason})`);
  skipped.push({ what, reason });
};
const start = async (what: string, begin: () => Promise<Peer>): Promise<Peer | undefined> => {
  try {
    const peer = await begin();
    Object.assign(facts.versions, peer.versions);
    return peer;
  } catch (error) {
    onSkip(what, (error as Error).message);
    return undefined;
  }
};
const number = (x: number): string => x >= 100 ? x.toFixed(0) : x.toPrecision(3);
const torch = await start("PyTorch (set ACE_PYTHON to a Python that has it)", startTorch);
const javaScript = await start("onnxruntime-web, transformers.js and jax-js", startJavaScript);
const wide = await start("256-bit products", startWide);
const native = await start("products by a system BLAS library", startNative);
const ranks = names.includes("ranks") ? await start("two processes of MPI", startRanks) : undefined;
console.log(`${facts.adapter}, ${facts.processors} processors, load ${facts.load?.toFixed(2) ?? "unknown"}`);
console.log(Object.entries(facts.versions).map(([name, version]) => `${name} ${version}`).join(", "));

const bench: Bench = {
  ...(torch ? { torch } : {}),
  ...(javaScript ? { javaScript } : {}),
  ...(wide ? { wide } : {}),
  ...(native ? { native } : {}),
  ...(ranks ? { ranks } : {}),
  threads: facts.processors > 1 ? [1, 2] : [1],
  onSkip,
  onAim(aim) {
    aims.push(aim);
    const range = `${number(aim.low)} to ${number(aim.high)}`;
    console.log(`  ${aim.met ? "met   " : "missed"}  ${aim.name}: ${number(aim.measured)} (${range}), aim ${aim.aim}`);
  },
  onMeasurement(group, measurement) {
    groups.set(group, [...groups.get(group) ?? [], measurement]);
    const sides = Object.entries(measurement.times).map(([name, t]) =>
      `${name} ${number(t.median)} ms (${number(t.min)} to ${number(t.max)})`
    );
    const more = Object.entries(measurement.more ?? {}).map(([name, value]) => `${name} ${number(value)}`);
    console.log(`${measurement.name}: ${[...sides, ...more].join("; ")}`);
  },
};

const onnxPath = join(FOLDER, "image_tower");
if (names.includes("encoding") && torch && javaScript) {
  await Deno.mkdir(FOLDER, { recursive: true });
  try {
    await torch.ask({ do: "export", path: onnxPath, batch: 1 });
    bench.onnxPath = onnxPath;
  } catch (error) {
    onSkip("onnxruntime-web and transformers.js (the ONNX file is written by PyTorch)", (error as Error).message);
  }
}
try {
  for (const name of names) {
    console.log(`\n${name}`);
    await GROUPS[name]!(bench);
    await writeGroup(FOLDER, name, facts, groups.get(name) ?? []);
  }
} finally {
  if (bench.onnxPath) await Deno.remove(onnxPath, { recursive: true });
  for (const peer of [torch, javaScript, wide, native, ranks]) await peer?.close();
}
const summary = {
  ...facts,
  aims,
  loadAtEnd: loadAverage(),
  seconds: Math.round((performance.now() - began) / 1000),
  skipped,
};
const text = JSON.stringify(summary, null, 2) + "\n";
await writeFileAtomic(join(FOLDER, "summary.json"), text);
await writeFileAtomic(join(FOLDER, "report.html"), await benchReport(facts, aims, groups));
if (save) {
  const cpu = facts.adapter.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  await writeFileAtomic(`bench/results/${facts.date.slice(0, 10)}-${cpu}.json`, text);
}
console.log(
  `\n${aims.filter(({ met }) => met).length} of ${aims.length} aims met; ${FOLDER}/summary.json, report.html`,
);
Deno.exit(0);
