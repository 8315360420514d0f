/** Synthetic axial brain MRI slices: scalp, skull, folds, ventricles, lesions. @module */
import type { RasterImage } from "../../image/raster.ts";
import { pick } from "./findings.ts";
import { noiseAt, valueNoise } from "./noise.ts";
import { createPainting, finish, type Painting, spot } from "./painting.ts";

/**
 * A grey axial slice, T1- or T2-weighted, and its coarse caption.
 *
 * @param rng Uniform numbers; the same ones give the same slice.
 * @param size Pixels a side.
 */
export function brainMri(rng: () => number, size: number): { image: RasterImage; caption: string } {
  const lesion = rng() < 0.5;
  const t2 = rng() < 0.5;
  const painting = createPainting(size, [0.02]);
  const cx = 0.5 + (rng() - 0.5) * 0.05, cy = 0.5 + (rng() - 0.5) * 0.05;
  const rx = 0.35 + rng() * 0.04, ry = 0.43 + rng() * 0.04;
  const angle = (rng() - 0.5) * 0.2;
  const oval = (scale: number, light: number): void =>
    spot(painting, [cx, cy], { colour: [light], rx: rx * scale, ry: ry * scale, angle, soft: 0.04 });
  const fluid = t2 ? 0.9 : 0.12;
  oval(1.0, 0.72);
  oval(0.95, 0.05);
  oval(0.89, fluid * 0.8);
  oval(0.86, t2 ? 0.55 : 0.4);
  oval(0.72, t2 ? 0.42 : 0.58);
  const noise = valueNoise(18, rng);
  const { light } = painting;
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i++) {
      const u = (x / size - cx) / rx, v = (y / size - cy) / ry;
      const r = Math.sqrt(u * u + v * v);
      if (r > 0.86) continue;
      const fold = noiseAt(noise, x / size, y / size) - 0.5;
      const sulcus = r > 0.62 ? (r - 0.62) * 4 : 0;
      light[i]! += (t2 ? 1 : -1) * fold * 0.45 * sulcus + 0.08 * fold;
      if (Math.abs(u) < 0.02 && (v < -0.35 || v > 0.4)) light[i]! += (fluid - light[i]!) * 0.7;
    }
  }
  paintVentricles(painting, [cx, cy], { wide: 0.8 + rng() * 0.7, fluid });
  if (lesion) {
    const centre: [number, number] = [cx + (rng() < 0.5 ? -1 : 1) * (0.1 + 0.12 * rng()), cy + (rng() - 0.5) * 0.4];
    const r = 0.035 + 0.06 * rng();
    spot(painting, centre, { colour: [t2 ? 0.75 : 0.35], rx: r * 1.6, ry: r * 1.4, alpha: 0.5, soft: 0.8 });
    spot(painting, centre, { colour: [0.95], rx: r, ry: r * (0.7 + 0.3 * rng()), alpha: 0.9, soft: 0.4 });
  }
  const name = pick(
    ["brain MRI", "axial MRI slice of the brain", "magnetic resonance image of the head", "head MRI"],
    rng,
  );
  const weighting = rng() < 0.3 ? (t2 ? "T2 " : "T1 ") : "";
  const detail = pick(
    lesion ? ["", "abnormal", "with a bright lesion", "with a mass"] : ["", "normal", "without lesion"],
    rng,
  );
  return { image: finish(painting, { sigma: 0.025, rng }), caption: `${weighting}${name} ${detail}`.trim() };
}

/** The lateral ventricles, a front and a back horn on each side. */
function paintVentricles(
  painting: Painting,
  [cx, cy]: [number, number],
  { wide, fluid }: { wide: number; fluid: number },
): void {
  const look = { colour: [fluid], alpha: 0.95 };
  for (const s of [-1, 1]) {
    spot(painting, [cx + s * 0.045 * wide, cy - 0.07], { ...look, rx: 0.025 * wide, ry: 0.085, angle: s * 0.35 });
    spot(painting, [cx + s * 0.06 * wide, cy + 0.09], { ...look, rx: 0.02 * wide, ry: 0.06, angle: -s * 0.45 });
  }
}
