/** Table 4 as runs of the reproduction: one a seed. @module */
import { join } from "@std/path";
import type { TableCell } from "../display/table.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import {
  DENSE_TABLE,
  DENSE_TABLE_SMOKE,
  type DenseTableRecord,
  PUBLISHED_DENSE,
  runDenseTable,
} from "./dense_table.ts";
import type { ReproduceContext } from "./context.ts";
import { jsonNames } from "./record.ts";
import { NOT_PUBLISHED } from "./published.ts";
import { type Spread, spread } from "./summary.ts";
import type { TitledTable } from "./titled.ts";

/** Marks a JSON file as one of these runs. */
export const DENSE_KIND = "ace-lora dense reproduction";

/** One seed's table 4. */
export interface DenseRun {
  /** {@linkcode DENSE_KIND}. */
  kind: typeof DENSE_KIND;
  /** Table. */
  table: "table4";
  /** Key of the row. */
  id: "dense";
  /** Seed of data, new weights, orders and label fractions. */
  seed: number;
  /** Scale, model and settings; a run with an equal one is not run again. */
  configuration: Record<string, unknown>;
  /** The table. */
  result: DenseTableRecord;
}

/** All that decides the figures besides seed and code. */
export function denseConfiguration(context: ReproduceContext): Record<string, unknown> {
  const { seed: _, ...settings } = context.scale.name === "smoke" ? DENSE_TABLE_SMOKE : DENSE_TABLE;
  return { scale: context.scale.name, model: context.model, settings };
}

/** Runs table 4 under one seed. */
export async function executeDenseRun(
  context: ReproduceContext,
  backend: BackendInfo,
  seed: number,
): Promise<DenseRun> {
  const settings = context.scale.name === "smoke" ? DENSE_TABLE_SMOKE : DENSE_TABLE;
  const result = await runDenseTable(await context.generalist(), backend, { ...settings, seed });
  return { kind: DENSE_KIND, table: "table4", id: "dense", seed, configuration: denseConfiguration(context), result };
}

/**
 * Reads a run of table 4.
 *
 * @throws {SyntaxError} If it is no such run; the message names the file.
 */
export function parseDenseRun(text: string, name: string): DenseRun {
  const value = JSON.parse(text) as Partial<DenseRun>;
  const rows = value.result?.rows;
  const isWhole = value.kind === DENSE_KIND && Number.isInteger(value.seed) &&
    typeof value.configuration === "object" &&
    Array.isArray(rows) &&
    rows.every((row) => typeof row.segmentation?.dice === "number" && "mapStrict" in row.detection);
  if (!isWhole) throw new SyntaxError(`Cannot read "${name}" as it must be a run of table 4: a field is missing`);
  return value as DenseRun;
}

/** The runs of table 4 in a folder of the reproduction, by rising seed. */
export async function readDenseRuns(out: string): Promise<DenseRun[]> {
  const runs: DenseRun[] = [];
  for (const name of await jsonNames(join(out, "table4"))) {
    const path = join(out, "table4", name);
    const text = await Deno.readTextFile(path);
    if (text.includes(DENSE_KIND)) runs.push(parseDenseRun(text, path));
  }
  return runs.sort((a, b) => a.seed - b.seed);
}

/** Segmentation and detection over seeds, in per cent, the paper's row below. */
export function denseRunsTable(runs: readonly DenseRun[]): TitledTable {
  const results = [...runs].sort((a, b) => a.seed - b.seed).map(({ result }) => result);
  const columns = ["Dice", "Dice, not empty", "mAP customary", "mAP strict"];
  const figures = (of: (result: DenseTableRecord) => Part): TableCell[] => {
    const parts = results.map(of);
    const values: ((part: Part) => number | null)[] = [
      ({ segmentation }) => segmentation.dice,
      ({ segmentation }) => segmentation.dicePositive,
      ({ detection }) => detection.mapCustomary,
      ({ detection }) => detection.mapStrict,
    ];
    return values.map((value) => percent(spread(parts.map(value).filter((one) => one !== null))));
  };
  const rows = results[0]!.rows.map(({ adapter, fraction, labelled }, i): TableCell[] => [
    adapter,
    `${100 * fraction} % (${labelled})`,
    ...figures((result) => result.rows[i]!),
  ]);
  const constant = figures(({ baselines }) => ({ segmentation: baselines.mask, detection: baselines.box }));
  const { dice, map } = PUBLISHED_DENSE;
  return {
    title: "Table 4: segmentation and detection",
    table: {
      columns: [{ title: "adapter" }, ...["labels", ...columns].map((title) => ({ title }))],
      rows: [
        ...rows,
        ["constant answer", "100 %", ...constant],
        ["paper, ACE-LoRA (SIIM, RSNA)", "not stated", dice.toFixed(2), NOT_PUBLISHED, map.toFixed(2), NOT_PUBLISHED],
        ["paper, other rows", NOT_PUBLISHED, NOT_PUBLISHED, NOT_PUBLISHED, NOT_PUBLISHED, NOT_PUBLISHED],
      ],
      caption: `Per cent; mean and deviation over ${results.length} seed${results.length > 1 ? "s" : ""}. ` +
        "Measured on drawn images with the mini model: comparable with one another, not with the paper's rows.",
      synthetic: true,
    },
  };
}

type Part = Pick<DenseTableRecord["rows"][number], "segmentation" | "detection">;

function percent(found: Spread | null): TableCell {
  if (found === null) return null;
  const text = (value: number): string => (100 * value).toFixed(1);
  return found.deviation === null ? text(found.mean) : `${text(found.mean)} ± ${text(found.deviation)}`;
}
