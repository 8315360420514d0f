/** Image-caption pairs to pre-train a generalist on. @module */
import { checkRecord, checkRecords, checkValue, INTEGER, LIST, needed, TEXT } from "../../platform/options.ts";
import type { RasterImage } from "../../image/raster.ts";
import { deriveSeed, mulberry32 } from "../../tensor/random.ts";
import type { LabelValue } from "../types.ts";
import { coarseCaption, type CoarseCaptionOptions, plainCaption } from "./captions.ts";
import { drawFilm, syntheticStudy } from "./chest.ts";
import { type Finding, FINDING_NAMES, type FindingSpec, pick } from "./findings.ts";
import { OTHER_MODALITIES, type OtherModality, syntheticImage } from "./modalities.ts";
import { caseSeed } from "./seeds.ts";

/** Options of {@linkcode pretrainingPair}. */
export interface PretrainingPairOptions extends CoarseCaptionOptions {
  /** Pixels a side. @default 64 */
  size?: number;
  /** Share of chest radiographs; the rest is shared evenly among the other modalities. @default 0.55 */
  chestShare?: number;
  /**
   * Share of the radiographs that show one finding, each as often as the others and never mild; the rest follow the
   * prevalences. @default 0
   */
  evenShare?: number;
  /** Share of the radiographs whose caption is a `plainCaption()`, not a coarse one. @default 0 */
  plainShare?: number;
}

/** What is to be seen or read. */
export interface Contents {
  /** "chest" or one of {@linkcode OTHER_MODALITIES}. */
  modality: "chest" | OtherModality;
  /** What is drawn, on radiographs. */
  findings: readonly Finding[];
}

/** The label row of some contents, modalities first: equal rows show the same. */
export function contentLabels(contents: Contents): LabelValue[] {
  checkRecord("label contents", "they", contents, { modality: needed(TEXT), findings: needed(LIST) });
  const { modality, findings } = contents;
  checkRecords("label contents", "findings", findings, { name: needed(TEXT) });
  const shown = new Set<string>([modality, ...findings.map(({ name }) => name)]);
  return ["chest", ...OTHER_MODALITIES, ...FINDING_NAMES].map((name) => shown.has(name) ? 1 : 0);
}

/** An image with a caption. */
export interface PretrainingPair extends Contents {
  /** Grey for radiographs and MRI, RGB for histopathology and fundus. */
  image: RasterImage;
  /** Plain or coarse caption. */
  text: string;
}

/** A pair before its image is drawn. */
export interface PretrainingPlan extends Contents {
  /** The caption. No radiograph is drawn for it, and another modality at the smallest size, on which captions do not depend. */
  text(): string;
  /** Draws the image, with so many pixels a side. */
  image(size: number): RasterImage;
}

/**
 * The pre-training pair of `seed`: an image of a random modality with a caption that does not solve the specialist's task.
 * No chest drawn here occurs in the training or evaluation sets (see `caseSeed`).
 */
export function pretrainingPair(seed: number, options: PretrainingPairOptions = {}): PretrainingPair {
  const { modality, findings, text, image } = pretrainingPlan(seed, options);
  return { image: image(options.size ?? 64), text: text(), modality, findings };
}

/** What {@linkcode pretrainingPair} will show and say. */
export function pretrainingPlan(seed: number, options: PretrainingPairOptions = {}): PretrainingPlan {
  checkValue("draw a pair", "seed", seed, INTEGER);
  const { chestShare = 0.55, evenShare = 0, plainShare = 0 } = options;
  const rng = mulberry32(deriveSeed(seed, "pretraining"));
  if (rng() >= chestShare) {
    const modality = pick(OTHER_MODALITIES, rng);
    return {
      modality,
      findings: [],
      text: () => syntheticImage(modality, seed, { size: 16 }).caption,
      image: (size) => syntheticImage(modality, seed, { size }).image,
    };
  }
  const chest = caseSeed(seed, { set: "pretraining", index: 0 });
  const study = syntheticStudy(chest, rng() < evenShare ? { findings: [plainFinding(rng)] } : {});
  const { findings } = study;
  const text = rng() < plainShare ? plainCaption(findings) : coarseCaption(study, rng, options);
  return {
    modality: "chest",
    findings,
    text: () => text,
    image: (size) => drawFilm(chest, { findings, size }).image,
  };
}

/** A finding that is not mild, each as likely as the others. */
export function plainFinding(rng: () => number): FindingSpec {
  return { name: pick(FINDING_NAMES, rng), severity: pick(["moderate", "severe", "severe"] as const, rng) };
}
