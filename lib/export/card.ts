/** A model card in Hugging Face's form: README.md, with what a machine reads of it in front. @module */
import type { Estimate, EvaluationRecord, Interval } from "../display/evaluation.ts";
import type { DenseRecord, MethodResult, RunRecord, TrainingRecord } from "../display/results.ts";

/** What {@linkcode modelCard} tells. */
export interface ModelCardFacts {
  /** The model's name. */
  title: string;
  /** The base's name on the hub. @default {left out} */
  baseModel?: string;
  /** The licence's name on the hub. @default {left to whoever publishes it} */
  license?: string;
  /** Files and their SHA-256, versions, by name. */
  files: Readonly<Record<string, string>>;
  /** What must be said of the shipped model. @default {nothing} */
  notice?: string;
  /** Records of evaluations, as `parseRunRecord` and `checkDenseRecord` read them. @default {none} */
  metrics?: readonly (RunRecord | DenseRecord)[];
  /** A training's record, as `checkTrainingRecord` reads it. @default {none} */
  training?: TrainingRecord;
}

/** A figure of one data set. */
interface Figure {
  set: string;
  /** Its name on the hub, where it has one there. */
  type?: string;
  name: string;
  value: number;
  interval?: Interval | null;
}

/**
 * The card's text.
 *
 * Source: huggingface.co/docs/hub/model-cards; every text in front stands in quotes, which YAML reads as JSON does.
 */
export function modelCard(facts: ModelCardFacts): string {
  const { title, baseModel, license, files, notice } = facts;
  const { metrics = [], training } = facts;
  const figures = metrics.flatMap(figuresOf);
  const front = [
    ...(baseModel === undefined ? [] : [`base_model: ${quote(baseModel)}`]),
    ...(license === undefined ? [] : [`license: ${quote(license)}`]),
    "library_name: ace-lora",
    "pipeline_tag: zero-shot-image-classification",
    "tags:",
    ...["ace-lora", "lora", "medical", "clip"].map((tag) => `- ${tag}`),
    ...modelIndex(title, figures),
  ];
  const sections: [string, string[]][] = [
    ["Intended use", [
      "Research on zero-shot classification and retrieval of medical images. It is no medical device; its scores are no diagnosis.",
    ]],
    ["Limits", [
      ...(notice === undefined ? [] : [notice]),
      "Scores depend on the wording of the labels. Figures hold for the data they were measured on; other scanners, sites and patients may differ.",
    ]],
    ["Training", training ? trainingOf(training) : ["Not recorded: no training.json was given."]],
    [
      "Evaluation",
      figures.length === 0 ? ["Not recorded: no metrics.json was given."] : [
        ...table(
          ["data", "figure", "value", "95 % interval"],
          figures.map(({ set, name, value, interval }) => [
            set,
            name,
            value.toFixed(4),
            interval ? interval.map((end) => end.toFixed(4)).join(" to ") : "",
          ]),
        ),
        ...metrics.flatMap(remarksOf).flatMap((remark) => ["", remark]),
      ],
    ],
    ["Files", table(["what", "value"], Object.entries(files))],
    ["Licence", [license ?? "Named by whoever publishes the model; the base model's and the data's terms hold, too."]],
  ];
  const body = sections.map(([heading, lines]) => `## ${heading}\n\n${lines.join("\n")}\n`).join("\n");
  return `---\n${front.join("\n")}\n---\n\n# ${cell(title)}\n\n${body}`;
}

const quote = (text: string): string => JSON.stringify(text);

/** A text that stays in its cell. */
function cell(text: string): string {
  return text.replace(/\s+/g, " ").replaceAll("|", "\\|");
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)];
}

/** The methods' results by set; a set's name says which method, where there are several. */
function resultsOf({ sets }: RunRecord): { set: string; result: MethodResult }[] {
  return Object.entries(sets).flatMap(([set, methods]) => {
    const entries = Object.entries(methods);
    return entries.map(([method, result]) => ({ set: entries.length > 1 ? `${set}, ${method}` : set, result }));
  });
}

function figuresOf(record: RunRecord | DenseRecord): Figure[] {
  if ("figures" in record) {
    const set = record.data.name;
    return Object.entries(record.figures).flatMap(([name, value]) =>
      typeof value === "number" ? { set, name, value } : []
    );
  }
  return resultsOf(record).flatMap(({ set, result }): Figure[] => {
    const { accuracy, accuracy_ci, auroc, auroc_ci, evaluation } = result;
    const overall: Figure[] = evaluation
      ? [
        ...estimated({ set, type: "accuracy", name: "Accuracy" }, evaluation.accuracy),
        ...estimated({ set, type: "roc_auc", name: "AUROC" }, evaluation.auroc),
        ...estimated({ set, type: "average_precision", name: "AUPRC" }, evaluation.auprc),
      ]
      : [
        { set, type: "accuracy", name: "Accuracy", value: accuracy, interval: accuracy_ci },
        ...(auroc === null ? [] : [{ set, type: "roc_auc", name: "AUROC", value: auroc, interval: auroc_ci }]),
      ];
    return [...overall, ...(evaluation ? furtherOf(set, evaluation) : [])];
  });
}

/** Figures of each class, calibration and subgroups. */
function furtherOf(set: string, { classes, calibration, subgroups }: EvaluationRecord): Figure[] {
  const isOne = Object.keys(classes).length === 1;
  return [
    ...Object.entries(classes).flatMap(([label, figures]) => [
      ...(isOne ? [] : estimated({ set, name: `AUROC of ${label}` }, figures.auroc)),
      ...estimated({ set, name: `Sensitivity to ${label}` }, figures.sensitivity),
      ...estimated({ set, name: `Specificity for ${label}` }, figures.specificity),
    ]),
    ...(calibration ? [{ set, name: "Expected calibration error", value: calibration.raw.ece }] : []),
    ...subgroups.flatMap(({ by, group, auroc }) =>
      auroc ? estimated({ set, name: `AUROC where ${by} is ${group}` }, auroc) : []
    ),
  ];
}

/** A figure with its interval, over patients where they are known; nothing where it is undefined. */
function estimated(figure: Omit<Figure, "value">, { value, cases, patients }: Estimate): Figure[] {
  return value === null ? [] : [{ ...figure, value, interval: patients ?? cases }];
}

/** What must be known to read the figures. */
function remarksOf(record: RunRecord | DenseRecord): string[] {
  return [...figureRemarks(record), ...(record.warnings ?? []).map((text) => `Warning: ${text}.`)];
}

/** What the figures are of. */
function figureRemarks(record: RunRecord | DenseRecord): string[] {
  if ("figures" in record) {
    return record.data.synthetic ? [`${record.data.name}: drawings, which say nothing about patients.`] : [];
  }
  const drawn = record.synthetic ? " Drawings, which say nothing about patients." : "";
  return resultsOf(record).map(({ set, result: { n, evaluation } }) => {
    if (!evaluation) return `${set}: ${n} cases; intervals by bootstrap over cases.${drawn}`;
    const { cases, patients, threshold, baseline } = evaluation;
    const over = patients === null ? "cases" : `its ${patients} patients`;
    return `${set}: ${cases} cases, intervals by bootstrap over ${over}. Thresholds: ${threshold.rule} (${threshold.chosen_on}). ` +
      `Accuracy of ${baseline.answer}, which looks at no image: ${baseline.accuracy.toFixed(4)}.${drawn}`;
  });
}

function modelIndex(title: string, figures: readonly Figure[]): string[] {
  const known = figures.filter(({ type }) => type !== undefined);
  const results = [...Map.groupBy(known, ({ set }) => set)].flatMap(([set, own]) => [
    "  - task:",
    "      type: zero-shot-image-classification",
    "    dataset:",
    `      name: ${quote(set)}`,
    `      type: ${quote(set)}`,
    "    metrics:",
    ...own.flatMap(({ type, name, value }) => [
      `    - type: ${type}`,
      `      value: ${value}`,
      `      name: ${quote(name)}`,
    ]),
  ]);
  return results.length === 0 ? [] : ["model-index:", `- name: ${quote(title)}`, "  results:", ...results];
}

function trainingOf({ data, history, ...facts }: TrainingRecord): string[] {
  const rows = Object.entries({ ...facts, "final loss": history.at(-1)?.loss }).flatMap(([name, value]) =>
    ["string", "number", "boolean"].includes(typeof value) ? [[name, `${value}`]] : []
  );
  return table(["what", "value"], [["data", data.name], ...rows]);
}
