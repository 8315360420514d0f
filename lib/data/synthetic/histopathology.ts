/** Synthetic histopathology tiles: pink stroma, purple nuclei, glands. @module */
import type { RasterImage } from "../../image/raster.ts";
import { pick } from "./findings.ts";
import { noiseAt, valueNoise } from "./noise.ts";
import { createPainting, finish, spot } from "./painting.ts";

/**
 * A tile stained with haematoxylin and eosin, RGB, and its coarse caption.
 *
 * @param rng Uniform numbers; the same ones give the same tile.
 * @param size Pixels a side.
 */
export function histopathologyTile(rng: () => number, size: number): { image: RasterImage; caption: string } {
  const abnormal = rng() < 0.5;
  const stain = 0.85 + 0.2 * rng();
  const painting = createPainting(size, [0.93, 0.74 * stain, 0.84]);
  const noise = valueNoise(12, rng);
  const { light } = painting;
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i += 3) {
      const stroma = noiseAt(noise, (x + 0.3 * y) / size / 1.3, y / size) - 0.5;
      light[i]! -= 0.12 * stroma;
      light[i + 1]! -= 0.3 * stroma;
      light[i + 2]! -= 0.14 * stroma;
    }
  }
  const dark = abnormal ? 0.8 : 1;
  const nucleus = (x: number, y: number): void => {
    const rx = (abnormal ? 0.016 : 0.012) * (0.8 + 0.6 * rng());
    const colour = [(0.36 + 0.14 * rng()) * dark, (0.2 + 0.12 * rng()) * dark, (0.5 + 0.12 * rng()) * stain];
    spot(painting, [x, y], { colour, rx, ry: rx * (0.6 + 0.4 * rng()), angle: rng() * 3.14, alpha: 0.88 });
  };
  const glands = abnormal ? Math.floor(rng() * 3) : 1 + Math.floor(rng() * 3);
  for (let g = 0; g < glands; g++) {
    const cx = 0.2 + 0.6 * rng(), cy = 0.2 + 0.6 * rng();
    const r = 0.1 + 0.09 * rng(), squash = 0.65 + 0.35 * rng();
    spot(painting, [cx, cy], { colour: [0.8, 0.52, 0.74], rx: r, ry: r * squash, alpha: 0.8 });
    spot(painting, [cx, cy], { colour: [0.96, 0.92, 0.95], rx: r * 0.55, ry: r * squash * 0.55, alpha: 0.9 });
    const ring = Math.round(r * 150);
    for (let k = 0; k < ring; k++) {
      const t = 2 * Math.PI * k / ring, radius = r * (0.82 + 0.12 * rng());
      nucleus(cx + Math.cos(t) * radius, cy + Math.sin(t) * radius * squash);
    }
  }
  const loose = abnormal ? 90 + rng() * 60 : 25 + rng() * 25;
  for (let k = 0; k < loose; k++) nucleus(rng(), rng());
  const name = pick(["histopathology tile", "histology image", "microscopy of tissue", "stained tissue slide"], rng);
  const detail = pick(
    abnormal
      ? ["", "abnormal", "dense purple nuclei", "crowded cells", "tumor"]
      : ["", "normal", "pink tissue with glands", "benign glands"],
    rng,
  );
  return { image: finish(painting, { sigma: 0.02, rng }), caption: detail === "" ? name : `${name}, ${detail}` };
}
