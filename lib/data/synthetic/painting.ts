/**
 * Drawing in unit coordinates on grey or colour images, for the modalities other than radiographs.
 *
 * @module
 */
import type { RasterImage } from "../../image/raster.ts";
import { addPixelNoise } from "./noise.ts";

/** A square surface with one or three channels of light in `[0, 1]`, interleaved. */
export interface Painting {
  /** Pixels a side. */
  size: number;
  /** 1 grey, 3 RGB. */
  channels: 1 | 3;
  /** `size * size * channels` values. */
  light: Float32Array;
}

/** An even surface of one colour. */
export function createPainting(size: number, colour: readonly number[]): Painting {
  const channels = colour.length === 3 ? 3 : 1;
  const light = new Float32Array(size * size * channels);
  for (let i = 0; i < light.length; i++) light[i] = colour[i % channels]!;
  return { size, channels, light };
}

/** How {@linkcode spot} draws. */
export interface SpotOptions {
  /** Light of each channel. */
  colour: readonly number[];
  /** Half axes. @default 0.02 */
  rx?: number;
  /** As `rx`. @default the value of `rx` */
  ry?: number;
  /** Turn, radians. @default 0 */
  angle?: number;
  /** Share of the colour. @default 1 */
  alpha?: number;
  /** Width of the soft edge as a share of the radius. @default 0.3 */
  soft?: number;
}

/** Draws a filled ellipse around `(x, y)`, both in `[0, 1]`. */
export function spot(painting: Painting, centre: readonly [number, number], options: SpotOptions): void {
  const { size, channels, light } = painting;
  const rx = options.rx ?? 0.02, ry = options.ry ?? rx, alpha = options.alpha ?? 1;
  const { colour } = options;
  const soft = Math.max(options.soft ?? 0.3, 0.7 / (size * Math.min(rx, ry)));
  const grow = 1 + soft / 2;
  const cos = Math.cos(options.angle ?? 0), sin = Math.sin(options.angle ?? 0);
  const cx = centre[0] * size - 0.5, cy = centre[1] * size - 0.5;
  const reach = Math.max(rx, ry) * grow * size + 1;
  const left = Math.max(0, Math.ceil(cx - reach)), right = Math.min(size - 1, Math.floor(cx + reach));
  const top = Math.max(0, Math.ceil(cy - reach)), bottom = Math.min(size - 1, Math.floor(cy + reach));
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const dx = (x - cx) / size, dy = (y - cy) / size;
      const u = (dx * cos + dy * sin) / rx, v = (dy * cos - dx * sin) / ry;
      const edge = (grow - Math.sqrt(u * u + v * v)) / soft;
      if (edge <= 0) continue;
      const cover = alpha * (edge >= 1 ? 1 : edge);
      const i = (y * size + x) * channels;
      for (let c = 0; c < channels; c++) light[i + c]! += cover * (colour[c]! - light[i + c]!);
    }
  }
}

/** How {@linkcode trail} draws. */
export interface TrailOptions {
  /** Light of each channel. */
  colour: readonly number[];
  /** Width at the start; it narrows to a third. @default 0.02 */
  width?: number;
  /** Share of the colour. @default 0.8 */
  alpha?: number;
}

/** Draws a line through `points` as a row of spots: vessels, folds. */
export function trail(painting: Painting, points: readonly (readonly [number, number])[], options: TrailOptions): void {
  const width = options.width ?? 0.02;
  for (let p = 1; p < points.length; p++) {
    const [ax, ay] = points[p - 1]!, [bx, by] = points[p]!;
    const thick = Math.max(width * (1 - 0.67 * p / points.length), 0.6 / painting.size) / 2;
    const steps = Math.ceil(Math.hypot(bx - ax, by - ay) / Math.max(thick, 1 / painting.size));
    for (let k = 0; k < steps; k++) {
      const centre: [number, number] = [ax + (bx - ax) * k / steps, ay + (by - ay) * k / steps];
      spot(painting, centre, { colour: options.colour, rx: thick, alpha: options.alpha ?? 0.8, soft: 0.5 });
    }
  }
}

/** The finished 8-bit image, with normal noise of standard deviation `sigma`. Changes `painting.light`. */
export function finish(painting: Painting, options: { sigma: number; rng: () => number }): RasterImage {
  const { size, channels, light } = painting;
  addPixelNoise(light, options.sigma, options.rng);
  const data = new Uint8Array(light.length);
  for (let i = 0; i < data.length; i++) {
    const value = light[i]! * 255 + 0.5;
    data[i] = value <= 0 ? 0 : value >= 255 ? 255 : value | 0;
  }
  return { width: size, height: size, channels, bitDepth: 8, data };
}
