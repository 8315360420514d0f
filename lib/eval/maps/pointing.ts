/** Whether a map's strongest patch lies where a reader drew a box. @module */
import type { Box } from "../../data/types.ts";
import type { ResizeMode } from "../../image/preprocess.ts";

/** A rectangle as shares of what the model sees, 0 to 1 where it sees all of it. */
export interface SeenBox {
  /** Left edge. */
  left: number;
  /** Top edge. */
  top: number;
  /** Right edge. */
  right: number;
  /** Bottom edge. */
  bottom: number;
}

/**
 * Where a box lies in the square that the model sees: the middle of the image, all of it between margins, or all of it squashed.
 *
 * @param box In pixels of the image.
 * @param image Its size.
 * @param resizeMode How images are prepared.
 * @param zoom Side they are resized to over that of the square cut out of it.
 */
export function seenBox(
  box: Omit<Box, "label">,
  image: { width: number; height: number },
  resizeMode: ResizeMode,
  zoom = 1,
): SeenBox {
  const { x, y, width, height } = box;
  const isWhole = resizeMode === "longest" || resizeMode === "padded";
  const side = Math[isWhole ? "max" : "min"](image.width, image.height);
  const [sizeX, sizeY] = resizeMode === "squash"
    ? [image.width / zoom, image.height / zoom]
    : [side / zoom, side / zoom];
  const [startX, startY] = [(image.width - sizeX) / 2, (image.height - sizeY) / 2];
  return {
    left: (x - startX) / sizeX,
    top: (y - startY) / sizeY,
    right: (x + width - startX) / sizeX,
    bottom: (y + height - startY) / sizeY,
  };
}

/** Whether the centre of each patch of a grid lies in one of the boxes. */
export function patchesIn(boxes: readonly SeenBox[], side: number): boolean[] {
  return Array.from({ length: side * side }, (_, patch) => {
    const [x, y] = [(patch % side + 0.5) / side, (Math.floor(patch / side) + 0.5) / side];
    return boxes.some(({ left, top, right, bottom }) => x >= left && x <= right && y >= top && y <= bottom);
  });
}

/**
 * The pointing game: 1 if the centre of the strongest patch lies in a box, 0 if not; of equally strong patches the share that does.
 *
 * Source: Zhang et al. 2018, Top-down neural attention by excitation backprop, section 4.3, without its margin of 15 pixels.
 *
 * @param map One number a patch.
 * @param inside As {@linkcode patchesIn} gives it.
 */
export function pointingHit(map: ArrayLike<number>, inside: readonly boolean[]): number {
  let most = -Infinity;
  for (let i = 0; i < map.length; i++) most = Math.max(most, map[i]!);
  const strongest = inside.filter((_, i) => map[i] === most);
  return strongest.filter(Boolean).length / strongest.length;
}
