/** The protocols of published models, by name. @module */
import type { Protocol } from "./protocol.ts";
import { CHEST_TEMPLATES } from "./prompts.ts";

/** All sentences made of one part of each list, in the order of the lists. */
function combined(...parts: (readonly string[])[]): string[] {
  return parts.reduce<string[]>(
    (begun, part) => begun.flatMap((text) => part.map((word) => `${text} ${word}`.trim())),
    [""],
  );
}

const ZONES = [
  "at the mid lung zone",
  "at the upper lung zone",
  "at the right lung zone",
  "at the left lung zone",
  "at the lung bases",
  "at the right lung base",
  "at the left lung base",
  "at the bilateral lung bases",
  "at the left lower lobe",
  "at the right lower lobe",
];

/**
 * The prompts of CheXpert 5x200's classes, severity by subtype by location: 210, 15, 192, 18 and 54. Spelt as published, since a
 * tokeniser reads the spelling.
 *
 * Source: GLoRIA `constants.CHEXPERT_CLASS_PROMPTS`, taken over by MedCLIP, CXR-CLIP and UniMed-CLIP. GLoRIA draws five of each at
 * random without a seed; here all are asked.
 */
const CHEXPERT_PROMPTS: Readonly<Record<string, readonly string[]>> = {
  Atelectasis: combined(
    ["", "mild", "minimal"],
    ["subsegmental", "linear", "trace", "bibasilar", "retrocardiac", "bandlike", "residual"].map((kind) =>
      `${kind} atelectasis`
    ),
    ZONES,
  ),
  Cardiomegaly: [
    "cardiac silhouette size is upper limits of normal",
    "cardiomegaly which is unchanged",
    "mildly prominent cardiac silhouette",
    "portable view of the chest demonstrates stable cardiomegaly",
    "portable view of the chest demonstrates mild cardiomegaly",
    "persistent severe cardiomegaly",
    "heart size is borderline enlarged",
    "cardiomegaly unchanged",
    "heart size is at the upper limits of normal",
    "redemonstration of cardiomegaly",
    "ap erect chest radiograph demonstrates the heart size is the upper limits of normal",
    "cardiac silhouette size is mildly enlarged",
    "mildly enlarged cardiac silhouette, likely left ventricular enlargement. other chambers are less prominent",
    "heart size remains at mildly enlarged",
    "persistent cardiomegaly with prominent upper lobe vessels",
  ],
  Consolidation: combined(
    ["", "increased", "improved", "apperance of"],
    ["bilateral", "reticular", "retrocardiac", "patchy", "airspace", "partial"].map((kind) => `${kind} consolidation`),
    [
      "at the lower lung zone",
      "at the upper lung zone",
      "at the left lower lobe",
      "at the right lower lobe",
      "at the left upper lobe",
      "at the right uppper lobe",
      "at the right lung base",
      "at the left lung base",
    ],
  ),
  Edema: combined(
    ["", "mild", "improvement in", "presistent", "moderate", "decreased"],
    ["pulmonary edema", "trace interstitial edema", "pulmonary interstitial edema"],
  ),
  "Pleural Effusion": combined(
    ["", "small", "stable", "large", "decreased", "increased"],
    ["left", "right", "tiny"],
    ["bilateral pleural effusion", "subpulmonic pleural effusion", "bilateral pleural effusion"],
  ),
};

/** Published protocols; the key is the name that is asked for. */
export const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  "ace-lora": {
    name: "ace-lora",
    source: "ACE-LoRA, arXiv 2603.17079: two templates, token features averaged over them, softmax of scaled cosines",
    prompts: CHEST_TEMPLATES,
  },
  "ace-lora-nih": {
    name: "ace-lora-nih",
    source:
      "ACE-LoRA's released evaluation on NIH ChestX-ray14: exp of unscaled cosines, min-max over each image's classes",
    prompts: CHEST_TEMPLATES,
    scale: 1,
    score: "min-max",
  },
  chexzero: {
    name: "chexzero",
    source: "CheXzero zero_shot.py run_softmax_eval: softmax of the unscaled cosines of a pair for each class",
    prompts: ["{c}"],
    negatives: ["no {c}"],
    pool: "features",
    scale: 1,
  },
  gloria: {
    name: "gloria",
    source:
      "GLoRIA zero_shot_classification: greatest of the mean of cosine and local similarity over severity x subtype x " +
      "location, standardised over images",
    prompts: CHEXPERT_PROMPTS,
    pool: "max",
    similarity: "both",
    scale: 1,
    score: "standard",
  },
  medclip: {
    name: "medclip",
    source: "MedCLIP PromptClassifier(ensemble=True): mean of scaled cosines over severity x subtype x location",
    prompts: CHEXPERT_PROMPTS,
    pool: "mean",
    score: "cosine",
  },
  "cxr-clip": {
    name: "cxr-clip",
    source: "CXR-CLIP evaluator zeroshot_binary: softmax of the unscaled cosines of a pair for each class",
    prompts: ["{c}"],
    negatives: ["No {c}"],
    pool: "features",
    scale: 1,
  },
  "cxr-clip-rsna": {
    name: "cxr-clip-rsna",
    source: "CXR-CLIP evaluator zeroshot_binary_BioVIL, after BioViL",
    prompts: ["Findings suggesting {c}."],
    negatives: ["No evidence of {c}"],
    pool: "features",
    scale: 1,
  },
  "cxr-clip-5x200": {
    name: "cxr-clip-5x200",
    source: "CXR-CLIP evaluator zeroshot_gloria: mean of unscaled cosines over severity x subtype x location",
    prompts: CHEXPERT_PROMPTS,
    pool: "mean",
    scale: 1,
    score: "cosine",
  },
  "unimed-clip": {
    name: "unimed-clip",
    source:
      "UniMed-CLIP app.py, clipeval/eval_zeroshot.py: unit prompt features averaged, softmax of unscaled cosines; its " +
      "own ten sentences a class are given as a file",
    prompts: ["{c}"],
    pool: "features",
    scale: 1,
  },
  medsiglip: {
    name: "medsiglip",
    source: "MedSigLIP's notebooks, SigLIP arXiv 2303.15343: sigmoid of scaled cosines and bias, each class on its own",
    prompts: ["{c}"],
    pool: "features",
    score: "sigmoid",
  },
};

/**
 * How a model is asked by those who published it, told from its name.
 *
 * @param name As its folder is called, e.g. `MedSigLIP-448` or `chexzero`.
 * @returns Undefined where the name holds no protocol's.
 */
export function protocolOfModel(name: string): Protocol | undefined {
  // From the start of a word on, whatever stands between its letters: "cxr_clip_r50"; but "PubMedCLIP" is no MedCLIP.
  const begins = (key: string): boolean =>
    new RegExp(`(^|[^a-z0-9])${[...key.replaceAll("-", "")].join("[^a-z0-9]?")}`).test(name.toLowerCase());
  const [longest] = Object.keys(PROTOCOLS).filter(begins).sort((a, b) => b.length - a.length);
  return longest === undefined ? undefined : PROTOCOLS[longest];
}
