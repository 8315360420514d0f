/** Figures of curves: loss over steps, ROC, precision against recall, reliability. @module */
import { type Figure, type LineMark, seriesColour } from "./figure.ts";
import {
  checkOptions,
  checkRecords,
  COUNT,
  LIST,
  needed,
  NUMBER,
  type Rules,
  SERIES,
  TEXT,
} from "../platform/options.ts";

/** One line of {@linkcode lossFigure}. */
export interface LossSeries {
  /** Name in the legend. */
  name: string;
  /** One loss a step, or a pair of steps and losses. */
  loss: readonly number[];
  /**
   * The step of each loss.
   * @default {[1, 2, ...]}
   */
  steps?: readonly number[];
}

/** Options of {@linkcode lossFigure}. */
export interface LossFigureOptions {
  /**
   * Title of the x axis.
   * @default {"step"}
   */
  x?: string;
  /**
   * Title of the y axis.
   * @default {"loss (nats)"}
   */
  y?: string;
  /**
   * Steps of the running mean drawn over the faint raw losses; 1 draws the losses alone.
   * @default {a twentieth of the longest series}
   */
  smooth?: number;
  /**
   * Most points drawn of a series; of a longer one every second, third, ... point is drawn, and always the last.
   * @default {1000}
   */
  points?: number;
}

/** What they must be. */
const LOSS_RULES: Rules<LossFigureOptions> = {
  x: TEXT,
  y: TEXT,
  smooth: COUNT,
  points: COUNT,
};

/** What a series must be; a loss that is not finite leaves a gap. */
const LOSS_SERIES_RULES: Rules<LossSeries> = { name: needed(TEXT), loss: needed(SERIES), steps: SERIES };

/**
 * Loss over steps: each series faint as measured, and its running mean over it.
 *
 * @param series One line each.
 * @param options See {@linkcode LossFigureOptions}.
 * @returns The figure.
 * @throws {TypeError} If a series has another number of steps than losses.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function lossFigure(series: readonly LossSeries[], options: LossFigureOptions = {}): Figure {
  checkOptions("draw losses", options, LOSS_RULES);
  checkRecords("draw losses", "series", series, LOSS_SERIES_RULES);
  const longest = Math.max(1, ...series.map((s) => s.loss.length));
  const { x = "step", y = "loss (nats)", smooth = Math.max(1, Math.round(longest / 20)), points = 1000 } = options;
  const marks = series.flatMap(({ name, loss, steps }, i): LineMark[] => {
    if (steps !== undefined && steps.length !== loss.length) {
      throw new TypeError(
        `Cannot draw losses as there must be one step for each: current numbers are ${steps.length} and ${loss.length}`,
      );
    }
    const stride = Math.ceil(loss.length / points);
    const thin = (values: readonly number[]): number[] =>
      Array.from(values).filter((_, k) => (values.length - 1 - k) % stride === 0).map(rounded);
    const line = {
      kind: "line" as const,
      name,
      x: thin(steps ?? Array.from(loss, (_, k) => k + 1)),
      group: String(i),
      ...(loss.length === 1 ? { dots: true } : {}), // a line of one point is none
    };
    const colour = seriesColour(i);
    if (smooth <= 1) return [{ ...line, y: thin(loss), colour, width: 2 }];
    return [
      { ...line, y: thin(loss), colour, width: 1.2, style: "faint" },
      { ...line, y: thin(runningMean(loss, smooth)), colour, width: 2.2 },
    ];
  });
  const ends = series.map(({ name, loss }) => `${name} ends at ${loss.at(-1)?.toFixed(3) ?? "nothing"}`).join(", ");
  // Between few steps a reader would find halves of them.
  const steps = [...new Set(marks.flatMap((line) => line.x))];
  const ticks = steps.length <= 8 ? { ticks: steps.map((value) => ({ value })) } : {};
  return { marks, x: { title: x, ...ticks }, y: { title: y }, alt: `${y} over ${x}: ${ends}` };
}

/** An axis from 0 to 1. */
const SHARES = { range: [-0.01, 1.01] as const, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1].map((value) => ({ value })) };

/** The diagonal. */
const CHANCE: LineMark = {
  kind: "line",
  name: "chance",
  x: [0, 1],
  y: [0, 1],
  colour: "rgba(128,128,128,0.8)",
  width: 1,
  style: "dotted",
};

/** One line of {@linkcode rocFigure}. */
export interface RocSeries {
  /** Name in the legend. */
  name: string;
  /** Rising from 0 to 1. */
  falsePositiveRate: readonly number[];
  /** Rising from 0 to 1. */
  truePositiveRate: readonly number[];
  /** Area, shown in the legend. */
  auroc?: number;
}

/** What a curve must be. */
const ROC_RULES: Rules<RocSeries> = {
  name: needed(TEXT),
  falsePositiveRate: needed(SERIES),
  truePositiveRate: needed(SERIES),
  auroc: NUMBER,
};

/** Refuses curves whose points are not as many across as up. */
function checkAlike<K extends string>(
  action: string,
  series: readonly Readonly<Record<K, ArrayLike<number>>>[],
  across: K,
  up: K,
): void {
  for (const [i, curve] of series.entries()) {
    if (curve[across].length === curve[up].length) continue;
    throw new TypeError(
      `Cannot ${action} as ${across} and ${up} must be equally long: of series[${i}] they have ${
        curve[across].length
      } and ${curve[up].length} numbers`,
    );
  }
}

/**
 * ROC curves with the diagonal of chance.
 *
 * @param series One curve each.
 * @returns The figure.
 * @throws {TypeError | RangeError} If a curve is none.
 */
export function rocFigure(series: readonly RocSeries[]): Figure {
  checkRecords("draw ROC curves", "series", series, ROC_RULES);
  checkAlike("draw ROC curves", series, "falsePositiveRate", "truePositiveRate");
  const label = ({ name, auroc }: RocSeries): string => auroc === undefined ? name : `${name} (${auroc.toFixed(3)})`;
  const curves = series.map((s, i): LineMark => ({
    kind: "line",
    name: label(s),
    x: Array.from(s.falsePositiveRate, rounded),
    y: Array.from(s.truePositiveRate, rounded),
    colour: seriesColour(i),
    width: 2.2,
  }));
  return {
    marks: [...curves, CHANCE],
    x: { title: "false positive rate (1 - specificity)", ...SHARES },
    y: { title: "true positive rate (sensitivity)", ...SHARES },
    alt: `ROC curves, area in brackets: ${series.map(label).join(", ")}`,
  };
}

/** One line of {@linkcode precisionRecallFigure}. */
export interface PrecisionRecallSeries {
  /** Name in the legend. */
  name: string;
  /** Rising to 1. */
  recall: readonly number[];
  /** Share of the called that are positive, at each. */
  precision: readonly number[];
  /** Average precision, shown in the legend. */
  auprc?: number;
}

/** What a curve must be. */
const PRECISION_RULES: Rules<PrecisionRecallSeries> = {
  name: needed(TEXT),
  recall: needed(SERIES),
  precision: needed(SERIES),
  auprc: NUMBER,
};

/**
 * Precision against recall, in steps: each precision holds from the recall before it.
 *
 * @param series One curve each.
 * @returns The figure.
 * @throws {TypeError | RangeError} If a curve is none.
 */
export function precisionRecallFigure(series: readonly PrecisionRecallSeries[]): Figure {
  checkRecords("draw precision against recall", "series", series, PRECISION_RULES);
  checkAlike("draw precision against recall", series, "recall", "precision");
  const label = ({ name, auprc }: PrecisionRecallSeries): string =>
    auprc === undefined ? name : `${name} (${auprc.toFixed(3)})`;
  return {
    marks: series.map((curve, i): LineMark => ({
      kind: "line",
      name: label(curve),
      x: Array.from(curve.recall).flatMap((value, k) => [curve.recall[k - 1] ?? 0, value].map(rounded)),
      y: Array.from(curve.precision).flatMap((value) => [value, value].map(rounded)),
      colour: seriesColour(i),
      width: 2.2,
    })),
    x: { title: "recall (sensitivity)", ...SHARES },
    y: { title: "precision (PPV)", ...SHARES },
    alt: `Precision-recall curves, average precision in brackets: ${series.map(label).join(", ")}`,
  };
}

/** One line of {@linkcode reliabilityFigure}. */
export interface ReliabilitySeries {
  /** Name in the legend. */
  name: string;
  /** Mean probability and frequency of each bin, null in an empty one. */
  bins: readonly { confidence: number | null; frequency: number | null }[];
}

/** What a line and a bin must be. */
const RELIABILITY_RULES: Rules<ReliabilitySeries> = { name: needed(TEXT), bins: needed(LIST) };
const BIN_RULES: Rules<ReliabilitySeries["bins"][number]> = {
  confidence: needed({ ...NUMBER, nullable: true }),
  frequency: needed({ ...NUMBER, nullable: true }),
};

/**
 * Reliability: how often what is given a probability happens, with the diagonal where both agree.
 *
 * @param series One line each.
 * @returns The figure.
 * @throws {TypeError | RangeError} If a line or a bin is none.
 */
export function reliabilityFigure(series: readonly ReliabilitySeries[]): Figure {
  checkRecords("draw reliability", "series", series, RELIABILITY_RULES);
  for (const [i, { bins }] of series.entries()) checkRecords("draw reliability", `series[${i}].bins`, bins, BIN_RULES);
  const lines = series.map(({ name, bins }, i): LineMark => {
    const filled = bins.filter(({ confidence }) => confidence !== null);
    return {
      kind: "line",
      name,
      x: filled.map(({ confidence }) => rounded(confidence!)),
      y: filled.map(({ frequency }) => rounded(frequency!)),
      colour: seriesColour(i),
      width: 2.2,
      dots: true,
    };
  });
  return {
    marks: [...lines, { ...CHANCE, name: "calibrated" }],
    x: { title: "probability", ...SHARES },
    y: { title: "frequency", ...SHARES },
    alt: `Reliability of ${series.map(({ name }) => name).join(" and ")}, with the diagonal of perfect calibration`,
  };
}

function runningMean(values: readonly number[], length: number): number[] {
  const half = Math.floor(length / 2);
  return Array.from(values, (_, i) => {
    // The window shrinks at both ends by the same amount, so that it stays centred.
    const reach = Math.min(half, i, values.length - 1 - i);
    let sum = 0;
    for (let k = i - reach; k <= i + reach; k++) sum += values[k]!;
    return sum / (2 * reach + 1);
  });
}

/** Six digits are finer than any screen, and keep reports and notebooks small. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
