/** The bench's report: aims, milliseconds of each side, ratios. @module */
import { barFigure } from "../lib/display/bars.ts";
import { buildReport, type ReportSection } from "../lib/display/report.ts";
import type { TableCell } from "../lib/display/table.ts";
import type { Aim, Facts, Measurement } from "./record.ts";

const SIDES = [
  "ace-lora",
  "ace-lora, 256-bit",
  "pytorch",
  "onnxruntime-web",
  "transformers.js",
  "jax-js",
  "sparse",
  "dense",
  "pytorch sparse",
  "pytorch dense",
];

/** One HTML file with a table of the aims and, for each group, the milliseconds of every side. */
export async function benchReport(
  facts: Facts,
  aims: readonly Aim[],
  groups: ReadonlyMap<string, readonly Measurement[]>,
): Promise<string> {
  const { versions, ...rest } = facts;
  const cells = aims.map(({ name, aim, measured, low, high, met }): TableCell[] => [
    name,
    aim,
    { value: measured, text: `${measured} (${low} to ${high})` },
    met ? "met" : "missed",
  ]);
  return await buildReport({
    title: "ACE-LoRA: speed and memory",
    subtitle:
      "Each comparison in one run, the sides taking turns; bars are medians, lines the fastest and slowest turn",
    sections: [
      {
        kind: "table",
        title: "Aims",
        table: {
          columns: [{ title: "figure" }, { title: "aim" }, { title: "median (range)" }, { title: "" }],
          rows: cells,
        },
      },
      ...[...groups].flatMap(([group, measurements]) => groupSections(group, measurements)),
      {
        kind: "facts",
        title: "Made on",
        facts: { ...versions, ...rest, load: rest.load?.toFixed(2) ?? "unknown", revision: rest.revision ?? "unknown" },
      },
    ],
  });
}

function groupSections(group: string, measurements: readonly Measurement[]): ReportSection[] {
  const timed = measurements.filter(({ ratios }) => Object.keys(ratios).length > 0);
  const sides = SIDES.filter((side) => timed.some(({ times }) => side in times));
  const figure = barFigure(
    timed.map(({ name }) => name),
    sides.map((name) => ({
      name,
      values: timed.map(({ times }) => times[name]?.median ?? null),
      intervals: timed.map(({ times }) => times[name] ? [times[name].min, times[name].max] as const : null),
    })),
    { y: "milliseconds" },
  );
  const rows = measurements.flatMap(({ name, threads, ratios, more = {} }): TableCell[][] => [
    ...Object.entries(ratios).map(([which, { median, low, high }]): TableCell[] => [
      `${name}: ${which}`,
      threads,
      `${median.toPrecision(3)} (${low.toPrecision(3)} to ${high.toPrecision(3)})`,
    ]),
    ...Object.entries(more).map(([which, value]): TableCell[] => [`${name}: ${which}`, threads, value.toPrecision(4)]),
  ]);
  return [
    ...(timed.length > 0 ? [{ kind: "figure", title: group, figure, height: 460 } as const] : []),
    {
      kind: "table",
      ...(timed.length > 0 ? {} : { title: group }),
      table: { columns: [{ title: "figure" }, { title: "threads" }, { title: "ratio, or value" }], rows },
    },
  ];
}
