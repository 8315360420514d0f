/** `deno task demo`: the whole method on shipped weights and synthetic data. @module */
import { join } from "@std/path";
import { formatTable } from "../display/table.ts";
import { resultsTable } from "../display/results.ts";
import { writeFileAtomic } from "../io/files.ts";
import { saveAdapter } from "../adapters/model.ts";
import { DEMO, DEMO_SMOKE, runDemo } from "../reproduction/demo/demo.ts";
import { demoReport } from "../reproduction/demo/report.ts";
import { loadClip } from "../clip/load.ts";
import { type Arguments, type Command, WHOLE } from "./command.ts";
import { holdOutput } from "./output.ts";
import { BACKEND_OPTION, startBackend, type Watch, watchTraining } from "./shared.ts";

export const COMMAND: Command = {
  name: "demo",
  summary: "Adapt the shipped mini model three ways and evaluate each on held-out synthetic radiographs",
  options: {
    out: { value: "DIR", help: "Folder of the results (default: results/demo)" },
    seed: { value: "N", number: WHOLE, help: `Seed (default: ${DEMO.seed})` },
    smoke: { help: "A few seconds' worth, to see that it runs" },
    ...BACKEND_OPTION,
  },
  example: "deno task demo --seed 2 --out results/demo-2",
  async run(args) {
    const out = args.text("out") ?? "results/demo";
    // A demonstration may be given again: what an earlier one wrote is of no one's data.
    return await holdOutput(args, { path: out, results: ["metrics.json"], mayReplace: true }, () => demo(args, out));
  },
};

async function demo(args: Arguments, out: string): Promise<number | void> {
  const base = args.flag("smoke") ? DEMO_SMOKE : DEMO;
  const settings = { ...base, seed: args.number("seed", base.seed) };
  const backend = await startBackend(args);
  const generalist = await loadClip();
  let watch: Watch | undefined;
  const result = await runDemo(generalist, backend, settings, {
    watch: (label) => watch = watchTraining(label, settings.batchSize),
  }).finally(() => watch?.end());
  if (result === undefined) {
    console.error("interrupted: nothing is written");
    return watch?.exitCode();
  }
  const { record } = result;
  const adapted = result.runs.at(-1)!;
  await writeFileAtomic(join(out, "metrics.json"), JSON.stringify(record, null, 2) + "\n");
  await saveAdapter(join(out, "adapter.safetensors"), adapted.params, adapted.method.config);
  await writeFileAtomic(join(out, "report.html"), await demoReport(result));
  console.log(formatTable(resultsTable(record)));
  console.log(
    `\nAll images and texts are synthetic. Wrote ${out}/metrics.json, adapter.safetensors and report.html.`,
  );
}
