/** Drawings of an evaluation. @module */
import { barFigure } from "../../display/bars.ts";
import { confusionFigure } from "../../display/confusion.ts";
import { precisionRecallFigure, reliabilityFigure, rocFigure } from "../../display/curves.ts";
import type { EvaluationRecord } from "../../display/evaluation.ts";
import { type Figure, seriesColour } from "../../display/figure.ts";
import type { FigureSection } from "../../display/sections.ts";
import { entriesOf, recordOf } from "../../platform/known_keys.ts";
import { precisionRecallCurve } from "../metrics/precision_recall.ts";
import { rocCurve } from "../metrics/roc_curve.ts";
import { type ClassColumn, classColumns, columnAuroc, isTold } from "./columns.ts";
import type { Predictions } from "./predictions.ts";

/** Bars of a histogram. */
const BARS = 12;

/** ROC, precision and recall, reliability, confusion, scores and subgroups, each where there is something to draw. */
export function evaluationFigures(judged: Predictions, record: EvaluationRecord): FigureSection[] {
  const told = classColumns(judged).filter(isTold);
  const { calibration, confusion, subgroups } = record;
  const section = (title: string, figure: Figure, more: Partial<FigureSection> = {}): FigureSection => ({
    kind: "figure",
    title,
    figure,
    half: true,
    ...more,
  });
  const legendRows = 18 * Math.ceil(told.length / 2);
  return [
    ...(told.length === 0 ? [] : [
      section("ROC", rocFigure(told.map(rocSeries(record))), {
        caption: "AUROC in brackets.",
        height: 380 + legendRows,
      }),
      section(
        "Precision and recall",
        precisionRecallFigure(told.map(({ name, scores, targets }) => {
          const { precision, recall } = precisionRecallCurve(scores, targets);
          return { name, ...thinned({ precision, recall }), auprc: record.classes[name]!.auprc.value! };
        })),
        { caption: "AUPRC in brackets; knowing nothing gets the prevalence.", height: 380 + legendRows },
      ),
    ]),
    ...(calibration
      ? [section("Reliability", reliabilityOf(calibration), { caption: reliabilityNote(calibration) })]
      : []),
    ...(confusion ? [section("Confusion", confusionFigure(confusion, judged.classes))] : []),
    ...told.map((column) => section(`Scores of ${column.name}`, histogram(column), { height: 300 })),
    ...(subgroups.some(({ auroc }) => auroc)
      ? [section("AUROC of groups", forest(record), {
        half: false,
        height: 120 + 44 * subgroups.filter(({ auroc }) => auroc).length,
        caption: "Dashed: the whole set. Bars: intervals of 95 %.",
      })]
      : []),
  ];
}

function rocSeries({ classes }: EvaluationRecord) {
  return ({ name, scores, targets }: ClassColumn) => ({
    name,
    ...rocCurve(scores, targets),
    auroc: classes[name]!.auroc.value!,
  });
}

/** At most about a thousand points of a curve, its ends among them. */
function thinned<K extends string>(curve: Record<K, number[]>): Record<K, number[]> {
  const length = entriesOf(curve)[0]![1].length, stride = Math.ceil(length / 1000);
  const keep = (values: number[]): number[] => values.filter((_, i) => i === 0 || (length - 1 - i) % stride === 0);
  return recordOf(entriesOf(curve).map(([name, values]) => [name, keep(values)] as const));
}

type Calibration = NonNullable<EvaluationRecord["calibration"]>;

function reliabilityOf({ raw, scaled, temperature }: Calibration): Figure {
  return reliabilityFigure([
    { name: "as scored", bins: raw.bins },
    ...(scaled ? [{ name: `at temperature ${Number(temperature!.toPrecision(3))}`, bins: scaled.bins }] : []),
  ]);
}

function reliabilityNote({ of, raw, scaled, temperature, temperature_note: note }: Calibration): string {
  const what = {
    "positive class": "Probability of the second class",
    answer: "Probability of the answer",
    labels: "Probability of each label",
  }[of];
  const told = ({ ece, brier }: Calibration["raw"]): string => `ECE ${ece.toFixed(3)}, Brier ${brier.toFixed(3)}`;
  return `${what}: ${told(raw)}${
    scaled
      ? `; at temperature ${Number(temperature!.toPrecision(3))} ${told(scaled)}`
      : "; no temperature, as no part was kept apart to fit it"
  }.${note ? ` Temperature: ${note}.` : ""}`;
}

/** Scores of the cases of a class and of the others, in bars of one width. */
function histogram({ name, scores, targets }: ClassColumn): Figure {
  const low = Math.min(...scores), high = Math.max(...scores), width = (high - low) / BARS || 1;
  const counts = [0, 1].map((side) => {
    const bars = new Array<number>(BARS).fill(0);
    const total = targets.filter((target) => target === side).length;
    scores.forEach((score, i) => {
      if (targets[i] === side) bars[Math.min(BARS - 1, Math.floor((score - low) / width))]! += 1 / total;
    });
    return bars;
  });
  // As many decimals as tell the bars apart, the same for all.
  const decimals = Math.min(20, Math.max(2, Math.ceil(-Math.log10(width))));
  const names = counts[0]!.map((_, i) => (low + (i + 0.5) * width).toFixed(decimals));
  return {
    ...barFigure(names, [{ name: "others", values: counts[0]! }, { name, values: counts[1]! }], {
      y: "share of the cases",
    }),
    x: { title: "score (middle of the bar)", kind: "category" },
  };
}

function forest({ subgroups, auroc }: EvaluationRecord): Figure {
  const shown = subgroups.filter(({ auroc }) => auroc);
  const rows = shown.map(({ by, group, n }) => `${by} ${group} (${n})`);
  return {
    marks: [{
      kind: "intervals",
      rows,
      values: shown.map(({ auroc }) => auroc!.value),
      intervals: shown.map(({ auroc }) => auroc!.patients ?? auroc!.cases),
      colour: seriesColour(0),
    }],
    x: { title: "AUROC" },
    y: { title: "", kind: "category", reversed: true, range: [-0.6, rows.length - 0.4] },
    ...(auroc.value === null ? {} : { upright: auroc.value }),
    alt: `AUROC of groups: ${shown.map(({ auroc }, i) => `${rows[i]} ${auroc!.value!.toFixed(3)}`).join(", ")}`,
  };
}

/** The ROC curves of runs on the same cases, a figure a class. */
export function overlaidRocs(runs: readonly Predictions[], names: readonly string[]): FigureSection[] {
  const columns = runs.map(classColumns);
  return columns[0]!.flatMap(({ name }, c): FigureSection[] => {
    if (!columns.every((own) => isTold(own[c]!))) return [];
    const series = columns.map((own, run) => {
      const column = own[c]!;
      const all = Uint32Array.from(column.targets, (_, i) => i);
      return { name: names[run]!, ...rocCurve(column.scores, column.targets), auroc: columnAuroc(column)(all) };
    });
    return [{ kind: "figure", title: `ROC, ${name}`, figure: rocFigure(series), half: true }];
  });
}
