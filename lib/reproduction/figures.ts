/** Figures of reproduced tables. @module */
import { barFigure } from "../display/bars.ts";
import { confusionFigure } from "../display/confusion.ts";
import { lossFigure, rocFigure } from "../display/curves.ts";
import type { Overlay } from "../display/overlay.ts";
import type { Figure } from "../display/figure.ts";
import { scatterFigure } from "../display/scatter.ts";
import { predictedClasses } from "../eval/metrics/accuracy.ts";
import { confusionMatrix } from "../eval/metrics/confusion.ts";
import { rocCurve } from "../eval/metrics/roc_curve.ts";
import { explanationOverlay } from "../eval/explain.ts";
import { unpackScores, unpackTargets } from "./scores.ts";
import { syntheticChestSets } from "./data.ts";
import { type ScaleName, SCALES } from "./scale.ts";
import { type Row, rowFigure, rowMeanAuroc, setNames } from "./summary.ts";
import type { ReproduceRecord } from "./record.ts";

/** Loss over steps of each row's first seed; null when nothing was trained. */
export function rowsLossFigure(rows: readonly Row[]): Figure | null {
  const trained = rows.filter(({ runs }) => runs[0]!.loss.values.length > 0);
  if (trained.length === 0) return null;
  return lossFigure(trained.map(({ label, runs }) => {
    const { steps, values } = runs[0]!.loss;
    return { name: label, loss: values, steps };
  }));
}

/** ROC curves of each row's first seed on a set of two classes; null for another, or where scores were not kept. */
export function rowsRocFigure(rows: readonly Row[], set: string): Figure | null {
  const series = rows.flatMap(({ label, runs }) => {
    const figures = runs[0]!.sets[set];
    if (!figures || figures.classes.length !== 2 || figures.auroc === null || figures.scores === "") return [];
    const { falsePositiveRate, truePositiveRate } = rocCurve(
      unpackScores(figures.scores),
      unpackTargets(figures.targets),
    );
    return [{ name: label, falsePositiveRate, truePositiveRate, auroc: figures.auroc }];
  });
  return series.length === 0 ? null : rocFigure(series);
}

/** Confusion matrix of a run on a set of more than two classes; null for another, or where scores were not kept. */
export function runConfusionFigure(run: ReproduceRecord, set: string): Figure | null {
  const figures = run.sets[set];
  if (!figures || figures.classes.length <= 2 || figures.scores === "") return null;
  const targets = unpackTargets(figures.targets);
  const predicted = predictedClasses(unpackScores(figures.scores), targets.length);
  return confusionFigure(confusionMatrix(predicted, targets, { classes: figures.classes.length }), figures.classes);
}

/** Trainable numbers against the AUROC averaged over sets, with the deviation over seeds. */
export function parameterFigure(rows: readonly Row[]): Figure {
  return scatterFigure(
    rows.flatMap((row) => {
      const auroc = rowMeanAuroc(row);
      if (auroc === null) return [];
      const { mean, deviation } = auroc;
      const point = { name: row.label, x: row.runs[0]!.trainable, y: mean };
      return [deviation === null ? point : { ...point, interval: [mean - deviation, mean + deviation] as const }];
    }),
    { y: "AUROC, mean of sets" },
  );
}

/** AUROC of each row by set, with the deviation over seeds. */
export function rowsBarFigure(rows: readonly Row[]): Figure {
  const sets = setNames(rows);
  return barFigure(
    sets.map((set) => set.replace(" (synthetic)", "")),
    rows.map((row) => {
      const figures = sets.map((set) => rowFigure(row, set, "auroc"));
      return {
        name: row.label,
        values: figures.map((figure) => figure?.mean ?? null),
        intervals: figures.map((figure) => {
          if (figure === null || figure.deviation === null) return null;
          return [figure.mean - figure.deviation, figure.mean + figure.deviation] as const;
        }),
      };
    }),
    { range: [0, 1], reference: 0.5 },
  );
}

/** The explained synthetic cases of a run, drawn anew and drawn over; empty when its sets are not those drawn today. */
export async function runOverlays(run: ReproduceRecord): Promise<Overlay[]> {
  const scale = SCALES[run.configuration["scale"] as ScaleName];
  if (!run.explained?.length || scale === undefined || scale.name === "paper") return [];
  const sets = syntheticChestSets(scale);
  const overlays: Overlay[] = [];
  for (const { set, index, label, attention, hyperedges } of run.explained) {
    const dataset = sets[set]?.dataset;
    if (!dataset || dataset.split.hash !== run.sets[set]?.split.hash) continue;
    const explanation = { attention: Float32Array.from(attention), hyperedges };
    overlays.push(explanationOverlay(await dataset.cases[index]!.image(), explanation, label));
  }
  return overlays;
}
