/** Which runs make which table. @module */
import type { BiomedClipConfig } from "../clip/config.ts";
import { ACE_LORA_HGNN, type AceHgnnConfig } from "../hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA, type LoraConfig, type LoraPositions } from "../peft/lora/config.ts";
import { PEFT_METHODS, type PeftName } from "../peft/methods.ts";
import type { ClipFolder, PlannedRun, RunSpec, TableName } from "./types.ts";

/** All rows of a table for models of a size; table 4 has none here, it is one run a seed (dense.ts). */
export function tableRows(table: TableName, encoders: BiomedClipConfig): RunSpec[] {
  switch (table) {
    case "table1":
      return methodRows(encoders);
    case "table2":
      return [
        { table, id: "zero-shot", label: "Generalist, zero-shot", method: "none", seeded: false },
        { table, id: "ace-lora", label: "Generalist + ACE-LoRA", method: "ace-lora", explain: true },
      ];
    case "table6":
      return affinityRows(encoders);
    case "tableA3":
      return encoderRows(encoders);
    case "ablations":
      return ablationRows(encoders);
    case "histopathology":
      return [
        {
          table,
          id: "zero-shot",
          label: "Generalist, zero-shot",
          method: "none",
          seeded: false,
          sets: "histopathology",
        },
      ];
    case "table4":
      return [];
  }
}

/** The rows of some tables under each seed, seed by seed within a row; table 2 has a row more for each of `clips`. */
export function plannedRuns(
  tables: readonly TableName[],
  encoders: BiomedClipConfig,
  seeds: readonly number[],
  clips: readonly ClipFolder[] = [],
): PlannedRun[] {
  return tables.flatMap((table) =>
    [...tableRows(table, encoders), ...(table === "table2" ? clips.map(clipRow) : [])].flatMap((spec, place) =>
      (spec.seeded === false ? seeds.slice(0, 1) : seeds).map((seed) => ({ ...spec, seed, place }))
    )
  );
}

function clipRow(clip: ClipFolder): RunSpec {
  const id = `model-${clip.name}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return { table: "table2", id, label: `${clip.name}, zero-shot`, method: "none", seeded: false, clip };
}

/**
 * Every weight of the pre-trained model moves under full fine-tuning, so it gets a tenth of the small methods' learning rate, as is
 * usual; no row's rate was tuned.
 */
const FULL_RATE = 0.1;

function methodRows(encoders: BiomedClipConfig): RunSpec[] {
  return (Object.keys(PEFT_METHODS) as PeftName[]).map((method): RunSpec => ({
    table: "table1",
    id: method,
    label: PEFT_METHODS[method](encoders).label,
    method,
    ...(method === "none" ? { seeded: false } : {}),
    ...(method === "full" ? { rateFactor: FULL_RATE } : {}),
    ...(method === "ace-lora" ? { explain: true } : {}),
  }));
}

/** ACE-HGNN's settings for models of a size: the bottleneck keeps the paper's ratio of a quarter of the embedding. */
function hgnnOf(encoders: BiomedClipConfig, given: Partial<AceHgnnConfig> = {}): Record<string, unknown> {
  return { hgnn: { ...ACE_LORA_HGNN, hidden: Math.max(1, Math.round(encoders.embedding / 4)), ...given } };
}

function loraOf(given: Partial<LoraConfig>): Record<string, unknown> {
  return { lora: { ...ACE_LORA_LORA, ...given } };
}

function affinityRows(encoders: BiomedClipConfig): RunSpec[] {
  const table = "table6", method = "ace-lora";
  return [
    { table, id: "attention", label: "ACE-HGNN, encoder attention", method, explain: true },
    { table, id: "gat", label: "GAT", method, settings: hgnnOf(encoders, { affinity: "gat" }) },
    { table, id: "gatv2", label: "GATv2", method, settings: hgnnOf(encoders, { affinity: "gatv2" }) },
    {
      table,
      id: "similarity",
      label: "Cosine similarity",
      method,
      settings: hgnnOf(encoders, { affinity: "similarity" }),
    },
  ];
}

function encoderRows(encoders: BiomedClipConfig): RunSpec[] {
  const table = "tableA3", method = "ace-lora";
  return [
    { table, id: "neither", label: "Neither (LoRA only)", method: "rslora" },
    { table, id: "image", label: "Image", method, settings: hgnnOf(encoders, { encoders: ["image"] }) },
    { table, id: "text", label: "Text", method, settings: hgnnOf(encoders, { encoders: ["text"] }) },
    { table, id: "both", label: "Both", method, explain: true },
  ];
}

/** One row a value; the value that is the default runs without settings, so that its figures are shared with table 1. */
function ablationRows(encoders: BiomedClipConfig): RunSpec[] {
  const quarter = Math.max(1, Math.round(encoders.embedding / 4));
  const rows = (group: string, values: readonly [string, Record<string, unknown> | null][]): RunSpec[] =>
    values.map(([value, settings]) => ({
      table: "ablations",
      id: `${group}-${value}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-"),
      label: settings === null ? `${value} (default)` : value,
      group,
      method: "ace-lora",
      ...(settings === null ? { explain: true } : { settings }),
    }));
  const positions = ["all", "bottom", "mid", "up", "half-bottom", "half-up"] as const satisfies LoraPositions[];
  return [
    ...lossRows(),
    ...rows("k", [1, 5, 10].map((topK) => [`${topK}`, topK === 5 ? null : hgnnOf(encoders, { topK })])),
    ...rows(
      "hidden width",
      [0.5, 1, 2].map((share) => {
        const hidden = Math.max(1, Math.round(share * quarter));
        return [`${hidden}`, share === 1 ? null : hgnnOf(encoders, { hidden })];
      }),
    ),
    ...rows("rank", [1, 4, 16].map((rank) => [`${rank}`, rank === 4 ? null : loraOf({ rank })])),
    ...rows("LoRA layers", positions.map((where) => [where, where === "all" ? null : loraOf({ positions: where })])),
    ...rows("logit scale", [["learned", null], ["fixed", { learnScale: false }]]),
  ];
}

function lossRows(): RunSpec[] {
  const row = { table: "ablations", group: "loss" } as const;
  return [
    { ...row, id: "loss-label-guided", label: "label-guided (default)", method: "ace-lora", explain: true },
    { ...row, id: "loss-info-nce", label: "InfoNCE", method: "ace-lora", loss: "info-nce" },
    { ...row, id: "loss-label-guided-lora", label: "LoRA only, label-guided", method: "rslora" },
    { ...row, id: "loss-info-nce-lora", label: "LoRA only, InfoNCE", method: "rslora", loss: "info-nce" },
  ];
}
