/**
 * The phrases reports are made of. Slots: `{side}` left, right or bilateral; `{degree}` and `{extent}` the severity in
 * words, or nothing; `{place}` side and height ("right lower lobe", "left lung base"); `{devices}` what is in place.
 *
 * @module
 */
import type { FindingName, Severity } from "./findings.ts";

/** How a finding is spoken of. */
export interface FindingPhrases {
  /** It is there. */
  present: readonly string[];
  /** It may be there. */
  uncertain: readonly string[];
  /** It is not there. */
  absent: readonly string[];
}

/** Words of degree ("mild edema") by severity. */
export const DEGREES: Readonly<Record<Severity, readonly string[]>> = {
  mild: ["mild", "minimal", "slight"],
  moderate: ["moderate"],
  severe: ["severe", "marked"],
};

/** Words of extent ("small effusion") by severity. */
export const EXTENTS: Readonly<Record<Severity, readonly string[]>> = {
  mild: ["small", "tiny", "subtle"],
  moderate: ["moderate", "moderate sized"],
  severe: ["large", "extensive"],
};

/** The phrases of each finding. */
export const PHRASES: Readonly<Record<FindingName, FindingPhrases>> = {
  "Atelectasis": {
    present: [
      "{degree} {side} basilar atelectasis.",
      "Linear atelectasis in the {place}.",
      "Plate-like atelectasis at the {place} with volume loss.",
      "There is {degree} {side} atelectasis.",
      "{side} basilar collapse with low lung volume.",
    ],
    uncertain: [
      "Possible {degree} {side} atelectasis.",
      "Atelectasis at the {place} cannot be excluded.",
      "Linear band at the {place} may represent atelectasis.",
    ],
    absent: ["No atelectasis.", "No evidence of atelectasis."],
  },
  "Cardiomegaly": {
    present: [
      "{degree} cardiomegaly.",
      "The heart is enlarged.",
      "The cardiac silhouette is {degree} enlarged.",
      "There is {degree} enlargement of the cardiac silhouette, cardiomegaly.",
      "Heart size is increased, consistent with {degree} cardiomegaly.",
    ],
    uncertain: [
      "Possible {degree} cardiomegaly.",
      "Heart size may be enlarged.",
      "Suspected cardiomegaly.",
    ],
    absent: [
      "Heart size is normal.",
      "The cardiac silhouette is not enlarged.",
      "No cardiomegaly.",
      "The heart is normal in size.",
    ],
  },
  "Consolidation": {
    present: [
      "{extent} {place} consolidation.",
      "Dense consolidation in the {place}.",
      "There is lobar consolidation of the {place} with air bronchograms.",
      "{extent} area of consolidation in the {place}.",
    ],
    uncertain: [
      "Possible consolidation in the {place}.",
      "{place} consolidation cannot be excluded.",
      "Increased shadowing in the {place} may represent consolidation.",
    ],
    absent: ["No focal consolidation.", "No consolidation.", "The lungs are without consolidation."],
  },
  "Edema": {
    present: [
      "{degree} pulmonary edema.",
      "{degree} interstitial edema with Kerley lines.",
      "Bilateral perihilar haze consistent with {degree} edema.",
      "There is {degree} pulmonary vascular congestion and edema.",
    ],
    uncertain: [
      "Possible {degree} pulmonary edema.",
      "Perihilar haze may represent {degree} edema.",
      "Suspected vascular congestion.",
    ],
    absent: ["No pulmonary edema.", "No vascular congestion.", "No evidence of edema."],
  },
  "Enlarged Cardiomediastinum": {
    present: [
      "The mediastinum is {degree} widened.",
      "{degree} widening of the upper mediastinum.",
      "There is an enlarged cardiomediastinum.",
      "Enlarged mediastinal silhouette.",
    ],
    uncertain: [
      "Possible {degree} widening of the mediastinum.",
      "The mediastinum may be widened.",
    ],
    absent: [
      "The mediastinal silhouette is normal.",
      "The mediastinum is not widened.",
      "Normal cardiomediastinum.",
    ],
  },
  "Fracture": {
    present: [
      "{side} {zone} rib fracture.",
      "Displaced fracture of a {side} rib.",
      "There is an acute {side} rib fracture.",
      "{number} {side} rib fracture with displacement.",
    ],
    uncertain: ["Possible {side} rib fracture.", "{side} rib fracture cannot be excluded."],
    absent: ["No rib fracture.", "No displaced fracture.", "No acute fracture."],
  },
  "Lung Lesion": {
    present: [
      "{extent} nodule in the {place}.",
      "{millimetres} mm nodule in the {place}.",
      "Round {place} mass, lung lesion.",
      "There is a {extent} {place} mass.",
      "{extent} {place} lung nodule, suspicious lesion.",
    ],
    uncertain: ["Possible nodule in the {place}.", "Round shadow in the {place} may represent a nodule."],
    absent: ["No lung nodule or mass.", "No suspicious nodule."],
  },
  "Lung Opacity": {
    present: [
      "{extent} hazy opacity in the {place}.",
      "Ill-defined {place} opacity.",
      "There is a {extent} lung opacity in the {place}.",
      "Nonspecific {place} airspace opacity.",
    ],
    uncertain: ["Possible opacity in the {place}.", "Questionable {extent} {place} opacity."],
    absent: ["No focal opacity.", "No airspace opacity.", "The lungs are without opacity."],
  },
  "Pleural Effusion": {
    present: [
      "{extent} {side} pleural effusion.",
      "There is a {extent} {side} pleural effusion.",
      "Blunting of the {side} costophrenic angle with pleural effusion.",
      "{extent} {side} effusion layering at the base.",
      "{side} pleural fluid, {extent}, with meniscus.",
    ],
    uncertain: [
      "Possible {extent} {side} pleural effusion.",
      "Blunting of the {side} costophrenic angle may represent a small effusion.",
      "{extent} {side} effusion cannot be excluded.",
    ],
    absent: ["No pleural effusion.", "No effusion.", "No large effusion is seen."],
  },
  "Pleural Other": {
    present: [
      "{side} {zone} pleural thickening.",
      "{degree} {side} pleural thickening along the chest wall.",
      "There is {side} pleural scar with thickening.",
    ],
    uncertain: ["Possible {side} pleural thickening.", "{side} {zone} pleural thickening cannot be excluded."],
    absent: ["No pleural thickening."],
  },
  "Pneumonia": {
    present: [
      "Patchy infiltrate in the {place} consistent with pneumonia.",
      "{place} pneumonia.",
      "Multifocal patchy airspace disease, {side} pneumonia.",
      "There is {extent} {place} pneumonia.",
      "Findings of infection with patchy {place} infiltrate, pneumonia.",
    ],
    uncertain: [
      "Possible {place} pneumonia.",
      "Patchy {place} density may represent pneumonia.",
      "Early {place} pneumonia cannot be excluded.",
    ],
    absent: ["No evidence of pneumonia.", "No pneumonia.", "No sign of infection."],
  },
  "Pneumothorax": {
    present: [
      "{extent} {side} pneumothorax.",
      "There is a {extent} {side} pneumothorax.",
      "{side} apical pneumothorax with visible pleural line.",
      "{extent} {side} pneumothorax without vessels beyond the pleural line.",
    ],
    uncertain: [
      "Possible {extent} {side} pneumothorax.",
      "{side} apical pneumothorax cannot be excluded.",
      "Lucency at the {side} apex may represent pneumothorax.",
    ],
    absent: ["No pneumothorax.", "No evidence of pneumothorax.", "No pneumothorax is seen."],
  },
  "Support Devices": {
    present: ["{devices} in place.", "{devices} noted.", "There is {devices} in standard position."],
    uncertain: ["Possible {devices}."],
    absent: ["No lines or tubes.", "No support device."],
  },
};

/** Several findings denied in one sentence. */
export const JOINT_NEGATIONS: readonly (readonly [string, readonly FindingName[]])[] = [
  ["No pleural effusion or pneumothorax.", ["Pleural Effusion", "Pneumothorax"]],
  ["No focal consolidation, effusion or pneumothorax.", ["Consolidation", "Pleural Effusion", "Pneumothorax"]],
  ["No edema or pneumonia.", ["Edema", "Pneumonia"]],
  ["Heart size and mediastinum are normal.", ["Cardiomegaly", "Enlarged Cardiomediastinum"]],
];

/** Sentences that mention no finding. */
export const DISTRACTORS: readonly string[] = [
  "The trachea is midline.",
  "Degenerative changes of the spine.",
  "Lung volumes are low.",
  "No acute osseous abnormality.",
  "Compared with the prior study.",
  "Clinical correlation is recommended.",
  "The patient is slightly rotated.",
  "Bones are intact.",
  "Upper abdomen is unremarkable.",
  "Follow up as needed.",
];

/** Sentences of a normal chest that mention no finding. */
export const NORMAL_SENTENCES: readonly string[] = [
  "The lungs are clear.",
  "Normal chest.",
  "No acute cardiopulmonary process.",
  "No acute abnormality.",
  "Clear lungs, well expanded.",
  "Unremarkable study.",
];

/** How the projection is named, in about half of the reports. */
export const VIEW_SENTENCES: Readonly<Record<"AP" | "PA", readonly string[]>> = {
  AP: ["AP view of the chest.", "Portable chest radiograph.", "Portable AP view."],
  PA: ["PA view of the chest.", "Frontal chest radiograph.", "PA chest X-ray."],
};
