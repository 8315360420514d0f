/** What a run of the reproduction is, and the record it leaves behind. @module */
import type { SplitRecord } from "../display/results.ts";
import type { PeftName } from "../peft/methods.ts";

/** The paper's tables, and what stands beside them. */
export const TABLE_NAMES = [
  "table1",
  "table2",
  "table4",
  "table6",
  "tableA3",
  "ablations",
  "histopathology",
] as const;

/** One of {@linkcode TABLE_NAMES}. */
export type TableName = typeof TABLE_NAMES[number];

/** How large a reproduction is: `smoke` to see that it runs, `demo` on synthetic sets, `paper` with the paper's settings. */
export type ScaleName = "smoke" | "demo" | "paper";

/** One row of a table, to be run under one or more seeds. */
export interface RunSpec {
  /** Its table. */
  table: TableName;
  /** Key in file names. */
  id: string;
  /** Name in tables. */
  label: string;
  /** What it is compared within, where a table has several comparisons. @default {none} */
  group?: string;
  /** The fine-tuning method. */
  method: PeftName;
  /** Its settings where they are not the method's own. @default {the method's} */
  settings?: Readonly<Record<string, unknown>>;
  /** Training loss. @default {"label-guided"} */
  loss?: "label-guided" | "info-nce";
  /** Factor of the scale's learning rate. @default {1} */
  rateFactor?: number;
  /** Files of another model, asked zero-shot in place of the generalist. @default {the generalist} */
  clip?: ClipFolder;
  /** Sets it is evaluated on. @default {"chest"} */
  sets?: "chest" | "histopathology";
  /** Whether anything depends on the seed. @default {true} */
  seeded?: boolean;
  /** Keep attention and hyperedges of a few cases. @default {false} */
  explain?: boolean;
}

/** The files of a CLIP in one folder. */
export interface ClipFolder {
  /** The folder's name. */
  name: string;
  /** Paths. */
  files: { config: string; weights: string; tokenizer: string };
}

/** A {@linkcode RunSpec} under one seed. */
export interface PlannedRun extends RunSpec {
  /** Seed of new weights, orders and dropout. */
  seed: number;
  /** Place of its row in the table. */
  place: number;
}

/** Figures of one set with what curves and paired comparisons need. */
export interface SetFigures {
  /** Share of right predictions. */
  accuracy: number;
  /** Its 95 % interval over cases. */
  accuracy_ci: [number, number];
  /** Area under the ROC curve, macro one-vs-rest; null where undefined. */
  auroc: number | null;
  /** Its 95 % interval over cases. */
  auroc_ci: [number, number] | null;
  /** Class names. */
  classes: readonly string[];
  /** The cases. */
  split: SplitRecord;
  /** Whether the images are generated. */
  synthetic: boolean;
  /** Probabilities, float32 in base64: of class 1 in a binary set, else row-major `[n, C]`. */
  scores: string;
  /** Class indices, one byte each, in base64. */
  targets: string;
}

/** Attention and hyperedges of one case; the image is not stored. */
export interface ExplainedCase {
  /** Its set. */
  set: string;
  /** Place in the set. */
  index: number;
  /** Class name. */
  label: string;
  /** CLS attention to each patch, four digits. */
  attention: number[];
  /** Hyperedges that reach the CLS node. */
  hyperedges: { source: number | null; members: number[]; weights: number[] }[];
}

/** Marks a JSON file as one of these records. */
export const RECORD_KIND = "ace-lora reproduction run";

/** One run's JSON. */
export interface ReproduceRecord {
  /** {@linkcode RECORD_KIND}. */
  kind: typeof RECORD_KIND;
  /** Table. */
  table: TableName;
  /** Key of the row. */
  id: string;
  /** Name of the row. */
  label: string;
  /** Comparison within the table. */
  group?: string;
  /** Place of the row in the table. */
  place: number;
  /** Seed of new weights, orders and dropout. */
  seed: number;
  /** All that decides the figures besides seed and code; a run with an equal one is not run again. */
  configuration: Record<string, unknown>;
  /** File whose figures these are, where another table had run the same configuration under the same seed. */
  same_as?: string;
  /** `webgpu`, `wasm` or `cpu`. */
  backend: string;
  /** What it runs on. */
  adapter: string;
  /** Versions of Deno, tfjs and this package. */
  versions: Record<string, string>;
  /** Git revision of the code. */
  revision: string | null;
  /** Numbers that training changed. */
  trainable: number;
  /** Numbers of the frozen model: 100 % of full fine-tuning. */
  total: number;
  /** Training steps. */
  steps: number;
  /** Seconds of training; 0 without. */
  seconds: number;
  /** Steps that those seconds are of: fewer than all where the run was resumed. */
  timed_steps: number;
  /** Most bytes that tensors held at a time during the run. */
  peak_tensor_bytes: number;
  /** Largest resident size of the process so far, other runs in it included; null where unknown. */
  peak_process_bytes: number | null;
  /** Ordered pairs of different samples in the batches, and how many of them have identical labels. */
  false_negatives: { pairs: number; identical: number };
  /** Loss of the steps kept (all of a short run). */
  loss: { steps: number[]; values: number[] };
  /** Figures by set. */
  sets: Record<string, SetFigures>;
  /** Attention and hyperedges of a few synthetic cases. */
  explained?: ExplainedCase[];
}
