/** `deno task detect`: boxes on the frozen, adapted encoder. @module */
import { join } from "@std/path";
import type { Detection, UnitBox } from "../dense/detect/boxes.ts";
import { checkGrid } from "../dense/detect/head.ts";
import type { Overlay } from "../display/overlay.ts";
import { writeFileAtomic } from "../io/files.ts";
import {
  boxesOfCase,
  constantBoxFigures,
  detectAll,
  type DetectionFigures,
  evaluateDetection,
  trainDetection,
} from "../dense/detect/run.ts";
import type { DetectionHead } from "../dense/files.ts";
import { pictureOverlay } from "../dense/pictures.ts";
import type { MappedCases } from "../dense/segment/run.ts";
import { boxesCsv, rsnaSubmission } from "../dense/submissions.ts";
import type { Command } from "./command.ts";
import { type Answering, denseCommand, type DenseTask } from "./dense.ts";

/** What was found in an image, with what is there where it is known. */
interface Found {
  detections: readonly Detection[];
  truth?: readonly UnitBox[];
}

/** Writes the boxes of every case, and draws the first. */
async function writeBoxes(
  { cases, maps }: MappedCases,
  answers: readonly Found[],
  { classes, args, out, pictures }: Answering & { classes: readonly string[] },
): Promise<Overlay[]> {
  const confidence = args.number("confidence", 0.5, 0);
  const images = cases.map(({ id }, i) => ({
    id,
    size: maps.imageSizes[i]!,
    boxes: answers[i]!.detections.filter(({ score }) => score >= confidence),
  }));
  await writeFileAtomic(join(out, "submission.csv"), rsnaSubmission(images));
  await writeFileAtomic(join(out, "boxes.csv"), boxesCsv(images, classes));
  if (images.every(({ boxes }) => boxes.length === 0)) {
    console.error(`no box scored ${confidence} or more, so none is written: --confidence takes a lower score`);
  }
  const overlays: Overlay[] = [];
  for (const [i, item] of cases.slice(0, pictures).entries()) {
    const { detections, truth } = answers[i]!;
    const boxes = images[i]!.boxes.length > 0 ? images[i]!.boxes : detections.slice(0, 1);
    const found = boxes.map(({ classIndex, score }) => `${classes[classIndex]} ${score.toFixed(2)}`);
    const given = truth?.map(({ classIndex }) => classes[classIndex]!);
    const marks = { boxes, ...(truth ? { truthBoxes: truth } : {}) };
    const caption = `${item.id}: ${listed(found)}${given ? `; given: ${listed(given)}` : ""}`;
    overlays.push(pictureOverlay(await item.image(), marks, caption));
  }
  return overlays;
}

function listed(words: readonly string[]): string {
  return words.join(", ") || "no box";
}

const DETECT: DenseTask<DetectionHead, DetectionFigures> = {
  name: "detect",
  summary: "Train, evaluate or use a detection head on the frozen encoder",
  options: {
    dataset: { type: "string", value: "NAME", help: "rsna, synthetic, or a CSV of images with --boxes" },
    protocol: { type: "string", value: "NAME", help: "RSNA's split: mgca, or the authors' positives (default: mgca)" },
    boxes: { type: "string", value: "CSV", help: "Boxes, one a row; an image without a row has none" },
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
  },
  example:
    `deno task detect train --dataset rsna --root rsna --fraction 0.1 --adapter adapter.safetensors --out results/rsna10
  deno task detect train --dataset films.csv --patient-column patient --boxes boxes.csv --boxes-key file --out results/boxes
  deno task detect evaluate --dataset films.csv --patient-column patient --boxes boxes.csv --boxes-key file --out results/boxes
  deno task detect predict --images new_films --head results/boxes/head.safetensors --out results/new`,
  words: { title: "Detection", head: "YOLOv3 head", answers: "boxes", counted: "images" },
  validated: "mAP (strict, all scores)",
  baseline: { name: "constant box", key: "constantBox" },
  table: {
    titles: ["mAP customary", "mAP strict", "mAP all scores", "mAP@0.5", "FROC", "images answered"],
    cells: ({ mapCustomary, mapStrict, mapAllScores, map50, froc, answered }) => {
      return [mapCustomary, mapStrict, mapAllScores, map50, froc.mean, answered];
    },
    note:
      "mAP over IoU 0.40 to 0.75; customary leaves out images without prediction or truth; FROC: mean sensitivity at 1/8 to 8 false alarms an image, IoU 0.4",
  },
  captions: {
    truth: "Blue: the boxes given.",
    predicted: "Orange: the boxes predicted; thin where the best score is below one half.",
  },
  checkEncoder({ imageSize, patchSize }) {
    checkGrid(imageSize / patchSize);
  },
  check(item, size, classes) {
    boxesOfCase(item, size, classes);
  },
  files: "submission.csv, boxes.csv",
  async train({ train, validation }, { args, data, encoder: _, ...settings }) {
    const assignment = args.choice("assignment", ["every-scale", "best"], "every-scale");
    const { head, anchorIou, fit } = await trainDetection(train, validation, {
      ...settings,
      ...(args.text("width") === undefined ? {} : { width: args.integer("width", 512, 8) }),
      assignment,
      classes: data.classes,
    });
    return { head, fit, settings: { assignment }, facts: { detector: head.config, anchorIou } };
  },
  async assess(head, test, how) {
    const { figures, images } = await evaluateDetection(head, test, { onBatch: how.onCase });
    const overlays = await writeBoxes(test, images, { ...how, classes: head.config.classes });
    return { figures, facts: {}, overlays };
  },
  constant: (head, { train, test }) => Promise.resolve(constantBoxFigures(train, test, head.config.classes)),
  async answer(head, mapped, how) {
    const found = await detectAll(head, mapped.maps, { onBatch: how.onCase });
    const answers = found.map((detections) => ({ detections }));
    return await writeBoxes(mapped, answers, { ...how, classes: head.config.classes });
  },
};

/** The command. */
export const COMMAND: Command = denseCommand(DETECT);
