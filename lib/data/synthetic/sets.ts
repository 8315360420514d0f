/**
 * Synthetic data sets in the form of the real ones: training pairs, CheXpert 5xN, RSNA-like and SIIM-like, histopathology. Images are
 * drawn when asked for, from the case's seed.
 *
 * @module
 */
import { deriveSeed, mulberry32 } from "../../tensor/random.ts";
import { checkOptions, checkValue, COUNT, INTEGER, type Rules } from "../../platform/options.ts";
import type { Box, Case, Dataset } from "../types.ts";
import { drawFilm, syntheticStudy } from "./chest.ts";
import { type FindingName, type FindingSpec, pick } from "./findings.ts";
import { syntheticImage } from "./modalities.ts";
import { caseSeed, type SyntheticSetName } from "./seeds.ts";
import { newSha256 } from "../../platform/sha256.ts";

/** Options of the synthetic sets. */
export interface SyntheticSetOptions {
  /** Pixels a side. @default 64 */
  size?: number;
}

/** What they must be. */
const SET_RULES: Rules<SyntheticSetOptions> = { size: COUNT };

/** The five classes of CheXpert 5x200. */
export const CHEXPERT_5: readonly FindingName[] = [
  "Atelectasis",
  "Cardiomegaly",
  "Consolidation",
  "Edema",
  "Pleural Effusion",
];

/** What a set shows in its case `index`; `findings` undefined draws them at their prevalences. */
interface Plan {
  target?: number;
  findings?: readonly FindingSpec[];
  boxes?: boolean;
  mask?: boolean;
}

interface Recipe {
  set: SyntheticSetName;
  name: string;
  classes: readonly string[];
  task: Dataset["task"];
  count: number;
  plan: (index: number, rng: () => number) => Plan;
}

function draw(seed: number, recipe: Recipe, options: SyntheticSetOptions): Dataset {
  checkOptions("draw a set", options, SET_RULES);
  checkValue("draw a set", "seed", seed, INTEGER);
  const size = options.size ?? 64;
  const { count, set, name } = recipe;
  if (!Number.isInteger(count) || count < 1) {
    throw new RangeError(
      `Cannot draw the set "${name}" as its size must be a whole number >= 1: current value is ${count}`,
    );
  }
  const cases = Array.from({ length: count }, (_, index): Case => {
    const own = caseSeed(seed, { set, index });
    const plan = recipe.plan(index, mulberry32(own ^ 0x5bd1e995));
    const { report, labels, findings } = syntheticStudy(own, plan.findings ? { findings: plan.findings } : {});
    const id = `${name}-${seed}-${String(index).padStart(5, "0")}`;
    const film = () => drawFilm(own, { findings, size });
    const item: Case = { id, patientId: id, image: () => Promise.resolve(film().image), text: report, labels };
    if (plan.target !== undefined) item.target = plan.target;
    if (plan.mask) {
      const data = (): Uint8Array => film().mask?.data ?? new Uint8Array(size * size);
      item.mask = () => Promise.resolve({ width: size, height: size, data: data() });
    }
    if (plan.boxes) {
      let known: readonly Box[] | undefined;
      Object.defineProperty(item, "boxes", { enumerable: true, get: () => known ??= film().boxes });
    }
    return item;
  });
  const hash = newSha256().update(cases.map((item) => item.id).join("\n")).digest("hex");
  return {
    name,
    classes: recipe.classes,
    cases,
    task: recipe.task,
    summary: { read: count, kept: count, dropped: {} },
    split: { name: `${name}-${seed}`, size: count, hash },
  };
}

/** Devices in one study in four, whatever else there is: a distractor. */
function withDevices(findings: readonly FindingSpec[], rng: () => number): FindingSpec[] {
  return rng() < 0.25 ? [...findings, { name: "Support Devices" }] : [...findings];
}

/**
 * `n` chest radiographs with reports and CheXpert labels, findings at their prevalences: a training set.
 *
 * @throws {RangeError} If `n` is not a whole number of at least 1.
 *
 * @example Images with reports and labels
 * ```ts
 * import { trainingSet } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * const [first] = trainingSet(1, 7).cases;
 * assertEquals(first!.labels!.length, 14);
 * ```
 */
export function trainingSet(n: number, seed: number, options: SyntheticSetOptions = {}): Dataset {
  return draw(seed, {
    set: "training",
    name: "synthetic-train",
    classes: [],
    task: "pairs",
    count: n,
    plan: () => ({}),
  }, options);
}

/**
 * Five times `n` studies with exactly one of {@linkcode CHEXPERT_5} each (and perhaps devices), `n` of each, in turn.
 *
 * @throws {RangeError} If `n` is not a whole number of at least 1.
 */
export function chexpert5xN(n: number, seed: number, options: SyntheticSetOptions = {}): Dataset {
  return draw(seed, {
    set: "chexpert",
    name: `synthetic-chexpert-5x${n}`,
    classes: CHEXPERT_5,
    task: "multiclass",
    count: 5 * n,
    plan: (index, rng) => ({ target: index % 5, findings: withDevices([{ name: CHEXPERT_5[index % 5]! }], rng) }),
  }, options);
}

/** Findings that are no opacity of the lung: what RSNA calls "not normal" without a box. */
const NOT_OPACITIES: readonly FindingName[] = [
  "Cardiomegaly",
  "Enlarged Cardiomediastinum",
  "Fracture",
  "Pleural Effusion",
  "Pleural Other",
  "Pneumothorax",
];

/**
 * `n` studies in the form of the RSNA pneumonia set: classes "No Finding" and "pneumonia", half and half, with boxes. A
 * negative is normal or, every other one, shows a finding that is no opacity.
 *
 * @throws {RangeError} If `n` is not a whole number of at least 1.
 *
 * @example Every other one has pneumonia
 * ```ts
 * import { rsnaLike } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(rsnaLike(4, 1).cases.length, 4);
 * ```
 */
export function rsnaLike(n: number, seed: number, options: SyntheticSetOptions = {}): Dataset {
  return draw(seed, {
    set: "rsna",
    name: "synthetic-rsna",
    classes: ["No Finding", "pneumonia"],
    task: "multiclass",
    count: n,
    plan: (index, rng) => {
      if (index % 2 === 1) return { target: 1, boxes: true, findings: withDevices([{ name: "Pneumonia" }], rng) };
      const other: FindingSpec[] = index % 4 === 0 ? [] : [{ name: pick(NOT_OPACITIES, rng) }];
      return { target: 0, boxes: true, findings: withDevices(other, rng) };
    },
  }, options);
}

/** What a negative of the SIIM-like set may show. */
const NOT_PNEUMOTHORAX: readonly FindingName[] = [
  ...CHEXPERT_5,
  "Lung Lesion",
  "Lung Opacity",
  "Pneumonia",
  "Fracture",
];

/**
 * `n` studies in the form of the SIIM pneumothorax set: classes "No Finding" and "pneumothorax", half and half, each with
 * its mask (empty for negatives). A negative is normal or, every other one, shows another finding.
 *
 * @throws {RangeError} If `n` is not a whole number of at least 1.
 */
export function siimLike(n: number, seed: number, options: SyntheticSetOptions = {}): Dataset {
  return draw(seed, {
    set: "siim",
    name: "synthetic-siim",
    classes: ["No Finding", "pneumothorax"],
    task: "multiclass",
    count: n,
    plan: (index, rng) => {
      if (index % 2 === 1) return { target: 1, mask: true, findings: withDevices([{ name: "Pneumothorax" }], rng) };
      const other: FindingSpec[] = index % 4 === 0 ? [] : [{ name: pick(NOT_PNEUMOTHORAX, rng) }];
      return { target: 0, mask: true, findings: withDevices(other, rng) };
    },
  }, options);
}

/**
 * The synthetic forms of the paper's three sets of table 1, by name, under a seed apart from that of {@linkcode trainingSet}.
 *
 * @param perClass Images of each of the five classes; the binary sets have five times as many.
 */
export function heldOutChestSets(perClass: number, seed: number): Record<string, Dataset> {
  checkValue("draw sets", "the cases a class", perClass, COUNT);
  checkValue("draw sets", "seed", seed, INTEGER);
  const own = deriveSeed(seed, "held out");
  return {
    "CheXpert-5xN (synthetic)": chexpert5xN(perClass, own),
    "RSNA-like (synthetic)": rsnaLike(5 * perClass, own),
    "SIIM-like (synthetic)": siimLike(5 * perClass, own),
  };
}

/** Words of a tile's caption that give its class away: normal, tumour. */
const TILE_WORDS = [/normal|pink tissue|benign/, /abnormal|dense purple|crowded|tumor/] as const;

/**
 * `n` synthetic tiles, half of normal tissue, half of tumours, in turn.
 *
 * @throws {RangeError} If `n` is not a whole number of at least 2.
 */
export function histopathologyLike(n: number, seed: number): Dataset {
  checkValue("draw tiles", "seed", seed, INTEGER);
  if (!Number.isInteger(n) || n < 2) {
    throw new RangeError(`Cannot draw tiles as their number must be a whole number >= 2: current value is ${n}`);
  }
  const cases: Case[] = [];
  for (let draw = 0; cases.length < n; draw++) {
    const own = deriveSeed(seed, `tile ${draw}`);
    const target = cases.length % 2;
    // A caption without a word for the class says nothing about the tile: the next draw may.
    const { caption } = syntheticImage("histopathology", own, { size: 16 });
    if (classOf(caption) !== target) continue;
    const id = `synthetic-histopathology-${seed}-${String(draw).padStart(5, "0")}`;
    cases.push({ id, target, image: () => Promise.resolve(syntheticImage("histopathology", own).image) });
  }
  const hash = newSha256().update(cases.map(({ id }) => id).join("\n")).digest("hex");
  return {
    name: "synthetic-histopathology",
    classes: ["normal tissue", "tumor"],
    cases,
    task: "multiclass",
    summary: { read: n, kept: n, dropped: {} },
    split: { name: `synthetic-histopathology-${seed}`, size: n, hash },
  };
}

function classOf(caption: string): number {
  return TILE_WORDS[1].test(caption) ? 1 : TILE_WORDS[0].test(caption) ? 0 : -1;
}
