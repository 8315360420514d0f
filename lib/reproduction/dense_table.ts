/** Table 4 in small: adapters by label fractions, segmentation and detection on the synthetic sets. @module */
import { aceLoraModel, initAceLora, mergeAceLora } from "../ace_lora.ts";
import { trainingSet } from "../data/synthetic/sets.ts";
import { mapSource, weightsHash } from "../dense/maps.ts";
import type { FitHeadOptions } from "../dense/fit.ts";
import { boxedFraction, labelFraction } from "../dense/fractions.ts";
import type { Table, TableCell } from "../display/table.ts";
import type { VitParams } from "../clip/towers/vit.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import { disposeParams } from "../tensor/params.ts";
import { deriveSeed } from "../tensor/random.ts";
import { fit } from "../train/fit.ts";
import { type DenseData, loadDenseData, partRecord } from "../dense/data.ts";
import { constantBoxFigures, type DetectionFigures, evaluateDetection, trainDetection } from "../dense/detect/run.ts";
import {
  constantMaskFigures,
  evaluateSegmentation,
  type MappedCases,
  trainSegmentation,
} from "../dense/segment/run.ts";
import type { SegmentationFigures } from "../dense/segment/metrics.ts";
import { type DemoMethod, demoMethods } from "./demo/demo.ts";
import type { Generalist } from "../clip/mini.ts";
import { gitRevision, versions } from "../io/run_facts.ts";
import { pairSource } from "../data/sources.ts";

/** Sizes and settings of the table. */
export interface DenseTableSettings {
  /** Seed of data, new weights, orders and label fractions. */
  seed: number;
  /** Image-report pairs the adapters are trained on. */
  pairs: number;
  /** Passes over them. */
  adaptEpochs: number;
  /** Labelled training images of each task. */
  cases: number;
  /** Shares of them. */
  fractions: readonly number[];
  /** Passes over all of them; a smaller share gets as many steps, at most ten times as many passes, validated as often. */
  epochs: number;
  /** Highest learning rate of the heads. */
  learningRate: number;
}

/** The table's defaults: the protocol's three shares. */
export const DENSE_TABLE: DenseTableSettings = {
  seed: 1,
  pairs: 1024,
  adaptEpochs: 3,
  cases: 200,
  fractions: [0.01, 0.1, 1],
  epochs: 15,
  learningRate: 2e-3,
};

/** A few seconds' worth, for tests. */
export const DENSE_TABLE_SMOKE: DenseTableSettings = {
  ...DENSE_TABLE,
  pairs: 32,
  adaptEpochs: 1,
  cases: 8,
  fractions: [1],
  epochs: 1,
};

/** One cell of the table. */
export interface DenseTableRow {
  /** The adapter: none, LoRA or ACE-LoRA. */
  adapter: string;
  /** Share of the labels. */
  fraction: number;
  /** Labelled images. */
  labelled: number;
  /** SIIM-like segmentation. */
  segmentation: SegmentationFigures;
  /** RSNA-like detection. */
  detection: DetectionFigures;
}

/** The whole table, as JSON holds it. */
export interface DenseTableRecord {
  /** Settings. */
  settings: DenseTableSettings;
  /** Measured rows. */
  rows: DenseTableRow[];
  /** What the best constant answers come to. */
  baselines: { mask: SegmentationFigures; box: DetectionFigures };
  /** SHA-256 of each adapter's image tower. */
  encoders: Record<string, string>;
  /** Which cases: name, size and hash of each part. */
  splits: Record<string, { name: string; size: number; hash: string }>;
  /** Always: the images are drawn. */
  synthetic: true;
  /** Seconds of the whole run. */
  seconds: number;
  /** Backend and its adapter. */
  backend: string;
  /** Versions of Deno, tfjs and this package. */
  versions: Record<string, string>;
  /** Git revision of the code. */
  revision: string | null;
}

/** The paper's figures for ACE-LoRA, at a label share it does not state in the digest; no other row is known here. */
export const PUBLISHED_DENSE: { dice: number; map: number } = { dice: 46.34, map: 21.29 };

/**
 * Trains the adapters on synthetic pairs, then a segmentation and a detection head on each frozen tower at every label share.
 *
 * @param generalist Frozen weights, sizes, tokeniser; borrowed.
 * @param note Takes one line a step.
 */
export async function runDenseTable(
  generalist: Generalist,
  backend: BackendInfo,
  settings: DenseTableSettings = DENSE_TABLE,
  note: (text: string) => void = () => {},
): Promise<DenseTableRecord> {
  const began = performance.now();
  const { seed, cases: count, fractions } = settings;
  const size = generalist.config.vision.imageSize;
  const data = (task: "segment" | "detect"): Promise<DenseData> =>
    loadDenseData({ task, dataset: "synthetic", count, size, seed: deriveSeed(seed, "dense") % 1e6 });
  const [masks, boxes] = [await data("segment"), await data("detect")];
  const rows: DenseTableRow[] = [];
  const encoders: Record<string, string> = {};
  let baselines: DenseTableRecord["baselines"] | undefined;
  for (const method of demoMethods(generalist.config)) {
    const adapter = method.config.lora ? method.name : "none";
    const { trunk, free } = await adaptedTrunk(generalist, method, settings);
    encoders[adapter] = await weightsHash(trunk);
    const mapped = async (cases: DenseData["train"]): Promise<MappedCases> => ({
      cases,
      maps: await mapSource(cases, { trunk, config: generalist.config }),
    });
    const test = { masks: await mapped(masks.test), boxes: await mapped(boxes.test) };
    const validation = { masks: await mapped(masks.validation), boxes: await mapped(boxes.validation) };
    baselines ??= {
      mask: await constantMaskFigures(await mapped(masks.train), test.masks, size),
      box: constantBoxFigures(await mapped(boxes.train), test.boxes, boxes.classes),
    };
    for (const fraction of fractions) {
      const labelled = labelFraction(masks.train, { fraction, seed });
      const options = headOptions(settings, labelled.length);
      const decoder = await trainSegmentation(await mapped(labelled), validation.masks, {
        ...options,
        patchSize: generalist.config.vision.patchSize,
      });
      const segmentation = (await evaluateSegmentation(decoder.head, test.masks)).figures;
      disposeParams(decoder.head.params);
      const drawn = boxedFraction(boxes.train, { fraction, seed });
      const detector = await trainDetection(await mapped(drawn), validation.boxes, {
        ...options,
        classes: boxes.classes,
      });
      const detection = (await evaluateDetection(detector.head, test.boxes)).figures;
      disposeParams(detector.head.params);
      rows.push({ adapter, fraction, labelled: labelled.length, segmentation, detection });
      note(
        `${adapter}, ${100 * fraction} %: Dice ${segmentation.dice.toFixed(3)}, mAP ${
          detection.mapAllScores?.toFixed(3)
        }`,
      );
    }
    free();
  }
  const splits: DenseTableRecord["splits"] = {};
  for (const [name, part] of [["segmentation test", masks.test], ["detection test", boxes.test]] as const) {
    splits[name] = await partRecord(name, part);
  }
  return {
    settings,
    rows,
    baselines: baselines!,
    encoders,
    splits,
    synthetic: true,
    seconds: (performance.now() - began) / 1000,
    backend: backend.name,
    versions: versions(),
    revision: await gitRevision(),
  };
}

function headOptions(settings: DenseTableSettings, labelled: number): FitHeadOptions {
  const { cases, epochs, learningRate, seed } = settings;
  const more = Math.min(10, Math.max(1, Math.floor(cases / Math.max(labelled, 16))));
  return {
    epochs: epochs * more,
    validateEvery: more,
    patience: Math.max(5, Math.ceil(epochs * more / 3)),
    learningRate,
    seed,
  };
}

/** The image tower after the method's training, LoRA merged. */
async function adaptedTrunk(
  { params: base, config, tokenizer }: Generalist,
  method: DemoMethod,
  settings: DenseTableSettings,
): Promise<{ trunk: VitParams; free: () => void }> {
  if (!method.config.lora) return { trunk: base.vision.trunk, free: () => {} };
  const { seed, pairs, adaptEpochs: epochs } = settings;
  const start = await initAceLora(base, method.config, { seed });
  const source = pairSource(trainingSet(pairs, deriveSeed(seed, "training")), config, tokenizer);
  const batchSize = Math.min(64, pairs >> 1);
  const { params } = await fit(aceLoraModel(method.config, method.name), start, source, {
    epochs,
    batchSize,
    learningRate: 3e-3,
    warmupEpochs: 0.5,
    seed,
  });
  disposeParams(start, params);
  const merged = mergeAceLora(params);
  return {
    trunk: merged.vision.trunk,
    free: () => {
      disposeParams(merged, { base, params });
      disposeParams(params, base);
    },
  };
}

/** The record as a table: measured rows on synthetic images, the constant answers, and what the paper prints. */
export function denseTable(record: DenseTableRecord): Table {
  const share = (value: number | null): number | null => value === null ? null : 100 * value;
  const columns = ["labels", "Dice", "Dice, not empty", "mAP customary", "mAP strict", "mAP all scores", "mAP@0.5"];
  const row = (name: string, labels: string, s: SegmentationFigures, d: DetectionFigures): TableCell[] => [
    name,
    labels,
    share(s.dice),
    share(s.dicePositive),
    share(d.mapCustomary),
    share(d.mapStrict),
    share(d.mapAllScores),
    share(d.map50),
  ];
  const unknown = "not published here";
  return {
    columns: [{ title: "Adapter" }, ...columns.map((title) => ({ title, digits: 1 }))],
    rows: [
      ...record.rows.map((r) => row(r.adapter, `${100 * r.fraction} % (${r.labelled})`, r.segmentation, r.detection)),
      row("constant answer", "100 %", record.baselines.mask, record.baselines.box),
      ["paper, ACE-LoRA (SIIM, RSNA)", "not stated", PUBLISHED_DENSE.dice, null, PUBLISHED_DENSE.map, null, null, null],
      ["paper, other rows", unknown, null, null, null, null, null, null],
    ],
    caption:
      "Percent. Measured on drawn images with the mini model: comparable with one another, not with the paper's rows.",
    synthetic: true,
  };
}
