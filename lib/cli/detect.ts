/** `deno task detect`: boxes on the frozen, adapted encoder. @module */
import { join } from "@std/path";
import { createProgress } from "../display/progress.ts";
import { formatTable, type Table, type TableCell } from "../display/table.ts";
import type { Overlay } from "../display/overlay.ts";
import type { Detection, UnitBox } from "../dense/boxes.ts";
import { writeFileAtomic } from "../io/files.ts";
import {
  constantBoxFigures,
  detectAll,
  type DetectionFigures,
  evaluateDetection,
  trainDetection,
} from "../tasks/dense_detect.ts";
import { checkUnseen, fingerprint, loadHead, saveHead } from "../tasks/dense_files.ts";
import { densePage, pictureOverlay } from "../tasks/dense_pictures.ts";
import type { MappedCases } from "../tasks/dense_segment.ts";
import { boxesCsv, rsnaSubmission } from "../tasks/dense_submissions.ts";
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

/** The figures as a table. */
function figuresTable(rows: Record<string, DetectionFigures>, caption: string, synthetic: boolean): Table {
  const titles = ["mAP customary", "mAP strict", "mAP all scores", "mAP@0.5", "FROC", "images answered"];
  return {
    columns: [{ title: "Answer" }, ...titles.map((title) => ({ title }))],
    rows: Object.entries(rows).map(([name, figures]): TableCell[] => {
      const { mapCustomary, mapStrict, mapAllScores, map50, froc, answered } = figures;
      return [name, mapCustomary, mapStrict, mapAllScores, map50, froc.mean, answered];
    }),
    caption,
    synthetic,
  };
}

/** Writes the boxes of every case, and pictures of the first. */
async function writePredictions(
  { cases, maps }: MappedCases,
  found: readonly (readonly Detection[])[],
  { out, pictures, classes, confidence, truth }: {
    out: string;
    pictures: number;
    classes: readonly string[];
    confidence: number;
    truth?: readonly (readonly UnitBox[])[];
  },
): Promise<Overlay[]> {
  const images = cases.map(({ id }, i) => ({
    id,
    size: maps.imageSizes[i]!,
    boxes: found[i]!.filter(({ score }) => score >= confidence),
  }));
  await writeFileAtomic(join(out, "submission.csv"), rsnaSubmission(images));
  await writeFileAtomic(join(out, "boxes.csv"), boxesCsv(images, classes));
  const overlays: Overlay[] = [];
  for (const [i, item] of cases.slice(0, pictures).entries()) {
    const boxes = images[i]!.boxes.length > 0 ? images[i]!.boxes : found[i]!.slice(0, 1);
    const words = boxes.map(({ classIndex, score }) => `${classes[classIndex]} ${score.toFixed(2)}`).join(", ");
    const marks = { boxes, ...(truth ? { truthBoxes: truth[i]! } : {}) };
    overlays.push(pictureOverlay(await item.image(), marks, `${item.id}: ${words || "no box"}`));
  }
  return overlays;
}

async function train(args: Arguments, out: string, backend: BackendInfo): Promise<void> {
  const began = performance.now();
  const settings = fitOptionsOf(args);
  const encoder = await encoderOf(args);
  const data = await denseDataOf("detect", args, encoder.config.vision.imageSize);
  const { fraction, cases } = fractionOf(args, data.train);
  const mapped = await mappedOf(cases, { args, encoder, out, label: "training" });
  const validation = await mappedOf(data.validation, { args, encoder, out, label: "validation" });
  const width = args.text("width") === undefined ? {} : { width: args.integer("width", 512, 8) };
  const bar = createProgress(Math.ceil(cases.length / settings.batchSize) * settings.epochs, {
    label: "train",
    unit: "images",
    itemsPerStep: settings.batchSize,
  });
  const assignment = args.choice("assignment", ["every-scale", "best"], "every-scale");
  const { head, anchorIou, fit } = await trainDetection(mapped, validation, {
    ...settings,
    ...width,
    assignment,
    classes: data.classes,
    onStep: ({ step, loss, learningRate }) => bar.update(step, { loss, learningRate }),
  }).finally(() => bar.finish());
  const seen = new Set([...cases, ...data.validation].map(fingerprint));
  await saveHead(join(out, "head.safetensors"), { head, encoder: encoder.hash, seen });
  const record = {
    command: "detect train",
    fraction,
    settings: { ...settings, assignment },
    detector: head.config,
    anchorIou,
    ...fit,
    ...await recordOf(args, { encoder, backend, began, data, used: cases }),
  };
  await writeFileAtomic(join(out, "training.json"), JSON.stringify(record, null, 2) + "\n");
  console.log(
    `validation mAP (strict, all scores) ${
      fit.bestFigure.toFixed(4)
    } at epoch ${fit.bestEpoch} of ${fit.history.length} (${fit.ended}), ${cases.length} training cases; wrote ${out}/head.safetensors and training.json`,
  );
}

async function evaluate(args: Arguments, out: string, backend: BackendInfo): Promise<void> {
  const began = performance.now();
  const encoder = await encoderOf(args);
  const path = args.text("head") ?? join(out, "head.safetensors");
  const { head, seen } = await loadHead(path, { task: "detect", encoder: encoder.hash });
  const data = await denseDataOf("detect", args, encoder.config.vision.imageSize);
  checkUnseen(data.test, seen, path);
  const test = await mappedOf(data.test, { args, encoder, out, label: "test" });
  const cases = data.train.filter((item) => seen.has(fingerprint(item))); // those it was trained on: their maps are cached
  const training = await mappedOf(cases, { args, encoder, out, label: "training" });
  const { classes } = head.config;
  const { figures, images } = await evaluateDetection(head, test);
  const baseline = constantBoxFigures(training, test, classes);
  const overlays = await writePredictions(test, images.map(({ detections }) => detections), {
    out,
    classes,
    pictures: args.integer("pictures", 24),
    confidence: args.number("confidence", 0.5, 0),
    truth: images.map(({ truth }) => [...truth]),
  });
  const table = figuresTable(
    { "trained head": figures, "constant box": baseline },
    `${data.name}: mAP over IoU 0.40 to 0.75; customary leaves out images without prediction or truth; FROC: mean sensitivity at 1/8 to 8 false alarms an image, IoU 0.4`,
    data.synthetic,
  );
  const record = {
    command: "detect evaluate",
    head: path,
    figures,
    baselines: { constantBox: baseline },
    ...await recordOf(args, { encoder, backend, began, data, used: cases }),
  };
  await writeFileAtomic(join(out, "metrics.json"), JSON.stringify(record, null, 2) + "\n");
  await writeFileAtomic(
    join(out, "overlays.html"),
    await densePage({
      title: `Detection: ${data.name}`,
      subtitle: "Frozen encoder, trained YOLOv3 head",
      table,
      overlays,
      caption: "Blue: the boxes given. Orange: the boxes predicted; thin where the best score is below one half.",
      synthetic: data.synthetic,
      facts: { head: path, backend: backend.name, "test cases": data.test.length, encoder: encoder.hash.slice(0, 16) },
    }),
  );
  console.log(formatTable(table));
  console.log(`\nWrote ${out}/metrics.json, submission.csv, boxes.csv and overlays.html`);
}

async function predict(args: Arguments, out: string, backend: BackendInfo): Promise<void> {
  const encoder = await encoderOf(args);
  const path = args.text("head") ?? join(out, "head.safetensors");
  const { head } = await loadHead(path, { task: "detect", encoder: encoder.hash });
  const mapped = await mappedOf(await imagesOf(args), { args, encoder, out, label: "images" });
  const overlays = await writePredictions(mapped, await detectAll(head, mapped.maps), {
    out,
    classes: head.config.classes,
    pictures: args.integer("pictures", 24),
    confidence: args.number("confidence", 0.5, 0),
  });
  await writeFileAtomic(
    join(out, "overlays.html"),
    await densePage({
      title: "Predicted boxes",
      subtitle: "Not for clinical use",
      overlays,
      caption: "Orange: the boxes predicted; thin where the best score is below one half.",
      synthetic: false,
      facts: { head: path, backend: backend.name, images: mapped.cases.length },
    }),
  );
  console.log(`Wrote ${out}/submission.csv, boxes.csv (${mapped.cases.length} images) and overlays.html`);
}

/** The command. */
export const COMMAND: Command = {
  name: "detect",
  summary: "Train, evaluate or use a detection head on the frozen encoder",
  positionals: "train|evaluate|predict",
  options: {
    dataset: { type: "string", value: "NAME", help: "rsna, synthetic, or a CSV of images with --boxes" },
    protocol: { type: "string", value: "NAME", help: "RSNA's split: mgca, or the authors' positives (default: mgca)" },
    boxes: { type: "string", value: "CSV", help: "Boxes, one a row, beside the CSV of images" },
    "boxes-key": {
      type: "string",
      value: "NAME",
      help: "Column of the images' CSV that the boxes name (default: the path)",
    },
    "boxes-image": {
      type: "string",
      value: "NAME",
      help: "Column of the boxes' CSV that names the image (default: as --boxes-key)",
    },
    "boxes-label": { type: "string", value: "NAME", help: "Column of what a box holds (default: label)" },
    "boxes-columns": { type: "string", value: "LIST", help: "Columns of left, top, width, height (default: x,y,w,h)" },
    "one-class": { type: "string", value: "NAME", help: "Take every box as this class" },
    confidence: { type: "string", value: "X", help: "Least score of a written box (default: 0.5)" },
    assignment: {
      type: "string",
      value: "NAME",
      help: "every-scale (as MGCA's code) or best (as the YOLOv3 paper) (default: every-scale)",
    },
    ...DENSE_OPTIONS,
  },
  example:
    "deno task detect train --dataset rsna --root rsna --fraction 0.1 --adapter adapter.safetensors --out results/rsna10",
  async run(args) {
    const verb = verbOf(args);
    const out = args.text("out") ?? "results/detect";
    const backend = await startBackend(args);
    await { train, evaluate, predict }[verb](args, out, backend);
  },
};
