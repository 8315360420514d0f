/** A rehearsal as a page. @module */
import { buildReport } from "../../lib/display/report.ts";
import type { TableCell } from "../../lib/display/table.ts";
import type { Facts } from "../record.ts";
import type { Rehearsal } from "./rehearse.ts";

/** At least three digits, and all of those before the point. */
function threeDigits(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en-GB") : value.toPrecision(3);
}

/** One HTML file: stages, kills, validation, projection, and what it ran on. */
export async function rehearsalPage(rehearsal: Rehearsal & Facts): Promise<string> {
  const { plan, stages, killed, differing, validation } = rehearsal;
  const figure = (value: number | null | undefined, scale = 1): TableCell =>
    value === null || value === undefined ? null : { value, text: threeDigits(value * scale) };
  const stageRows = stages.map(({ name, images, seconds, rate, bytes, peak, processor, idle }): TableCell[] => [
    ...[name, images, figure(seconds), figure(rate), figure(bytes, 1e-6), figure(peak), figure(processor)],
    figure(idle, 100),
  ]);
  const same = differing.length === 0
    ? "adapters, best weights, losses, validations and log are those of the run left alone, to the byte"
    : `not those of the run left alone: ${differing.join(", ")}`;
  return await buildReport({
    title: `Dress rehearsal: ${plan.images} made-up films, ${
      plan.size === "mini" ? "mini model" : "BiomedCLIP's size"
    }`,
    subtitle:
      "Synthetic radiographs at the pixel sizes, bytes and layout of MIMIC-CXR-JPG, random or shipped weights: " +
      "times, bytes and memory are measured, accuracy means nothing here",
    sections: [
      {
        kind: "table",
        title: "Stages",
        table: {
          columns: [
            { title: "stage" },
            { title: "films" },
            { title: "seconds" },
            { title: "films a second" },
            { title: "MB" },
            { title: "peak, MiB" },
            { title: "processor seconds" },
            { title: "device idle, %" },
          ],
          rows: stageRows,
        },
      },
      {
        kind: "table",
        title: "Killed twice",
        table: {
          columns: [{ title: "signal" }, { title: "after step" }, { title: "seconds to its end" }],
          rows: killed.map(({ signal, step, secondsToEnd }) => [signal, step, figure(secondsToEnd)]),
          caption: `Resumed each time; at the end ${same}.`,
        },
      },
      {
        kind: "table",
        title: "Validation",
        table: {
          columns: [{ title: "figure" }, { title: "value", digits: 4 }],
          rows: validation.map(({ name, value }) => [name, value]),
        },
      },
      {
        kind: "table",
        title: "The whole set at these rates, on this machine",
        table: {
          columns: [{ title: "figure" }, { title: "value" }],
          rows: Object.entries(rehearsal.projection).map(([name, value]) => [
            name,
            value !== null && Number.isInteger(value) ? value : figure(value),
          ]),
        },
      },
      {
        kind: "facts",
        title: "Made on",
        facts: {
          machine: `${rehearsal.adapter}, ${rehearsal.processors} processors`,
          date: rehearsal.date,
          "load before": rehearsal.load?.toFixed(2) ?? "unknown",
          ...rehearsal.versions,
          revision: rehearsal.revision ?? "unknown",
          batch: plan.pairsPerBatch,
          "micro-batch": plan.microBatch,
          steps: plan.steps,
          epochs: plan.epochs,
        },
      },
    ],
  });
}
