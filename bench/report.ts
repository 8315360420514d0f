/** The bench's report: aims, milliseconds of each side, ratios. @module */
import { barFigure } from "../lib/display/bars.ts";
import { buildReport } from "../lib/display/report.ts";
import type { GroupSection } from "../lib/display/sections.ts";
import type { TableCell } from "../lib/display/table.ts";
import { NATIVE } from "./peers/peer.ts";
import type { Aim, Facts, Measurement } from "./record.ts";

/** One HTML file with a table of the aims and, for each group, the milliseconds of every side. */
export async function benchReport({ facts, aims, groups, part }: {
  facts: Facts;
  aims: readonly Aim[];
  groups: ReadonlyMap<string, readonly Measurement[]>;
  /** What of a run is there that has not ended. */
  part?: string;
}): Promise<string> {
  const { versions, ...rest } = facts;
  const rows = aims.map(({ name, aim, measured, low, high, turns, met }): TableCell[] => [
    name,
    aim,
    { value: measured, text: `${measured} (${low} to ${high})` },
    turns ?? "",
    met ? "met" : "missed",
  ]);
  return await buildReport({
    title: "ACE-LoRA: speed and memory",
    subtitle: `${
      part ? `This is ${part}. ` : ""
    }Each comparison in one run, the sides taking turns; bars are medians, lines the fastest and slowest turn`,
    sections: [
      {
        kind: "group",
        title: `Aims: ${aims.filter(({ met }) => met).length} of ${aims.length} met`,
        sections: [{
          kind: "table",
          table: { columns: columns("figure", "aim", "median (range)", "turns", ""), rows },
        }],
      },
      ...[...groups].map(([group, measurements]) => groupSection(group, measurements)),
      {
        kind: "facts",
        title: "Made on",
        facts: { ...versions, ...rest, load: rest.load?.toFixed(2) ?? "unknown", revision: rest.revision ?? "unknown" },
      },
    ],
  });
}

const columns = (...titles: string[]): { title: string }[] => titles.map((title) => ({ title }));

function groupSection(group: string, measurements: readonly Measurement[]): GroupSection {
  const timed = measurements.filter(({ ratios }) => Object.keys(ratios).length > 0);
  const sides = [...new Set(timed.flatMap(({ times }) => Object.keys(times)))];
  const figure = barFigure(
    timed.map(({ name }) => name),
    sides.map((name) => ({
      name,
      values: timed.map(({ times }) => times[name]?.median ?? null),
      intervals: timed.map(({ times }) => times[name] ? [times[name].min, times[name].max] as const : null),
    })),
    { y: "milliseconds" },
  );
  const rows = measurements.flatMap(({ name, threads, library, ratios, more = {} }): TableCell[][] => [
    ...Object.entries(ratios).map(([which, { median, low, high, turns }]): TableCell[] => [
      `${name}: ${which}${library && which.includes(NATIVE) ? ` (${library})` : ""}`,
      threads,
      turns ?? "",
      `${median.toPrecision(3)} (${low.toPrecision(3)} to ${high.toPrecision(3)})`,
    ]),
    ...Object.entries(more).map(([which, value]): TableCell[] => [
      `${name}: ${which}`,
      threads,
      "",
      value.toPrecision(4),
    ]),
  ]);
  return {
    kind: "group",
    title: group,
    sections: [
      ...(timed.length > 0 ? [{ kind: "figure", figure, height: 460 } as const] : []),
      { kind: "table", table: { columns: columns("figure", "threads", "turns", "ratio, or value"), rows } },
    ],
  };
}
