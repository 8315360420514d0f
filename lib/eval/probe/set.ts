/** A set as few-shot methods take it, and the two answers that need no label. @module */
import { aceLoraModel, similarityScale } from "../../ace_lora.ts";
import { encodeClasses } from "../../clip/zero_shot/scores.ts";
import { classPrompts } from "../../data/sources.ts";
import type { ThreeParts } from "../../data/splits.ts";
import type { Case, Dataset } from "../../data/types.ts";
import { disposeParams } from "../../tensor/params.ts";
import type { Classifier } from "../classify.ts";
import { aurocOf, type FewShotData } from "./few_shot.ts";
import { tipAdapter } from "./neighbours.ts";
import { shareRight } from "./task.ts";

/** Features and targets of each part. */
export function partFeatures(
  { cases, classes }: Dataset,
  parts: ThreeParts,
  features: Float32Array,
  width: number,
): Pick<FewShotData, keyof ThreeParts> {
  const placeOf = new Map(cases.map(({ id }, i) => [id, i]));
  const of = (part: readonly Case[]) => {
    const own = new Float32Array(part.length * width);
    part.forEach(({ id }, i) => {
      const start = placeOf.get(id)! * width;
      own.set(features.subarray(start, start + width), i * width);
    });
    return { features: own, targets: part.map(({ target }) => target!), classes: classes.length };
  };
  return { train: of(parts.train), validation: of(parts.validation), test: of(parts.test) };
}

/** Features of the classes' prompts, none of an image tower alone, and the similarity's scale. */
export async function classFeatures(
  { params, config, tokenizer }: Classifier,
  names: readonly string[],
  templates: readonly string[],
): Promise<Pick<FewShotData, "classFeatures" | "scale">> {
  if (config.encoders.text.kind === "none") return { classFeatures: new Float32Array(0), scale: 1 };
  const model = aceLoraModel(config);
  const merged = model.forEvaluation(params);
  const prompts = classPrompts(names, config.encoders, tokenizer, templates);
  const features = await encodeClasses(model, merged, prompts, prompts.prompts);
  disposeParams(merged, params);
  const scale = similarityScale(params);
  const [value] = await scale.data();
  scale.dispose();
  return { classFeatures: features, scale: value! };
}

/** Accuracy and AUROC of the zero-shot answers on the test part; null where no class has features. */
export function zeroShot(
  { test, classFeatures, scale }: FewShotData,
): { accuracy: number; auroc: number | null } | null {
  if (classFeatures.length === 0) return null;
  const targets = Array.from(test.targets);
  const none = { ...test, features: new Float32Array(0), targets: [] };
  const scores = tipAdapter(none, test.features, classFeatures, { scale });
  return { accuracy: shareRight(scores, targets), auroc: aurocOf(scores, targets) };
}

/** The accuracy of always answering the test part's most frequent class. */
export function mostFrequent({ test }: FewShotData): number {
  const counts = new Array<number>(test.classes).fill(0);
  for (const target of Array.from(test.targets)) counts[target]!++;
  return Math.max(...counts) / test.targets.length;
}
