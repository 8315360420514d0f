/** `deno task explain`: a model's maps held against boxes. @module */
import { checkPlacedBoxes } from "../data/boxes.ts";
import { loadPairs } from "../data/pairs.ts";
import type { Dataset } from "../data/types.ts";
import { createProgress } from "../display/progress.ts";
import { buildReport, factsWithWarnings } from "../display/report.ts";
import type { ReportSection } from "../display/sections.ts";
import { formatTable, type Table } from "../display/table.ts";
import { type Pointer, pointingGame, type PointingReport } from "../eval/maps/game.ts";
import { openMapModel } from "../eval/maps/model.ts";
import { faithfulnessFigure } from "../eval/maps/show.ts";
import { CHEST_TEMPLATES } from "../clip/zero_shot/prompts.ts";
import { byCodePoint } from "../text/code_point_order.ts";
import { runFacts, versions } from "../io/run_facts.ts";
import { disposeParams } from "../tensor/params.ts";
import { classifierFrom } from "./classifier.ts";
import { MAP_WORDS, mapKindsFrom } from "./map_options.ts";
import { type Arguments, type Command, quotedWord, UsageError, WHOLE } from "./command.ts";
import { announce, COLUMN_OPTIONS, columnsFrom, namesFrom } from "./data_options.ts";
import { checkPath } from "./paths.ts";
import { decodingAhead, EXIF_OPTION, isExifApplied, watched, WORKERS_OPTION } from "./decode_options.ts";
import { ADAPTER_OPTION, adapterFrom, judgedWarnings, MODEL_OPTIONS, NARROW_OPTION } from "./model_options.ts";
import { BOX_COLUMN_OPTIONS, boxesFrom } from "./box_options.ts";
import { holdOutput, OVERWRITE_OPTION, writeResults } from "./output.ts";
import { promptsFrom } from "./protocol_options.ts";
import { factsOf, modelFacts } from "./provenance.ts";
import { BACKEND_OPTION, backendText, startBackend } from "./shared.ts";
import { readableSet, UNREADABLE_OPTION } from "./unreadable.ts";

/** The command. */
export const COMMAND: Command = {
  name: "explain",
  summary: "Maps of a model held against boxes: pointing game, deletion and insertion",
  options: {
    images: { value: "CSV", help: "Images" },
    boxes: { value: "CSV", help: "Boxes, one a row" },
    ...BOX_COLUMN_OPTIONS,
    labels: { value: "LIST", help: "Labels as the boxes name them (default: all found, sorted)" },
    names: { value: "LIST", help: "Names that prompts use for them, in the same order" },
    prompts: { multiple: true, value: "TEMPLATE", help: "Prompt with {c} for the label; may be repeated" },
    maps: {
      value: "LIST",
      words: MAP_WORDS,
      list: true,
      help: "Among similarity, gradient, occlusion (default: similarity,gradient)",
    },
    curves: {
      value: "N",
      number: WHOLE,
      help: "Images and labels whose deletion and insertion are followed (default: 16)",
    },
    ...COLUMN_OPTIONS,
    ...UNREADABLE_OPTION,
    ...EXIF_OPTION,
    ...WORKERS_OPTION,
    ...MODEL_OPTIONS,
    ...NARROW_OPTION,
    ...ADAPTER_OPTION,
    out: { value: "DIR", help: "Folder of explain.json and explain.html (default: results/explain)" },
    ...OVERWRITE_OPTION,
    json: { help: "JSON instead of a table" },
    ...BACKEND_OPTION,
  },
  example: "deno task explain --images cases.csv --boxes boxes.csv --labels pneumonia,normal",
  async run(args) {
    const out = args.text("out") ?? "results/explain";
    await holdOutput(args, { path: out, results: ["explain.json", "explain.html"] }, () => explain(args, out));
  },
};

async function explain(args: Arguments, out: string): Promise<void> {
  const dataset = await boxedSetFrom(args);
  const labels = labelsFrom(args, dataset);
  const names = namesFrom(args, labels);
  const prompts = promptsFrom(args);
  const templates = prompts.length > 0 ? prompts : CHEST_TEMPLATES;
  const boxed = dataset.cases.filter(({ boxes = [] }) => boxes.some(({ label }) => labels.includes(label)));
  await checkPlacedBoxes(boxed, { exif: isExifApplied(args) });
  const adapter = await adapterFrom(args);
  const warnings = judgedWarnings(adapter, dataset.cases);
  const backend = await startBackend(args);
  const classifier = await classifierFrom(args, { adapter });
  const kinds = mapKindsFrom(args, classifier.config.encoders.vision);
  const model = await openMapModel(classifier, names, templates);
  const bar = createProgress(boxed.length, { label: "explain", unit: "images" });
  const report = await decodingAhead(args, boxed, (cases) =>
    pointingGame(model, watched(args, cases), {
      labels,
      kinds,
      curves: args.number("curves", 16),
      onCase: (done) => bar.update(done),
    })).finally(() => {
      bar.finish();
      model.close();
      disposeParams(classifier.params);
    });
  const record = {
    command: "explain",
    model: await modelFacts(args),
    ...(warnings.length > 0 ? { warnings } : {}),
    data: { name: dataset.name, ...dataset.summary, split: dataset.split, labels, names },
    prompts: templates,
    ...report,
    ...await runFacts(backend),
  };
  const facts = { ...factsOf(record.model), backend: backendText(backend), ...versions() };
  await writeResults(args, out, {
    record: ["explain.json", record],
    files: { "explain.html": await explainPage(report, facts, warnings) },
    text: formatTable(pointingTable(report)),
  });
}

/** The images and their boxes, announced. */
async function boxedSetFrom(args: Arguments): Promise<Dataset> {
  const path = args.required("images");
  args.required("boxes");
  await checkPath(path);
  const loaded = await loadPairs(path, { ...columnsFrom(args), ...await boxesFrom(args, path), chexpert: false });
  const dataset = await readableSet(args, loaded);
  announce(dataset);
  return dataset;
}

/** The labels of the boxes that are looked for. */
function labelsFrom(args: Arguments, { cases }: Dataset): readonly string[] {
  const found = [...new Set(cases.flatMap(({ boxes = [] }) => boxes.map(({ label }) => label)))];
  const labels = args.list("labels") ?? found.sort(byCodePoint);
  if (labels.length >= 2) return labels;
  const example = quotedWord(`${labels[0] ?? "pneumonia"},no finding`);
  throw new UsageError(
    `--labels must name at least two, such as --labels ${example}: there is "${labels.join()}"`,
  );
}

const POINTERS: Readonly<Record<Pointer, string>> = {
  similarity: "similarity",
  gradient: "gradient-weighted attention",
  occlusion: "occlusion",
  centre: "the picture's centre",
  chance: "a patch at random",
};

function pointingTable({ pointers, perLabel, pairs, images, unseen }: PointingReport): Table {
  const labels = Object.keys(perLabel);
  return {
    columns: [
      { title: "strongest patch of" },
      { title: `all (${pairs})` },
      ...labels.map((label) => ({ title: `${label} (${perLabel[label]})`, digits: 3 })),
    ],
    rows: Object.entries(pointers).map(([name, { share, interval, perLabel }]) => [
      POINTERS[name as Pointer],
      { value: share, text: `${share.toFixed(3)} [${interval[0].toFixed(3)}, ${interval[1].toFixed(3)}]` },
      ...labels.map((label) => perLabel[label]!),
    ]),
    caption:
      `Share of ${pairs} pairs of an image and a label (${images} images) whose strongest patch lies in a box of the label, ` +
      `95 % interval by patients.${
        unseen > 0 ? ` ${unseen} pairs are left out: no patch's centre lies in their boxes.` : ""
      }`,
  };
}

async function explainPage(
  report: PointingReport,
  facts: Record<string, string | number>,
  limits: readonly string[],
): Promise<string> {
  const curves: ReportSection[] = report.faithfulness
    ? [{
      kind: "figure",
      title: "Do the strong parts count?",
      figure: faithfulnessFigure(report.faithfulness),
      caption:
        `The boxed label's probability, mean of ${report.curves} pairs, as its strongest patches are covered (dotted: the ` +
        "faster it falls the better), and as they are uncovered on an empty picture (the faster it rises the better).",
    }]
    : [];
  const { warnings, facts: run } = factsWithWarnings(facts);
  return await buildReport({
    title: "Maps held against boxes",
    subtitle: "A map is worth something where it beats both the centre and chance.",
    warnings: [...warnings, ...limits],
    sections: [
      { kind: "table", title: "Pointing game", table: pointingTable(report) },
      ...curves,
      { kind: "facts", title: "Run", facts: run },
    ],
  });
}
