/**
 * Kills training (with validation) and caching at random moments, by SIGKILL and SIGTERM in turn, goes on each time, and compares
 * the end with a run that was left alone and had no pixel cache, or with images decoded anew; meanwhile a loop reads every file
 * under its final name, which must be whole whenever it is there.
 *
 * `deno run --allow-read --allow-write --allow-env --allow-run tests/train/kill_sweep.ts [--kills 50] [--seed 1] [--held-out 8]`
 *
 * With many films held out most of a run is validation, and so are most moments.
 */
import { parseArgs } from "node:util";
import { join } from "@std/path";
import { filmJpeg } from "../../bench/rehearsal/film.ts";
import { MINI } from "../../lib/clip/architectures.ts";
import { openPixelCache } from "../../lib/data/pixels/cache.ts";
import { decodeFile } from "../../lib/data/pixels/decode.ts";
import { squareTransform } from "../../lib/data/sources.ts";
import { decodeSafetensors } from "../../lib/io/safetensors.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { writePairs } from "../cli/fixtures.ts";
import { command, MINI_FILES, succeed } from "../cli/run.ts";
import { inFolder } from "../folder.ts";

/** What a sweep found. */
export interface SweepResult {
  /** Kills by signal. */
  kills: Record<string, number>;
  /** Steps at which runs went on. */
  resumedAt: number[];
  /** Share of its time that the run left alone spent outside its steps: validating, and saving. */
  outsideSteps: number;
  /** Times that a file under its final name was read, whole each time. */
  reads: number;
  /** Files of the end that differ from those of the run left alone. */
  differing: string[];
}

const FINAL = ["state.safetensors", "state.previous.safetensors", "best.safetensors", "adapter.safetensors"];
const BATCH = 8;
const COMPARED = ["adapter.safetensors", "best.safetensors"];

/** Options of {@linkcode killSweep}. */
export interface KillSweepOptions {
  /** How many kills at least; runs that end by themselves before their kill start again from nothing. */
  kills: number;
  /** Of the moments. */
  seed: number;
  /** Films to validate on. @default {8} */
  heldOut?: number;
}

/** Kills training, with validation, and goes on. */
export async function killSweep(folder: string, { kills, seed, heldOut = 8 }: KillSweepOptions): Promise<SweepResult> {
  const rng = mulberry32(seed);
  const pairs = await writePairs(join(folder, "pairs"), 24);
  const permissions = { read: [...MINI_FILES, folder], write: [folder] };
  const args = (out: string): string[] => [
    ...["train", "--pairs", pairs, "--epochs", "4", "--batch-size", `${BATCH}`, "--micro-batch", "4", "--rank", "2"],
    ...["--loss", "info-nce", "--validate", pairs.replace("pairs.csv", "held.csv"), "--validate-every", "2"],
    ...["--save-steps", "1", "--resume", "--out", join(folder, out)],
    ...(out === "alone" ? [] : ["--cache", join(folder, "cache")]),
  ];
  await writeHeldOut(folder, heldOut);
  const began = performance.now();
  const alone = await command(args("alone"), permissions).output();
  if (!alone.success) throw new Error(new TextDecoder().decode(alone.stderr));
  let seconds = (performance.now() - began) / 1000;
  const outsideSteps = await shareOutsideSteps(join(folder, "alone"));
  const result: SweepResult = { kills: {}, resumedAt: [], outsideSteps, reads: 0, differing: [] };
  let isOver = false;
  const watching = readAllTheTime(join(folder, "killed"), () => isOver, result);
  try {
    for (let done = 0, isNew = true;;) {
      const signal = signalOf(done);
      const start = performance.now();
      const { code, told, isKilled } = await runUntilKilled(
        command(args("killed"), permissions),
        signal,
        done < kills ? seconds * (0.1 + 0.9 * rng()) : undefined,
      );
      if (code !== (!isKilled ? 0 : signal === "SIGKILL" ? 137 : 143)) {
        throw new Error(`exit ${code} after ${isKilled ? signal : "no signal"}: ${told}`);
      }
      if (isKilled) {
        done++;
        result.kills[signal] = (result.kills[signal] ?? 0) + 1;
        const step = await loggedStep(join(folder, "killed"));
        if (step !== undefined) result.resumedAt.push(step);
      }
      const wasNew = isNew;
      isNew = code === 0;
      if (code !== 0) continue;
      // The machine may have less to do than when the run left alone was timed: the moments would lie behind the end of most runs.
      if (wasNew && !isKilled) seconds = (performance.now() - start) / 1000;
      await compare(folder, result);
      if (done >= kills) return result;
      await Deno.remove(join(folder, "killed"), { recursive: true });
    }
  } finally {
    isOver = true;
    await watching;
  }
}

/** The signal of each kill, in turn. */
function signalOf(done: number): Deno.Signal {
  return done % 2 === 0 ? "SIGKILL" : "SIGTERM";
}

/** What came of a command that is sent a signal after `seconds`; `isKilled` tells that it had not come to its end by then. */
async function runUntilKilled(
  command: Deno.Command,
  signal: Deno.Signal,
  seconds?: number,
): Promise<{ code: number; told: string; isKilled: boolean }> {
  const child = command.spawn();
  let isSent = false;
  const timer = seconds === undefined ? undefined : setTimeout(() => {
    try {
      child.kill(signal);
      isSent = true;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended, which is just not told yet
    }
  }, 1000 * seconds);
  const { code, stderr } = await child.output();
  clearTimeout(timer);
  return { code, told: new TextDecoder().decode(stderr), isKilled: isSent && code !== 0 };
}

/** What a sweep of caching found. */
export interface CacheSweepResult {
  /** Kills by signal. */
  kills: Record<string, number>;
  /** Images that each killed run left in the cache. */
  left: number[];
  /** Images whose squares at the end are not those decoded anew. */
  differing: string[];
}

const CACHED = 8;

/** Kills `cache` at random moments of its work, goes on each time, and reads the cache beside it all the while. */
export async function cacheSweep(folder: string, kills: number, seed: number): Promise<CacheSweepResult> {
  const rng = mulberry32(seed);
  const images = join(folder, "films");
  await Deno.mkdir(images);
  const paths = Array.from({ length: CACHED }, (_, i) => join(images, `${i}.jpg`));
  for (const [i, path] of paths.entries()) {
    await Deno.writeFile(path, await filmJpeg({ seed: i, width: 1272, height: 1528 }));
  }
  const transform = { ...squareTransform(MINI, "eval"), exif: false };
  const result: CacheSweepResult = { kills: {}, left: [], differing: [] };
  const args = (cache: string): string[] => ["cache", "--images", images, "--cache", cache, "--decode-workers", "1"];
  const began = performance.now();
  await succeed(args(join(folder, "alone")), { read: ["/"], write: [folder] });
  const seconds = (performance.now() - began) / 1000;
  for (let done = 0, turn = 0; done < kills; turn++) {
    const cache = join(folder, `cache ${turn}`);
    let isOver = false;
    while (!isOver) {
      const signal = signalOf(done);
      const { code, told, isKilled } = await runUntilKilled(
        command(args(cache), { read: ["/"], write: [folder] }),
        signal,
        done < kills ? seconds * (0.3 + 0.7 * rng()) : undefined,
      );
      isOver = code === 0;
      if (!isOver && !(isKilled && [137, 143].includes(code))) throw new Error(told);
      const left = await openPixelCache(cache, transform); // a damaged one throws
      if (isKilled) {
        done++;
        result.kills[signal] = (result.kills[signal] ?? 0) + 1;
        result.left.push(left.size);
      }
      for (const path of isOver ? paths : []) {
        const [kept, anew] = [await left.get(path), await decodeFile(path, transform)];
        if (kept?.data.toHex() !== anew.data.toHex()) result.differing.push(path);
      }
      left.close();
    }
  }
  return result;
}

/** Other films of two classes. */
async function writeHeldOut(folder: string, count: number): Promise<void> {
  const rows: string[] = [];
  await writePairs(join(folder, "pairs", "held"), count);
  for (let i = 0; i < count; i++) rows.push(`held/${i}.png,${i % 2 ? "pneumonia" : "normal"}`);
  await Deno.writeTextFile(join(folder, "pairs", "held.csv"), `path,class\n${rows.join("\n")}\n`);
}

/** The share of a run's time that lies outside its steps: validation, and what is saved. */
async function shareOutsideSteps(out: string): Promise<number> {
  const { seconds } = JSON.parse(await Deno.readTextFile(join(out, "training.json")));
  const steps = (await Deno.readTextFile(join(out, "log.jsonl"))).split("\n").slice(0, -1).map((line) =>
    JSON.parse(line)
  )
    .filter(({ loss }) => loss !== undefined).reduce((sum, { images_per_second: rate }) => sum + BATCH / rate, 0);
  return 1 - steps / seconds;
}

/** The last step that a run's log names. */
export async function loggedStep(out: string): Promise<number | undefined> {
  const log = await Deno.readTextFile(join(out, "log.jsonl")).catch(() => "");
  const steps = log.split("\n").slice(0, -1).flatMap((line) => /^\{"step":(\d+)/.exec(line)?.[1] ?? []);
  return steps.length > 0 ? Number(steps.at(-1)) : undefined;
}

async function compare(folder: string, result: SweepResult): Promise<void> {
  const bytes = async (out: string, name: string): Promise<string> =>
    (await Deno.readFile(join(folder, out, name))).toHex();
  for (const name of COMPARED) {
    if (await bytes("alone", name) !== await bytes("killed", name)) result.differing.push(name);
  }
  const record = async (out: string): Promise<string> => {
    const { history, validation } = JSON.parse(await Deno.readTextFile(join(folder, out, "training.json")));
    return JSON.stringify([history, validation.figures]);
  };
  if (await record("alone") !== await record("killed")) result.differing.push("training.json");
  const steps = async (out: string): Promise<string> =>
    (await Deno.readTextFile(join(folder, out, "log.jsonl"))).split("\n").slice(0, -1)
      .map((line) => JSON.parse(line)).map(({ step, loss, value }) => [step, loss, value]).join(" ");
  if (await steps("alone") !== await steps("killed")) result.differing.push("log.jsonl");
}

/** Reads what is there again and again; a file that is not whole ends the sweep. */
async function readAllTheTime(out: string, isOver: () => boolean, result: SweepResult): Promise<void> {
  while (!isOver()) {
    for (const name of FINAL) {
      const bytes = await Deno.readFile(join(out, name)).catch(() => undefined);
      if (!bytes) continue;
      await decodeSafetensors(bytes, name);
      result.reads++;
    }
    const page = await Deno.readTextFile(join(out, "training.html")).catch(() => undefined);
    if (page !== undefined && !page.endsWith("</html>\n")) throw new Error("training.html is not whole");
    const record = await Deno.readTextFile(join(out, "training.json")).catch(() => undefined);
    if (record !== undefined) JSON.parse(record);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

if (import.meta.main) {
  const string = { type: "string" } as const;
  const { values } = parseArgs({ options: { kills: string, seed: string, "held-out": string } });
  await inFolder(async (folder) => {
    const [kills, seed] = [Number(values.kills ?? 50), Number(values.seed ?? 1)];
    const caching = Math.round(kills / 5);
    const heldOut = Number(values["held-out"] ?? 8);
    const training = await killSweep(folder, { kills: kills - caching, seed, heldOut });
    const cached = await cacheSweep(folder, caching, seed);
    console.log(JSON.stringify({ training, cached }));
    if (training.differing.length + cached.differing.length > 0) Deno.exitCode = 1;
  });
}
