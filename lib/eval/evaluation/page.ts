/** An evaluation as one page. @module */
import type { EvaluationRecord } from "../../display/evaluation.ts";
import { classFiguresTable, overallTable, subgroupTable } from "../../display/evaluation_tables.ts";
import { buildReport } from "../../display/report.ts";
import type { GalleryItem, ReportSection } from "../../display/sections.ts";
import type { Table } from "../../display/table.ts";
import type { RasterImage } from "../../image/raster.ts";
import { thumbnailDataUrl } from "../../image/thumbnail.ts";
import { evaluationFigures } from "./figures.ts";
import { type HardCase, hardestCases } from "./hardest.ts";
import type { Predictions } from "./predictions.ts";

/** Longer side of a picture, pixels. */
const PICTURE = 320;

/** What {@linkcode evaluationPage} shows. */
export interface EvaluationPage {
  /** Heading. */
  title: string;
  /** The cases judged. */
  judged: Predictions;
  /** What was found of them. */
  record: EvaluationRecord;
  /** What must be known before the figures are believed. */
  warnings: readonly string[];
  /** What the run was. */
  facts: Readonly<Record<string, string | number>>;
  /** Whether the images are generated. */
  synthetic: boolean;
  /** How many of the hardest cases are shown. */
  pictures: number;
  /** Reads the image of a case. @default {none: a table in place of the pictures} */
  imageOf?: (id: string) => Promise<RasterImage>;
}

/** The page: figures, drawings, groups and the hardest cases; it needs nothing else. It contains images. */
export async function evaluationPage(page: EvaluationPage): Promise<string> {
  const { title, judged, record, warnings, facts, synthetic } = page;
  const groups = subgroupTable(record);
  const table = (title: string, table: Table): ReportSection => ({
    kind: "table",
    title,
    table: { ...table, synthetic },
  });
  const { cases, patients, tuning } = record;
  return await buildReport({
    title,
    subtitle: [
      `${cases.toLocaleString("en-GB")} cases${
        patients === null ? "" : ` of ${patients.toLocaleString("en-GB")} patients`
      } judged`,
      ...(tuning ? [`${tuning.cases.toLocaleString("en-GB")} apart to tune on`] : []),
      "not for clinical use",
    ].join(", ") + ".",
    warnings,
    sections: [
      table("Figures", overallTable(record)),
      table("Each class against the others", { ...classFiguresTable(record), sortable: true }),
      ...evaluationFigures(judged, record).map((section) => ({ ...section, synthetic })),
      ...(groups ? [table("Groups", groups)] : []),
      await hardestSection(page),
      { kind: "facts", title: "Run", facts },
    ],
  });
}

async function hardestSection({ judged, pictures, imageOf, synthetic }: EvaluationPage): Promise<ReportSection> {
  const hardest = hardestCases(judged, pictures);
  const title = "Hardest cases";
  const caption = "Difficulty: the share of the cases of the other kind that outrank the case" +
    (judged.task === "multilabel" ? ", mean over the labels." : ".");
  if (!imageOf) {
    const rows = hardest.map(({ row, difficulty, truth, answer }) => [judged.ids[row]!, truth, answer, difficulty]);
    const columns = [
      { title: "case" },
      { title: "truth", align: "left" as const },
      { title: "answer", align: "left" as const },
      { title: "difficulty" },
    ];
    return { kind: "table", title, table: { columns, rows, caption, sortable: true, synthetic } };
  }
  const items: GalleryItem[] = [];
  for (const picture of hardest) items.push(await pictureOf(picture, judged.ids[picture.row]!, imageOf)); // one decoded at a time
  return { kind: "gallery", title, caption: `${caption} A click enlarges a picture.`, synthetic, items };
}

async function pictureOf(
  { difficulty, truth, answer }: HardCase,
  id: string,
  imageOf: (id: string) => Promise<RasterImage>,
): Promise<GalleryItem> {
  return {
    image: thumbnailDataUrl(await imageOf(id), PICTURE),
    caption: `${id}: is ${truth}, called ${answer}; difficulty ${difficulty.toFixed(2)}`,
    keys: { "difficulty, hardest first": -difficulty, "truth": truth, "answer": answer, "case": id },
  };
}
