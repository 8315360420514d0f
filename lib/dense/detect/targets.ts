/** Which cell and anchor answers for which box. @module */
import { type BoxShape, shapeIou } from "./anchors.ts";
import type { UnitBox } from "./boxes.ts";

/** What the loss of one scale compares with; cells in the order `[B, g, g, A]`. */
export interface ScaleTargets {
  /** Side of the scale's map. */
  grid: number;
  /** 1 where an anchor answers for a box. */
  mask: Float32Array;
  /** 1 where objectness must be 0; elsewhere it is free, unless `mask` is 1. */
  background: Float32Array;
  /** `x, y` within the cell, `log(w / anchor), log(h / anchor)`; four numbers an anchor. */
  coordinates: Float32Array;
  /** One-hot class; C numbers an anchor. */
  classes: Float32Array;
}

/** Options of {@linkcode scaleTargets}. */
export interface TargetOptions {
  /** Sides of the three maps, coarse first. */
  grids: readonly number[];
  /** Anchors of each scale. */
  anchors: readonly (readonly BoxShape[])[];
  /** Number of classes. */
  classes: number;
  /**
   * "every-scale": at each scale the anchor of the best shape answers, as in the code of the works compared with; "best":
   * only the best of all scales does, as in YOLOv3's paper. @default {"every-scale"}
   */
  assignment?: "every-scale" | "best";
  /** Anchors of a shape closer than this IoU, in a box's cell, are not background. @default {0.5} */
  ignore?: number;
}

/**
 * Targets of a batch. A box belongs to the cell its centre lies in. When two boxes claim one anchor of one cell, the later
 * takes the coordinates, and the cell holds the classes of both.
 *
 * Source: MGCA's `YOLOLoss.get_target`. Differences: an anchor that answers for a box is never background, also when its shape
 * is less than 0.5 IoU alike (there it is asked to be 1 and 0 at once); shapes are compared by the plain IoU (there a cell is
 * added to every side, which makes small shapes alike).
 *
 * @param boxes One list an image.
 */
export function scaleTargets(boxes: readonly (readonly UnitBox[])[], options: TargetOptions): ScaleTargets[] {
  const { grids, anchors, classes, assignment = "every-scale", ignore = 0.5 } = options;
  const targets = grids.map((grid, s): ScaleTargets => {
    const cells = boxes.length * grid * grid * anchors[s]!.length;
    return {
      grid,
      mask: new Float32Array(cells),
      background: new Float32Array(cells).fill(1),
      coordinates: new Float32Array(cells * 4),
      classes: new Float32Array(cells * classes),
    };
  });
  boxes.forEach((list, image) => {
    for (const box of list) {
      const likeness = anchors.map((scale) => scale.map((anchor) => shapeIou(box, anchor)));
      const best = likeness.map((scale) => scale.indexOf(Math.max(...scale)));
      const top = likeness.map((scale, s) => scale[best[s]!]!);
      const chosen = top.indexOf(Math.max(...top));
      targets.forEach((target, s) => {
        const { grid } = target;
        const [gx, gy] = [(box.x + box.width / 2) * grid, (box.y + box.height / 2) * grid];
        const column = Math.min(grid - 1, Math.floor(gx)), row = Math.min(grid - 1, Math.floor(gy));
        const count = anchors[s]!.length;
        const cell = ((image * grid + row) * grid + column) * count;
        likeness[s]!.forEach((iou, a) => {
          if (iou > ignore) target.background[cell + a] = 0;
        });
        if (assignment === "best" && s !== chosen) return;
        const slot = cell + best[s]!;
        const anchor = anchors[s]![best[s]!]!;
        target.mask[slot] = 1;
        target.background[slot] = 0;
        target.coordinates.set(
          [gx - column, gy - row, Math.log(box.width / anchor.width), Math.log(box.height / anchor.height)],
          slot * 4,
        );
        target.classes[slot * classes + box.classIndex] = 1;
      });
    }
  });
  return targets;
}
