/** Synthetic fundus photographs: disc, macula, vessels, exudates, haemorrhages. @module */
import type { RasterImage } from "../../image/raster.ts";
import { pick } from "./findings.ts";
import { createPainting, finish, type Painting, spot, trail } from "./painting.ts";

/**
 * A colour photograph of the back of the eye and its coarse caption.
 *
 * @param rng Uniform numbers; the same ones give the same photograph.
 * @param size Pixels a side.
 */
export function fundusPhotograph(rng: () => number, size: number): { image: RasterImage; caption: string } {
  const diseased = rng() < 0.5;
  const eye = rng() < 0.5 ? 1 : -1;
  const tone = 0.85 + 0.3 * rng();
  const painting = createPainting(size, [0.02, 0.015, 0.015]);
  const radius = 0.46 + 0.03 * rng();
  const { light } = painting;
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i += 3) {
      const u = (x + 0.5) / size - 0.5, v = (y + 0.5) / size - 0.5;
      const r = Math.sqrt(u * u + v * v) / radius;
      const inside = Math.min(1, Math.max(0, (1 - r) * radius * size));
      const fall = (1 - 0.45 * r * r) * inside;
      light[i]! += 0.78 * tone * fall;
      light[i + 1]! += 0.36 * tone * fall;
      light[i + 2]! += 0.16 * tone * fall;
    }
  }
  spot(painting, [0.5 - eye * 0.04, 0.51], { colour: [0.45, 0.16, 0.07], rx: 0.08, alpha: 0.55, soft: 1 });
  const disc: [number, number] = [0.5 + eye * (0.2 + 0.04 * rng()), 0.49 + (rng() - 0.5) * 0.06];
  spot(painting, disc, { colour: [0.98, 0.82, 0.5], rx: 0.065, ry: 0.075, soft: 0.4 });
  spot(painting, disc, { colour: [1, 0.93, 0.72], rx: 0.03, soft: 0.6 });
  paintRetinalVessels(painting, disc, eye, rng);
  if (diseased) paintLesions(painting, eye, rng);
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i += 3) {
      const u = (x + 0.5) / size - 0.5, v = (y + 0.5) / size - 0.5;
      if (u * u + v * v > radius * radius) light[i] = light[i + 1] = light[i + 2] = 0.015;
    }
  }
  const name = pick(["fundus photograph", "retinal photograph", "fundus image of the retina", "eye fundus photo"], rng);
  const detail = pick(
    diseased ? ["", "abnormal", "with exudates", "diabetic retinopathy"] : ["", "normal", "healthy retina"],
    rng,
  );
  return { image: finish(painting, { sigma: 0.012, rng }), caption: detail === "" ? name : `${name}, ${detail}` };
}

/** Three arcades above and three below the disc, each with a branch. */
function paintRetinalVessels(painting: Painting, disc: [number, number], eye: number, rng: () => number): void {
  for (const up of [-1, 1]) {
    for (const away of [-1, -0.8, 0.6]) {
      const points: [number, number][] = [disc];
      const bend = 0.24 + 0.1 * rng();
      for (let k = 1; k <= 8; k++) {
        const t = k / 8;
        points.push([
          disc[0] + eye * away * 0.55 * t,
          disc[1] + up * (bend * Math.sin(Math.PI * Math.min(1, t * 0.8)) + 0.02 * (rng() - 0.5)),
        ]);
      }
      trail(painting, points, { colour: [0.42, 0.08, 0.06], width: 0.024, alpha: 0.6 });
      const from = points[3 + Math.floor(rng() * 3)]!;
      trail(painting, [from, [from[0] - eye * 0.08, from[1] + up * 0.1], [from[0] - eye * 0.12, from[1] + up * 0.2]], {
        colour: [0.45, 0.1, 0.07],
        width: 0.014,
        alpha: 0.55,
      });
    }
  }
}

/** Exudates, bright, and haemorrhages, dark, around the macula. */
function paintLesions(painting: Painting, eye: number, rng: () => number): void {
  const count = 6 + rng() * 14;
  for (let k = 0; k < count; k++) {
    const t = rng() * 6.28, r = 0.06 + rng() * 0.2;
    const centre: [number, number] = [0.5 - eye * 0.05 + Math.cos(t) * r, 0.5 + Math.sin(t) * r];
    if (rng() < 0.65) spot(painting, centre, { colour: [0.98, 0.88, 0.45], rx: 0.008 + 0.014 * rng(), alpha: 0.85 });
    else spot(painting, centre, { colour: [0.35, 0.04, 0.04], rx: 0.012 + 0.02 * rng(), alpha: 0.75 });
  }
}
