import { assertEquals } from "@std/assert";
import { cropResize8, toRgb } from "../../lib/image/preprocess.ts";
import type { RasterImage } from "../../lib/image/raster.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";

Deno.test("cropResize8() with rgbFirst resizes one channel of grey to what three of the same become", () => {
  const rng = mulberry32(3);
  for (const [width, height] of [[90, 70], [31, 200], [24, 24], [7, 5]] as const) {
    for (const mode of ["train", "eval"] as const) {
      for (const interpolation of ["bicubic", "bilinear"] as const) {
        for (const indexed of [undefined, true] as const) {
          const data = Uint8Array.from({ length: width * height }, () => 256 * rng());
          const grey: RasterImage = { width, height, channels: 1, bitDepth: 8, data };
          const options = { size: 24, mode, interpolation, rgbFirst: true };
          const three = cropResize8(toRgb(grey), options);
          assertEquals(cropResize8(indexed ? { ...grey, indexed } : grey, options), three);
        }
      }
    }
  }
});
