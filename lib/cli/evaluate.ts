/** `deno task evaluate`: zero-shot figures of a model on classified images. @module */
import { join } from "@std/path";
import { type AceLoraConfig, aceLoraModel, type AceLoraParams } from "../ace_lora.ts";
import { createProgress } from "../display/progress.ts";
import { formatTable } from "../display/table.ts";
import { resultsTable, type RunRecord } from "../display/results.ts";
import { writeFileAtomic } from "../io/files.ts";
import { loadAdapter } from "../tasks/adapter.ts";
import { assess } from "../tasks/assess.ts";
import { gitRevision, versions } from "../tasks/run_facts.ts";
import type { Command } from "./command.ts";
import { announce, COLUMN_OPTIONS, imagesFrom, MODEL_OPTIONS, modelFrom } from "./data_options.ts";
import { BACKEND_OPTION, startBackend } from "./shared.ts";

/** The command. */
export const COMMAND: Command = {
  name: "evaluate",
  summary: "Zero-shot accuracy and AUROC of a model on classified images",
  options: {
    images: {
      type: "string",
      value: "PATH",
      help: "CSV of images and classes, or a folder with a folder for each class",
    },
    "class-column": { type: "string", value: "NAME", help: "Column of the class (default: class)" },
    classes: {
      type: "string",
      value: "LIST",
      help: "Classes as the data names them, in order (default: all found, sorted)",
    },
    names: {
      type: "string",
      value: "LIST",
      help: "Names that prompts use for the classes, in the same order (default: the classes)",
    },
    prompts: {
      type: "string",
      multiple: true,
      value: "TEMPLATE",
      help: "Prompt with {c} for the class; may be repeated (default: the paper's two)",
    },
    ...COLUMN_OPTIONS,
    ...MODEL_OPTIONS,
    adapter: { type: "string", value: "FILE", help: "Adapter to put on the model (default: none)" },
    out: { type: "string", value: "DIR", help: "Folder of metrics.json (default: results/evaluate)" },
    "batch-size": { type: "string", value: "N", help: "Images encoded at a time (default: 32)" },
    seed: { type: "string", value: "N", help: "Seed of the bootstrap (default: 1)" },
    ...BACKEND_OPTION,
  },
  example:
    'deno task evaluate --images cases.csv --class-column finding --classes normal,pneumonia --names "No Finding,pneumonia"',
  async run(args) {
    const out = args.text("out") ?? "results/evaluate";
    const backend = await startBackend(args);
    const dataset = await imagesFrom(args);
    announce(dataset);
    const names = args.list("names") ?? dataset.classes;
    if (names.length !== dataset.classes.length) {
      throw new RangeError(
        `Cannot evaluate as --names must have one name a class: ${dataset.classes.length} classes, current number is ${names.length}`,
      );
    }
    const { params: base, config: encoders, tokenizer } = await modelFrom(args);
    const path = args.text("adapter");
    const frozen: { params: AceLoraParams; config: AceLoraConfig } = {
      params: base,
      config: { encoders, learnScale: false },
    };
    const { params, config } = path === undefined ? frozen : await loadAdapter(path, base, encoders);
    const began = performance.now();
    const bar = createProgress(dataset.cases.length, { label: "evaluate", unit: "images" });
    const templates = args.all("prompts");
    const method = path === undefined ? "zero-shot" : path;
    const { result } = await assess(aceLoraModel(config, method), params, { ...dataset, classes: names }, {
      config: encoders,
      tokenizer,
      ...(templates.length > 0 ? { templates } : {}),
      batchSize: args.integer("batch-size", 32, 1),
      seed: args.integer("seed", 1),
      onBatch: (done) => bar.update(done),
    });
    bar.finish();
    const record: RunRecord = {
      seed: args.integer("seed", 1),
      backend: backend.name,
      adapter: backend.adapter,
      seconds: (performance.now() - began) / 1000,
      sets: { [dataset.name]: { [method]: result } },
      synthetic: false,
      versions: versions(),
      revision: await gitRevision(),
      splits: { [dataset.name]: dataset.split },
      configuration: { classes: names, summary: dataset.summary },
    };
    await writeFileAtomic(join(out, "metrics.json"), JSON.stringify(record, null, 2) + "\n");
    console.log(formatTable(resultsTable(record)));
    console.log(
      `\nWrote ${join(out, "metrics.json")}; split of ${dataset.split.size} cases, sha256 ${dataset.split.hash}`,
    );
  },
};
