/**
 * Images of modalities other than chest radiography, with coarse captions.
 *
 * @module
 */
import { deriveSeed, mulberry32 } from "../../tensor/random.ts";
import type { RasterImage } from "../../image/raster.ts";
import { brainMri } from "./brain_mri.ts";
import { fundusPhotograph } from "./fundus.ts";
import { histopathologyTile } from "./histopathology.ts";

/** The modalities beside chest radiography. */
export type OtherModality = "histopathology" | "mri" | "fundus";

/** Names of {@linkcode OtherModality}. */
export const OTHER_MODALITIES: readonly OtherModality[] = ["histopathology", "mri", "fundus"];

const DRAW: Readonly<
  Record<OtherModality, (rng: () => number, size: number) => { image: RasterImage; caption: string }>
> = { histopathology: histopathologyTile, mri: brainMri, fundus: fundusPhotograph };

/**
 * A synthetic image of `modality` with a coarse caption. Histopathology and fundus images are RGB, MRI is grey.
 *
 * @param options `size`: pixels a side (@default 64).
 * @throws {RangeError} If the modality is unknown or the size is not a whole number of at least 16.
 */
export function syntheticImage(
  modality: OtherModality,
  seed: number,
  options: { size?: number } = {},
): { image: RasterImage; caption: string } {
  const size = options.size ?? 64;
  const draw = DRAW[modality];
  if (draw === undefined) {
    throw new RangeError(
      `Cannot draw an image as its modality must be one of ${
        OTHER_MODALITIES.join(", ")
      }: current value is "${modality}"`,
    );
  }
  if (!Number.isInteger(size) || size < 16) {
    throw new RangeError(`Cannot draw an image as its size must be a whole number >= 16: current value is ${size}`);
  }
  return draw(mulberry32(deriveSeed(seed, modality)), size);
}
