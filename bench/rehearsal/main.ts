/**
 * `deno task rehearse`: training at MIMIC-CXR-JPG's true size, tried before the data is there.
 *
 *     deno task rehearse [--images N] [--pairs-per-batch B] [--size full|mini] [--steps S] [--workers W] [--keep] [--save]
 *
 * Writes a made-up tree in the published layout, fills the pixel cache, trains, is killed twice and goes on, validates; each
 * stage by the package's own command in a process of its own. `--keep` leaves the tree, `--save` keeps JSON and page in
 * bench/results.
 *
 * @module
 */
import { join, resolve } from "@std/path";
import { parseArgs } from "node:util";
import { writeFileAtomic } from "../../lib/io/files.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { gatherFacts } from "../record.ts";
import { rehearsalPage } from "./page.ts";
import { rehearse } from "./rehearse.ts";

const { values } = parseArgs({
  options: {
    images: { type: "string", default: "200" },
    "pairs-per-batch": { type: "string" },
    size: { type: "string", default: "mini" },
    steps: { type: "string" },
    workers: { type: "string" },
    keep: { type: "boolean", default: false },
    save: { type: "boolean", default: false },
  },
});

/** A whole number of at least 1, or nothing. */
function count(name: "images" | "pairs-per-batch" | "steps" | "workers"): number | undefined {
  const text = values[name];
  if (text === undefined || /^[1-9]\d*$/.test(text)) return text === undefined ? undefined : Number(text);
  console.error(`error: --${name} must be a whole number of at least 1: current value is "${text}"`);
  Deno.exit(1);
}

const { size } = values;
if (size !== "mini" && size !== "full") {
  console.error(`error: --size must be mini or full: current value is "${size}"`);
  Deno.exit(1);
}
const given = {
  images: count("images"),
  pairsPerBatch: count("pairs-per-batch"),
  steps: count("steps"),
  workers: count("workers"),
};
const folder = resolve("results/rehearsal", `${size}-${values.images}`);
await Deno.remove(folder, { recursive: true }).catch(() => {});
if (size === "full") await selectBackend({ backend: "cpu" }); // the random weights are made here
const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
const facts = await gatherFacts();
const found = await rehearse(folder, { size, ...options }, (line) => console.error(line)).catch((error) => {
  console.error(`error: ${error.message}`);
  Deno.exit(1);
});
const rehearsal = { ...facts, ...found };
const [json, page] = [JSON.stringify(rehearsal, null, 2) + "\n", await rehearsalPage(rehearsal)];
const places = [join(folder, "rehearsal")];
if (values.save) places.push(`bench/results/${rehearsal.date.slice(0, 10)}-rehearsal-${size}-${values.images}`);
for (const place of places) {
  await writeFileAtomic(`${place}.json`, json);
  await writeFileAtomic(`${place}.html`, page);
}
if (!values.keep) {
  for (const name of ["mimic-cxr-jpg", "cache", "biomedclip"]) {
    await Deno.remove(join(folder, name), { recursive: true }).catch(() => {});
  }
}
console.log(json);
Deno.exit(rehearsal.differing.length === 0 ? 0 : 1);
