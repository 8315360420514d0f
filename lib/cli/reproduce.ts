/** `deno task reproduce`: the paper's tables, run by run. @module */
import { join } from "@std/path";
import { createProgress, type Progress } from "../display/progress.ts";
import { formatTable } from "../display/table.ts";
import { TABLE_NAMES, type TableName } from "../reproduction/plan.ts";
import { writeReport } from "../reproduction/report.ts";
import { type ScaleName, SCALES } from "../reproduction/scale.ts";
import { reproducedTables } from "../reproduction/tables/registry.ts";
import { table4 } from "../reproduction/tables/table4.ts";
import { reproduce } from "../reproduction/reproduce.ts";
import { type Arguments, type Command, UsageError } from "./command.ts";
import { catchInterrupts } from "./interrupt.ts";
import { holdOutput } from "./output.ts";
import { BACKEND_OPTION, startBackend } from "./shared.ts";

function tablesFrom(args: Arguments, scale: ScaleName): TableName[] {
  const words = args.positionals;
  const known = ["all", ...TABLE_NAMES];
  const unknown = words.find((word) => !known.includes(word));
  if (words.length === 0 || unknown !== undefined) {
    throw new UsageError(`name tables among ${known.join(", ")}: current value is "${unknown ?? ""}"`);
  }
  if (!words.includes("all")) return TABLE_NAMES.filter((name) => words.includes(name));
  if (scale !== "paper") return [...TABLE_NAMES];
  console.error("table4 is left out: it is not made at the paper's scale");
  return TABLE_NAMES.filter((name) => name !== "table4");
}

function seedsFrom(args: Arguments): number[] | undefined {
  return args.list("seeds")?.map((text) => {
    const seed = Number(text);
    if (!Number.isInteger(seed) || seed < 0) {
      throw new UsageError(`--seeds must be whole numbers of at least 0: current value is "${text}"`);
    }
    return seed;
  });
}

export const COMMAND: Command = {
  name: "reproduce",
  summary: "Reproduce the paper's tables: every method, affinity and ablation, several seeds, one JSON file a run",
  positionals: `<${["all", ...TABLE_NAMES].join(" | ")}> ...`,
  options: {
    scale: { type: "string", value: "NAME", help: "smoke, demo (synthetic sets, mini model) or paper (default: demo)" },
    data: { type: "string", value: "DIR", help: "Folder of the real files; the paper's scale needs it" },
    seeds: { type: "string", value: "LIST", help: `Seeds (default: ${SCALES.demo.seeds.join(",")}; smoke: 1)` },
    out: { type: "string", value: "DIR", help: "Folder of the runs' JSON files (default: results/reproduce)" },
    workers: {
      type: "string",
      value: "N",
      help: "Runs carried out at a time on the wasm backend (default: the processors, at most 4)",
    },
    ...BACKEND_OPTION,
  },
  example: "deno task reproduce table1 table6 --seeds 1,2,3",
  async run(args) {
    const scale = args.choice<ScaleName>("scale", ["smoke", "demo", "paper"], "demo");
    const tables = tablesFrom(args, scale);
    const seeds = seedsFrom(args);
    const data = args.text("data");
    const out = args.text("out") ?? "results/reproduce";
    const workers = args.integer("workers", Math.min(4, navigator.hardwareConcurrency || 1), 1);
    return await holdOutput(args, { path: out, results: ["report.html"], mayReplace: true }, async () => {
      const backend = await startBackend(args);
      const interruption = catchInterrupts();
      let bar: Progress | undefined;
      let steps = 0;
      try {
        const outcome = await reproduce(tables, backend, {
          scale,
          out,
          workers,
          signal: interruption.signal,
          ...(seeds === undefined ? {} : { seeds }),
          ...(data === undefined ? {} : { data }),
          onPlan: (plan) => {
            console.error(`${plan.runs} runs: ${plan.done} done before, ${plan.shared} shared with another table's`);
            if (plan.steps > 0) bar = createProgress(plan.steps, { label: "reproduce", unit: "steps" });
          },
          onStep: (loss) => bar?.update(++steps, { loss }),
          note: (text) => bar ? bar.note(text) : console.error(text),
        });
        bar?.finish();
        if (outcome.interrupted) {
          console.error("interrupted: the same command goes on at the unfinished run");
          return interruption.exitCode();
        }
        const shown = reproducedTables(outcome.records, tables);
        if (outcome.dense.length > 0) shown.push(table4(outcome.dense.map(({ result }) => result)));
        console.log(shown.map(({ title, table }) => `${title}\n${formatTable(table)}`).join("\n\n"));
        const { ran, skipped, shared, failed } = outcome;
        const page = join(out, "report.html");
        if (shown.length > 0) await writeReport(out, page);
        console.log(
          `\n${ran} runs carried out, ${skipped} done before, ${shared} shared, ${failed.length} failed; ` +
            `JSON files in ${out}${shown.length > 0 ? `, the report on all of them: ${page}` : ""}`,
        );
        for (const line of failed) console.error(`failed: ${line}`);
        return failed.length === 0 ? 0 : 1;
      } finally {
        interruption.end();
      }
    });
  },
};
