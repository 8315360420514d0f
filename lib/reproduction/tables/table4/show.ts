/** Table 4 as it is shown: segmentation and detection over seeds. @module */
import type { TableCell } from "../../../display/table.ts";
import { type Spread, spread } from "../../summary.ts";
import type { Table4Result, Table4Row } from "./run.ts";
import { NOT_PUBLISHED } from "../published.ts";
import type { PaperTable, TitledTable } from "../table.ts";

/** The paper's figures for ACE-LoRA, at a label share it does not state in the digest; no other row is known here. */
const PUBLISHED: { dice: number; map: number } = { dice: 46.34, map: 21.29 };

/** The table; each of its runs holds all rows under one seed, so it has none of the usual kind. */
export const TABLE4: PaperTable = {
  title: "Table 4: segmentation and detection",
  rows: () => [],
  show: () => [],
};

type Part = Pick<Table4Row, "segmentation" | "detection">;

/** The figures that are shown, in the order of the columns. */
const COLUMNS: Readonly<Record<string, (part: Part) => number | null>> = {
  "Dice": ({ segmentation }) => segmentation.dice,
  "Dice, not empty": ({ segmentation }) => segmentation.dicePositive,
  "mAP customary": ({ detection }) => detection.mapCustomary,
  "mAP strict": ({ detection }) => detection.mapStrict,
};

/** Segmentation and detection over seeds, in per cent, the paper's rows below. */
export function table4(results: readonly Table4Result[]): TitledTable {
  const sorted = results.toSorted((a, b) => a.settings.seed - b.settings.seed);
  const figures = (partOf: (result: Table4Result) => Part): TableCell[] =>
    Object.values(COLUMNS).map((figure) =>
      percent(spread(sorted.map((result) => figure(partOf(result))).filter((value) => value !== null)))
    );
  const { rows: first, synthetic } = sorted[0]!;
  const rows = first.map(({ adapter, fraction, labelled, labelledBoxes = labelled }, i): TableCell[] => [
    adapter,
    `${100 * fraction} % (${labelled}${labelledBoxes === labelled ? "" : `; ${labelledBoxes}`})`,
    ...figures((result) => result.rows[i]!),
  ]);
  const constant = figures(({ baselines }) => ({ segmentation: baselines.mask, detection: baselines.box }));
  const { dice, map } = PUBLISHED;
  return {
    title: TABLE4.title,
    table: {
      columns: [{ title: "adapter" }, ...["labels", ...Object.keys(COLUMNS)].map((title) => ({ title }))],
      rows: [
        ...rows,
        ["constant answer", "100 %", ...constant],
        ["paper, ACE-LoRA (SIIM, RSNA)", "not stated", dice.toFixed(2), NOT_PUBLISHED, map.toFixed(2), NOT_PUBLISHED],
        ["paper, other rows", NOT_PUBLISHED, NOT_PUBLISHED, NOT_PUBLISHED, NOT_PUBLISHED, NOT_PUBLISHED],
      ],
      caption: `Per cent; mean and deviation over ${sorted.length} seed${sorted.length > 1 ? "s" : ""}. ` +
        (synthetic
          ? "Measured on drawn images with the mini model: comparable with one another, not with the paper's rows."
          : "Measured on SIIM and RSNA; in brackets the labelled images, of detection last where they are others."),
      synthetic,
    },
  };
}

function percent(figure: Spread | null): TableCell {
  if (figure === null) return null;
  const text = (value: number): string => (100 * value).toFixed(1);
  return figure.deviation === null ? text(figure.mean) : `${text(figure.mean)} ± ${text(figure.deviation)}`;
}
