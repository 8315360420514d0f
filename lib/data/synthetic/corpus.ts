/** All kinds of text the mini model meets: reports, captions, prompts. @module */
import { deriveSeed, mulberry32 } from "../../tensor/random.ts";
import { CHEXPERT_LABELS } from "../types.ts";
import { coarseCaption } from "./captions.ts";
import { syntheticStudy } from "./chest.ts";
import { OTHER_MODALITIES, syntheticImage } from "./modalities.ts";

/** Class names of the real data sets that the prompts are also used with. */
const OTHER_CLASSES: readonly string[] = [
  "effusion",
  "infiltration",
  "mass",
  "nodule",
  "emphysema",
  "fibrosis",
  "hernia",
  "normal",
  "viral pneumonia",
  "bacterial pneumonia",
  "COVID-19",
  "tuberculosis",
  "lung adenocarcinoma",
  "lung squamous cell carcinoma",
  "benign lung tissue",
  "colon adenocarcinoma",
  "benign colonic tissue",
  "hyperplastic polyp",
  "sessile serrated adenoma",
];

/** Common words of real notes, so that they are read whole and not letter by letter. */
const NOTES: readonly string[] = [
  "A 65 year old man presented to the emergency department with fever, dry cough and dyspnea for 3 days.",
  "Female patient, history of diabetes and hypertension, admitted to hospital with shortness of breath.",
  "The initial X-ray shows bilateral ground glass opacities, predominantly peripheral and lower zone distribution.",
  "After intubation, day 5, oxygen saturation improved; follow-up film demonstrated progression of the disease.",
  "CT scan confirmed coronavirus infection by PCR, positive test; symptoms onset one week before admission.",
  "Diffuse reticular interstitial markings, hilar prominence, hyperinflation, flattened diaphragm, airways thickened.",
  "Cavitary change, calcified granuloma, lymph node enlargement, scoliosis, scarring, soft tissue emphysema, aorta tortuous.",
  "Resolved, unchanged, worse, worsening, improved, new, stable, interval, previous, next, during treatment, discharged, died.",
  "These images show this case: she, he, was, were, has, had, his, her, who, that, which, on, to, from, by, but, both, also.",
  "Anterior, posterior, lateral, medial, superior, inferior, supine, erect, inspiration, child, children, adult, woman, male.",
];

/** Prompt templates of the zero-shot evaluation. */
export const PROMPTS: readonly string[] = ["a chest X-ray image of {c}.", "Findings suggesting {c}."];

/**
 * At least `n` texts: the prompts with every class name and a few remarks first, then reports and captions of radiographs and captions of
 * the other modalities in the ratio 3 : 2 : 1.
 *
 * @throws {RangeError} If `n` is not a whole number of at least 1.
 */
export function syntheticCorpus(n: number, seed: number): string[] {
  if (!Number.isInteger(n) || n < 1) {
    throw new RangeError(`Cannot write a corpus as its size must be a whole number >= 1: current value is ${n}`);
  }
  const names = [...CHEXPERT_LABELS, ...OTHER_CLASSES];
  const texts = [...names.flatMap((name) => PROMPTS.map((prompt) => prompt.replace("{c}", name))), ...NOTES];
  for (let i = 0; texts.length < n; i++) {
    const own = deriveSeed(seed, `corpus/${i}`);
    const study = syntheticStudy(own);
    if (i % 6 < 3) texts.push(study.report);
    else if (i % 6 < 5) texts.push(coarseCaption(study, mulberry32(own)));
    else texts.push(syntheticImage(OTHER_MODALITIES[Math.floor(i / 6) % 3]!, own, { size: 16 }).caption);
  }
  return texts;
}
