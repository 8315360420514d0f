/** The JSON of table 4: one seed's figures, and what they were measured with. @module */
import type { DetectionFigures } from "../../../dense/detect/metrics.ts";
import type { SegmentationFigures } from "../../../dense/segment/metrics.ts";
import {
  checkedFields,
  FINITE,
  FLAG,
  isRecord,
  LIST,
  orAbsent,
  orNull,
  parseJson,
  RECORD,
  TEXT,
  WHOLE,
  word,
} from "../../../io/fields.ts";
import { runFacts } from "../../../io/run_facts.ts";
import type { BackendInfo } from "../../../tensor/backend.ts";
import { checkModel, type ReproduceRecord } from "../../record.ts";
import type { Table4Example } from "./examples.ts";

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
  /** Backend. */
  backend: string;
  /** Its adapter, or what the CPU backend is. @default {not told by version 0.1.0} */
  adapter?: string;
  /** Versions of Deno, tfjs and this package. */
  versions: Record<string, string>;
  /** Git revision of the code. */
  revision: string | null;
}

/** What a result says of its run. */
export async function runEnd(
  began: number,
  backend: BackendInfo,
): Promise<Pick<Table4Result, "seconds" | "backend" | "adapter" | "versions" | "revision">> {
  return { seconds: (performance.now() - began) / 1000, ...await runFacts(backend) };
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
  configuration: ReproduceRecord["configuration"];
  /** The table. */
  result: Table4Result;
}

/**
 * Reads a run of table 4.
 *
 * @throws {SyntaxError} If it is no such run; the message names the file.
 */
export function parseTable4Run(text: string, name: string): Table4Run {
  const record = checkedFields(name, parseJson(text, name), {
    kind: word([TABLE4_KIND]),
    seed: WHOLE,
    configuration: RECORD,
  });
  checkModel(name, record.configuration);
  const { rows, baselines, examples = [] } = checkedFields(name, record["result"], {
    synthetic: FLAG,
    rows: LIST,
    baselines: RECORD,
    examples: orAbsent(LIST),
  }, "result");
  const checkFigures = (segmentation: unknown, detection: unknown, [mask, box]: [string, string]): void => {
    checkedFields(name, segmentation, { dice: FINITE }, mask);
    checkedFields(name, detection, { mapStrict: orNull(FINITE) }, box);
  };
  for (const [i, row] of rows.entries()) {
    const place = `result.rows[${i}]`;
    const { segmentation, detection } = checkedFields(name, row, { adapter: TEXT, fraction: FINITE }, place);
    checkFigures(segmentation, detection, [`${place}.segmentation`, `${place}.detection`]);
  }
  checkFigures(baselines["mask"], baselines["box"], ["result.baselines.mask", "result.baselines.box"]);
  if (examples.length > 0) {
    const { settings } = checkedFields(name, record["result"], { settings: RECORD, splits: RECORD }, "result");
    checkedFields(name, settings, { seed: WHOLE, cases: WHOLE }, "result.settings");
  }
  for (const [i, example] of examples.entries()) {
    checkedFields(name, example, { adapter: TEXT, side: WHOLE, masks: LIST, boxes: LIST }, `result.examples[${i}]`);
  }
  return record as unknown as Table4Run;
}
