/** `deno task segment`: masks on the frozen, adapted encoder. @module */
import { join } from "@std/path";
import { createProgress } from "../display/progress.ts";
import { formatTable, type Table, type TableCell } from "../display/table.ts";
import type { Overlay } from "../display/overlay.ts";
import type { SegmentationFigures } from "../dense/segmentation_metrics.ts";
import { writeFileAtomic } from "../io/files.ts";
import { checkUnseen, fingerprint, loadHead, saveHead } from "../tasks/dense_files.ts";
import { densePage, pictureOverlay } from "../tasks/dense_pictures.ts";
import {
  constantMaskFigures,
  evaluateSegmentation,
  type MappedCases,
  predictMasks,
  trainSegmentation,
} from "../tasks/dense_segment.ts";
import type { SegmentationHead } from "../tasks/dense_files.ts";
import { maskPng, siimSubmission } from "../tasks/dense_submissions.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import type { Arguments, Command } from "./command.ts";
import {
  DENSE_OPTIONS,
  denseDataOf,
  encoderOf,
  fitOptionsOf,
  fractionOf,
  imagesOf,
  mappedOf,
  recordOf,
  verbOf,
} from "./dense_options.ts";
import { startBackend } from "./shared.ts";

/** The figures as a table; `null` shows as a dash. */
function figuresTable(rows: Record<string, SegmentationFigures>, caption: string, synthetic: boolean): Table {
  return {
    columns: [
      { title: "Answer" },
      ...["Dice", "IoU", "Dice, lesion", "empty kept", "images"].map((title) => ({ title })),
    ],
    rows: Object.entries(rows).map(([name, figures]): TableCell[] => {
      const { dice, iou, dicePositive, emptyKept, n } = figures;
      return [name, dice, iou, dicePositive, emptyKept, n];
    }),
    caption,
    synthetic,
  };
}

/** Writes a mask and a row for every case, and pictures of the first. */
async function writePredictions(
  head: SegmentationHead,
  { cases, maps }: MappedCases,
  { out, pictures, withTruth }: { out: string; pictures: number; withTruth: boolean },
): Promise<Overlay[]> {
  const overlays: Overlay[] = [], rows = [];
  let index = 0;
  for await (const mask of predictMasks(head, maps)) {
    const item = cases[index++]!;
    rows.push({ id: item.id, mask });
    await writeFileAtomic(join(out, "masks", `${item.id.replaceAll(/[^\w.-]+/g, "_")}.png`), maskPng(mask));
    if (overlays.length < pictures) {
      const truthMask = withTruth ? await item.mask!() : undefined;
      overlays.push(pictureOverlay(await item.image(), { mask, ...(truthMask ? { truthMask } : {}) }, item.id));
    }
  }
  await writeFileAtomic(join(out, "submission.csv"), siimSubmission(rows));
  return overlays;
}

async function train(args: Arguments, out: string, backend: BackendInfo): Promise<void> {
  const began = performance.now();
  const settings = fitOptionsOf(args);
  const encoder = await encoderOf(args);
  const data = await denseDataOf("segment", args, encoder.config.vision.imageSize);
  const { fraction, cases } = fractionOf(args, data.train);
  const mapped = await mappedOf(cases, { args, encoder, out, label: "training" });
  const validation = await mappedOf(data.validation, { args, encoder, out, label: "validation" });
  const width = args.text("width") === undefined ? {} : { widest: args.integer("width", 512, 8) };
  const bar = createProgress(Math.ceil(cases.length / settings.batchSize) * settings.epochs, {
    label: "train",
    unit: "images",
    itemsPerStep: settings.batchSize,
  });
  const { head, fit } = await trainSegmentation(mapped, validation, {
    ...settings,
    ...width,
    patchSize: encoder.config.vision.patchSize,
    onStep: ({ step, loss, learningRate }) => bar.update(step, { loss, learningRate }),
  }).finally(() => bar.finish());
  const seen = new Set([...cases, ...data.validation].map(fingerprint));
  await saveHead(join(out, "head.safetensors"), { head, encoder: encoder.hash, seen });
  const record = {
    command: "segment train",
    fraction,
    settings,
    decoder: head.config,
    ...fit,
    ...await recordOf(args, { encoder, backend, began, data, used: cases }),
  };
  await writeFileAtomic(join(out, "training.json"), JSON.stringify(record, null, 2) + "\n");
  console.log(
    `validation Dice ${
      fit.bestFigure.toFixed(4)
    } at epoch ${fit.bestEpoch} of ${fit.history.length} (${fit.ended}), ${cases.length} training cases; wrote ${out}/head.safetensors and training.json`,
  );
}

async function evaluate(args: Arguments, out: string, backend: BackendInfo): Promise<void> {
  const began = performance.now();
  const encoder = await encoderOf(args);
  const path = args.text("head") ?? join(out, "head.safetensors");
  const { head, seen } = await loadHead(path, { task: "segment", encoder: encoder.hash });
  const data = await denseDataOf("segment", args, encoder.config.vision.imageSize);
  checkUnseen(data.test, seen, path);
  const test = await mappedOf(data.test, { args, encoder, out, label: "test" });
  const cases = data.train.filter((item) => seen.has(fingerprint(item))); // those it was trained on: their maps are cached
  const training = await mappedOf(cases, { args, encoder, out, label: "training" });
  const { figures, overlaps } = await evaluateSegmentation(head, test);
  const baseline = await constantMaskFigures(training, test, encoder.config.vision.imageSize);
  const overlays = await writePredictions(head, test, { out, pictures: args.integer("pictures", 24), withTruth: true });
  const table = figuresTable(
    { "trained head": figures, "constant mask": baseline },
    `${data.name}: means over test images; an empty mask scores 1 when left empty, else 0`,
    data.synthetic,
  );
  const record = {
    command: "segment evaluate",
    head: path,
    figures,
    baselines: { constantMask: baseline },
    ...await recordOf(args, { encoder, backend, began, data, used: cases }),
    cases: Object.fromEntries(data.test.map(({ id }, i) => [id, overlaps[i]])),
  };
  await writeFileAtomic(join(out, "metrics.json"), JSON.stringify(record, null, 2) + "\n");
  await writeFileAtomic(
    join(out, "overlays.html"),
    await densePage({
      title: `Segmentation: ${data.name}`,
      subtitle: "Frozen encoder, trained decoder",
      table,
      overlays,
      caption: "Blue: the mask given. Orange: the mask predicted.",
      synthetic: data.synthetic,
      facts: { head: path, backend: backend.name, "test cases": data.test.length, encoder: encoder.hash.slice(0, 16) },
    }),
  );
  console.log(formatTable(table));
  console.log(`\nWrote ${out}/metrics.json, masks/, submission.csv and overlays.html`);
}

async function predict(args: Arguments, out: string, backend: BackendInfo): Promise<void> {
  const encoder = await encoderOf(args);
  const path = args.text("head") ?? join(out, "head.safetensors");
  const { head } = await loadHead(path, { task: "segment", encoder: encoder.hash });
  const mapped = await mappedOf(await imagesOf(args), { args, encoder, out, label: "images" });
  const overlays = await writePredictions(head, mapped, {
    out,
    pictures: args.integer("pictures", 24),
    withTruth: false,
  });
  await writeFileAtomic(
    join(out, "overlays.html"),
    await densePage({
      title: "Predicted masks",
      subtitle: "Not for clinical use",
      overlays,
      caption: "Orange: the mask predicted.",
      synthetic: false,
      facts: { head: path, backend: backend.name, images: mapped.cases.length },
    }),
  );
  console.log(`Wrote ${out}/masks (${mapped.cases.length} masks), submission.csv and overlays.html`);
}

/** The command. */
export const COMMAND: Command = {
  name: "segment",
  summary: "Train, evaluate or use a segmentation head on the frozen encoder",
  positionals: "train|evaluate|predict",
  options: {
    dataset: { type: "string", value: "NAME", help: "siim, synthetic, or a CSV of images with a column of masks" },
    "mask-column": { type: "string", value: "NAME", help: "Column of the CSV with the masks' paths" },
    masks: { type: "string", value: "DIR", help: "Folder of PNG masks with the images' names, instead of a column" },
    "skip-unlabelled": { type: "boolean", help: "Leave out rows without a mask instead of refusing them" },
    "first-lesion": { type: "boolean", help: "Keep only an image's first lesion, as the authors' script does (siim)" },
    ...DENSE_OPTIONS,
  },
  example:
    "deno task segment train --dataset siim --root siim --fraction 0.1 --adapter adapter.safetensors --out results/siim10",
  async run(args) {
    const verb = verbOf(args);
    const out = args.text("out") ?? "results/segment";
    const backend = await startBackend(args);
    await { train, evaluate, predict }[verb](args, out, backend);
  },
};
