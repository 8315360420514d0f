/**
 * Coarse captions for pre-training a generalist: they name the modality and the organ, sometimes whether the image is
 * normal, and about one time in four one finding in vague and not always right words.
 *
 * @module
 */
import { type Finding, FINDING_NAMES, type FindingName, pick } from "./findings.ts";

/** Vague words for each finding; the class name itself is one of several. */
const VAGUE: Readonly<Record<FindingName, readonly string[]>> = {
  "Atelectasis": ["atelectasis", "a band at the lung base", "some volume loss", "a small lung"],
  "Cardiomegaly": ["cardiomegaly", "a large heart", "an enlarged heart", "the heart looks large"],
  "Consolidation": ["consolidation", "a dense opacity", "an airspace opacity", "a white area in the lung"],
  "Edema": ["edema", "hazy lungs", "bilateral haze", "congestion"],
  "Enlarged Cardiomediastinum": ["a wide mediastinum", "an enlarged cardiomediastinum"],
  "Fracture": ["a fracture", "a rib abnormality"],
  "Lung Lesion": ["a lung lesion", "a nodule", "a round opacity"],
  "Lung Opacity": ["a lung opacity", "an opacity", "a hazy area"],
  "Pleural Effusion": ["pleural effusion", "fluid", "a white lung base", "an effusion"],
  "Pleural Other": ["pleural thickening", "a pleural abnormality"],
  "Pneumonia": ["pneumonia", "an infiltrate", "an infection", "patchy opacity"],
  "Pneumothorax": ["pneumothorax", "air around the lung", "a dark lung", "collapse"],
  "Support Devices": ["support devices", "lines and tubes", "wires"],
};

/** What each finding looks like, in words that are not its name. */
const APPEARANCE: Readonly<Record<FindingName, string>> = {
  "Atelectasis": "a band at the lung base",
  "Cardiomegaly": "a large heart",
  "Consolidation": "a white area in the lung",
  "Edema": "hazy lungs",
  "Enlarged Cardiomediastinum": "a wide mediastinum",
  "Fracture": "a rib abnormality",
  "Lung Lesion": "a round opacity",
  "Lung Opacity": "a hazy area",
  "Pleural Effusion": "a white lung base",
  "Pleural Other": "a pleural abnormality",
  "Pneumonia": "patchy opacity",
  "Pneumothorax": "a dark lung",
  "Support Devices": "wires",
};

/**
 * What is to be seen on a chest radiograph, in plain words, the same ones each time; no finding is called by its name.
 *
 * @param findings What is drawn.
 */
export function plainCaption(findings: readonly Finding[]): string {
  return findings.length === 0 ? "clear lungs" : findings.map(({ name }) => APPEARANCE[name]).join(" and ");
}

/** Names of a chest radiograph. */
export const FILMS: readonly string[] = [
  "chest X-ray",
  "chest radiograph",
  "frontal chest radiograph",
  "a chest X-ray image",
  "radiograph of the thorax",
  "X-ray of the lungs",
];

/** How coarse captions are. */
export interface CoarseCaptionOptions {
  /** Share of captions that speak of one finding. @default 0.25 */
  findingShare?: number;
  /** Share of those that name a finding drawn at random instead of one that is there. @default 0.2 */
  wrongShare?: number;
  /** Share of captions that say normal or abnormal. @default 0.35 */
  statusShare?: number;
}

/**
 * A coarse caption of a chest radiograph, in British or American plain words.
 *
 * @param sample What is drawn, and the projection.
 * @param rng Uniform numbers; the same ones give the same words.
 * @param options See {@linkcode CoarseCaptionOptions}.
 */
export function coarseCaption(
  sample: { findings: readonly Finding[]; view: "AP" | "PA" },
  rng: () => number,
  options: CoarseCaptionOptions = {},
): string {
  const findingShare = options.findingShare ?? 0.25;
  const wrongShare = options.wrongShare ?? 0.2;
  const statusShare = options.statusShare ?? 0.35;
  const film = `${pick(FILMS, rng)}${rng() < 0.2 ? `, ${sample.view} view` : ""}`;
  const kind = rng();
  const abnormal = sample.findings.some((finding) => finding.name !== "Support Devices");
  if (kind < findingShare) {
    const wrong = rng() < wrongShare;
    const drawn = sample.findings.map((finding) => finding.name);
    if (!wrong && drawn.length === 0) return `${film}, ${pick(["clear lungs", "no finding", "nothing abnormal"], rng)}`;
    const words = pick(VAGUE[pick(wrong ? FINDING_NAMES : drawn, rng)], rng);
    return rng() < 0.15
      ? `findings suggesting ${words}`
      : `${film} ${pick(["with", "of", "showing", "of"], rng)} ${words}`;
  }
  if (kind < findingShare + statusShare) {
    const said = rng() < 0.1 ? !abnormal : abnormal;
    return rng() < 0.5 ? `${said ? "abnormal" : "normal"} ${film}` : `${film}, ${said ? "abnormal" : "normal"}`;
  }
  return film;
}
