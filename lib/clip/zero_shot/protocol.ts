/** How a model is asked about classes, as data: the prompts, what is pooled, and what becomes of the cosines. @module */
import { nearest } from "../../platform/nearest.ts";

/** Prompts with `{c}` for the class's name, or a list for each class by name; `*` is for those without a list of their own. */
export type ClassTexts = readonly string[] | Readonly<Record<string, readonly string[]>>;

/** What becomes of a class's prompts, and of its cosines. */
export const PROMPT_POOLS = ["tokens", "features", "mean", "max"] as const;
/** How cosines become scores. */
export const PROTOCOL_SCORES = ["softmax", "sigmoid", "cosine", "min-max", "standard"] as const;

/** What an image and a prompt are compared by. */
export const PROTOCOL_SIMILARITIES: readonly NonNullable<Protocol["similarity"]>[] = ["global", "local", "both"];

/** A zero-shot protocol. */
export interface Protocol {
  /** Short name for tables and records. */
  name: string;
  /** Where it is from. @default {not told} */
  source?: string;
  /** What a class is asked with. */
  prompts: ClassTexts;
  /** What its absence is asked with; the score of a class is then its share of the pair. @default {none} */
  negatives?: ClassTexts;
  /**
   * `tokens`: token features averaged over prompts, then ACE-HGNN where the model has one; `features`: unit features averaged,
   * then unit length; `mean`, `max`: of the cosines with each prompt. @default {"tokens"}
   */
  pool?: typeof PROMPT_POOLS[number];
  /**
   * `global`: the cosine of the features; `local`: of words with the places that they attend to; `both`: the mean of the two. Of a
   * model that has no local similarity the cosine. @default {"global"}
   */
  similarity?: "global" | "local" | "both";
  /** Factor s of the cosines: the model's own, or a number (1: unscaled). @default {"model"} */
  scale?: "model" | number;
  /**
   * `softmax` over the classes, or over each pair where there are negatives; `sigmoid` of `s cos + b` each on its own;
   * `cosine`: `s cos` as it is; `min-max`: `exp(s cos)` stretched to 0 and 1 over the classes of each image; `standard`: less its
   * mean and over its deviation, of each class over the images. @default {"softmax"}
   */
  score?: typeof PROTOCOL_SCORES[number];
}

/** Whether a protocol's scores may be read as probabilities. */
export function isProbability({ score = "softmax" }: Protocol): boolean {
  return score === "softmax" || score === "sigmoid";
}

/** Whether a protocol has prompts for every class: some are lists for one data set's. */
export function hasPrompts({ prompts, negatives }: Protocol, classes: readonly string[]): boolean {
  return [prompts, negatives ?? []].every((texts) =>
    isTemplates(texts) || "*" in texts || classes.every((label) => ownTexts(texts, label) !== undefined)
  );
}

/** The prompts of one class. */
export interface ClassQuestion {
  /** Of its presence. */
  prompts: string[];
  /** Of its absence. */
  negatives?: string[];
}

/**
 * What each class is asked with.
 *
 * @param classes Names; a list of prompts is found by name whatever its case.
 * @throws {RangeError} If a class has no prompt.
 * @throws {SyntaxError} If a template has no `{c}`.
 */
export function protocolQuestions(protocol: Protocol, classes: readonly string[]): ClassQuestion[] {
  const { name, prompts, negatives } = protocol;
  return classes.map((label) => ({
    prompts: classTexts(prompts, label, name),
    ...(negatives ? { negatives: classTexts(negatives, label, `the negatives of ${name}`) } : {}),
  }));
}

function classTexts(texts: ClassTexts, label: string, where: string): string[] {
  if (isTemplates(texts)) return texts.map((template) => filled(template, label, where));
  const own = ownTexts(texts, label);
  if (own) return own.map((text) => text.replaceAll("{c}", label));
  const others = texts["*"];
  if (others && others.length > 0) return others.map((template) => filled(template, label, where));
  const known = Object.keys(texts).filter((key) => key !== "*");
  const near = nearest(label, known);
  throw new RangeError(
    `Cannot ask for "${label}" by ${where} as it must have prompts for each class: it has ${
      known.join(", ") || "none"
    }${near === undefined ? "" : `; did you mean "${near}"`}`,
  );
}

/** A class's list, by its name whatever its case; none that is empty. */
function ownTexts(texts: Readonly<Record<string, readonly string[]>>, label: string): readonly string[] | undefined {
  const name = label.toLowerCase();
  return Object.entries(texts).find(([key, own]) => key !== "*" && key.toLowerCase() === name && own.length > 0)?.[1];
}

function isTemplates(texts: ClassTexts): texts is readonly string[] {
  return Array.isArray(texts);
}

function filled(template: string, label: string, where: string): string {
  if (template.includes("{c}")) return template.replaceAll("{c}", label);
  throw new SyntaxError(
    `Cannot use a prompt template of ${where} as it must contain {c}: current value is "${template}"`,
  );
}
