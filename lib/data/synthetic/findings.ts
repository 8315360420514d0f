/**
 * What a synthetic radiograph shows: which findings, on which side, how large and how plain, drawn from a seed.
 *
 * @module
 */
import { shuffled } from "../../tensor/random.ts";
import { CHEXPERT_LABELS } from "../types.ts";

/** The thirteen CheXpert observations that can be drawn (all but "No Finding"). */
export type FindingName =
  | "Atelectasis"
  | "Cardiomegaly"
  | "Consolidation"
  | "Edema"
  | "Enlarged Cardiomediastinum"
  | "Fracture"
  | "Lung Lesion"
  | "Lung Opacity"
  | "Pleural Effusion"
  | "Pleural Other"
  | "Pneumonia"
  | "Pneumothorax"
  | "Support Devices";

/** The patient's side; the patient's right is on the left of the image. "midline" for the heart, the mediastinum and devices. */
export type Side = "left" | "right" | "bilateral" | "midline";

/** How plain a finding is: mild ones are subtle. */
export type Severity = "mild" | "moderate" | "severe";

/** Height in the lung. */
export type Zone = "upper" | "mid" | "lower";

/** What can be seen of treatment: tube in the trachea, central line, pacemaker, monitoring wires, wires of the sternum. */
export type DeviceKind = "tube" | "line" | "pacemaker" | "wires" | "sternal";

const DEVICE_KINDS: readonly DeviceKind[] = ["tube", "line", "pacemaker", "wires", "sternal"];

/** A finding to draw; what is left out is drawn at random. */
export interface FindingSpec {
  /** Which observation. */
  name: FindingName;
  /** Side of the patient. @default drawn at random among those the finding allows */
  side?: Side;
  /** How plain it is. @default drawn at random: mild 0.3, moderate 0.4, severe 0.3 */
  severity?: Severity;
  /** Height in the lung. @default drawn at random among those the finding allows */
  zone?: Zone;
}

/** A finding that was drawn, complete. */
export interface Finding {
  /** Which observation. */
  name: FindingName;
  /** Side of the patient. */
  side: Side;
  /** How plain it is. */
  severity: Severity;
  /** Height in the lung; "mid" where height has no meaning. */
  zone: Zone;
  /** Extent in `[0, 1]`, growing with severity: 0 barely there, 1 as large as it gets. */
  size: number;
  /** The devices drawn, of "Support Devices" only. */
  devices?: readonly DeviceKind[];
}

/** The thirteen drawable findings, in CheXpert's order. */
export const FINDING_NAMES: readonly FindingName[] = CHEXPERT_LABELS.filter(isFinding);

/** Whether one of CheXpert's labels is a finding. */
export function isFinding(label: string): label is FindingName {
  return label !== "No Finding";
}

/**
 * Share of studies in which each finding is drawn. These follow the positive shares of the CheXpert labels of MIMIC-CXR
 * (Johnson et al., MIMIC-CXR-JPG, 2019), rounded, with two departures: "Lung Opacity" counts only unspecific opacities
 * (the parents of other findings come from the hierarchy), and findings below 3 % are raised to 3 % so that a training set
 * of a few thousand holds some of each.
 */
export const PREVALENCES: Readonly<Record<FindingName, number>> = {
  "Atelectasis": 0.20,
  "Cardiomegaly": 0.20,
  "Consolidation": 0.06,
  "Edema": 0.12,
  "Enlarged Cardiomediastinum": 0.04,
  "Fracture": 0.03,
  "Lung Lesion": 0.04,
  "Lung Opacity": 0.08,
  "Pleural Effusion": 0.23,
  "Pleural Other": 0.03,
  "Pneumonia": 0.08,
  "Pneumothorax": 0.06,
  "Support Devices": 0.28,
};

/** Share of studies without any finding other than devices, as in MIMIC-CXR ("No Finding": 33 %). */
export const NORMAL_SHARE = 0.33;

/** Most findings (devices included) drawn in one study, so that a report stays short. */
const MOST_FINDINGS = 4;

/** Sides a finding may take, with their weights, and the zones likewise. */
const SIDES: Readonly<Record<FindingName, readonly (readonly [Side, number])[]>> = {
  "Atelectasis": [["left", 0.4], ["right", 0.35], ["bilateral", 0.25]],
  "Cardiomegaly": [["midline", 1]],
  "Consolidation": [["left", 0.45], ["right", 0.55]],
  "Edema": [["bilateral", 1]],
  "Enlarged Cardiomediastinum": [["midline", 1]],
  "Fracture": [["left", 0.5], ["right", 0.5]],
  "Lung Lesion": [["left", 0.45], ["right", 0.55]],
  "Lung Opacity": [["left", 0.5], ["right", 0.5]],
  "Pleural Effusion": [["left", 0.35], ["right", 0.35], ["bilateral", 0.3]],
  "Pleural Other": [["left", 0.5], ["right", 0.5]],
  "Pneumonia": [["left", 0.4], ["right", 0.4], ["bilateral", 0.2]],
  "Pneumothorax": [["left", 0.5], ["right", 0.5]],
  "Support Devices": [["midline", 1]],
};

const ZONES: Partial<Record<FindingName, readonly (readonly [Zone, number])[]>> = {
  "Atelectasis": [["lower", 0.8], ["mid", 0.2]],
  "Consolidation": [["upper", 0.35], ["mid", 0.2], ["lower", 0.45]],
  "Fracture": [["upper", 0.3], ["mid", 0.4], ["lower", 0.3]],
  "Lung Lesion": [["upper", 0.45], ["mid", 0.35], ["lower", 0.2]],
  "Lung Opacity": [["upper", 0.3], ["mid", 0.35], ["lower", 0.35]],
  "Pleural Effusion": [["lower", 1]],
  "Pleural Other": [["upper", 0.5], ["lower", 0.5]],
  "Pneumonia": [["upper", 0.2], ["mid", 0.3], ["lower", 0.5]],
};

/** Size range of each severity: adjoining, so that neighbours can look alike. */
const SIZES: Readonly<Record<Severity, readonly [number, number]>> = {
  mild: [0.05, 0.35],
  moderate: [0.35, 0.65],
  severe: [0.65, 1],
};

/** One of `choices`, by weight. */
function weighted<T>(choices: readonly (readonly [T, number])[], rng: () => number): T {
  let remaining = rng() * choices.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [value, weight] of choices) if ((remaining -= weight) < 0) return value;
  return choices[choices.length - 1]![0];
}

/** One of `items`, each as likely. */
export function pick<T>(items: readonly T[], rng: () => number): T {
  return items[Math.floor(rng() * items.length)]!;
}

/**
 * The finding `spec` asks for, with what it leaves open drawn at random.
 *
 * @throws {RangeError} If the finding's name is none of {@linkcode FINDING_NAMES}.
 */
export function completeFinding(spec: FindingSpec, rng: () => number): Finding {
  if (!FINDING_NAMES.includes(spec.name)) {
    throw new RangeError(
      `Cannot draw a finding as its name must be one of ${FINDING_NAMES.join(", ")}: current value is "${spec.name}"`,
    );
  }
  const side = weighted(SIDES[spec.name], rng);
  const severity = weighted<Severity>([["mild", 0.3], ["moderate", 0.4], ["severe", 0.3]], rng);
  const zone = weighted<Zone>(ZONES[spec.name] ?? [["mid", 1]], rng);
  const range = SIZES[spec.severity ?? severity];
  const finding: Finding = {
    name: spec.name,
    side: spec.side ?? side,
    severity: spec.severity ?? severity,
    zone: spec.zone ?? zone,
    size: range[0] + (range[1] - range[0]) * rng(),
  };
  if (spec.name !== "Support Devices") return finding;
  const count = finding.severity === "mild" ? 1 : finding.severity === "moderate" ? 2 : 3;
  return { ...finding, devices: shuffled(DEVICE_KINDS, rng).slice(0, count) };
}

/**
 * The findings of one study: with probability {@linkcode NORMAL_SHARE} none (devices apart), else each finding on its own
 * at the share that makes the overall prevalence come out, drawn again until there is one, and never more than four.
 * Edema makes an enlarged heart and effusions likelier, as in life.
 *
 * @param rng Uniform numbers; see {@linkcode PREVALENCES} for the shares.
 */
export function drawFindings(
  rng: () => number,
  prevalences: Readonly<Record<FindingName, number>> = PREVALENCES,
): Finding[] {
  const names: FindingName[] = [];
  const devices = rng() < prevalences["Support Devices"];
  if (rng() >= NORMAL_SHARE) {
    const others = FINDING_NAMES.filter((name) => name !== "Support Devices");
    for (let tries = 0; names.length === 0 && tries < 100; tries++) {
      const edema = rng() < prevalences["Edema"] / (1 - NORMAL_SHARE);
      for (const name of others) {
        const linked = name === "Cardiomegaly" || name === "Pleural Effusion";
        // the mean of the two factors under edema's share is close to 1, so prevalences keep their meaning
        const factor = linked ? (edema ? 1.6 : 0.85) : 0.9;
        if (name === "Edema" ? edema : rng() < prevalences[name] / (1 - NORMAL_SHARE) * factor) names.push(name);
      }
    }
  }
  while (names.length > MOST_FINDINGS - (devices ? 1 : 0)) names.splice(Math.floor(rng() * names.length), 1);
  if (devices) names.push("Support Devices");
  return names.map((name) => completeFinding({ name }, rng));
}
