/** Masks between the image's size and the decoder's. @module */
import type { BinaryMask, Case } from "../../data/types.ts";
import { looksWhole } from "../../data/whole_file.ts";
import { resize } from "../../image/resize.ts";
import { errorMessage } from "../../platform/error_message.ts";

/**
 * The mask of a case, which must have its image's size.
 *
 * @param item The case.
 * @param image Width and height of the case's image.
 * @throws {TypeError} If the case has no mask, or it is unreadable or of another size; the message names the case.
 */
export async function maskOfCase(item: Case, image: readonly [number, number]): Promise<BinaryMask> {
  const mask = await readMaskOf(item);
  if (mask.width !== image[0] || mask.height !== image[1]) {
    throw new TypeError(
      `Cannot use case "${item.id}" as its mask must be as large as its image, ${image[0]} x ${
        image[1]
      }: it is ${mask.width} x ${mask.height}`,
    );
  }
  return mask;
}

async function readMaskOf({ id, mask }: Case): Promise<BinaryMask> {
  if (!mask) throw new TypeError(`Cannot use case "${id}" as it must have a mask: it has none`);
  try {
    return await mask();
  } catch (error) {
    throw new TypeError(`Cannot use the mask of case "${id}": ${errorMessage(error)}`, { cause: error });
  }
}

/**
 * Looks at the files of masks before long work: what does not look whole is read.
 *
 * @throws {TypeError} If one cannot be; the message names the case.
 */
export async function checkMaskFiles(cases: readonly Case[]): Promise<void> {
  for (const item of cases) {
    for (const path of item.maskPaths ?? []) if (!await looksWhole(path)) await readMaskOf(item);
  }
}

/**
 * The mask of a case at the decoder's size, by nearest neighbour.
 *
 * @param item The case.
 * @param options `size` of the decoder; `image`, width and height of the case's image.
 * @throws {TypeError} As {@linkcode maskOfCase}.
 */
export async function maskTarget(
  item: Case,
  options: { size: number; image: readonly [number, number] },
): Promise<Uint8Array> {
  return shrinkMask(await maskOfCase(item, options.image), options.size);
}

/** A mask as a square of `size`, by nearest neighbour. */
export function shrinkMask(mask: BinaryMask, size: number): Uint8Array {
  const { width, height, data } = mask;
  const image = { width, height, channels: 1 as const, bitDepth: 8 as const, data };
  return resize(image, { width: size, height: size, filter: "nearest" }).data as Uint8Array;
}

/**
 * Probabilities of a square map as a mask of the image's size: enlarged bilinearly in 8 bits, set above one half.
 *
 * @param probabilities `size · size` numbers of 0 to 1.
 * @param options `size` of the square; `image`, width and height.
 */
export function maskOfSize(
  probabilities: ArrayLike<number>,
  options: { size: number; image: readonly [number, number] },
): BinaryMask {
  const { size, image: [width, height] } = options;
  const data = Uint8Array.from(probabilities, (p) => Math.round(255 * p));
  const square = { width: size, height: size, channels: 1 as const, bitDepth: 8 as const, data };
  const large = resize(square, { width, height, filter: "bilinear" }).data;
  return { width, height, data: Uint8Array.from(large, (value) => value > 127 ? 1 : 0) };
}
