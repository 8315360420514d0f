/** Runs of one's own, side by side: training, evaluation, segmentation, detection, and chosen ones compared with tests. @module */
import { basename, dirname, join, relative } from "@std/path";
import { barFigure } from "../display/bars.ts";
import { lossFigure } from "../display/curves.ts";
import type { Interval } from "../display/evaluation.ts";
import { comparisonTable, estimateCell } from "../display/evaluation_tables.ts";
import { type FigureSection, inWords, type ReportSection } from "../display/sections.ts";
import { type MethodResult, resultsTable } from "../display/results.ts";
import type { Table, TableCell } from "../display/table.ts";
import { comparePredictions } from "../eval/evaluation/compare.ts";
import { overlaidRocs } from "../eval/evaluation/figures.ts";
import { predictionParts, type Predictions, readPredictions } from "../eval/evaluation/predictions.ts";
import { exists } from "../io/files.ts";
import { listed } from "../platform/nearest.ts";
import type { TitledTable } from "./tables/table.ts";
import type { Gathered } from "./files.ts";

/** One model on one set, by the run that judged it. */
interface Judged {
  run: string;
  set: string;
  method: string;
  synthetic: boolean;
  result: MethodResult;
  /** Scores of the cases judged, where they lie beside the record. */
  predictions?: Predictions;
}

/** Own runs, their predictions read. */
export interface OwnRuns {
  /** Every model on every set. */
  judged: Judged[];
  /** The other records. */
  results: Gathered;
  /** Names a run by its folder. */
  nameOf: (path: string) => string;
}

/** Names the runs of a folder's results and reads the predictions that lie beside them. */
export async function ownRuns(folder: string, results: Gathered): Promise<OwnRuns> {
  const nameOf = (path: string): string => relative(folder, dirname(path)) || basename(folder);
  const judged: Judged[] = [];
  for (const { path, record } of results.others) {
    const beside = join(dirname(path), "predictions.csv");
    const isSingle = record.command === "evaluate" && await exists(beside);
    for (const [set, methods] of Object.entries(record.sets)) {
      for (const [method, result] of Object.entries(methods)) {
        judged.push({
          ...{ run: nameOf(path), set, method, synthetic: record.synthetic, result },
          ...(isSingle ? { predictions: predictionParts(await readPredictions(beside)).judged } : {}),
        });
      }
    }
  }
  return { judged, results, nameOf };
}

/** The tables of own runs. */
export function ownTables({ judged, results, nameOf }: OwnRuns): TitledTable[] {
  const { heads, trainings } = results;
  return [
    ...(judged.length === 0 ? [] : [{ title: "Evaluations", table: evaluationsTable(judged) }]),
    ...modelTables({ judged, results, nameOf }),
    ...(["segment evaluate", "detect evaluate"] as const).flatMap((command) => {
      const own = heads.filter(({ record }) => record.command === command);
      return own.length === 0
        ? []
        : [headsTable(command === "segment evaluate" ? "Segmentation" : "Detection", own, nameOf)];
    }),
    ...(trainings.length === 0 ? [] : [{ title: "Training", table: trainingsTable(trainings, nameOf) }]),
  ];
}

/** The drawings of own runs: losses and ROC curves laid over each other, AUROC by class. */
export function ownFigures(runs: OwnRuns): FigureSection[] {
  return [...classAurocs(runs), ...rocs(runs), ...losses(runs)];
}

/**
 * The first of the runs named against each other one.
 *
 * @throws {RangeError} If a name is no run's, or a run has no predictions.
 */
export function ownComparisons({ judged }: OwnRuns, names: readonly string[]): TitledTable[] {
  const named = names.map((name) => {
    const run = judged.find((candidate) => candidate.run === name);
    if (run?.predictions) return { name, predictions: run.predictions };
    const usable = judged.flatMap(({ predictions, run }) => predictions ? [run] : []);
    throw new RangeError(
      `Cannot compare ${JSON.stringify(name)} as it must be a run with its predictions.csv beside it: ${
        run ? "it has none" : `those there are: ${listed(usable) || "none"}`
      }`,
    );
  });
  const [first, ...others] = named;
  return others.map(({ name, predictions }) => ({
    title: `${first!.name} against ${name}`,
    table: comparisonTable(comparePredictions(first!.predictions, predictions), [first!.name, name]),
  }));
}

/** A table as a part of a page. */
export function tableSection({ title, table }: TitledTable): ReportSection {
  return { kind: "table", title, table: table.groupBy === undefined ? { ...table, sortable: true } : table };
}

function evaluationsTable(judged: readonly Judged[]): Table {
  const runs = Object.groupBy(judged, ({ run }) => run);
  // A record of several sets and methods, such as the demo's, keeps its own form.
  if (Object.keys(runs).length === 1 && judged.length > 1) {
    const sets: Record<string, Record<string, MethodResult>> = {};
    for (const { set, method, result } of judged) (sets[set] ??= {})[method] = result;
    return resultsTable({ sets, synthetic: judged[0]!.synthetic });
  }
  return {
    columns: [
      { title: "run" },
      { title: "data", align: "left" },
      { title: "model", align: "left" },
      { title: "cases" },
      { title: "accuracy (95 % CI)" },
      { title: "AUROC (95 % CI)" },
      { title: "AUPRC (95 % CI)" },
    ],
    rows: judged.map(({ run, set, method, result }): TableCell[] => [
      run,
      set,
      method,
      result.n,
      estimateCell(result.evaluation?.accuracy ?? { value: result.accuracy, cases: result.accuracy_ci }),
      estimateCell(result.evaluation?.auroc ?? { value: result.auroc, cases: result.auroc_ci }),
      estimateCell(result.evaluation?.auprc),
    ]),
    synthetic: judged.some(({ synthetic }) => synthetic),
  };
}

/** What each evaluation was of: weights, adapter, data, classes. */
function modelTables({ results, nameOf }: OwnRuns): TitledTable[] {
  const text = (value: unknown): string => typeof value === "string" ? value : "-";
  const rows = results.others.flatMap(({ path, record }): TableCell[][] => {
    const { model, data, classes } = (record.configuration ?? {}) as Record<
      string,
      Record<string, unknown> | undefined
    >;
    if (!data) return [];
    const names = Array.isArray(classes) ? classes.join(", ") : "-";
    return [[nameOf(path), text(model?.["weights"]), text(model?.["adapter"]), text(data["source"]), names]];
  });
  const columns = ["run", "weights", "adapter", "data", "classes"].map((title) => ({ title, align: "left" as const }));
  return rows.length === 0 ? [] : [{ title: "Models and data", table: { columns, rows } }];
}

/** What the figures of heads are called, as their commands' own tables call them. */
const HEAD_FIGURES: Readonly<Record<string, string>> = {
  dice: "Dice",
  iou: "IoU",
  dicePositive: "Dice, not empty",
  n: "images",
  nEmpty: "empty images",
  mapCustomary: "mAP customary",
  mapStrict: "mAP strict",
  mapAllScores: "mAP all scores",
  map50: "mAP@0.5",
  froc: "FROC",
  answered: "images answered",
};

function headsTable(title: string, heads: Gathered["heads"], nameOf: OwnRuns["nameOf"]): TitledTable {
  const names = [
    ...new Set(
      heads.flatMap(({ record: { figures } }) =>
        Object.keys(figures).filter((name) => figures[name] === null || typeof figures[name] === "number")
      ),
    ),
  ];
  const cells = (figures: Readonly<Record<string, unknown>>): TableCell[] =>
    names.map((name) => typeof figures[name] === "number" ? figures[name] : null);
  return {
    title,
    table: {
      columns: [
        { title: "run" },
        { title: "data", align: "left" },
        { title: "answer", align: "left" },
        ...names.map((name) => ({ title: HEAD_FIGURES[name] ?? inWords(name) })),
      ],
      rows: heads.flatMap(({ path, record: { data, figures, baselines } }): TableCell[][] => [
        [nameOf(path), data.name, "trained head", ...cells(figures)],
        ...Object.entries(baselines).map(([name, own]) => [nameOf(path), data.name, inWords(name), ...cells(own)]),
      ]),
      synthetic: heads.some(({ record }) => record.data.synthetic),
    },
  };
}

function trainingsTable(trainings: Gathered["trainings"], nameOf: OwnRuns["nameOf"]): Table {
  return {
    columns: [
      { title: "run" },
      { title: "command", align: "left" },
      { title: "data", align: "left" },
      { title: "steps or epochs" },
      { title: "last loss" },
      { title: "trainable" },
      { title: "seconds" },
    ],
    rows: trainings.map(({ path, record }): TableCell[] => [
      nameOf(path),
      record.command,
      record.data.name,
      record.history.length,
      record.history.at(-1)?.loss ?? null,
      record.trainable ?? null,
      { value: record.seconds, text: record.seconds.toFixed(1) },
    ]),
  };
}

function losses({ results, nameOf }: OwnRuns): FigureSection[] {
  return (["train", "segment train", "detect train"] as const).flatMap((command): FigureSection[] => {
    const own = results.trainings.filter(({ record }) => record.command === command && record.history.length > 0);
    if (own.length === 0) return [];
    const series = own.map(({ path, record }) => ({
      name: nameOf(path),
      loss: record.history.map(({ loss }) => loss),
    }));
    const options = command === "train" ? {} : { x: "epoch", y: "loss", smooth: 1 };
    return [{ kind: "figure", title: `Loss of ${command}`, half: true, figure: lossFigure(series, options) }];
  });
}

/** AUROC by class of the runs that have the same classes. */
function classAurocs({ judged }: OwnRuns): FigureSection[] {
  const own = judged.filter(({ result }) => result.evaluation !== undefined);
  const groups = Map.groupBy(own, ({ result }) => Object.keys(result.evaluation!.classes).join("\n"));
  return [...groups.values()].filter((runs) => runs.length > 1).map((runs): FigureSection => {
    const names = Object.keys(runs[0]!.result.evaluation!.classes);
    const aurocs = (run: Judged) => names.map((name) => run.result.evaluation!.classes[name]!.auroc);
    const ends = (estimate: ReturnType<typeof aurocs>[number]): Interval | null => estimate.patients ?? estimate.cases;
    return {
      kind: "figure",
      title: "AUROC by class",
      caption: "Bars: intervals of 95 %. The dashed line is chance.",
      synthetic: runs.some(({ synthetic }) => synthetic),
      figure: barFigure(
        names,
        runs.map((run) => ({
          name: run.run,
          values: aurocs(run).map(({ value }) => value),
          intervals: aurocs(run).map(ends),
        })),
        { range: [0, 1], reference: 0.5 },
      ),
    };
  });
}

/** ROC curves of the runs that scored the same cases, a figure a class. */
function rocs({ judged }: OwnRuns): FigureSection[] {
  const own = judged.flatMap(({ run, predictions, synthetic }) => predictions ? [{ run, predictions, synthetic }] : []);
  const groups = Map.groupBy(
    own,
    ({ predictions: { classes, ids, task } }) => [task, ...classes, ...ids.toSorted()].join("\n"),
  );
  return [...groups.values()].filter((runs) => runs.length > 1).flatMap((runs) => {
    const synthetic = runs.some((run) => run.synthetic);
    const names = runs.map(({ run }) => run);
    return overlaidRocs(runs.map(({ predictions }) => predictions), names).map((section) => ({
      ...section,
      synthetic,
    }));
  });
}
