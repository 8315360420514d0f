/** What an evaluation found, as metrics.json holds it. @module */

/** Lower and upper end of 95 %. */
export type Interval = [number, number];

/** A figure with its intervals; null where it is undefined, for instance the sensitivity without a positive case. */
export interface Estimate {
  /** The figure. */
  value: number | null;
  /** Percentile bootstrap over cases. */
  cases: Interval | null;
  /** Percentile bootstrap over patients; absent where these are not known. */
  patients?: Interval | null;
  /** DeLong's; of AUROCs of one score only. */
  delong?: Interval | null;
}

/** Figures at a threshold that have an interval each. */
export const THRESHOLD_FIGURES = ["sensitivity", "specificity", "ppv", "npv", "f1", "balanced_accuracy"] as const;

/** One class against the others. */
export interface ClassFigures extends Record<typeof THRESHOLD_FIGURES[number], Estimate> {
  /** Cases of the class. */
  positives: number;
  /** The others. */
  negatives: number;
  /** Share of the first. */
  prevalence: number;
  /** Area under the ROC curve. */
  auroc: Estimate;
  /** Average precision; one that knows nothing gets the prevalence. */
  auprc: Estimate;
  /** A case is called positive at or above it; null where none could be chosen, or nothing is called. */
  threshold: number | null;
  /** Why it is null. */
  threshold_note?: string;
  /** Cases by what they are and what they are called; null without a threshold. */
  counts: Record<"true_positives" | "false_positives" | "true_negatives" | "false_negatives", number> | null;
}

/** Probabilities against what happened. */
export interface CalibrationFigures {
  /** Expected calibration error, ten bins. */
  ece: number;
  /** Mean squared difference. */
  brier: number;
  /** Cases, mean probability and frequency of each bin; null in an empty one. */
  bins: { low: number; high: number; count: number; confidence: number | null; frequency: number | null }[];
}

/** Calibration before and after a temperature. */
export interface CalibrationRecord {
  /** What the probabilities are of: the second of two classes, the answer being right, or each label on its own. */
  of: "positive class" | "answer" | "labels";
  /** As scored. */
  raw: CalibrationFigures;
  /** Fitted on the tuning part; null without one. */
  temperature: number | null;
  /** Where it is an end of the range that is searched: which, and what that means. */
  temperature_note?: string;
  /** After it; null without one. */
  scaled: CalibrationFigures | null;
}

/** The cases that share a value, or a band of numbers, of a column. */
export interface SubgroupFigures {
  /** The column. */
  by: string;
  /** The value, or the band. */
  group: string;
  /** Cases. */
  n: number;
  /** Patients, where they are known. */
  patients?: number;
  /** Share of right answers. */
  accuracy: Estimate | null;
  /** AUROC, its mean over the classes that the group has with and without. */
  auroc: Estimate | null;
  /** Sensitivity of the positive class of two, at the threshold of the whole set. */
  sensitivity?: Estimate | null;
  /** Specificity, likewise. */
  specificity?: Estimate | null;
  /** The AUROC less that of all other cases. */
  auroc_gap: Estimate | null;
  /** Why figures are missing. */
  note?: string;
}

/** What an evaluation found. */
export interface EvaluationRecord {
  /** What the scores are of. */
  task: "multiclass" | "multilabel";
  /** Cases judged. */
  cases: number;
  /** Their patients; null where these are not known. */
  patients: number | null;
  /** Resamples of every bootstrap. */
  resamples: number;
  /** How thresholds were chosen, and on which cases: apart, the ones judged, or none as it was given. */
  threshold: { rule: string; chosen_on: "tuning part" | "the cases judged" | "given" };
  /** The part that thresholds and temperature come from; null without one. */
  tuning: { cases: number; patients: number | null } | null;
  /** Share of right answers (of labels, when multi-label, called at 0.5). */
  accuracy: Estimate;
  /** What an answer that looks at no image gets: no label at all, or always the most frequent class. */
  baseline: { answer: string; accuracy: number };
  /** Mean over classes, or the one figure of two classes. */
  auroc: Estimate;
  /** Likewise. */
  auprc: Estimate;
  /** By class; of two classes the second alone. */
  classes: Record<string, ClassFigures>;
  /** Null where the scores are no probabilities. */
  calibration: CalibrationRecord | null;
  /** Counts by class and answer; null when multi-label. */
  confusion: number[][] | null;
  /** By column and group. */
  subgroups: SubgroupFigures[];
}

/** A figure of two runs on the same cases. */
export interface PairedFigure {
  /** That of the first run. */
  a: number;
  /** That of the second. */
  b: number;
  /** First less second. */
  difference: number;
  /** Its interval by the paired bootstrap, over patients where these are known. */
  interval: Interval;
  /** Two-sided, of the paired bootstrap. */
  p: number;
}

/** One class of two runs. */
export interface ClassComparison {
  /** Area under the ROC curve. */
  auroc: PairedFigure;
  /** Average precision. */
  auprc: PairedFigure;
  /** DeLong's test of the AUROCs; null with fewer than two cases on a side. It takes cases as independent. */
  delong: { difference: number; interval: Interval; z: number; p: number } | null;
}

/** What a comparison of two runs found. */
export interface ComparisonRecord {
  /** Cases of both. */
  cases: number;
  /** Their patients; null where these are not known. */
  patients: number | null;
  /** Share of right answers. */
  accuracy: PairedFigure;
  /** Mean over classes; null where none is told apart. */
  auroc: PairedFigure | null;
  /** By class, those without positives or negatives left out. */
  classes: Record<string, ClassComparison>;
}
