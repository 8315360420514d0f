/** Images with two captions, a coarse one of the whole and one of what is to be seen where; radiographs come in twins. @module */
import type { RasterImage } from "../../image/raster.ts";
import { deriveSeed, mulberry32 } from "../../tensor/random.ts";
import { coarseCaption, plainCaption } from "./captions.ts";
import { drawFilm, syntheticStudy } from "./chest.ts";
import { pick } from "./findings.ts";
import { OTHER_MODALITIES, syntheticImage } from "./modalities.ts";
import { type Contents, plainFinding } from "./pretraining_pairs.ts";
import { caseSeed } from "./seeds.ts";

/** An image with its captions, before it is drawn. */
export interface CaptionedPlan extends Contents {
  /** Modality and organ, of a radiograph perhaps the projection; nothing of what is found. */
  coarse(): string;
  /** What is to be seen, in plain words that name no finding; of another modality the coarse caption. */
  plain(): string;
  /** Draws the image, with so many pixels a side. */
  image(size: number): RasterImage;
}

/** Neither findings nor whether there are any. */
const COARSE = { findingShare: 0, statusShare: 0 };

/**
 * Film `twin` of the chest of `seed`: both show the same chest in the same projection, each with findings of its own. No chest
 * drawn here occurs in the training or evaluation sets (see `caseSeed`).
 *
 * @param options `twin`: which film; `evenShare`: share of films that show one finding, each as often as the others and never
 * mild, while the rest follow the prevalences.
 */
export function twinFilm(seed: number, options: { twin: 0 | 1; evenShare: number }): CaptionedPlan {
  const { twin, evenShare } = options;
  const chest = caseSeed(seed, { set: "pretraining", index: 2 });
  const rng = mulberry32(deriveSeed(seed, `twin ${twin}`));
  // Twins are one chest of one exposure: only the findings may come from the film's own seed.
  const { findings } = syntheticStudy(
    deriveSeed(chest, `twin ${twin}`),
    rng() < evenShare ? { findings: [plainFinding(rng)] } : {},
  );
  const { view } = syntheticStudy(chest, { findings: [] });
  const coarse = coarseCaption({ findings, view }, rng, COARSE);
  return {
    modality: "chest",
    findings,
    coarse: () => coarse,
    plain: () => plainCaption(findings),
    image: (size) => drawFilm(chest, { findings, size }).image,
  };
}

/** An image of another modality; both captions are its own. */
export function otherImage(seed: number): CaptionedPlan {
  const modality = pick(OTHER_MODALITIES, mulberry32(deriveSeed(seed, "modality")));
  const caption = (): string => syntheticImage(modality, seed, { size: 16 }).caption;
  return {
    modality,
    findings: [],
    coarse: caption,
    plain: caption,
    image: (size) => syntheticImage(modality, seed, { size }).image,
  };
}
