/** A rehearsal as a page. @module */
import { buildReport } from "../../lib/display/report.ts";
import type { ReportSection } from "../../lib/display/sections.ts";
import type { TableCell } from "../../lib/display/table.ts";
import type { Facts } from "../record.ts";
import type { Rehearsal } from "./rehearse.ts";

/** At least three digits, and all of those before the point. */
function threeDigits(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en-GB") : value.toPrecision(3);
}

/** A number as a cell. */
const figure = (value: number | null | undefined, scale = 1): TableCell =>
  value === null || value === undefined ? null : { value, text: threeDigits(value * scale) };

/** A table under a heading. */
function tableSection(
  title: string,
  columns: readonly string[],
  rows: readonly TableCell[][],
  caption?: string,
): ReportSection {
  const table = { columns: columns.map((title) => ({ title })), rows };
  return { kind: "table", title, table: caption === undefined ? table : { ...table, caption } };
}

function stagesSection({ stages }: Rehearsal): ReportSection {
  const columns = ["stage", "films", "seconds", "films a second", "MB", "peak, MiB", "processor seconds"];
  const rows = stages.map(({ name, images, seconds, rate, bytes, peak, processor, idle }): TableCell[] => [
    ...[name, images, figure(seconds), figure(rate), figure(bytes, 1e-6), figure(peak), figure(processor)],
    figure(idle, 100),
  ]);
  return tableSection("Stages", [...columns, "device idle, %"], rows);
}

function killsSection({ killed, differing }: Rehearsal): ReportSection {
  const same = differing.length === 0
    ? "adapters, best weights, losses, validations and log are those of the run left alone, to the byte"
    : `not those of the run left alone: ${differing.join(", ")}`;
  const rows = killed.map(({ signal, step, secondsToEnd }) => [signal, step, figure(secondsToEnd)]);
  return tableSection(
    "Killed twice",
    ["signal", "after step", "seconds to its end"],
    rows,
    `Resumed each time; at the end ${same}.`,
  );
}

function factsSection({ plan, ...facts }: Rehearsal & Facts): ReportSection {
  return {
    kind: "facts",
    title: "Made on",
    facts: {
      machine: `${facts.adapter}, ${facts.processors} processors`,
      date: facts.date,
      "load before": facts.load?.toFixed(2) ?? "unknown",
      ...facts.versions,
      revision: facts.revision ?? "unknown",
      batch: plan.pairsPerBatch,
      "micro-batch": plan.microBatch,
      steps: plan.steps,
      epochs: plan.epochs,
    },
  };
}

/** One HTML file: stages, kills, validation, projection, and what it ran on. */
export async function rehearsalPage(rehearsal: Rehearsal & Facts): Promise<string> {
  const { plan, validation, projection } = rehearsal;
  const projected = Object.entries(projection).map(([name, value]): TableCell[] => [
    name,
    value !== null && Number.isInteger(value) ? value : figure(value),
  ]);
  return await buildReport({
    title: `Dress rehearsal: ${plan.images} made-up films, ${
      plan.size === "mini" ? "mini model" : "BiomedCLIP's size"
    }`,
    subtitle:
      "Synthetic radiographs at the pixel sizes, bytes and layout of MIMIC-CXR-JPG, random or shipped weights: " +
      "times, bytes and memory are measured, accuracy means nothing here",
    sections: [
      stagesSection(rehearsal),
      killsSection(rehearsal),
      {
        kind: "table",
        title: "Validation",
        table: {
          columns: [{ title: "figure" }, { title: "value", digits: 4 }],
          rows: validation.map(({ name, value }) => [name, value]),
        },
      },
      tableSection("The whole set at these rates, on this machine", ["figure", "value"], projected),
      factsSection(rehearsal),
    ],
  });
}
