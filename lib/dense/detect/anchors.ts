/** Anchors: typical box shapes of a training set. @module */
import { deriveSeed, mulberry32 } from "../../tensor/random.ts";
import { checkOptions, COUNT, INTEGER, type Rules } from "../../platform/options.ts";

/** A box shape, in shares of the image's sides. */
export interface BoxShape {
  /** Width. */
  width: number;
  /** Height. */
  height: number;
}

/** IoU of two shapes with a common corner. */
export function shapeIou(a: BoxShape, b: BoxShape): number {
  const both = Math.min(a.width, b.width) * Math.min(a.height, b.height);
  return both / (a.width * a.height + b.width * b.height - both);
}

/** Options of {@linkcode kMeansAnchors}. */
export interface AnchorOptions {
  /** Number of anchors. @default {9} */
  count?: number;
  /** Seed of the first centres. @default {1} */
  seed?: number;
  /** Most rounds. @default {300} */
  rounds?: number;
}

/** What they must be. */
const ANCHOR_RULES: Rules<AnchorOptions> = {
  count: COUNT,
  seed: INTEGER,
  rounds: COUNT,
};

/** What {@linkcode kMeansAnchors} returns. */
export interface Anchors {
  /** Shapes by area, smallest first. */
  anchors: BoxShape[];
  /** Mean IoU of a box with its nearest anchor. */
  meanIou: number;
  /** Rounds until nothing changed. */
  rounds: number;
}

/**
 * k-means of box shapes under the distance `1 - IoU`; a centre is the mean width and height of its boxes, the first ones are
 * drawn as k-means++ does (by distance squared). A centre that loses its boxes moves to the box farthest from its own.
 *
 * Source: Redmon and Farhadi 2017 (YOLO9000), section 2.
 *
 * @param shapes Boxes of the training set.
 * @throws {RangeError} If there is no box, or one has no area.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function kMeansAnchors(shapes: readonly BoxShape[], options: AnchorOptions = {}): Anchors {
  checkOptions("find anchors", options, ANCHOR_RULES);
  const { count = 9, seed = 1, rounds: most = 300 } = options;
  if (shapes.length === 0) throw new RangeError("Cannot find anchors as there must be a box: there are 0");
  const flat = shapes.find(({ width, height }) => !(width > 0) || !(height > 0));
  if (flat) {
    throw new RangeError(
      `Cannot find anchors as boxes must have an area: current value is ${flat.width} x ${flat.height}`,
    );
  }
  let centres = firstCentres(shapes, count, mulberry32(deriveSeed(seed, "anchors")));
  let owner: number[] = [];
  let rounds = 0;
  for (; rounds < most; rounds++) {
    const next = shapes.map((shape) => nearest(shape, centres));
    if (next.every((centre, i) => centre === owner[i])) break;
    owner = next;
    const old = centres;
    centres = old.map((_, k) => {
      const own = shapes.filter((_, i) => owner[i] === k);
      if (own.length === 0) return farthest(shapes, old, owner);
      return {
        width: own.reduce((sum, { width }) => sum + width, 0) / own.length,
        height: own.reduce((sum, { height }) => sum + height, 0) / own.length,
      };
    });
  }
  const anchors = centres.toSorted((a, b) => a.width * a.height - b.width * b.height);
  const meanIou = shapes.reduce((sum, shape) => sum + shapeIou(shape, anchors[nearest(shape, anchors)]!), 0) /
    shapes.length;
  return { anchors, meanIou, rounds };
}

function nearest(shape: BoxShape, centres: readonly BoxShape[]): number {
  let best = 0;
  for (let k = 1; k < centres.length; k++) {
    if (shapeIou(shape, centres[k]!) > shapeIou(shape, centres[best]!)) best = k;
  }
  return best;
}

function farthest(shapes: readonly BoxShape[], centres: readonly BoxShape[], owner: readonly number[]): BoxShape {
  let least = 0;
  shapes.forEach((shape, i) => {
    const distant = shapeIou(shape, centres[owner[i]!]!) < shapeIou(shapes[least]!, centres[owner[least]!]!);
    if (distant) least = i;
  });
  return { ...shapes[least]! };
}

function firstCentres(shapes: readonly BoxShape[], count: number, rng: () => number): BoxShape[] {
  const centres = [{ ...shapes[Math.floor(rng() * shapes.length)]! }];
  while (centres.length < count) {
    const weights = shapes.map((shape) => (1 - shapeIou(shape, centres[nearest(shape, centres)]!)) ** 2);
    let draw = rng() * weights.reduce((a, b) => a + b, 0);
    const chosen = weights.findIndex((weight) => (draw -= weight) < 0);
    centres.push({ ...shapes[chosen < 0 ? Math.floor(rng() * shapes.length) : chosen]! });
  }
  return centres;
}
