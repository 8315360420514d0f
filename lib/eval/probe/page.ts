/** Few-shot figures as a table and a page. @module */
import { type Figure, type FigureMark, seriesColour } from "../../display/figure.ts";
import { buildReport, factsWithWarnings } from "../../display/report.ts";
import type { Table } from "../../display/table.ts";
import type { FewShotRow, Spread } from "./few_shot.ts";
import { isProbeName, PROBE_METHODS } from "./methods.ts";

/** What a page shows of a comparison. */
export interface ProbeRecord {
  /** Files of the model, with their hashes, and what must be said of it. */
  model: Readonly<Record<string, string | null>> & { notice?: string };
  /** What limits what the figures are worth. @default {nothing} */
  warnings?: readonly string[];
  /** Name of the set, its classes, and how many cases each part has. */
  data: { name: string; classes: readonly string[]; parts: Readonly<Record<string, { size: number }>> };
  /** Figures without a label; null of an image tower alone. */
  zero_shot: { accuracy: number; auroc: number | null } | null;
  /** Accuracy of always answering the most frequent class. */
  most_frequent: number;
  /** Figures of the methods. */
  rows: readonly FewShotRow[];
  /** Backend that computed. */
  backend: string;
  /** Its adapter, or what the CPU backend is. */
  adapter?: string;
  /** Versions of what computed. */
  versions: Readonly<Record<string, string>>;
}

type Metric = "accuracy" | "auroc";

const labelOf = (method: string): string => isProbeName(method) ? PROBE_METHODS[method].label : "LoRA";
const shotsText = (shots: number | null): string => shots === null ? "all" : String(shots);

/** How many cases that many shots came to, where classes have fewer; empty where they have enough. */
function usedText({ rows, data: { classes } }: ProbeRecord, shots: number | null): string {
  const used = rows.find((row) => row.shots === shots)?.runs[0]?.cases;
  return shots === null || used === undefined || used === shots * classes.length ? "" : ` (${used} cases)`;
}

/** One row a method, one column a number of shots. */
export function probeTable(record: ProbeRecord, metric: Metric): Table {
  const { rows, zero_shot, most_frequent } = record;
  const counts = [...new Set(rows.map(({ shots }) => shots))];
  const methods = [...new Set(rows.map(({ method }) => method))];
  const cell = (spread: Spread | null | undefined) =>
    spread
      ? {
        value: spread.mean,
        text: spread.mean.toFixed(3) + (spread.deviation === null ? "" : ` ± ${spread.deviation.toFixed(3)}`),
      }
      : null;
  const none = counts.map(() => null);
  return {
    columns: [
      { title: metric === "accuracy" ? "accuracy" : "AUROC" },
      { title: "0 shots" },
      ...counts.map((shots) => ({
        title: `${shots === 1 ? "1 shot" : `${shotsText(shots)} shots`}${usedText(record, shots)}`,
        best: "high" as const,
      })),
    ],
    rows: [
      ...(zero_shot ? [["zero-shot", zero_shot[metric], ...none]] : []),
      ...(metric === "accuracy" ? [["most frequent class", most_frequent, ...none]] : []),
      ...methods.map((method) => [
        labelOf(method),
        null,
        ...counts.map((shots) => cell(rows.find((row) => row.method === method && row.shots === shots)?.[metric])),
      ]),
    ],
    caption: "Mean ± sample standard deviation over the seeds, on the whole test part.",
  };
}

/** One line a method over the shots, deviations as bars. */
function probeFigure(record: ProbeRecord, metric: Metric): Figure {
  const { rows, zero_shot } = record;
  const counts = [...new Set(rows.map(({ shots }) => shots))];
  const methods = [...new Set(rows.map(({ method }) => method))];
  const marks = methods.flatMap((method, i): FigureMark[] => {
    const own = counts.flatMap((shots, x) => {
      const spread = rows.find((row) => row.method === method && row.shots === shots)?.[metric];
      return spread ? [{ x: x + 0.04 * (i - methods.length / 2), ...spread }] : [];
    });
    const colour = seriesColour(i);
    const points = own.map(({ x, mean, deviation }) => ({
      name: "",
      x,
      y: mean,
      ...(deviation === null ? {} : { interval: [mean - deviation, mean + deviation] as const }),
      colour,
      label: "top center" as const,
    }));
    const line = { x: own.map(({ x }) => x), y: own.map(({ mean }) => mean), colour, width: 2 };
    return [{ kind: "line", name: labelOf(method), ...line }, { kind: "points", points }];
  });
  const reference = zero_shot?.[metric] ?? null;
  const ends = rows.filter(({ shots }) => shots === counts.at(-1)).flatMap((row) =>
    row[metric] ? `${labelOf(row.method)} ${row[metric].mean.toFixed(3)}` : []
  );
  return {
    marks,
    x: {
      title: "shots of each class",
      range: [-0.4, counts.length - 0.6],
      ticks: counts.map((shots, value) => ({ value, text: `${shotsText(shots)}${usedText(record, shots)}` })),
    },
    y: { title: metric === "accuracy" ? "accuracy" : "macro AUROC" },
    ...(reference === null ? {} : { reference }),
    alt: `${metric} over shots; at ${shotsText(counts.at(-1) ?? null)}: ${ends.join(", ")}`,
  };
}

/** The page: a figure and a table a metric, then the facts of the run. */
export async function probePage(record: ProbeRecord): Promise<string> {
  const { model, data, backend } = record;
  const metrics: Metric[] = record.rows.some(({ auroc }) => auroc) ? ["accuracy", "auroc"] : ["accuracy"];
  const { warnings, facts: files } = factsWithWarnings(model);
  return await buildReport({
    title: `Few-shot figures on ${data.name}`,
    subtitle: "All methods of a seed learn from the same cases.",
    warnings: [...warnings, ...record.warnings ?? []],
    sections: [
      ...metrics.map((metric) => ({
        kind: "figure" as const,
        title: metric === "accuracy" ? "Accuracy" : "Macro one-vs-rest AUROC",
        figure: probeFigure(record, metric),
        caption: "Bars: one standard deviation over the seeds. Dashed: zero-shot.",
      })),
      ...metrics.map((metric) => ({ kind: "table" as const, table: probeTable(record, metric) })),
      {
        kind: "facts",
        title: "Run",
        facts: {
          ...files,
          ...Object.fromEntries(
            Object.entries(data.parts).map(([name, part]) => [name, `${part.size} cases`]),
          ),
          backend: record.adapter === undefined ? backend : `${backend} (${record.adapter})`,
          ...record.versions,
        },
      },
    ],
  });
}
