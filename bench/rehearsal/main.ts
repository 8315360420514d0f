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
import { type Arguments, type Command, COUNT } from "../../lib/cli/command.ts";
import { runStandalone } from "../../lib/cli/standalone.ts";
import { writeFileAtomic } from "../../lib/io/files.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { gatherFacts } from "../record.ts";
import { rehearsalPage } from "./page.ts";
import { rehearse } from "./rehearse.ts";

const COMMAND: Command = {
  name: "rehearse",
  summary: "Training at MIMIC-CXR-JPG's true size on made-up films: every stage measured, killed twice, projected",
  options: {
    images: { value: "N", number: COUNT, help: "Studies, one film each (default: 200)" },
    "pairs-per-batch": { value: "B", number: COUNT, help: "Pairs a step (default: the size's)" },
    size: { value: "WORD", help: "mini, or full: BiomedCLIP's, random weights (default: mini)" },
    steps: { value: "S", number: COUNT, help: "Steps of training (default: the size's)" },
    workers: { value: "W", number: COUNT, help: "Decoding workers (default: the processors)" },
    keep: { help: "Leave the tree and the cache" },
    save: { help: "Keep JSON and page in bench/results" },
  },
  example: "deno task rehearse --images 200 --size mini",
  run: main,
};

async function main(args: Arguments): Promise<number> {
  const size = args.choice("size", ["mini", "full"] as const, "mini");
  const images = args.number("images", 200);
  const given = {
    images,
    pairsPerBatch: args.number("pairs-per-batch", undefined),
    steps: args.number("steps", undefined),
    workers: args.number("workers", undefined),
  };
  const folder = resolve("results/rehearsal", `${size}-${images}`);
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  if (size === "full") await selectBackend({ backend: "cpu" }); // the random weights are made here
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const facts = await gatherFacts();
  const found = await rehearse(folder, { size, ...options }, (line) => console.error(line));
  const rehearsal = { ...facts, ...found };
  const [json, page] = [JSON.stringify(rehearsal, null, 2) + "\n", await rehearsalPage(rehearsal)];
  const places = [join(folder, "rehearsal")];
  if (args.flag("save")) places.push(`bench/results/${rehearsal.date.slice(0, 10)}-rehearsal-${size}-${images}`);
  for (const place of places) {
    await writeFileAtomic(`${place}.json`, json);
    await writeFileAtomic(`${place}.html`, page);
  }
  if (!args.flag("keep")) {
    for (const name of ["mimic-cxr-jpg", "cache", "biomedclip"]) {
      await Deno.remove(join(folder, name), { recursive: true }).catch(() => {});
    }
  }
  console.log(json);
  return rehearsal.differing.length === 0 ? 0 : 1;
}

await runStandalone(COMMAND);
