/** Table 2: the adapted generalist beside other medical vision-language models. @module */
import type { Table, TableCell } from "../../display/table.ts";
import type { ClipFolder, RunSpec } from "../plan.ts";
import type { Row } from "../summary.ts";
import { figuresCostsComparisons } from "./parts.ts";
import { NOT_PUBLISHED } from "./published.ts";
import type { PaperTable } from "./table.ts";

/** Models of the family that table 2 compares, by the folder their files would lie in; absent ones are listed as such. */
const KNOWN_MODELS: Readonly<Record<string, string>> = {
  "clip-vit-base-patch16": "OpenAI CLIP ViT-B/16",
  "clip-vit-base-patch32": "OpenAI CLIP ViT-B/32",
  "pubmedclip": "PubMedCLIP",
  "biomedclip": "BiomedCLIP",
};

const PAPER_ROW = "ace-lora";

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
  show: (rows) => [...figuresCostsComparisons(facts, rows), { title: "Table 2: models", table: modelTable(rows) }],
};

/** The row of another model. */
export function clipRow(clip: ClipFolder): RunSpec {
  const id = `model-${clip.name}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return { table: "table2", id, label: `${clip.name}, zero-shot`, method: "none", seeded: false, clip };
}

/** The models measured, and those of the family there were no files for. */
function modelTable(rows: readonly Row[]): Table {
  const measured = rows.map(({ label, runs }) => {
    const { name } = runs[0]!.configuration["model"] as { name: string };
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
