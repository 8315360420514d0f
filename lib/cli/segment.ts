/** `deno task segment`: masks on the frozen, adapted encoder. @module */
import { squareSide } from "../clip/towers/image.ts";
import { loadSegmentationData } from "../dense/segment/data.ts";
import { checkDecoderConfig, decoderConfig, initDecoder, type SegmentationHead } from "../dense/segment/head.ts";
import { checkMaskFiles, maskOfCase } from "../dense/segment/masks.ts";
import type { SegmentationFigures } from "../dense/segment/metrics.ts";
import {
  constantMaskFigures,
  evaluateSegmentation,
  predictMasks,
  sideOf,
  trainSegmentation,
} from "../dense/segment/run.ts";
import { maskWriter } from "../dense/segment/submission.ts";
import { defined } from "../platform/defined.ts";
import type { Command } from "./command.ts";
import { checkPath } from "./paths.ts";
import { denseCommand } from "./dense.ts";
import type { DenseTask } from "./dense_task.ts";
import { csvOptionsFrom } from "./output.ts";

const SEGMENT: DenseTask<SegmentationHead, SegmentationFigures> = {
  name: "segment",
  summary: "Train, evaluate or use a segmentation head on the frozen encoder",
  options: {
    dataset: { value: "NAME", help: "siim, synthetic, or a CSV of images with --mask-column or --masks" },
    "mask-column": {
      value: "NAME",
      help: "Column of the CSV with the masks' paths; several rows of one image are united",
    },
    masks: { value: "DIR", help: "Folder of PNG masks with the images' names, instead of a column" },
    "skip-unlabelled": { help: "Leave out rows without a mask instead of refusing them" },
    "first-lesion": { help: "Keep only an image's first lesion, as the authors' script does (siim)" },
  },
  example:
    `deno task segment train --dataset siim --root siim --fraction 0.1 --adapter adapter.safetensors --out results/siim10
  deno task segment train --dataset films.csv --patient-column patient --mask-column lung_mask --out results/lungs
  deno task segment evaluate --dataset films.csv --patient-column patient --mask-column lung_mask --out results/lungs
  deno task segment predict --images new_films --head results/lungs/head.safetensors --out results/new_masks`,
  words: { title: "Segmentation", head: "decoder", answers: "masks", counted: "masks" },
  validated: "Dice",
  baseline: { name: "constant mask", key: "constantMask" },
  table: {
    titles: ["Dice", "IoU", "Dice, not empty", "empty kept", "images"],
    cells: ({ dice, iou, dicePositive, emptyKept, n }) => [dice, iou, dicePositive, emptyKept, n],
    note: "means over test images; an empty mask scores 1 when left empty, else 0",
  },
  captions: { truth: "Blue: the mask given.", predicted: "Orange: the mask predicted." },
  init: initDecoder,
  checkConfig: checkDecoderConfig,
  async load(dataset, args, { columns, ...options }) {
    const masks = args.text("masks");
    if (masks !== undefined) await checkPath(masks);
    return await loadSegmentationData(dataset, {
      ...options,
      columns: { ...columns, ...defined({ mask: args.text("mask-column") }) },
      ...defined({ maskFolder: masks }),
      skipUnlabelled: args.flag("skip-unlabelled"),
      lesions: args.flag("first-lesion") ? "first" : "union",
    });
  },
  checkFiles: checkMaskFiles,
  checkEncoder(vision) {
    decoderConfig(vision.width, squareSide(vision));
  },
  async check(item, size) {
    await maskOfCase(item, size);
  },
  files: "masks/, submission.csv",
  async train({ train, validation }, { args, data: _, encoder, ...settings }) {
    const { head, fit } = await trainSegmentation(train, validation, {
      ...settings,
      ...defined({ widest: args.number("width", undefined) }),
      patchSize: squareSide(encoder.config.vision),
    });
    return { head, fit, facts: { decoder: head.config } };
  },
  async assess(head, test, options) {
    const { write, finish } = maskWriter(test.cases, { ...options, ...csvOptionsFrom(options.args) });
    const { figures, overlaps } = await evaluateSegmentation(head, test, {
      onCase: (_, mask, overlap) => write(mask, overlap),
    });
    const cases = Object.fromEntries(test.cases.map(({ id }, i) => [id, overlaps[i]]));
    return { figures, facts: { cases }, overlays: await finish() };
  },
  constant: (head, { train, test }) => constantMaskFigures(train, test, sideOf(head, test.maps)),
  async answer(head, mapped, options) {
    const { write, finish } = maskWriter(mapped.cases, { ...options, ...csvOptionsFrom(options.args) });
    for await (const mask of predictMasks(head, mapped.maps)) await write(mask);
    return await finish();
  },
};

export const COMMAND: Command = denseCommand(SEGMENT);
