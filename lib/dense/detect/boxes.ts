/** Rectangles of detection, in shares of the image's sides. @module */
import { checkBoxes } from "../../data/boxes.ts";
import type { Box } from "../../data/types.ts";

/** A rectangle with its class; all lengths are shares of the image's width or height, from the top left corner. */
export interface UnitBox {
  /** Left edge. */
  x: number;
  /** Top edge. */
  y: number;
  /** Width. */
  width: number;
  /** Height. */
  height: number;
  /** Index into the classes. */
  classIndex: number;
}

/** A predicted rectangle. */
export interface Detection extends UnitBox {
  /** Confidence, 0 to 1. */
  score: number;
}

/** A rectangle without more. */
export type Rectangle = Pick<UnitBox, "x" | "y" | "width" | "height">;

/** Intersection over union; 0 for rectangles without area. */
export function boxIou(a: Rectangle, b: Rectangle): number {
  const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (across <= 0 || down <= 0) return 0;
  const both = across * down;
  return both / (a.width * a.height + b.width * b.height - both);
}

/** What {@linkcode unitBoxes} must know of the image. */
export interface BoxContext {
  /** Id of the case, for messages. */
  id: string;
  /** Width of the image, pixels. */
  width: number;
  /** Height of the image, pixels. */
  height: number;
  /** Names of the classes, in order. */
  classes: readonly string[];
}

/** @throws {RangeError} If a box is of none of the classes; the message names the case. */
export function checkBoxClasses(boxes: readonly Box[], { id, classes }: Pick<BoxContext, "id" | "classes">): void {
  const foreign = boxes.find(({ label }) => !classes.includes(label));
  if (foreign === undefined) return;
  throw new RangeError(
    `Cannot use case "${id}" as the class of a box must be one of ${
      classes.join(", ")
    }: current value is "${foreign.label}"`,
  );
}

/**
 * Boxes in pixels as shares of the sides. What stands out of the image by a pixel at most is cut off.
 *
 * @throws {RangeError} If a box stands out further, has no area, or its class is unknown; the message names the case.
 */
export function unitBoxes(boxes: readonly Box[], context: BoxContext): UnitBox[] {
  const { width, height, classes } = context;
  checkBoxes(boxes, context);
  checkBoxClasses(boxes, context);
  return boxes.map((box) => {
    const right = box.x + box.width, bottom = box.y + box.height;
    const x = Math.max(0, box.x), y = Math.max(0, box.y);
    return {
      x: x / width,
      y: y / height,
      width: (Math.min(width, right) - x) / width,
      height: (Math.min(height, bottom) - y) / height,
      classIndex: classes.indexOf(box.label),
    };
  });
}
