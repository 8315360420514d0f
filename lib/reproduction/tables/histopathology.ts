/** Histopathology, which the paper does not have: what the generalist knows of it without adaptation. @module */
import { figuresCostsComparisons } from "./parts.ts";
import type { PaperTable } from "./table.ts";

const table = "histopathology";
const facts = { title: "Histopathology, zero-shot" };

/** The table. */
export const HISTOPATHOLOGY: PaperTable = {
  ...facts,
  rows: () => [
    { table, id: "zero-shot", label: "Generalist, zero-shot", method: "none", seeded: false, sets: table },
  ],
  show: (rows) => figuresCostsComparisons(facts, rows),
};
