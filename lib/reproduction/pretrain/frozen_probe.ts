/** What a frozen image tower knows, and where: linear probes of its CLS token and of its patch tokens. @module */
import * as tf from "@tensorflow/tfjs";
import type { ClipConfig } from "../../clip/config.ts";
import type { ClipParams } from "../../clip/params.ts";
import { imageTower } from "../../clip/towers/image.ts";
import { imageSource } from "../../data/sources.ts";
import { heldOutChestSets } from "../../data/synthetic/sets.ts";
import type { Dataset } from "../../data/types.ts";
import { macroAuroc } from "../../eval/metrics/auroc.ts";
import { fitLogistic, predictLogistic } from "../../eval/probe/logistic.ts";
import type { LabelledFeatures } from "../../eval/probe/neighbours.ts";
import { shareRight } from "../../eval/probe/task.ts";

/** Where a probe reads: the CLS token, the mean of the patch tokens, or the largest value of each number among them. */
export type ProbedTokens = "cls" | "patchMean" | "patchMax";

/** Macro AUROC of each probe on one held-out set. */
export type ProbeFigures = Readonly<Record<ProbedTokens, number>>;

/** Options of {@linkcode frozenProbe}. */
export interface FrozenProbeOptions {
  /** Seed of the three draws; no draw of it is one that the demo or the tables are evaluated on. @default {1001} */
  seed?: number;
  /** Cases of each of the five classes in each draw; the binary sets have five times as many. @default {60} */
  perClass?: number;
  /** Names of the sets, as `heldOutChestSets` gives them. @default {all of them} */
  sets?: readonly string[];
}

/**
 * Logistic regression on the image tower's last tokens, before the projection, each number brought to mean 0 and deviation 1:
 * fitted on one draw of the held-out sets' kind, its penalty chosen on a second, judged on a third.
 *
 * All three have as many numbers as a token, so what they differ in is where they look. A lesson of a few patches that a linear
 * reader finds in the patches' mean and not in the CLS token is one that an adapter of the CLS token's projection cannot learn.
 *
 * @param params Borrowed.
 * @returns Figures by the set's name.
 */
export async function frozenProbe(
  params: ClipParams,
  config: ClipConfig,
  options: FrozenProbeOptions = {},
): Promise<Record<string, ProbeFigures>> {
  const { seed = 1001, perClass = 60 } = options;
  const [train, validation, test] = [0, 1, 2].map((draw) => heldOutChestSets(perClass, seed + draw));
  const figures: Record<string, ProbeFigures> = {};
  for (const name of options.sets ?? Object.keys(train!)) {
    const parts: Record<ProbedTokens, LabelledFeatures>[] = [];
    for (const draw of [train!, validation!, test!]) parts.push(await probedFeatures(params, config, draw[name]!));
    const auroc = (where: ProbedTokens): number => {
      const [known, choosing, asked] = standardised(parts.map((part) => part[where]));
      const models = PENALTIES.map((c) =>
        fitLogistic(known!.features, known!.targets, { c, classes: known!.classes, tolerance: 1e-6 })
      );
      const right = models.map((model) => shareRight(predictLogistic(model, choosing!.features), choosing!.targets));
      const best = models[right.indexOf(Math.max(...right))]!;
      return macroAuroc(predictLogistic(best, asked!.features), asked!.targets).value;
    };
    figures[name] = { cls: auroc("cls"), patchMean: auroc("patchMean"), patchMax: auroc("patchMax") };
  }
  return figures;
}

/** Inverse penalties C from strong to weak; of equally good ones the strongest is taken. Standardised numbers need no wider search. */
const PENALTIES = [1e-4, 1e-3, 1e-2, 1e-1, 1];

const BATCH = 50;

async function probedFeatures(
  params: ClipParams,
  config: ClipConfig,
  { cases, classes }: Dataset,
): Promise<Record<ProbedTokens, LabelledFeatures>> {
  const { imageSize: side, width } = config.vision;
  const source = imageSource(cases, config);
  const rows = new Float32Array(3 * cases.length * width); // one part after the other
  for (let start = 0; start < cases.length; start += BATCH) {
    const indices = Array.from({ length: Math.min(BATCH, cases.length - start) }, (_, i) => start + i);
    const pixels = tf.tensor4d(await source.pixels(indices), [indices.length, side, side, 3]);
    const read = tf.tidy(() => {
      const { tokens } = imageTower(params.vision.trunk, pixels, config.vision);
      const patches = tf.slice(tokens, [0, 1, 0]);
      return [
        tf.reshape(tf.slice(tokens, [0, 0, 0], [-1, 1, -1]), [-1, width]),
        tf.mean(patches, 1),
        tf.max(patches, 1),
      ];
    });
    for (const [part, tensor] of read.entries()) rows.set(await tensor.data(), (part * cases.length + start) * width);
    tf.dispose([pixels, ...read]);
  }
  const targets = cases.map(({ target }) => target!);
  const part = (index: number): LabelledFeatures => ({
    features: rows.subarray(index * cases.length * width, (index + 1) * cases.length * width),
    targets,
    classes: classes.length,
  });
  return { cls: part(0), patchMean: part(1), patchMax: part(2) };
}

/** The parts, each number brought to mean 0 and deviation 1 over the first of them. */
function standardised(parts: readonly LabelledFeatures[]): LabelledFeatures[] {
  const { features, targets } = parts[0]!;
  const n = targets.length;
  const width = features.length / n;
  const means = new Float64Array(width);
  const deviations = new Float64Array(width);
  for (let i = 0; i < features.length; i++) means[i % width]! += features[i]! / n;
  for (let i = 0; i < features.length; i++) deviations[i % width]! += (features[i]! - means[i % width]!) ** 2 / n;
  return parts.map((part) => ({
    ...part,
    features: Float64Array.from(
      part.features,
      (value, i) => (value - means[i % width]!) / Math.sqrt(deviations[i % width]! + 1e-12),
    ),
  }));
}
