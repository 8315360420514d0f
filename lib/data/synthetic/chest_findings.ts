/**
 * Which painter draws which finding, in which order, and what findings change in the geometry.
 *
 * @module
 */
import type { AnatomyChanges } from "./anatomy.ts";
import { devices, fracture } from "./bones_devices.ts";
import type { BrokenRib } from "./chest_base.ts";
import type { Finding } from "./findings.ts";
import { atelectasis, consolidation, edema, lesion, opacity, pneumonia } from "./opacities.ts";
import { lungsOf, type Painter, signOf } from "./painter.ts";
import { effusion, pneumothorax, thickening } from "./pleura.ts";

/** The change of geometry that `findings` bring along. */
export function anatomyChanges(findings: readonly Finding[]): AnatomyChanges {
  let heart = 1, mediastinum = 1, shift = 0;
  const raised: [number, number] = [0, 0];
  for (const finding of findings) {
    const lungs = lungsOf(finding);
    const away = lungs.length === 2 ? 0 : signOf(lungs[0]!);
    if (finding.name === "Cardiomegaly") heart *= 1.12 + 0.5 * finding.size;
    if (finding.name === "Enlarged Cardiomediastinum") mediastinum = 1.5 + 1.1 * finding.size;
    if (finding.name === "Atelectasis") {
      for (const lung of lungs) raised[lung] += 0.02 + 0.07 * finding.size;
      shift += away * 0.02 * finding.size;
    }
    if (finding.name === "Pneumothorax" && finding.size > 0.65) shift -= away * 0.07 * (finding.size - 0.5);
    if (finding.name === "Pleural Effusion" && finding.size > 0.65) shift -= away * 0.03 * finding.size;
  }
  return { heart, mediastinum, raised, shift };
}

/** The ribs that `findings` break. */
export function brokenRibs(findings: readonly Finding[], rng: () => number): BrokenRib[] {
  const broken: BrokenRib[] = [];
  for (const finding of findings) {
    if (finding.name !== "Fracture") continue;
    const first = finding.zone === "upper" ? 2 : finding.zone === "mid" ? 3 : 5;
    const count = finding.severity === "severe" ? 3 : finding.severity === "moderate" ? 2 : 1;
    for (let k = 0; k < count; k++) {
      broken.push({
        lung: lungsOf(finding)[0]!,
        rib: first + k,
        distance: 0.24 + rng() * 0.05,
        displaced: 0.016 + 0.016 * finding.size,
      });
    }
  }
  return broken;
}

/** One painter a finding that is drawn over the anatomy; heart and mediastinum are in the geometry alone. */
export const PAINTERS: Partial<Record<Finding["name"], Painter>> = {
  "Atelectasis": atelectasis,
  "Consolidation": consolidation,
  "Edema": edema,
  "Fracture": fracture,
  "Lung Lesion": lesion,
  "Lung Opacity": opacity,
  "Pleural Effusion": effusion,
  "Pleural Other": thickening,
  "Pneumonia": pneumonia,
  "Pneumothorax": pneumothorax,
  "Support Devices": devices,
};

/** What lies in the lung, in painting order. */
export const IN_LUNG: readonly Finding["name"][] = [
  "Edema",
  "Lung Opacity",
  "Pneumonia",
  "Consolidation",
  "Lung Lesion",
  "Atelectasis",
  "Pneumothorax",
];

/** What lies in the pleura or on top, in painting order. */
export const ON_TOP: readonly Finding["name"][] = [
  "Pleural Other",
  "Pleural Effusion",
  "Fracture",
  "Support Devices",
];
