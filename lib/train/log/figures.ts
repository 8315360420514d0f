/** A training run as figures, for a page and for a notebook. @module */
import { lossFigure } from "../../display/curves.ts";
import { type Figure, seriesColour } from "../../display/figure.ts";
import type { ValidationEntry } from "../state.ts";

/** What is drawn of a run. */
export interface RunCurves {
  /** Loss and learning rate of each step, from the first. */
  history: readonly { loss: number; learningRate: number }[];
  /** Every validation. */
  validations: readonly ValidationEntry[];
}

/** Steps drawn one by one; of a longer run, means of as many as it takes. */
const MOST_POINTS = 2000;

/** The loss over steps, faint as measured and its running mean; of a long run the means of consecutive steps. */
export function trainingFigure({ history }: RunCurves, points?: number): Figure {
  const stride = Math.ceil(history.length / MOST_POINTS);
  const starts = Array.from({ length: Math.ceil(history.length / stride) || 0 }, (_, i) => i * stride);
  const groups = starts.map((start) => history.slice(start, start + stride));
  const loss = groups.map((group) => group.reduce((sum, entry) => sum + entry.loss, 0) / group.length);
  const steps = starts.map((start, i) => start + groups[i]!.length);
  return lossFigure([{ name: "training loss", loss, steps }], points === undefined ? {} : { points });
}

/** The validations over steps with the best marked; undefined where there is none. */
export function validationFigure({ validations }: RunCurves): Figure | undefined {
  if (validations.length === 0) return undefined;
  const values = validations.map(({ value }) => value);
  const best = validations[values.indexOf(Math.max(...values))]!;
  const { name } = best;
  // Above the best value, and inwards from either side, is where no line runs.
  const [first, last] = [validations[0]!.step, validations.at(-1)!.step];
  const place = last === first ? 0.5 : (best.step - first) / (last - first);
  const label = place < 1 / 3 ? "top right" : place > 2 / 3 ? "top left" : "top center";
  const [low, high] = [Math.min(...values), best.value];
  const room = (high - low) / 8 || 0.05;
  return {
    marks: [
      {
        kind: "line",
        name: `validation ${name}`,
        x: validations.map(({ step }) => step),
        y: values,
        colour: seriesColour(1),
        width: 2.2,
      },
      {
        kind: "points",
        points: [{
          name: `best ${best.value.toFixed(4)}`,
          x: best.step,
          y: best.value,
          colour: seriesColour(1),
          label,
        }],
      },
    ],
    // Around one point an axis would show halves of steps and shares below 0.
    x: { title: "step", ...(values.length === 1 ? { ticks: [{ value: best.step }] } : {}) },
    y: {
      title: name,
      ...(values.length === 1 ? { range: [0, 1] as const } : { range: [low - room, high + 2 * room] as const }),
    },
    alt: `validation ${name} over step: best ${best.value.toFixed(4)} at step ${best.step}`,
  };
}
