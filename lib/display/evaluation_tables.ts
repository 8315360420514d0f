/** Tables of an evaluation. @module */
import type {
  ClassComparison,
  ComparisonRecord,
  Estimate,
  EvaluationRecord,
  PairedFigure,
  SubgroupFigures,
} from "./evaluation.ts";
import { checkRecord, checkValue, LIST, needed, NUMBER, RECORD, TEXTS } from "../platform/options.ts";
import { THRESHOLD_FIGURES } from "./evaluation.ts";
import type { Table, TableCell } from "./table.ts";

/** What the figures at a threshold are called. */
const FIGURE_TITLES: Readonly<Record<typeof THRESHOLD_FIGURES[number], string>> = {
  sensitivity: "sensitivity",
  specificity: "specificity",
  ppv: "PPV",
  npv: "NPV",
  f1: "F1",
  balanced_accuracy: "balanced accuracy",
};

/** What tables read of a record of an evaluation, and of a comparison. */
const EVALUATION_RULES = {
  accuracy: needed(RECORD),
  baseline: needed(RECORD),
  auroc: needed(RECORD),
  auprc: needed(RECORD),
  classes: needed(RECORD),
  resamples: needed(NUMBER),
  threshold: needed(RECORD),
  subgroups: needed(LIST),
};
const COMPARISON_RULES = { cases: needed(NUMBER), accuracy: needed(RECORD), classes: needed(RECORD) };

/** Refuses what is no record of an evaluation. */
function checkEvaluated(record: EvaluationRecord): void {
  checkRecord("show an evaluation", "the record", record, EVALUATION_RULES);
}

/** A figure with the interval over patients where there is one, else over cases. */
export function estimateCell(estimate: Estimate | null | undefined): TableCell {
  if (!estimate || estimate.value === null) return null;
  const { value } = estimate, interval = estimate.patients ?? estimate.cases;
  const dash = interval?.some((end) => end < 0) ? " to " : "-"; // a hyphen beside a minus is read as two
  const range = interval ? ` (${interval.map((end) => end.toFixed(3)).join(dash)})` : "";
  return { value, text: `${value.toFixed(3)}${range}` };
}

/** How the intervals of a record's tables were drawn. */
function intervalNote({ patients, resamples }: EvaluationRecord): string {
  const over = patients === null ? "cases" : `patients (${patients.toLocaleString("en-GB")})`;
  return `Intervals of 95 %: bootstrap over ${over}, ${resamples.toLocaleString("en-GB")} resamples.`;
}

/** Where the thresholds of a record come from. */
function thresholdNote({ threshold, tuning }: EvaluationRecord): string {
  const { rule, chosen_on } = threshold;
  if (chosen_on === "given") return `Thresholds: ${rule}, as given.`;
  if (chosen_on === "tuning part") {
    const of = tuning!.patients === null ? "" : ` of ${tuning!.patients} patients`;
    return `Thresholds: ${rule}, chosen on ${tuning!.cases} cases${of} apart from those judged.`;
  }
  return `Thresholds: ${rule}, chosen on the cases judged themselves, so the figures at them are too good.`;
}

/** Accuracy beside what an answer that looks at no image gets, and the means over classes. */
export function overallTable(record: EvaluationRecord): Table {
  checkEvaluated(record);
  const { accuracy, baseline, auroc, auprc, task, classes } = record;
  const mean = Object.keys(classes).length > 1 ? "mean " : "";
  const prevalence = Object.values(classes).reduce((sum, figures) => sum + figures.prevalence, 0) /
    Object.keys(classes).length;
  const delong = auroc.delong;
  return {
    columns: [{ title: "figure" }, { title: "value (95 % CI)" }],
    rows: [
      [task === "multilabel" ? "accuracy of the labels, called at 0.5" : "accuracy", estimateCell(accuracy)],
      [`accuracy of ${baseline.answer}`, baseline.accuracy],
      [`${mean}AUROC`, estimateCell(auroc)],
      ...(delong ? [["AUROC, DeLong's interval", estimateCell({ ...auroc, patients: delong })]] : []),
      [`${mean}AUPRC`, estimateCell(auprc)],
      [`${mean}prevalence, the AUPRC of knowing nothing`, prevalence],
    ],
    caption: intervalNote(record),
    empty: "undefined",
  };
}

/** A row a class: cases, areas, and the figures at its threshold. */
export function classFiguresTable(record: EvaluationRecord): Table {
  checkEvaluated(record);
  const notes = Object.entries(record.classes).flatMap(([name, { threshold_note }]) =>
    threshold_note === undefined ? [] : [`${name}: ${threshold_note}.`]
  );
  return {
    columns: [
      { title: "class" },
      { title: "cases" },
      { title: "AUROC (95 % CI)" },
      { title: "AUPRC (95 % CI)" },
      { title: "prevalence" },
      { title: "threshold", digits: 4 },
      ...THRESHOLD_FIGURES.map((name) => ({ title: FIGURE_TITLES[name] })),
    ],
    rows: Object.entries(record.classes).map(([name, figures]): TableCell[] => [
      name,
      figures.positives,
      estimateCell(figures.auroc),
      estimateCell(figures.auprc),
      { value: figures.prevalence, text: figures.prevalence.toFixed(3) },
      figures.threshold,
      ...THRESHOLD_FIGURES.map((figure) => estimateCell(figures[figure])),
    ]),
    caption: [thresholdNote(record), ...notes].join(" "),
    empty: "undefined",
  };
}

/** A row a group; undefined without any. */
export function subgroupTable(record: EvaluationRecord): Table | undefined {
  checkEvaluated(record);
  const { subgroups } = record;
  if (subgroups.length === 0) return undefined;
  const isBinary = subgroups.some(({ sensitivity }) => sensitivity !== undefined);
  const hasPatients = subgroups.some(({ patients }) => patients !== undefined);
  const noted = subgroups.filter(({ note }) => note !== undefined);
  return {
    columns: [
      { title: "column" },
      { title: "group", align: "left" },
      { title: "cases" },
      ...(hasPatients ? [{ title: "patients" }] : []),
      { title: "accuracy (95 % CI)" },
      { title: "AUROC (95 % CI)" },
      { title: "gap to the others (95 % CI)" },
      ...(isBinary ? [{ title: "sensitivity" }, { title: "specificity" }] : []),
    ],
    rows: subgroups.map((figures: SubgroupFigures): TableCell[] => [
      figures.by,
      figures.group,
      figures.n,
      ...(hasPatients ? [figures.patients ?? null] : []),
      estimateCell(figures.accuracy),
      estimateCell(figures.auroc),
      estimateCell(figures.auroc_gap),
      ...(isBinary ? [estimateCell(figures.sensitivity), estimateCell(figures.specificity)] : []),
    ]),
    groupBy: 0,
    caption: [
      "Gap: AUROC of the group less that of all other cases.",
      ...noted.map((figures) => `${figures.group}: ${figures.note}.`),
    ]
      .join(" "),
  };
}

/** A p value as papers print it. */
function pText(p: number): string {
  return p < 0.001 ? "<0.001" : p.toFixed(3);
}

/** Two runs beside each other: a row a figure, with differences, intervals and p values. */
export function comparisonTable(record: ComparisonRecord, names: readonly [string, string]): Table {
  checkRecord("compare", "the record", record, COMPARISON_RULES);
  checkValue("compare", "names", names, TEXTS);
  const row = (name: string, figure: PairedFigure, delong?: ClassComparison["delong"]): TableCell[] => [
    name,
    figure.a,
    figure.b,
    estimateCell({ value: figure.difference, cases: figure.interval }),
    { value: figure.p, text: pText(figure.p) },
    delong ? { value: delong.p, text: pText(delong.p) } : null,
  ];
  const { cases, patients, accuracy, auroc, classes } = record;
  const isMean = Object.keys(classes).length > 1;
  const tests = Object.keys(classes).length;
  return {
    columns: [
      { title: "figure" },
      { title: names[0] },
      { title: names[1] },
      { title: "difference (95 % CI)" },
      { title: "p, bootstrap" },
      { title: "p, DeLong" },
    ],
    rows: [
      row("accuracy", accuracy),
      ...(auroc && isMean ? [row("mean AUROC", auroc)] : []),
      ...Object.entries(classes).flatMap(([name, figures]) => [
        row(`AUROC, ${name}`, figures.auroc, figures.delong),
        row(`AUPRC, ${name}`, figures.auprc),
      ]),
    ],
    caption: `Difference: ${names[0]} less ${names[1]}, below 0 where ${names[1]} is higher. ${
      cases.toLocaleString("en-GB")
    } cases${
      patients === null
        ? "; resampled by case"
        : ` of ${
          patients.toLocaleString("en-GB")
        } patients; resampled by patient, DeLong's test takes the cases as independent`
    }.${tests > 1 ? " p values are not corrected for the number of tests." : ""}`,
  };
}
