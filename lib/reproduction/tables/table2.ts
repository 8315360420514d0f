/** Table 2: the adapted generalist beside other medical vision-language models. @module */
import type { Table, TableCell } from "../../display/table.ts";
import type { ClipFolder, RunSpec } from "../plan.ts";
import { protocolOfModel, PROTOCOLS } from "../../clip/zero_shot/presets.ts";
import { isSynthetic, type Row, rowFigure, setNames } from "../summary.ts";
import { figuresCostsComparisons, spreadCell, titled } from "./parts.ts";
import { NOT_PUBLISHED } from "./published.ts";
import type { PaperTable } from "./table.ts";

/** Models of the family that table 2 compares, by the folder their files would lie in; absent ones are listed as such. */
const KNOWN_MODELS: Readonly<Record<string, string>> = {
  "clip-vit-base-patch16": "OpenAI CLIP ViT-B/16",
  "clip-vit-base-patch32": "OpenAI CLIP ViT-B/32",
  "pubmedclip": "PubMedCLIP",
  "biomedclip": "BiomedCLIP",
  "chexzero": "CheXzero",
  "unimed-clip": "UniMed-CLIP",
  "pmc-clip": "PMC-CLIP",
  "gloria": "GLoRIA",
  "mgca": "MGCA",
  "convirt": "ConVIRT",
  "medclip": "MedCLIP",
  "cxr-clip": "CXR-CLIP",
  "medsiglip-448": "MedSigLIP-448",
};

const PAPER_ROW = "ace-lora";
/** By which all models are asked beside their own. */
const PAPER_PROTOCOL = "ace-lora";

const facts = {
  title: "Table 2: medical vision-language models",
  isPaperRow: ({ id }: Pick<Row, "id">) => id === PAPER_ROW,
};

/** The table. */
export const TABLE2: PaperTable = {
  ...facts,
  rows: () => [
    { table: "table2", id: "zero-shot", label: "Generalist, zero-shot", method: "none", seeded: false },
    { table: "table2", id: PAPER_ROW, label: "Generalist + ACE-LoRA", method: "ace-lora", explain: true },
  ],
  show: (rows) => [
    ...figuresCostsComparisons(facts, rows),
    ...titled("Table 2: two protocols", protocolTable(rows)),
    { title: "Table 2: models", table: modelTable(rows.filter(({ id }) => !id.endsWith(OWN))) },
  ],
};

/** The ending of the id of a row that asks as the model's authors do. */
const OWN = "-own";

/** The rows of another model: asked by the paper's protocol, and by its authors' where they published one that differs. */
export function clipRows(clip: ClipFolder): RunSpec[] {
  const id = `model-${clip.name}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const row = { table: "table2", id, label: `${clip.name}, zero-shot`, method: "none", seeded: false, clip } as const;
  const own = protocolOfModel(clip.name);
  if (!own || own.name === PAPER_PROTOCOL) return [row];
  return [row, { ...row, id: id + OWN, label: `${clip.name}, as its authors ask`, protocol: own.name }];
}

/** Each model's AUROC by set: by its authors' protocol, and by the paper's for all. */
function protocolTable(rows: readonly Row[]): Table | null {
  const others = rows.filter(({ id }) => id.startsWith("model-") && !id.endsWith(OWN));
  if (others.length === 0) return null;
  return {
    caption: "AUROC. A set that a protocol has no prompts for is left empty.",
    columns: [
      { title: "model" },
      { title: "set", align: "left" },
      { title: "its authors' protocol" },
      { title: "the paper's protocol" },
      { title: "asked by its authors", align: "left" },
    ],
    rows: others.flatMap((row): TableCell[][] => {
      const own = rows.find(({ id }) => id === row.id + OWN);
      const { name } = row.runs[0]!.configuration.model;
      const paper = PROTOCOLS[PAPER_PROTOCOL]!;
      const { source } = (own ? protocolOfModel(name) : undefined) ?? paper;
      return setNames([row]).map((set) => [
        name,
        set,
        spreadCell(rowFigure(own ?? row, set, "auroc")),
        spreadCell(rowFigure(row, set, "auroc")),
        own || protocolOfModel(name) ? source! : "no protocol of its own is known: the paper's",
      ]);
    }),
    groupBy: 0,
    synthetic: isSynthetic(others),
  };
}

/** The models measured, and those of the family there were no files for. */
function modelTable(rows: readonly Row[]): Table {
  const measured = rows.map(({ label, runs }) => {
    const { name } = runs[0]!.configuration.model;
    return { label, name, numbers: runs[0]!.total };
  });
  const isAbsent = (folder: string): boolean => measured.every(({ name }) => name.toLowerCase() !== folder);
  return {
    columns: [{ title: "row" }, { title: "model", align: "left" }, { title: "numbers" }, { title: "paper's figures" }],
    rows: [
      ...measured.map(({ label, name, numbers }, i): TableCell[] => [
        label,
        name,
        numbers,
        rows[i]!.id === PAPER_ROW ? "known" : NOT_PUBLISHED,
      ]),
      ...Object.entries(KNOWN_MODELS).filter(([folder]) => isAbsent(folder)).map(([folder, name]): TableCell[] => [
        name,
        `absent: no files in models/${folder}`,
        null,
        NOT_PUBLISHED,
      ]),
    ],
  };
}
