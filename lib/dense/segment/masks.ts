/** Masks between the image's size and the decoder's. @module */
import type { BinaryMask, Case } from "../../data/types.ts";
import { imageSizes } from "../../data/image_sizes.ts";
import { looksWhole } from "../../data/whole_file.ts";
import type { ImageSize } from "../../image/header_size.ts";
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
  checkMaskSize(item, mask, { width: image[0], height: image[1] });
  return mask;
}

/** @throws {TypeError} If a mask is not as large as the image of its case. */
function checkMaskSize({ id }: Pick<Case, "id">, mask: ImageSize, image: ImageSize): void {
  if (mask.width === image.width && mask.height === image.height) return;
  throw new TypeError(
    `Cannot use case "${id}" as its mask must be as large as its image, ${image.width} x ${image.height}: ` +
      `it is ${mask.width} x ${mask.height}`,
  );
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
 * Looks at the files of masks before long work: what does not look whole is read, and sizes are compared with the images' as far as
 * the files' headers tell them.
 *
 * @throws {TypeError} If one cannot be read, or is of another size than its image; the message names the case.
 */
export async function checkMaskFiles(cases: readonly Case[]): Promise<void> {
  for (const item of cases) {
    for (const path of item.maskPaths ?? []) if (!await looksWhole(path)) await readMaskOf(item);
  }
  const images = await imageSizes(cases.map(({ part, path }) => part ?? path));
  const files = cases.flatMap((item, i) => (item.maskPaths ?? []).map((path) => ({ item, image: images[i], path })));
  const masks = await imageSizes(files.map(({ path }) => path));
  for (const [i, { item, image }] of files.entries()) if (image && masks[i]) checkMaskSize(item, masks[i], image);
  for (const [i, item] of cases.entries()) {
    if (images[i] && item.maskSize) checkMaskSize(item, item.maskSize, images[i]);
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
