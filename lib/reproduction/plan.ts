/** What is run: the rows of the tables, each under one or more seeds. @module */
import type { ModelFiles } from "../clip/find_model_files.ts";
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
  /** Name of the protocol it is asked by. @default {the paper's: its templates, softmax or the model's sigmoid} */
  protocol?: string;
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
  files: ModelFiles & { weights: string };
}

/** A {@linkcode RunSpec} under one seed. */
export interface PlannedRun extends RunSpec {
  /** Seed of new weights, orders and dropout. */
  seed: number;
  /** Rank of its row in the table, from 0. */
  place: number;
}
