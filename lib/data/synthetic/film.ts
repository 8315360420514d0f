/**
 * From drawn brightness to the grey levels of a film: exposure, contrast, collimation, side marker, noise.
 *
 * @module
 */
import type { RasterImage } from "../../image/raster.ts";
import type { Canvas } from "./canvas.ts";
import { addPixelNoise } from "./noise.ts";

/** Rows of three dots: the letters of the side marker. */
const LETTERS: Readonly<Record<"L" | "R", readonly string[]>> = {
  L: ["#..", "#..", "#..", "#..", "###"],
  R: ["##.", "#.#", "##.", "#.#", "#.#"],
};

/**
 * The film of what was drawn on `canvas`, 8-bit grey. Changes `canvas.light`.
 *
 * @param options `rng` for the exposure; AP films, mostly portable ones, are flatter and noisier.
 */
export function exposeFilm(canvas: Canvas, options: { rng: () => number; view: "AP" | "PA" }): RasterImage {
  const { size, light } = canvas;
  const { rng, view } = options;
  const portable = view === "AP" ? 1 : 0;
  const gamma = 0.8 + rng() * 0.5;
  const low = 0.02 + (rng() - 0.5) * 0.08 - portable * 0.05 * rng();
  const high = 0.88 + rng() * 0.16;
  const sigma = 0.008 + rng() * (0.014 + 0.012 * portable);
  paintMarker(canvas, rng);
  addPixelNoise(light, sigma, rng);
  const collimated = rng() < 0.2 ? Math.floor(rng() * 0.05 * size) : 0;
  const data = new Uint8Array(size * size);
  // the tone curve as a table: one look-up a pixel instead of a power
  const tones = new Uint8Array(1025);
  for (let t = 0; t <= 1024; t++) tones[t] = Math.round(255 * (t / 1024) ** gamma);
  const factor = 1024 / (high - low);
  for (let i = 0; i < data.length; i++) {
    const value = (light[i]! - low) * factor;
    data[i] = tones[value <= 0 ? 0 : value >= 1024 ? 1024 : value | 0]!;
  }
  for (let k = 0; k < collimated; k++) {
    for (let y = 0; y < size; y++) data[y * size + k] = data[y * size + size - 1 - k] = 2;
  }
  return { width: size, height: size, channels: 1, bitDepth: 8, data };
}

/** A bright L or R in the corner of its side, on three films in four. */
function paintMarker(canvas: Canvas, rng: () => number): void {
  const { size, light } = canvas;
  const shown = rng() < 0.75;
  const letter = rng() < 0.7 ? "L" : "R";
  const x = (letter === "L" ? 0.86 : 0.07) + rng() * 0.04, y = 0.04 + rng() * 0.1;
  if (!shown) return;
  const dot = Math.max(1, Math.round(size / 64));
  LETTERS[letter].forEach((row, r) => {
    for (let c = 0; c < 3; c++) {
      if (row[c] !== "#") continue;
      for (let k = 0; k < dot * dot; k++) {
        const px = Math.floor(x * size) + c * dot + k % dot, py = Math.floor(y * size) + r * dot + Math.floor(k / dot);
        if (px < size && py < size) light[py * size + px] = 0.95;
      }
    }
  });
}
