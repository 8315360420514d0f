/** `deno task detect`: boxes on the frozen, adapted encoder. @module */
import { checkPlacedBoxes } from "../data/boxes.ts";
import { checkBoxClasses } from "../dense/detect/boxes.ts";
import { boxedFraction, loadDetectionData } from "../dense/detect/data.ts";
import { gridSide } from "../clip/towers/image.ts";
import { checkDetectorConfig, checkGrid, type DetectionHead, initDetector } from "../dense/detect/head.ts";
import type { DetectedImage, DetectionFigures } from "../dense/detect/metrics.ts";
import { boxesOfCase, constantBoxFigures, detectAll, evaluateDetection, trainDetection } from "../dense/detect/run.ts";
import { writeBoxes } from "../dense/detect/submission.ts";
import type { MappedCases } from "../dense/maps.ts";
import type { Overlay } from "../display/overlay.ts";
import { defined } from "../platform/defined.ts";
import { AMOUNT, type Command } from "./command.ts";
import { denseCommand } from "./dense.ts";
import type { Answering, DenseTask } from "./dense_task.ts";
import { csvOptionsFrom } from "./output.ts";
import { BOX_COLUMN_OPTIONS, boxesFrom } from "./box_options.ts";

const PROTOCOLS = ["mgca", "positives"] as const;
const ASSIGNMENTS = ["every-scale", "best"] as const;

/** Writes the boxes that are sure enough, and says so when none is. */
async function write(
  mapped: MappedCases,
  answers: readonly (Pick<DetectedImage, "detections"> & Partial<DetectedImage>)[],
  { args, classes, ...options }: Answering & { classes: readonly string[] },
): Promise<Overlay[]> {
  const confidence = args.number("confidence", 0.5);
  const { written, overlays } = await writeBoxes(mapped, answers, {
    ...options,
    classes,
    confidence,
    ...csvOptionsFrom(args),
  });
  if (written === 0) {
    console.error(`no box scored ${confidence} or more, so none is written: --confidence takes a lower score`);
  }
  return overlays;
}

const DETECT: DenseTask<DetectionHead, DetectionFigures> = {
  name: "detect",
  summary: "Train, evaluate or use a detection head on the frozen encoder",
  options: {
    dataset: { value: "NAME", help: "rsna, synthetic, or a CSV of images with --boxes" },
    protocol: {
      value: "NAME",
      words: PROTOCOLS,
      help: "RSNA's split: mgca, or the authors' positives (default: mgca)",
    },
    boxes: { value: "CSV", help: "Boxes, one a row; an image without a row has none" },
    ...BOX_COLUMN_OPTIONS,
    "one-class": { value: "NAME", help: "Take every box as this class" },
    confidence: { value: "X", number: AMOUNT, help: "Least score of a written box (default: 0.5)" },
    assignment: {
      value: "NAME",
      words: ASSIGNMENTS,
      help: "every-scale (as MGCA's code) or best (as the YOLOv3 paper) (default: every-scale)",
    },
  },
  example:
    `deno task detect train --dataset rsna --root rsna --fraction 0.1 --adapter adapter.safetensors --out results/rsna10
  deno task detect train --dataset films.csv --patient-column patient --boxes boxes.csv --boxes-key file --out results/boxes
  deno task detect evaluate --dataset films.csv --patient-column patient --boxes boxes.csv --boxes-key file --out results/boxes
  deno task detect predict --images new_films --head results/boxes/head.safetensors --out results/new_boxes`,
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
  init: initDetector,
  checkConfig: checkDetectorConfig,
  async load(dataset, args, { columns, ...options }) {
    const data = await loadDetectionData(dataset, {
      ...options,
      columns: { ...columns, ...await boxesFrom(args, dataset) },
      ...defined({ oneClass: args.text("one-class") }),
      protocol: args.choice("protocol", PROTOCOLS, "mgca"),
    });
    if (!data.synthetic) {
      const cases = [...data.train, ...data.validation, ...data.test];
      const empty = cases.filter((item) => item.boxes?.length === 0).length;
      if (empty > 0) console.error(`${empty} of ${cases.length} images have no box: they are taken as negatives`);
    }
    return data;
  },
  checkFiles: checkPlacedBoxes,
  draw: boxedFraction,
  checkEncoder(vision) {
    checkGrid(gridSide(vision));
  },
  checkClasses(cases, classes) {
    for (const { id, boxes = [] } of cases) checkBoxClasses(boxes, { id, classes });
  },
  check(item, size, classes) {
    boxesOfCase(item, size, classes);
  },
  files: "submission.csv, boxes.csv",
  async train({ train, validation }, { args, data, encoder: _, ...settings }) {
    const assignment = args.choice("assignment", ASSIGNMENTS, "every-scale");
    const { head, anchorIou, fit } = await trainDetection(train, validation, {
      ...settings,
      ...defined({ width: args.number("width", undefined) }),
      assignment,
      classes: data.classes,
    });
    return { head, fit, settings: { assignment }, facts: { detector: head.config, anchorIou } };
  },
  async assess(head, test, options) {
    const { figures, images } = await evaluateDetection(head, test, { onBatch: options.onCase });
    const overlays = await write(test, images, { ...options, classes: head.config.classes });
    return { figures, facts: {}, overlays };
  },
  constant: (head, { train, test }) => Promise.resolve(constantBoxFigures(train, test, head.config.classes)),
  async answer(head, mapped, options) {
    const detections = await detectAll(head, mapped.maps, { onBatch: options.onCase });
    const answers = detections.map((boxes) => ({ detections: boxes }));
    return await write(mapped, answers, { ...options, classes: head.config.classes });
  },
};

export const COMMAND: Command = denseCommand(DETECT);
