/** Table 4: adapters by label fractions, segmentation and detection, on the synthetic sets here and on SIIM and RSNA in table4_paper.ts. @module */
import { aceLoraModel, initAceLora, mergeAceLora } from "../ace_lora.ts";
import type { LoadedClip } from "../clip/load.ts";
import { squareSide } from "../clip/towers/image.ts";
import { pairSource } from "../data/sources.ts";
import { trainingSet } from "../data/synthetic/sets.ts";
import type { BinaryMask } from "../data/types.ts";
import { type DenseData, labelFraction, partRecord } from "../dense/data.ts";
import { boxedFraction } from "../dense/detect/data.ts";
import type { DetectionFigures } from "../dense/detect/metrics.ts";
import { constantBoxFigures, evaluateDetection, trainDetection } from "../dense/detect/run.ts";
import { type DenseEncoder, weightsHash } from "../dense/encoder.ts";
import { type MappedCases, mapSource } from "../dense/maps.ts";
import type { SegmentationFigures } from "../dense/segment/metrics.ts";
import { constantMaskFigures, evaluateSegmentation, trainSegmentation } from "../dense/segment/run.ts";
import type { FitHeadOptions } from "../dense/train.ts";
import { checkedFields, FINITE, isRecord, LIST, orNull, parseJson, RECORD, TEXT, WHOLE } from "../io/fields.ts";
import { gitRevision, versions } from "../io/run_facts.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import { disposeParams } from "../tensor/params.ts";
import { deriveSeed } from "../tensor/random.ts";
import { fit } from "../train/fit.ts";
import type { ReproduceContext } from "./context.ts";
import { type DemoMethod, demoMethods } from "./demo/demo.ts";
import { SCALES } from "./scale.ts";
import { drawnDenseData, exampleOf, type Table4Example } from "./table4_examples.ts";

/** Sizes and settings of the table. */
export interface Table4Settings {
  /** Seed of data, new weights, orders and label fractions. */
  seed: number;
  /** Image-report pairs the adapters are trained on. */
  pairs: number;
  /** Passes over them. */
  adaptEpochs: number;
  /** Highest learning rate of the adapters. */
  adaptRate: number;
  /** Labelled training images of each task; of SIIM's at the paper's scale, RSNA has others. */
  cases: number;
  /** Shares of them. */
  fractions: readonly number[];
  /** Passes over all of them; a smaller share gets as many steps, at most ten times as many passes, validated as often. */
  epochs: number;
  /** Highest learning rate of the heads. */
  learningRate: number;
}

/** The table's defaults: the protocol's three shares. */
export const TABLE4_SETTINGS: Table4Settings = {
  seed: 1,
  pairs: 1024,
  adaptEpochs: 3,
  adaptRate: SCALES.demo.learningRate,
  cases: 200,
  fractions: [0.01, 0.1, 1],
  epochs: 15,
  learningRate: 2e-3,
};

/** A few seconds' worth, for tests. */
export const TABLE4_SMOKE_SETTINGS: Table4Settings = {
  ...TABLE4_SETTINGS,
  pairs: 32,
  adaptEpochs: 1,
  cases: 8,
  fractions: [1],
  epochs: 1,
};

/** One cell of the table. */
export interface Table4Row {
  /** The adapter: none, LoRA or ACE-LoRA. */
  adapter: string;
  /** Share of the labels. */
  fraction: number;
  /** Labelled images of segmentation. */
  labelled: number;
  /** Labelled images of detection, where they are others. @default {as many} */
  labelledBoxes?: number;
  /** SIIM-like segmentation. */
  segmentation: SegmentationFigures;
  /** RSNA-like detection. */
  detection: DetectionFigures;
}

/** The whole table, as JSON holds it. */
export interface Table4Result {
  /** Settings. */
  settings: Table4Settings;
  /** Measured rows. */
  rows: Table4Row[];
  /** What the best constant answers come to. */
  baselines: { mask: SegmentationFigures; box: DetectionFigures };
  /** Answers to a few test cases, of drawn ones only. @default {none} */
  examples?: Table4Example[];
  /** SHA-256 of each adapter's image tower. */
  encoders: Record<string, string>;
  /** Which cases: name, size and hash of each part. */
  splits: Record<string, { name: string; size: number; hash: string }>;
  /** Whether the images are drawn. */
  synthetic: boolean;
  /** Seconds of the whole run. */
  seconds: number;
  /** Backend and its adapter. */
  backend: string;
  /** Versions of Deno, tfjs and this package. */
  versions: Record<string, string>;
  /** Git revision of the code. */
  revision: string | null;
}

/** An image tower and what frees it. */
export interface OpenedEncoder {
  /** The tower. */
  encoder: DenseEncoder;
  /** Frees it. */
  free: () => void;
}

/** What has been measured of the table so far. */
export interface Table4Progress {
  /** Rows, in the order of adapters and shares. */
  rows: Table4Row[];
  /** SHA-256 of each adapter's image tower. */
  encoders: Record<string, string>;
  /** What the best constant answers come to. */
  baselines?: Table4Result["baselines"];
}

/** What {@linkcode measureTable4} works on. */
export interface Table4Inputs {
  /** Images with masks. */
  masks: DenseData;
  /** Images with boxes. */
  boxes: DenseData;
  /** Names of the adapters, and what opens each one's tower: null where a signal ended its training. */
  adapters: readonly (readonly [name: string, open: () => Promise<OpenedEncoder | null>])[];
  /** Sizes of the model. */
  vision: LoadedClip["config"]["vision"];
  /** Shares of the labels. */
  fractions: readonly number[];
  /** Seed of the shares. */
  seed: number;
  /** Settings of the heads, by the number of labelled images. */
  head(labelled: number): FitHeadOptions;
  /** Folder for the towers' maps; those of an adapter are removed after it. @default {they are kept in memory} */
  mapsFolder?: string;
  /** Takes each adapter's answers to a few test cases, by the heads of the largest share. @default {none are kept} */
  examples?: Table4Example[];
  /** Goes on from here. @default {from nothing} */
  progress?: Table4Progress;
  /** Called after each row. */
  onRow(row: Table4Row, progress: Table4Progress): void | Promise<void>;
  /** Ends it after the row under way. */
  signal?: AbortSignal;
}

/** Trains and evaluates a segmentation and a detection head on each frozen tower at every label share; null where a signal ended it. */
export async function measureTable4(inputs: Table4Inputs): Promise<Required<Table4Progress> | null> {
  const { masks, boxes, vision, fractions, seed, head, mapsFolder, signal } = inputs;
  const progress: Table4Progress = inputs.progress ?? { rows: [], encoders: {} };
  const isDone = (adapter: string, fraction?: number): boolean =>
    fraction === undefined
      ? fractions.every((share) => isDone(adapter, share))
      : progress.rows.some((row) => row.adapter === adapter && row.fraction === fraction);
  for (const [adapter, open] of inputs.adapters) {
    if (isDone(adapter)) continue;
    const opened = await open();
    if (!opened) return null;
    const { encoder, free } = opened;
    try {
      progress.encoders[adapter] = encoder.hash;
      const mapped = async (cases: DenseData["train"]): Promise<MappedCases> => ({
        cases,
        maps: await mapSource(cases, encoder, mapsFolder === undefined ? {} : { cache: mapsFolder }),
      });
      const test = { masks: await mapped(masks.test), boxes: await mapped(boxes.test) };
      const validation = { masks: await mapped(masks.validation), boxes: await mapped(boxes.validation) };
      progress.baselines ??= {
        mask: await constantMaskFigures(await mapped(masks.train), test.masks, vision.imageSize),
        box: constantBoxFigures(await mapped(boxes.train), test.boxes, boxes.classes),
      };
      for (const fraction of fractions) {
        if (isDone(adapter, fraction)) continue;
        if (signal?.aborted) return null;
        const labelled = labelFraction(masks.train, { fraction, seed });
        const decoder = await trainSegmentation(await mapped(labelled), validation.masks, {
          ...head(labelled.length),
          patchSize: squareSide(vision),
        });
        const answered = new Map<number, BinaryMask>();
        const keep = (index: number, mask: BinaryMask): Promise<void> =>
          Promise.resolve(void answered.set(index, mask));
        const isShown = inputs.examples !== undefined && fraction === Math.max(...fractions);
        const segmentation =
          (await evaluateSegmentation(decoder.head, test.masks, isShown ? { onCase: keep } : {})).figures;
        disposeParams(decoder.head.params);
        const drawn = boxedFraction(boxes.train, { fraction, seed });
        const detector = await trainDetection(await mapped(drawn), validation.boxes, {
          ...head(drawn.length),
          classes: boxes.classes,
        });
        const { figures: detection, images } = await evaluateDetection(detector.head, test.boxes);
        if (isShown) inputs.examples!.push(exampleOf(adapter, { masks, boxes }, { masks: answered, images }));
        disposeParams(detector.head.params);
        const others = drawn.length === labelled.length ? {} : { labelledBoxes: drawn.length };
        const row = { adapter, fraction, labelled: labelled.length, ...others, segmentation, detection };
        progress.rows.push(row);
        await inputs.onRow(row, progress);
      }
      if (mapsFolder !== undefined) await Deno.remove(mapsFolder, { recursive: true });
    } finally {
      free();
    }
  }
  return progress as Required<Table4Progress>;
}

/** The parts that the figures are of. */
export async function table4Splits({ masks, boxes }: Table4Inputs): Promise<Table4Result["splits"]> {
  return {
    "segmentation test": await partRecord("segmentation test", masks.test),
    "detection test": await partRecord("detection test", boxes.test),
  };
}

/** One line about a row. */
export function rowNote({ adapter, fraction, segmentation, detection }: Table4Row): string {
  return `${adapter}, ${100 * fraction} %: Dice ${segmentation.dice.toFixed(3)}, mAP ${
    detection.mapAllScores?.toFixed(3)
  }`;
}

/**
 * Trains the adapters on synthetic pairs, then a segmentation and a detection head on each frozen tower at every label share.
 *
 * @param generalist Frozen weights, sizes, tokeniser; borrowed.
 * @param note Takes one line a step.
 */
export async function runTable4(
  generalist: LoadedClip,
  backend: BackendInfo,
  settings: Table4Settings = TABLE4_SETTINGS,
  note: (text: string) => void = () => {},
): Promise<Table4Result> {
  const began = performance.now();
  const { seed, fractions } = settings;
  const { vision } = generalist.config;
  const examples: Table4Example[] = [];
  const inputs: Table4Inputs = {
    ...await drawnDenseData(settings, vision.imageSize),
    examples,
    adapters: demoMethods(generalist.config).map((method) => [
      method.config.lora ? method.name : "none",
      () => adaptedEncoder(generalist, method, settings),
    ]),
    vision,
    fractions,
    seed,
    head: (labelled) => headOptions(settings, labelled),
    onRow: (row) => note(rowNote(row)),
  };
  const measured = (await measureTable4(inputs))!;
  return {
    settings,
    ...measured,
    examples,
    splits: await table4Splits(inputs),
    synthetic: true,
    ...await runEnd(began, backend),
  };
}

/** What a result says of its run. */
export async function runEnd(
  began: number,
  backend: BackendInfo,
): Promise<Pick<Table4Result, "seconds" | "backend" | "versions" | "revision">> {
  return {
    seconds: (performance.now() - began) / 1000,
    backend: backend.name,
    versions: versions(),
    revision: await gitRevision(),
  };
}

function headOptions(settings: Table4Settings, labelled: number): FitHeadOptions {
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
async function adaptedEncoder(
  { params: base, config, tokenizer }: LoadedClip,
  method: DemoMethod,
  settings: Table4Settings,
): Promise<OpenedEncoder> {
  const encoderOf = async ({ vision: { trunk } }: LoadedClip["params"]): Promise<DenseEncoder> => ({
    trunk,
    config,
    hash: await weightsHash(trunk),
  });
  if (!method.config.lora) return { encoder: await encoderOf(base), free: () => {} };
  const { seed, pairs, adaptEpochs: epochs, adaptRate: learningRate } = settings;
  const start = await initAceLora(base, method.config, { seed });
  const source = pairSource(trainingSet(pairs, deriveSeed(seed, "training")), config, tokenizer);
  const batchSize = Math.min(64, pairs >> 1);
  const { params } = await fit(aceLoraModel(method.config, method.name), start, source, {
    epochs,
    batchSize,
    learningRate,
    warmupEpochs: 0.5,
    seed,
  });
  disposeParams(start, params);
  const merged = mergeAceLora(params);
  return {
    encoder: await encoderOf(merged),
    free: () => {
      disposeParams(merged, { base, params });
      disposeParams(params, base);
    },
  };
}

/** Marks a JSON file as one of these runs. */
export const TABLE4_KIND = "ace-lora dense reproduction";

/** Whether a JSON value is one of these runs, by its kind. */
export function isTable4Kind(value: unknown): boolean {
  return isRecord(value) && value["kind"] === TABLE4_KIND;
}

/** One seed's table 4. */
export interface Table4Run {
  /** {@linkcode TABLE4_KIND}. */
  kind: typeof TABLE4_KIND;
  /** Table. */
  table: "table4";
  /** Key of the row. */
  id: "dense";
  /** Seed of data, new weights, orders and label fractions. */
  seed: number;
  /** Scale, model and settings; a run with an equal one is not run again. */
  configuration: Record<string, unknown>;
  /** The table. */
  result: Table4Result;
}

function settingsOf({ scale }: ReproduceContext): Table4Settings {
  const settings = scale.name === "smoke" ? TABLE4_SMOKE_SETTINGS : TABLE4_SETTINGS;
  return { ...settings, adaptRate: scale.learningRate };
}

/** All that decides the figures besides seed and code. */
export function table4Configuration(context: ReproduceContext): Record<string, unknown> {
  const { seed: _, ...settings } = settingsOf(context);
  return { scale: context.scale.name, model: context.model, settings };
}

/** Runs table 4 under one seed. */
export async function executeTable4(
  context: ReproduceContext,
  backend: BackendInfo,
  seed: number,
): Promise<Table4Run> {
  const result = await runTable4(await context.generalist(), backend, { ...settingsOf(context), seed });
  return { kind: TABLE4_KIND, table: "table4", id: "dense", seed, configuration: table4Configuration(context), result };
}

/**
 * Reads a run of table 4.
 *
 * @throws {SyntaxError} If it is no such run; the message names the file.
 */
export function parseTable4Run(text: string, name: string): Table4Run {
  const record = checkedFields(name, parseJson(text, name), {
    kind: { must: `"${TABLE4_KIND}"`, fits: (value) => value === TABLE4_KIND },
    seed: WHOLE,
    configuration: RECORD,
  });
  const { rows } = checkedFields(name, record["result"], { rows: LIST }, "result");
  for (const [i, row] of (rows as unknown[]).entries()) {
    const { segmentation, detection } = checkedFields(name, row, {}, `result.rows[${i}]`);
    checkedFields(name, segmentation, { dice: FINITE }, `result.rows[${i}].segmentation`);
    checkedFields(name, detection, { mapStrict: orNull(FINITE) }, `result.rows[${i}].detection`);
  }
  const { examples = [] } = record["result"] as { examples?: unknown };
  checkedFields(name, { examples }, { examples: LIST }, "result");
  if ((examples as unknown[]).length > 0) {
    const { settings } = checkedFields(name, record["result"], { settings: RECORD, splits: RECORD }, "result");
    checkedFields(name, settings, { seed: WHOLE, cases: WHOLE }, "result.settings");
  }
  for (const [i, example] of (examples as unknown[]).entries()) {
    checkedFields(name, example, { adapter: TEXT, side: WHOLE, masks: LIST, boxes: LIST }, `result.examples[${i}]`);
  }
  return record as unknown as Table4Run;
}
