/** Texts for images that have classes and no reports, and few of them. @module */
import { DATASET } from "./dataset.ts";
import { inSentence } from "../platform/nearest.ts";
import { deriveSeed, mulberry32, shuffled } from "../tensor/random.ts";
import { byCodePoint } from "../text/code_point_order.ts";
import { type Case, CHEXPERT_LABELS, type Dataset } from "./types.ts";
import { checkOptions, checkValue, COUNT, INTEGER, RECORD, type Rules, TEXT } from "../platform/options.ts";

/** How captions are worded. */
export interface CaptionTemplates {
  /** For an image of classes; each holds `{c}`, which becomes "edema", "edema and mass" or "edema, mass and nodule". */
  findings: readonly string[];
  /** For an image of none. */
  none: readonly string[];
}

/** Templates of chest radiographs: the first two are the paper's prompts, the others ours. */
export const CHEST_CAPTIONS: CaptionTemplates = {
  findings: ["a chest X-ray image of {c}.", "Findings suggesting {c}.", "There is {c}.", "Frontal radiograph: {c}."],
  none: ["a chest X-ray image without findings.", "No acute findings.", "The lungs are clear."],
};

/**
 * Reads templates from text, one a line: those with `{c}` are for images of classes, the others for images of none.
 *
 * @throws {SyntaxError} If no line has `{c}`; the message names `path`.
 */
export function parseCaptions(text: string, path: string): CaptionTemplates {
  checkValue("read caption templates", "they", text, TEXT);
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
  const findings = lines.filter((line) => line.includes("{c}"));
  if (findings.length === 0) {
    throw new SyntaxError(
      `Cannot read "${path}" as caption templates as a line must hold {c}: it has ${lines.length} lines, none does`,
    );
  }
  const none = lines.filter((line) => !line.includes("{c}"));
  return { findings, none: none.length > 0 ? none : CHEST_CAPTIONS.none };
}

/** Names of a case's classes. */
function classesOf({ target, targets }: Case, classes: readonly string[]): string[] {
  if (target !== undefined) return [classes[target]!];
  return classes.filter((_, c) => targets?.[c] === 1);
}

/** Classes in a sentence, as in "edema, mass and nodule". */
function joined(names: readonly string[]): string {
  return inSentence(names.map((name) => name.replaceAll("_", " ").toLowerCase()));
}

/** The finding that is none. */
const NO_FINDING = "No Finding";

/**
 * A set with the 14 CheXpert labels as one of classes, "No Finding" not among them: positive is 1; negative, uncertain and blank
 * are 0, as in the label-guided loss.
 *
 * @throws {TypeError} If a case has no labels.
 */
export function chexpertClasses(dataset: Dataset): Dataset {
  const cases = dataset.cases.map((item): Case => {
    if (item.labels === undefined) {
      throw new TypeError(
        `Cannot read classes of case "${item.id}" as it must have the 14 CheXpert labels: it has none`,
      );
    }
    const targets = item.labels.flatMap((label, i) => CHEXPERT_LABELS[i] === NO_FINDING ? [] : Number(label === 1));
    return { ...item, targets };
  });
  return { ...dataset, classes: CHEXPERT_LABELS.filter((name) => name !== NO_FINDING), task: "multilabel", cases };
}

/** What they must be. */
const CAPTIONED_RULES: Rules<{ templates?: CaptionTemplates; seed?: number }> = {
  templates: RECORD,
  seed: INTEGER,
};

/**
 * A classified data set as image-text pairs: each case's text is a template, drawn by seed and case, with its classes in it,
 * and its label row is that of its classes, so that the label-guided loss masks pairs of the same ones.
 *
 * @throws {TypeError} If a case has no class.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function captioned(
  dataset: Dataset,
  options: { templates?: CaptionTemplates; seed?: number } = {},
): Dataset {
  checkOptions("caption", options, CAPTIONED_RULES);
  checkValue("caption", "they", dataset, DATASET);
  const { templates = CHEST_CAPTIONS, seed = 0 } = options;
  const { classes } = dataset;
  const cases = dataset.cases.map((item): Case => {
    if (item.target === undefined && item.targets === undefined) {
      throw new TypeError(`Cannot caption case "${item.id}" as it must have a class: it has none`);
    }
    const names = classesOf(item, classes);
    const all = names.length > 0 ? templates.findings : templates.none;
    const template = all[Math.floor(mulberry32(deriveSeed(seed, `caption ${item.id}`))() * all.length)]!;
    return {
      ...item,
      text: template.replaceAll("{c}", joined(names)),
      labels: classes.map((name) => names.includes(name) ? 1 : 0),
    };
  });
  return { ...dataset, cases };
}

/**
 * A few cases a class, drawn by seed whatever the cases' order: of each class in turn as many as it lacks to have
 * `shots`; a case of several classes counts for each. Cases of no class count as a class of their own.
 *
 * @returns The cases drawn, in the data set's order.
 */
export function fewShot(dataset: Dataset, shots: number, seed = 0): Case[] {
  checkValue("draw cases", "they", dataset, DATASET);
  checkValue("draw cases", "shots", shots, COUNT);
  checkValue("draw cases", "seed", seed, INTEGER);
  const sorted = dataset.cases.toSorted((a, b) => byCodePoint(a.id, b.id));
  const drawn = shuffled(sorted, mulberry32(deriveSeed(seed, "few shots")));
  const counts = new Map<string, number>();
  const chosen = new Set<Case>();
  const names = (item: Case): string[] => {
    const own = classesOf(item, dataset.classes);
    return own.length > 0 ? own : [""];
  };
  for (const name of [...dataset.classes, ""]) {
    for (const item of drawn) {
      if ((counts.get(name) ?? 0) >= shots) break;
      const own = names(item);
      if (chosen.has(item) || !own.includes(name)) continue;
      chosen.add(item);
      for (const each of own) counts.set(each, (counts.get(each) ?? 0) + 1);
    }
  }
  return dataset.cases.filter((item) => chosen.has(item));
}
