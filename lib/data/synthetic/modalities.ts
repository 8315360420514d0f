/**
 * Images of modalities other than chest radiography, and image-caption pairs to pre-train on.
 *
 * @module
 */
import { deriveSeed, mulberry32 } from "../../tensor/random.ts";
import type { RasterImage } from "../../image/raster.ts";
import { brainMri } from "./brain_mri.ts";
import { coarseCaption, type CoarseCaptionOptions } from "./captions.ts";
import { drawFilm, syntheticStudy } from "./chest.ts";
import { fundusPhotograph } from "./fundus.ts";
import { FINDING_NAMES, type FindingSpec, pick } from "./findings.ts";
import { histopathologyTile } from "./histopathology.ts";
import { caseSeed } from "./seeds.ts";

/** The modalities beside chest radiography. */
export type OtherModality = "histopathology" | "mri" | "fundus";

/** Names of {@linkcode OtherModality}. */
export const OTHER_MODALITIES: readonly OtherModality[] = ["histopathology", "mri", "fundus"];

const DRAW: Readonly<
  Record<OtherModality, (rng: () => number, size: number) => { image: RasterImage; caption: string }>
> = { histopathology: histopathologyTile, mri: brainMri, fundus: fundusPhotograph };

/**
 * A synthetic image of `modality` with a coarse caption. Histopathology and fundus images are RGB, MRI is grey.
 *
 * @param options `size`: pixels a side (@default 64).
 * @throws {RangeError} If the modality is unknown or the size is not a whole number of at least 16.
 */
export function syntheticImage(
  modality: OtherModality,
  seed: number,
  options: { size?: number } = {},
): { image: RasterImage; caption: string } {
  const size = options.size ?? 64;
  const draw = DRAW[modality];
  if (draw === undefined) {
    throw new RangeError(
      `Cannot draw an image as its modality must be one of ${
        OTHER_MODALITIES.join(", ")
      }: current value is "${modality}"`,
    );
  }
  if (!Number.isInteger(size) || size < 16) {
    throw new RangeError(`Cannot draw an image as its size must be a whole number >= 16: current value is ${size}`);
  }
  return draw(mulberry32(deriveSeed(seed, modality)), size);
}

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
}

function plainFinding(rng: () => number): FindingSpec {
  return { name: pick(FINDING_NAMES, rng), severity: pick(["moderate", "severe", "severe"] as const, rng) };
}

/** An image with a coarse caption. */
export interface PretrainingPair {
  /** Grey for radiographs and MRI, RGB for histopathology and fundus. */
  image: RasterImage;
  /** Coarse caption. */
  text: string;
  /** "chest" or one of {@linkcode OTHER_MODALITIES}. */
  modality: "chest" | OtherModality;
}

/**
 * The pre-training pair of `seed`: an image of a random modality with a caption that does not solve the specialist's task.
 * No chest drawn here occurs in the training or evaluation sets (see `caseSeed`).
 */
export function pretrainingPair(seed: number, options: PretrainingPairOptions = {}): PretrainingPair {
  const { modality, draw, caption } = plan(seed, options);
  const { image, text } = draw(options.size ?? 64);
  return { image, text: text ?? caption(), modality };
}

/**
 * The text of {@linkcode pretrainingPair}, without its image: no radiograph is drawn for it, and another modality at the
 * smallest size, on which captions do not depend.
 */
export function pretrainingCaption(seed: number, options: PretrainingPairOptions = {}): string {
  return plan(seed, options).caption();
}

/** What a pair shows, before anything is drawn. */
interface PairPlan {
  modality: PretrainingPair["modality"];
  /** Draws the image; where the caption comes with it, both. */
  draw: (size: number) => { image: RasterImage; text?: string };
  /** Writes the caption; to be called once. */
  caption: () => string;
}

function plan(seed: number, options: PretrainingPairOptions): PairPlan {
  const rng = mulberry32(deriveSeed(seed, "pretraining"));
  if (rng() >= (options.chestShare ?? 0.55)) {
    const modality = pick(OTHER_MODALITIES, rng);
    const draw = (size: number): { image: RasterImage; text: string } => {
      const { image, caption } = syntheticImage(modality, seed, { size });
      return { image, text: caption };
    };
    return { modality, draw, caption: () => draw(16).text };
  }
  const chest = caseSeed(seed, { set: "pretraining", index: 0 });
  const even = rng() < (options.evenShare ?? 0);
  const study = syntheticStudy(chest, even ? { findings: [plainFinding(rng)] } : {});
  return {
    modality: "chest",
    draw: (size) => ({ image: drawFilm(chest, { findings: study.findings, size }).image }),
    caption: () => coarseCaption(study, rng, options),
  };
}
