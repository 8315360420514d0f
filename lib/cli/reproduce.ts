/** `deno task reproduce`: the paper's tables, run by run. @module */
import { join } from "@std/path";
import { createProgress, type Progress } from "../display/progress.ts";
import { formatTable } from "../display/table.ts";
import { TABLE_NAMES, type TableName } from "../reproduction/plan.ts";
import { writeReport } from "../reproduction/report.ts";
import { type ScaleName, SCALES } from "../reproduction/scale.ts";
import { reproducedTables } from "../reproduction/tables/registry.ts";
import { table4 } from "../reproduction/tables/table4/show.ts";
import { PEFT_NAMES } from "../peft/methods.ts";
import type { Estimate } from "../reproduction/estimate.ts";
import { reproduce, type ReproduceOptions, type ReproduceOutcome } from "../reproduction/reproduce.ts";
import { didYouMean } from "../platform/nearest.ts";
import { defined } from "../platform/defined.ts";
import { AMOUNT, type Arguments, type Command, COUNT, UsageError, WHOLE } from "./command.ts";
import { catchInterrupts } from "./interrupt.ts";
import { holdOutput } from "./output.ts";
import { namedShare } from "./ranks.ts";
import { BACKEND_OPTION, seedsFrom, startBackend } from "./shared.ts";

function tablesFrom(args: Arguments): TableName[] {
  const words = args.positionals;
  const known = ["all", ...TABLE_NAMES];
  const unknown = words.find((word) => !known.includes(word));
  if (words.length === 0 || unknown !== undefined) {
    const current = unknown === undefined
      ? "none is named"
      : `current value is "${unknown}"${didYouMean(unknown, known)}`;
    throw new UsageError(`name tables among ${known.join(", ")}: ${current}`);
  }
  if (!words.includes("all")) return TABLE_NAMES.filter((name) => words.includes(name));
  return [...TABLE_NAMES];
}

/** "1 run", "2 runs". */
const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Hours, disk and memory ahead, in one line. */
function estimateLine(steps: number, { secondsPerPair, hours, diskBytes, memoryBytes }: Estimate): string {
  const gib = (bytes: number): string => `${(bytes / 2 ** 30).toPrecision(2)} GiB`;
  return `estimate: ${counted(steps, "training step")}, ${hours.toPrecision(2)} h here (a pair is encoded in ${
    secondsPerPair.toPrecision(2)
  } s); disk ${gib(diskBytes)}, memory ${gib(memoryBytes)}`;
}

export const COMMAND: Command = {
  name: "reproduce",
  summary: "Reproduce the paper's tables: every method, affinity and ablation, several seeds, one JSON file a run",
  positionals: `<${["all", ...TABLE_NAMES].join(" | ")}> ...`,
  options: {
    scale: { value: "NAME", help: "smoke, demo (synthetic sets, mini model) or paper (default: demo)" },
    data: { value: "DIR", help: "Folder of the real files; the paper's scale needs it" },
    generalist: {
      value: "PATH",
      help:
        "Weights to adapt at smoke and demo scale, a file or a folder (default: data/mini_joint.safetensors, shipped)",
    },
    seeds: { value: "LIST", help: `Seeds (default: ${SCALES.demo.seeds.join(",")}; smoke: 1)` },
    methods: {
      value: "LIST",
      help: `Only runs of these methods (table4: none,rslora,ace-lora), of ${PEFT_NAMES.join(", ")} (default: all)`,
    },
    epochs: {
      value: "N",
      number: COUNT,
      help: "Passes over the pairs (default: the scale's); named in the records",
    },
    pairs: {
      value: "N",
      number: { whole: true, least: 2 },
      help: "Pairs to adapt to (default: the scale's); named in the records",
    },
    "learning-rate": {
      value: "X",
      number: AMOUNT,
      help: "Highest learning rate of a method (default: the scale's); named in the records",
    },
    draw: {
      value: "N",
      number: WHOLE,
      help:
        "Seed of the synthetic pairs and held-out sets, to choose settings on others (default: 1); named in the records",
    },
    part: {
      value: "I/N",
      help:
        "Only this share of the runs, for Slurm arrays and indexed jobs: one run a job with N of them (default: all)",
    },
    cache: {
      value: "DIR",
      help: "Pixel cache that all runs read through at the paper's scale (default: pixels in the folder of --out)",
    },
    out: { value: "DIR", help: "Folder of the runs' JSON files (default: results/reproduce)" },
    workers: {
      value: "N",
      number: COUNT,
      help: "Runs carried out at a time on the wasm backend (default: the processors, at most 4)",
    },
    ...BACKEND_OPTION,
  },
  example: "deno task reproduce table1 table6 --seeds 1,2,3",
  async run(args) {
    const tables = tablesFrom(args);
    const part = namedShare(args, "part");
    const options = { out: args.text("out") ?? "results/reproduce", ...optionsFrom(args), ...defined({ part }) };
    const share = part === undefined ? "" : `.part-${part.index}-of-${part.count}`;
    const output = { path: options.out, results: ["report.html"], mayReplace: true, share };
    return await holdOutput(args, output, () => carryOut(args, tables, options));
  },
};

/** What the options ask of the runs. */
function optionsFrom(args: Arguments): ReproduceOptions {
  const scale = args.choice<ScaleName>("scale", ["smoke", "demo", "paper"], "demo");
  const [generalist, blas] = [args.text("generalist"), args.text("blas")];
  if (generalist !== undefined && scale === "paper") {
    throw new UsageError(
      "--generalist goes with --scale smoke and demo: the paper's scale takes BiomedCLIP from --data",
    );
  }
  if (args.text("draw") !== undefined && scale === "paper") {
    throw new UsageError("--draw goes with --scale smoke and demo: the paper's scale draws nothing");
  }
  return {
    scale,
    workers: args.number("workers", Math.min(4, navigator.hardwareConcurrency || 1)),
    ...(blas === undefined ? {} : { wasm: { blas } }),
    ...defined({
      seeds: seedsFrom(args),
      data: args.text("data"),
      cache: args.text("cache"),
      generalist,
      methods: args.choices("methods", PEFT_NAMES),
      epochs: args.number("epochs", undefined),
      pairs: args.number("pairs", undefined),
      learningRate: args.number("learning-rate", undefined),
      dataSeed: args.number("draw", undefined),
    }),
  };
}

/** Carries the runs out and tells of them; returns the exit code. */
async function carryOut(
  args: Arguments,
  tables: readonly TableName[],
  options: ReproduceOptions & { out: string },
): Promise<number> {
  const backend = await startBackend(args);
  const interruption = catchInterrupts();
  let bar: Progress | undefined;
  let steps = 0;
  try {
    const outcome = await reproduce(tables, backend, {
      ...options,
      signal: interruption.signal,
      onPlan: (plan) => {
        if (options.part && plan.runs === 0) {
          console.error(`no run falls to --part ${args.text("part")}: there are fewer`);
        } else {
          console.error(
            `${counted(plan.runs, "run")}: ${plan.done} done before, ${plan.shared} shared with another table's`,
          );
        }
        if (plan.estimate) console.error(estimateLine(plan.steps, plan.estimate));
        if (plan.steps > 0) bar = createProgress(plan.steps, { label: "reproduce", unit: "steps" });
      },
      onStep: (loss) => bar?.update(++steps, { loss }),
      note: (text) => bar ? bar.note(text) : console.error(text),
    });
    bar?.finish();
    if (!outcome.interrupted) return await tellOutcome(options.out, outcome, tables);
    console.error("interrupted: the same command goes on at the unfinished run");
    return interruption.exitCode();
  } finally {
    interruption.end();
  }
}

/** Prints the tables, writes the report on all that the folder holds, and counts the runs; returns the exit code. */
async function tellOutcome(
  out: string,
  { records, dense, ran, skipped, shared, failed }: ReproduceOutcome,
  tables: readonly TableName[],
): Promise<number> {
  const shown = reproducedTables(records, tables);
  if (dense.length > 0) shown.push(table4(dense.map(({ result }) => result)));
  for (const { title, table } of shown) console.log(`${title}\n${formatTable(table)}\n`);
  const page = join(out, "report.html");
  if (shown.length > 0) await writeReport(out, page);
  console.log(
    `${counted(ran, "run")} carried out, ${skipped} done before, ${shared} shared, ${failed.length} failed; ` +
      `JSON files in ${out}${shown.length > 0 ? `, the report on all of them: ${page}` : ""}`,
  );
  for (const line of failed) console.error(`failed: ${line}`);
  return failed.length === 0 ? 0 : 1;
}
