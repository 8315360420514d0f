/** A model card in Hugging Face's form: README.md, with what a machine reads of it in front. @module */
import type { JsonRecord } from "../clip/config_file/fields.ts";
import { isRecord } from "../io/fields.ts";

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
  /** A `metrics.json` of `evaluate`. @default {none} */
  metrics?: unknown;
  /** A `training.json` of `train`. @default {none} */
  training?: unknown;
}

/** A figure of one data set. */
interface Figure {
  set: string;
  type: string;
  name: string;
  value: number;
}

/** Figures that a card tells, by their names on the hub. */
const FIGURES: readonly [field: string, type: string, name: string][] = [
  ["accuracy", "accuracy", "Accuracy"],
  ["auroc", "roc_auc", "AUROC"],
];

/**
 * The card's text.
 *
 * Source: huggingface.co/docs/hub/model-cards; every text in front stands in quotes, which YAML reads as JSON does.
 *
 * @throws {SyntaxError} If `metrics` or `training` is no record of such a run.
 */
export function modelCard(facts: ModelCardFacts): string {
  const { title, baseModel, license, files, notice } = facts;
  const figures = facts.metrics === undefined ? [] : figuresOf(facts.metrics);
  const training = facts.training === undefined ? undefined : trainingOf(facts.training);
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
    ["Training", training ?? ["Not recorded: no training.json was given."]],
    [
      "Evaluation",
      figures.length === 0
        ? ["Not recorded: no metrics.json was given."]
        : table(["data", "figure", "value"], figures.map(({ set, name, value }) => [set, name, value.toFixed(4)])),
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

function figuresOf(metrics: unknown): Figure[] {
  if (!isRecord(metrics) || !isRecord(metrics["sets"])) {
    throw new SyntaxError("Cannot write a card of metrics.json as it must be of evaluate: it has no sets");
  }
  return Object.entries(metrics["sets"]).flatMap(([set, methods]) =>
    Object.values(isRecord(methods) ? methods : {}).flatMap((result) =>
      FIGURES.flatMap(([field, type, name]): Figure[] => {
        const value = isRecord(result) ? result[field] : undefined;
        return typeof value === "number" && Number.isFinite(value) ? [{ set, type, name, value }] : [];
      })
    )
  );
}

function modelIndex(title: string, figures: readonly Figure[]): string[] {
  if (figures.length === 0) return [];
  const results = [...Map.groupBy(figures, ({ set }) => set)].flatMap(([set, own]) => [
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
  return ["model-index:", `- name: ${quote(title)}`, "  results:", ...results];
}

function trainingOf(training: unknown): string[] {
  if (!isRecord(training) || !Array.isArray(training["history"])) {
    throw new SyntaxError("Cannot write a card of training.json as it must be of train: it has no history");
  }
  const last: unknown = training["history"].at(-1);
  const facts: JsonRecord = { ...training, "final loss": isRecord(last) ? last["loss"] : undefined };
  const rows = Object.entries(facts).flatMap(([name, value]): [string, string][] =>
    ["string", "number", "boolean"].includes(typeof value) ? [[name, `${value}`]] : []
  );
  const { data } = training;
  return table(["what", "value"], [
    ...(isRecord(data) && typeof data["name"] === "string" ? [["data", data["name"]]] : []),
    ...rows,
  ]);
}
