/** Records with numbers that can be checked by hand. */
import { packScores, packTargets } from "../../lib/reproduction/scores.ts";
import { RECORD_KIND, type ReproduceRecord, type SetFigures } from "../../lib/reproduction/record.ts";
import { TABLE4_KIND, type Table4Row, type Table4Run } from "../../lib/reproduction/tables/table4/run.ts";
import { TABLE4_SETTINGS } from "../../lib/reproduction/tables/table4/synthetic.ts";

/** A binary set of four cases, the last two positive, with these scores. */
export function binarySet(scores: readonly number[], figures: Partial<SetFigures> = {}): SetFigures {
  return {
    accuracy: 0.5,
    accuracy_ci: [0.25, 0.75],
    auroc: 0.75,
    auroc_ci: [0.5, 1],
    classes: ["No Finding", "pneumonia"],
    split: { name: "sample", size: 4, hash: "00ff" },
    synthetic: true,
    scores: packScores(scores),
    targets: packTargets([0, 0, 1, 1]),
    ...figures,
  };
}

/** A record of table 1 with one set. */
export function sampleRecord(given: Partial<ReproduceRecord> = {}): ReproduceRecord {
  return {
    kind: RECORD_KIND,
    table: "table1",
    id: "lora",
    label: "LoRA",
    place: 0,
    seed: 1,
    configuration: { scale: "smoke", model: { name: "MINI", sha256: "ab".repeat(32) }, method: "lora", training: null },
    backend: "wasm",
    adapter: "tf.js",
    versions: { deno: "2.9.6" },
    revision: null,
    trainable: 100,
    total: 1000,
    steps: 2,
    seconds: 4,
    timed_steps: 2,
    peak_tensor_bytes: 2 ** 20,
    peak_process_bytes: null,
    false_negatives: { pairs: 12, identical: 3 },
    loss: { steps: [1, 2], values: [2, 1] },
    sets: { "RSNA-like (synthetic)": binarySet([0.1, 0.6, 0.4, 0.9]) },
    ...given,
  };
}

/** A run of table 4 with one row. */
export function sampleTable4(): Table4Run {
  const segmentation = { dice: 0.5, iou: 0.4, dicePositive: 0.25, emptyKept: 1, n: 4, nEmpty: 2 };
  const detection: Table4Row["detection"] = {
    ...{ mapCustomary: 0.2, mapStrict: 0.1, mapAllScores: 0.1, map50: 0.1, n: 4, boxes: 2, answered: 1 },
    froc: { sensitivities: [{ alarms: 1, sensitivity: 0.5 }], mean: 0.5 },
  };
  return {
    kind: TABLE4_KIND,
    table: "table4",
    id: "dense",
    seed: 1,
    configuration: { scale: "smoke", model: { name: "MINI", sha256: "ab".repeat(32) }, settings: TABLE4_SETTINGS },
    result: {
      settings: TABLE4_SETTINGS,
      rows: [{ adapter: "none", fraction: 1, labelled: 200, segmentation, detection }],
      baselines: { mask: segmentation, box: detection },
      encoders: { none: "00ff" },
      splits: {},
      synthetic: true,
      seconds: 1,
      backend: "wasm",
      versions: { deno: "2.9.6" },
      revision: null,
    },
  };
}
