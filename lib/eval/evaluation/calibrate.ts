/** Calibration of predictions, and of a temperature fitted to others. @module */
import type { CalibrationFigures, CalibrationRecord } from "../../display/evaluation.ts";
import {
  brierScore,
  expectedCalibrationError,
  fitTemperature,
  reliabilityBins,
  TEMPERATURE_RANGE,
} from "../metrics/calibration.ts";
import { answerOf } from "./columns.ts";
import type { Predictions } from "./predictions.ts";

/** Questions of two or more answers: log-probabilities, and the right answer of each. */
interface Questions {
  logits: Float64Array;
  columns: number;
  targets: number[];
}

/** The logarithm of a float32 probability; that of 0 is that of the least one above it. */
function logOf(probability: number): number {
  return Math.log(Math.max(probability, 1e-45));
}

/** Whether the scores can be read as probabilities. */
function areProbabilities({ task, ids, scores }: Predictions): boolean {
  const width = scores.length / ids.length;
  const values = Array.from(scores);
  if (values.some((value) => !(value >= 0 && value <= 1))) return false;
  if (task === "multilabel" || width === 1) return true;
  return ids.every((_, row) =>
    Math.abs(values.slice(row * width, (row + 1) * width).reduce((sum, value) => sum + value, 0) - 1) < 1e-3
  );
}

/** Each case as a question; multi-label: each of its labels. */
function questionsOf({ task, ids, scores, targets }: Predictions): Questions {
  const width = scores.length / ids.length;
  if (task === "multiclass" && width > 1) {
    return { logits: Float64Array.from(scores, logOf), columns: width, targets: [...targets] };
  }
  const logits = Array.from(scores).flatMap((score) => [logOf(1 - score), logOf(score)]);
  return { logits: Float64Array.from(logits), columns: 2, targets: [...targets] };
}

function probabilitiesAt({ logits, columns }: Questions, temperature: number): Float64Array {
  const out = new Float64Array(logits.length);
  for (let base = 0; base < logits.length; base += columns) {
    const row = logits.subarray(base, base + columns).map((z) => z / temperature);
    const max = Math.max(...row);
    const powers = row.map((z) => Math.exp(z - max));
    const sum = powers.reduce((a, b) => a + b, 0);
    out.set(powers.map((power) => power / sum), base);
  }
  return out;
}

function figuresOf(probabilities: ArrayLike<number>, { columns, targets }: Questions): CalibrationFigures {
  const answers = targets.map((_, row) => columns === 2 ? 1 : answerOf(probabilities, row, columns));
  const confidence = answers.map((answer, row) => probabilities[row * columns + answer]!);
  const happened = answers.map((answer, row) => answer === targets[row] ? 1 : 0);
  const bins = reliabilityBins(confidence, happened);
  return { ece: expectedCalibrationError(bins), brier: brierScore(confidence, happened), bins };
}

/**
 * Calibration of `judged`, also after a temperature fitted to `tuning`. Of two classes the probability is the second's, of more
 * the answer's, and each label's when multi-label.
 *
 * @returns Null where the scores are no probabilities.
 */
export function calibrate(judged: Predictions, tuning: Predictions): CalibrationRecord | null {
  if (!areProbabilities(judged)) return null;
  const questions = questionsOf(judged);
  const fitted = tuning.ids.length > 0 && areProbabilities(tuning) ? questionsOf(tuning) : undefined;
  const temperature = fitted ? fitTemperature(fitted.logits, fitted.targets) : null;
  const given = questions.columns * questions.targets.length === judged.scores.length
    ? judged.scores
    : Array.from(judged.scores).flatMap((score) => [1 - score, score]);
  return {
    of: judged.task === "multilabel" ? "labels" : judged.classes.length === 2 ? "positive class" : "answer",
    raw: figuresOf(given, questions),
    temperature,
    ...boundNote(temperature),
    scaled: temperature === null ? null : figuresOf(probabilitiesAt(questions, temperature), questions),
  };
}

/** Says of a temperature that its search ended at a bound. */
function boundNote(temperature: number | null): Pick<CalibrationRecord, "temperature_note"> {
  const [lowest, highest] = TEMPERATURE_RANGE;
  if (temperature === highest) {
    return {
      temperature_note: `${highest} is the highest that is tried: the part it is fitted to prefers equal probabilities`,
    };
  }
  if (temperature !== lowest) return {};
  return {
    temperature_note: `${lowest} is the lowest that is tried: every answer about the part it is fitted to is right`,
  };
}
