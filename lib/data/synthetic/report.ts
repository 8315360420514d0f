/**
 * Templated radiology reports and the CheXpert labels that follow from what they say.
 *
 * @module
 */
import { shuffled } from "../../tensor/random.ts";
import { CHEXPERT_LABELS, type LabelValue } from "../types.ts";
import { type DeviceKind, type Finding, FINDING_NAMES, type FindingName, isFinding, pick } from "./findings.ts";
import {
  DEGREES,
  DISTRACTORS,
  EXTENTS,
  JOINT_NEGATIONS,
  NORMAL_SENTENCES,
  PHRASES,
  VIEW_SENTENCES,
} from "./phrases.ts";
import { entriesOf } from "../../platform/known_keys.ts";

/** Most words and punctuation marks of a report: with [CLS] and [SEP] it fits 46 tokens. */
const MOST_REPORT_TOKENS = 44;

/** Findings whose presence implies a wider one, as in the CheXpert hierarchy (Irvin et al., 2019, figure 1). */
const PARENTS: Readonly<Partial<Record<FindingName, FindingName>>> = {
  "Atelectasis": "Lung Opacity",
  "Consolidation": "Lung Opacity",
  "Edema": "Lung Opacity",
  "Lung Lesion": "Lung Opacity",
  "Pneumonia": "Lung Opacity",
  "Cardiomegaly": "Enlarged Cardiomediastinum",
};

const DEVICE_WORDS: Readonly<Record<DeviceKind, readonly string[]>> = {
  tube: ["endotracheal tube", "enteric tube"],
  line: ["central venous catheter", "right picc line", "central line"],
  pacemaker: ["pacemaker", "left chest pacemaker"],
  wires: ["monitoring lines", "ecg lines"],
  sternal: ["median sternotomy hardware"],
};

/** What sentences say of findings: 1 present, 0 denied, -1 uncertain. */
export type Mentions = Partial<Record<FindingName, LabelValue>>;

interface Sentence {
  text: string;
  mentions: Mentions;
}

/** Words and punctuation marks of `text`, as a BERT basic tokeniser splits them. */
export function countTokens(text: string): number {
  return text.match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu)?.length ?? 0;
}

/** The words for a finding's side and height. */
function place(finding: Finding, rng: () => number): string {
  const { side, zone } = finding;
  if (side === "bilateral") return zone === "lower" ? pick(["lung bases", "lower lobes"], rng) : "both lungs";
  if (zone === "upper") return `${side} ${pick(["upper lobe", "upper lung", "apex"], rng)}`;
  if (zone === "mid") {
    return `${side} ${pick(side === "right" ? ["middle lobe", "mid lung"] : ["mid lung", "lingula"], rng)}`;
  }
  return `${side} ${pick(["lower lobe", "lung base", "base"], rng)}`;
}

/** Fills the slots of `template`; the first letter becomes a capital. */
function fill(template: string, finding: Finding, rng: () => number): string {
  const graded = rng() < 0.75;
  const adverb = /is \{degree\} (enlarged|widened)/.test(template);
  const degree = !graded ? "" : pick(DEGREES[finding.severity], rng);
  const count = finding.severity === "severe" ? "multiple" : finding.severity === "moderate" ? "several" : "single";
  const text = template
    .replace("{degree}", degree === "" ? "" : adverb ? ADVERBS[finding.severity] : degree)
    .replace("{extent}", graded ? pick(EXTENTS[finding.severity], rng) : "")
    .replace("{number}", count)
    .replace("{millimetres}", String(5 + 5 * Math.round(1 + finding.size * 7)))
    .replace("{place}", place(finding, rng))
    .replace("{side}", finding.side)
    .replace("{zone}", finding.zone === "mid" ? "lateral" : finding.zone)
    .replace("{devices}", (finding.devices ?? ["line"]).map((kind) => pick(DEVICE_WORDS[kind], rng)).join(" and "))
    .replace(", ,", ",").replace(/\s+/g, " ").replace(" ,", ",").trim();
  return capitalised(text);
}

const ADVERBS = { mild: "mildly", moderate: "moderately", severe: "severely" } as const;

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The sentences that tell of what is drawn, each finding once. */
function tell(findings: readonly Finding[], rng: () => number): Sentence[] {
  return findings.map((finding) => {
    const doubtful = finding.name !== "Support Devices" && rng() < (finding.severity === "mild" ? 0.25 : 0.07);
    const phrases = PHRASES[finding.name];
    return {
      text: fill(pick(doubtful ? phrases.uncertain : phrases.present, rng), finding, rng),
      mentions: { [finding.name]: doubtful ? -1 : 1 },
    };
  });
}

/** Everything that must not be denied: what is told and what it implies. */
function withParents(names: Iterable<FindingName>): Set<FindingName> {
  const all = new Set(names);
  for (const name of [...all]) {
    const parent = PARENTS[name];
    if (parent) all.add(parent);
  }
  return all;
}

const LUNG_FINDINGS: readonly FindingName[] = [
  "Atelectasis",
  "Consolidation",
  "Edema",
  "Lung Lesion",
  "Lung Opacity",
  "Pneumonia",
  "Pleural Effusion",
  "Pneumothorax",
  "Pleural Other",
];

/** Sentences a report may add: denials, doubts about what is not drawn, and remarks. */
function extras(told: ReadonlySet<FindingName>, rng: () => number): Sentence[] {
  const out: Sentence[] = [];
  const open = FINDING_NAMES.filter((name) => !told.has(name));
  if (told.size === 0 || (told.size === 1 && told.has("Support Devices"))) {
    out.push({ text: pick(NORMAL_SENTENCES, rng), mentions: {} });
  } else if (!LUNG_FINDINGS.some((name) => told.has(name)) && rng() < 0.4) {
    out.push({ text: "The lungs are clear.", mentions: {} });
  }
  const denied = new Set<FindingName>();
  const joint = shuffled(JOINT_NEGATIONS, rng).find(([, names]) => names.every((name) => !told.has(name)));
  if (joint && rng() < 0.6) {
    out.push({ text: joint[0], mentions: Object.fromEntries(joint[1].map((name) => [name, 0])) });
    joint[1].forEach((name) => denied.add(name));
  }
  const single = shuffled(open, rng).filter((name) => !denied.has(name) && rng() < DENIED[name]);
  for (const name of single.slice(0, 2)) {
    out.push({ text: pick(PHRASES[name].absent, rng), mentions: { [name]: 0 } });
    denied.add(name);
  }
  if (rng() < 0.3) out.push({ text: pick(DISTRACTORS, rng), mentions: {} });
  return out;
}

/** How often a finding that is not there is denied on its own, before only two denials are kept. */
const DENIED: Readonly<Record<FindingName, number>> = {
  "Atelectasis": 0.1,
  "Cardiomegaly": 0.4,
  "Consolidation": 0.35,
  "Edema": 0.25,
  "Enlarged Cardiomediastinum": 0.25,
  "Fracture": 0.15,
  "Lung Lesion": 0.1,
  "Lung Opacity": 0.15,
  "Pleural Effusion": 0.4,
  "Pleural Other": 0.03,
  "Pneumonia": 0.3,
  "Pneumothorax": 0.4,
  "Support Devices": 0.05,
};

/** Findings that a report may raise without cause. */
const FALSE_ALARMS: readonly FindingName[] = ["Pneumonia", "Atelectasis", "Pleural Effusion", "Consolidation"];

/**
 * The label row of what was said: 1 present, 0 denied, -1 uncertain, null not mentioned. A finding that is present makes
 * its parent present (CheXpert's hierarchy); "No Finding" is 1 when nothing but devices is present or uncertain, else null,
 * as the CheXpert labeller sets it.
 */
export function labelRow(mentions: Mentions): LabelValue[] {
  const all: Mentions = { ...mentions };
  for (const [child, parent] of entriesOf(PARENTS)) {
    if (mentions[child] === 1) all[parent] = 1;
  }
  const quiet = FINDING_NAMES.every((name) => name === "Support Devices" || (all[name] ?? 0) === 0);
  return CHEXPERT_LABELS.map((name) => isFinding(name) ? all[name] ?? null : quiet ? 1 : null);
}

/**
 * A report of `study` in radiologists' style with its labels: every finding is told, some with doubt (mild ones more
 * often), some absent ones are denied, a few doubted without cause, and remarks distract.
 *
 * @param study What is drawn, and the projection.
 * @param rng Uniform numbers; the same ones give the same words.
 */
export function writeReport(
  study: { findings: readonly Finding[]; view: "AP" | "PA" },
  rng: () => number,
): { report: string; labels: LabelValue[] } {
  const sentences = tell(study.findings, rng);
  const names = withParents(study.findings.map((finding) => finding.name));
  if (rng() < 0.04 && study.findings.length < 3) {
    const alarm = FALSE_ALARMS.filter((name) => !names.has(name));
    if (alarm.length > 0) {
      const name = pick(alarm, rng);
      sentences.push({
        text: `${capitalised(ALARM_WORDS[name] ?? name)} cannot be excluded.`,
        mentions: { [name]: -1 },
      });
      withParents([name]).forEach((each) => names.add(each));
    }
  }
  const heading = rng() < 0.45 ? [pick(VIEW_SENTENCES[study.view], rng)] : [];
  let tokens = countTokens([...heading, ...sentences.map((sentence) => sentence.text)].join(" "));
  for (const extra of extras(names, rng)) {
    const more = countTokens(extra.text);
    if (tokens + more > MOST_REPORT_TOKENS) continue;
    tokens += more;
    sentences.push(extra);
  }
  if (tokens > MOST_REPORT_TOKENS) heading.length = 0;
  const mentions: Mentions = Object.assign({}, ...sentences.map((sentence) => sentence.mentions));
  const texts = shuffled(sentences.map((sentence) => sentence.text), rng);
  return { report: [...heading, ...texts].join(" "), labels: labelRow(mentions) };
}

const ALARM_WORDS: Partial<Record<FindingName, string>> = {
  "Pneumonia": "pneumonia",
  "Atelectasis": "basilar atelectasis",
  "Pleural Effusion": "small pleural effusion",
  "Consolidation": "early consolidation",
};
