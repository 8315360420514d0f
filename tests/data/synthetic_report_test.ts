import { assert, assertEquals } from "@std/assert";
import { CHEXPERT_LABELS, type LabelValue } from "../../lib/data/types.ts";
import { countTokens, labelRow } from "../../lib/data/synthetic/report.ts";
import { FINDING_NAMES, NORMAL_SHARE, PREVALENCES } from "../../lib/data/synthetic/findings.ts";
import { syntheticStudy } from "../../lib/data/synthetic/chest.ts";

/**
 * A labeller written apart from the generator, in the manner of CheXpert's: mention words, then a negation before them,
 * then doubt around them. The hierarchy and "No Finding" come last.
 */
const MENTIONS: Record<string, RegExp> = {
  "Atelectasis": /atelectasis|basilar collapse/,
  "Cardiomegaly": /cardiomegaly|heart|cardiac silhouette/,
  "Consolidation": /consolidation/,
  "Edema": /edema|vascular congestion/,
  "Enlarged Cardiomediastinum": /mediastin|cardiomediastinum/,
  "Fracture": /fracture/,
  "Lung Lesion": /nodule|mass|lesion/,
  "Lung Opacity": /opacity|airspace|infiltrate/,
  "Pleural Effusion": /effusion|pleural fluid/,
  "Pleural Other": /pleural thickening|pleural scar/,
  "Pneumonia": /pneumonia|infection/,
  "Pneumothorax": /pneumothorax/,
  "Support Devices":
    /tube|catheter|line(s)? (noted|in|and|tip)|picc|(?<!kerley )lines|central line|pacemaker|hardware|device/,
};
const NEGATED = /^no |^the lungs are without|\bnot\b|\bnormal\b/;
const DOUBTED = /possible|questionable|suspected|may be |cannot be excluded/;

function readLabels(report: string): LabelValue[] {
  const actual = new Map<string, LabelValue[]>();
  for (const sentence of report.toLowerCase().split(/(?<=\.)\s+/)) {
    for (const [name, words] of Object.entries(MENTIONS)) {
      const hit = words.exec(sentence);
      if (!hit) continue;
      const represented = sentence.indexOf("may represent");
      const doubted = DOUBTED.test(sentence) || (represented >= 0 && hit.index > represented);
      const value: LabelValue = NEGATED.test(sentence) ? 0 : doubted ? -1 : 1;
      actual.set(name, [...(actual.get(name) ?? []), value]);
    }
  }
  const strongest = (values: LabelValue[] | undefined): LabelValue =>
    values === undefined ? null : values.includes(1) ? 1 : values.includes(-1) ? -1 : 0;
  const row = new Map(FINDING_NAMES.map((name) => [name as string, strongest(actual.get(name))]));
  const opacity = ["Atelectasis", "Consolidation", "Edema", "Lung Lesion", "Pneumonia"];
  if (opacity.some((name) => row.get(name) === 1)) row.set("Lung Opacity", 1);
  if (row.get("Cardiomegaly") === 1) row.set("Enlarged Cardiomediastinum", 1);
  const clear = [...row].every(([name, value]) => name === "Support Devices" || value === 0 || value === null);
  row.set("No Finding", clear ? 1 : null);
  return CHEXPERT_LABELS.map((name) => row.get(name) ?? null);
}

const STUDIES = Array.from({ length: 3000 }, (_, seed) => syntheticStudy(seed));

Deno.test("writeReport() gives the labels that an independent labeller reads from its words", () => {
  for (const { report, labels } of STUDIES) assertEquals(readLabels(report), labels, report);
});

Deno.test("writeReport() tells every finding drawn as present or uncertain, never as absent", () => {
  for (const { report, labels, findings } of STUDIES) {
    for (const { name } of findings) {
      const value = labels[CHEXPERT_LABELS.indexOf(name)];
      assert(value === 1 || value === -1, `${name} is ${value} in: ${report}`);
    }
  }
});

Deno.test("writeReport() names the side that is drawn and no other when there is one finding of the lung", () => {
  let seen = 0;
  for (const { report, findings } of STUDIES) {
    const sided = findings.filter(({ side }) => side === "left" || side === "right");
    if (sided.length !== 1 || findings.some(({ name }) => name === "Support Devices")) continue;
    const wrong = sided[0]!.side === "left" ? /\bright\b/i : /\bleft\b/i;
    assert(!wrong.test(report), `${sided[0]!.side}: ${report}`);
    seen++;
  }
  assert(seen > 300);
});

Deno.test("writeReport() uses all four label values, several phrasings a finding and no unfilled slot", () => {
  for (const [i, name] of CHEXPERT_LABELS.entries()) {
    const values = new Set(STUDIES.map(({ labels }) => labels[i]));
    assert(values.has(1) && values.has(null), name);
    if (name !== "No Finding") assert(values.has(0), `${name} is never denied`);
    if (name !== "No Finding" && name !== "Support Devices") assert(values.has(-1), `${name} is never uncertain`);
  }
  const texts = new Set(STUDIES.map(({ report }) => report));
  assert(texts.size > 0.95 * STUDIES.length, `${texts.size} different reports`);
  for (const text of texts) assert(!/[{}]|undefined| {2}| \.|, ?,/.test(text), text);
});

Deno.test("writeReport() fits 46 tokens with [CLS] and [SEP] in at least 97 of 100 reports", () => {
  const short = STUDIES.filter(({ report }) => countTokens(report) <= 44).length;
  assert(short / STUDIES.length > 0.97, `${short} of ${STUDIES.length}`);
});

Deno.test("drawFindings() keeps the documented prevalences within 30 per cent or 1.5 points, a third normal", () => {
  const share = (test: (names: string[]) => boolean): number =>
    STUDIES.filter(({ findings }) => test(findings.map(({ name }) => name))).length / STUDIES.length;
  for (const name of FINDING_NAMES) {
    const got = share((names) => names.includes(name)), want = PREVALENCES[name];
    assert(Math.abs(got - want) < Math.max(0.3 * want, 0.015), `${name}: ${got} for ${want}`);
  }
  const normal = share((names) => names.every((name) => name === "Support Devices"));
  assert(Math.abs(normal - NORMAL_SHARE) < 0.03, `normal: ${normal}`);
});

Deno.test("labelRow() makes parents present, leaves them alone in doubt, and sets No Finding as the labeller does", () => {
  const at = (name: string) => CHEXPERT_LABELS.indexOf(name);
  const sure = labelRow({ "Edema": 1, "Cardiomegaly": 1, "Pneumothorax": 0 });
  assertEquals([sure[at("Lung Opacity")], sure[at("Enlarged Cardiomediastinum")]], [1, 1]);
  assertEquals([sure[at("Pneumothorax")], sure[at("No Finding")], sure[at("Fracture")]], [0, null, null]);
  const doubt = labelRow({ "Pneumonia": -1 });
  assertEquals([doubt[at("Lung Opacity")], doubt[at("No Finding")]], [null, null]);
  const devices = labelRow({ "Support Devices": 1, "Edema": 0 });
  assertEquals(devices[at("No Finding")], 1);
});
