/** Predicted boxes as files: one row a box, and the table of the RSNA challenge. @module */
import { join } from "@std/path";
import { CSV_CELL_RULES, csvCell, type CsvCellOptions } from "../../data/csv_cell.ts";
import type { Overlay } from "../../display/overlay.ts";
import { writeFileAtomic } from "../../io/files.ts";
import type { MappedCases } from "../maps.ts";
import { type AnswerOptions, pictureOverlay } from "../pictures.ts";
import type { Detection } from "./boxes.ts";
import type { DetectedImage } from "./metrics.ts";
import { checkOptions } from "../../platform/options.ts";

/** Boxes of one image, with its size in pixels. */
export interface ImageBoxes {
  /** Id of the image. */
  id: string;
  /** Width and height of the image, pixels. */
  size: readonly [number, number];
  /** Boxes, shares of the sides. */
  boxes: readonly Detection[];
}

const round = (value: number, digits: number): string => String(Number(value.toFixed(digits)));

function pixels({ size: [width, height] }: ImageBoxes, box: Detection): string[] {
  return [box.x * width, box.y * height, box.width * width, box.height * height].map((value) => round(value, 1));
}

/**
 * RSNA's submission: `patientId,PredictionString`, the string `confidence x y width height` for each box. RSNA's own ids, which its
 * scorer looks up, are none that a spreadsheet would take for a formula.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function rsnaSubmission(images: readonly ImageBoxes[], options: CsvCellOptions = {}): string {
  checkOptions("write boxes", options, CSV_CELL_RULES);
  const rows = images.map((image) => {
    const words = image.boxes.flatMap((box) => [round(box.score, 4), ...pixels(image, box)]);
    return `${csvCell(image.id, options)},${words.join(" ")}`;
  });
  return ["patientId,PredictionString", ...rows].join("\n") + "\n";
}

/** A table of boxes to be looked at: one row a box, with its class. */
export function boxesCsv(
  images: readonly ImageBoxes[],
  classes: readonly string[],
  options: CsvCellOptions = {},
): string {
  const rows = images.flatMap((image) =>
    image.boxes.map((box) => {
      const texts = [image.id, classes[box.classIndex]!].map((text) => csvCell(text, options));
      return [...texts, round(box.score, 4), ...pixels(image, box)].join(",");
    })
  );
  return ["image,label,score,x,y,width,height", ...rows].join("\n") + "\n";
}

/** Options of {@linkcode writeBoxes}. */
export interface WriteBoxesOptions extends Omit<AnswerOptions, "onCase">, CsvCellOptions {
  /** Names of the classes, in order. */
  classes: readonly string[];
  /** Least score of a written box. */
  confidence: number;
}

/**
 * Writes the boxes of every case as `submission.csv` and `boxes.csv`.
 *
 * @param answers Detections of each case, with its truth where that is known.
 * @returns How many boxes were written, and pictures of the first cases; one without a written box shows its best.
 */
export async function writeBoxes(
  { cases, maps }: MappedCases,
  answers: readonly (Pick<DetectedImage, "detections"> & Partial<DetectedImage>)[],
  { out, pictures, classes, confidence, spreadsheet = true }: WriteBoxesOptions,
): Promise<{ written: number; overlays: Overlay[] }> {
  const images = cases.map(({ id }, i) => ({
    id,
    size: maps.imageSizes[i]!,
    boxes: answers[i]!.detections.filter(({ score }) => score >= confidence),
  }));
  await writeFileAtomic(join(out, "submission.csv"), rsnaSubmission(images, { spreadsheet }), { isPrivate: true });
  await writeFileAtomic(join(out, "boxes.csv"), boxesCsv(images, classes, { spreadsheet }), { isPrivate: true });
  const listed = (words: readonly string[]): string => words.join(", ") || "no box";
  const overlays: Overlay[] = [];
  for (const [i, item] of cases.slice(0, pictures).entries()) {
    const { detections, truth } = answers[i]!;
    const boxes = images[i]!.boxes.length > 0 ? images[i]!.boxes : detections.slice(0, 1);
    const predicted = boxes.map(({ classIndex, score }) => `${classes[classIndex]} ${score.toFixed(2)}`);
    const given = truth?.map(({ classIndex }) => classes[classIndex]!);
    const marks = { boxes, ...(truth ? { truthBoxes: truth } : {}) };
    const caption = `${item.id}: ${listed(predicted)}${given ? `; given: ${listed(given)}` : ""}`;
    overlays.push(pictureOverlay(await item.image(), marks, caption));
  }
  return { written: images.reduce((sum, { boxes }) => sum + boxes.length, 0), overlays };
}
