/** `deno task segment`: masks on the frozen, adapted encoder. @module */
import { join } from "@std/path";
import type { BinaryMask } from "../data/types.ts";
import { decoderConfig } from "../dense/segment/head.ts";
import { maskOfCase } from "../dense/segment/masks.ts";
import type { MaskOverlap, SegmentationFigures } from "../dense/segment/metrics.ts";
import type { Overlay } from "../display/overlay.ts";
import { writeFileAtomic } from "../io/files.ts";
import type { SegmentationHead } from "../dense/files.ts";
import { pictureOverlay } from "../dense/pictures.ts";
import {
  constantMaskFigures,
  evaluateSegmentation,
  type MappedCases,
  predictMasks,
  sideOf,
  trainSegmentation,
} from "../dense/segment/run.ts";
import { fileNames, maskPng, siimRow, siimTable } from "../dense/submissions.ts";
import type { Command } from "./command.ts";
import { type Answering, denseCommand, type DenseTask } from "./dense.ts";

/** Writes masks as they come, with a row for each, and draws the first; with an overlap the truth beside them. */
function maskWriter({ cases }: MappedCases, { out, pictures, onCase }: Answering): {
  write(mask: BinaryMask, overlap?: MaskOverlap): Promise<void>;
  finish(): Promise<Overlay[]>;
} {
  const overlays: Overlay[] = [], rows: string[] = [];
  const names = fileNames(cases.map(({ id }) => id));
  return {
    write: async (mask, overlap) => {
      const item = cases[rows.length]!;
      await writeFileAtomic(join(out, "masks", `${names[rows.length]}.png`), maskPng(mask));
      if (overlays.length < pictures) {
        const marks = overlap ? { mask, truthMask: await item.mask!() } : { mask };
        const caption = overlap ? `${item.id}: Dice ${overlap.dice.toFixed(2)}` : item.id;
        overlays.push(pictureOverlay(await item.image(), marks, caption));
      }
      rows.push(siimRow({ id: item.id, mask }));
      onCase(rows.length);
    },
    finish: async () => {
      await writeFileAtomic(join(out, "submission.csv"), siimTable(rows));
      return overlays;
    },
  };
}

const SEGMENT: DenseTask<SegmentationHead, SegmentationFigures> = {
  name: "segment",
  summary: "Train, evaluate or use a segmentation head on the frozen encoder",
  options: {
    dataset: {
      type: "string",
      value: "NAME",
      help: "siim, synthetic, or a CSV of images with --mask-column or --masks",
    },
    "mask-column": {
      type: "string",
      value: "NAME",
      help: "Column of the CSV with the masks' paths; several rows of one image are united",
    },
    masks: { type: "string", value: "DIR", help: "Folder of PNG masks with the images' names, instead of a column" },
    "skip-unlabelled": { type: "boolean", help: "Leave out rows without a mask instead of refusing them" },
    "first-lesion": { type: "boolean", help: "Keep only an image's first lesion, as the authors' script does (siim)" },
  },
  example:
    `deno task segment train --dataset siim --root siim --fraction 0.1 --adapter adapter.safetensors --out results/siim10
  deno task segment train --dataset films.csv --patient-column patient --mask-column lung_mask --out results/lungs
  deno task segment evaluate --dataset films.csv --patient-column patient --mask-column lung_mask --out results/lungs
  deno task segment predict --images new_films --head results/lungs/head.safetensors --out results/new`,
  words: { title: "Segmentation", head: "decoder", answers: "masks", counted: "masks" },
  validated: "Dice",
  baseline: { name: "constant mask", key: "constantMask" },
  table: {
    titles: ["Dice", "IoU", "Dice, not empty", "empty kept", "images"],
    cells: ({ dice, iou, dicePositive, emptyKept, n }) => [dice, iou, dicePositive, emptyKept, n],
    note: "means over test images; an empty mask scores 1 when left empty, else 0",
  },
  captions: { truth: "Blue: the mask given.", predicted: "Orange: the mask predicted." },
  checkEncoder({ width, patchSize }) {
    decoderConfig(width, patchSize);
  },
  async check(item, size) {
    await maskOfCase(item, size);
  },
  files: "masks/, submission.csv",
  async train({ train, validation }, { args, encoder, ...settings }) {
    const { head, fit } = await trainSegmentation(train, validation, {
      ...settings,
      ...(args.text("width") === undefined ? {} : { widest: args.integer("width", 512, 8) }),
      patchSize: encoder.config.vision.patchSize,
    });
    return { head, fit, facts: { decoder: head.config } };
  },
  async assess(head, test, how) {
    const { write, finish } = maskWriter(test, how);
    const { figures, overlaps } = await evaluateSegmentation(head, test, {
      onCase: (_, mask, overlap) => write(mask, overlap),
    });
    const cases = Object.fromEntries(test.cases.map(({ id }, i) => [id, overlaps[i]]));
    return { figures, facts: { cases }, overlays: await finish() };
  },
  constant: (head, { train, test }) => constantMaskFigures(train, test, sideOf(head, test.maps)),
  async answer(head, mapped, how) {
    const { write, finish } = maskWriter(mapped, how);
    for await (const mask of predictMasks(head, mapped.maps)) await write(mask);
    return await finish();
  },
};

/** The command. */
export const COMMAND: Command = denseCommand(SEGMENT);
