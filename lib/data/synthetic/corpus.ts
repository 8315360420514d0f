/** All kinds of text the mini model meets: reports, captions, prompts. @module */
import { deriveSeed, mulberry32 } from "../../tensor/random.ts";
import { CHEXPERT_LABELS } from "../types.ts";
import { coarseCaption } from "./captions.ts";
import { syntheticStudy } from "./chest.ts";
import { OTHER_MODALITIES, syntheticImage } from "./modalities.ts";

/** Prompt templates of the zero-shot evaluation. */
const PROMPTS: readonly string[] = ["a chest X-ray image of {c}.", "Findings suggesting {c}."];

/**
 * About `n` texts: both prompts with every CheXpert name first, then reports and captions of radiographs and captions of
 * the other modalities in the ratio 3 : 2 : 1.
 *
 * @throws {RangeError} If `n` is not a whole number of at least 1.
 */
export function syntheticCorpus(n: number, seed: number): string[] {
  if (!Number.isInteger(n) || n < 1) {
    throw new RangeError(`Cannot write a corpus as its size must be a whole number >= 1: current value is ${n}`);
  }
  const texts = CHEXPERT_LABELS.flatMap((name) => PROMPTS.map((prompt) => prompt.replace("{c}", name)));
  for (let i = 0; texts.length < n; i++) {
    const own = deriveSeed(seed, `corpus/${i}`);
    const study = syntheticStudy(own);
    if (i % 6 < 3) texts.push(study.report);
    else if (i % 6 < 5) texts.push(coarseCaption(study, mulberry32(own)));
    else texts.push(syntheticImage(OTHER_MODALITIES[Math.floor(i / 6) % 3]!, own, { size: 16 }).caption);
  }
  return texts;
}
