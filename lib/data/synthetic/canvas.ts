/**
 * The drawing surface of a synthetic radiograph: one brightness a pixel in `[0, 1]` (bright absorbs, as films are shown)
 * and the transform between pixels and the chest's unit coordinates.
 *
 * @module
 */
import type { Anatomy } from "./anatomy.ts";

/** A square surface and the maps that findings need. */
export interface Canvas {
  /** Pixels a side. */
  size: number;
  /** Brightness, row-major. */
  light: Float32Array;
  /** How much of each pixel is lung, in `[0, 1]`. */
  lung: Float32Array;
  /** Unit coordinates of pixel (0, 0)'s centre and their steps to the right and downwards. */
  toUnit: { x0: number; y0: number; xx: number; xy: number; yx: number; yy: number };
}

/** An empty canvas for a chest posed as `anatomy` says. */
export function createCanvas(size: number, anatomy: Anatomy): Canvas {
  const cos = Math.cos(anatomy.rotation) / anatomy.scale;
  const sin = Math.sin(anatomy.rotation) / anatomy.scale;
  const step = 1 / size;
  const u = 0.5 * step - 0.5 - anatomy.shift.x;
  const v = 0.5 * step - 0.5 - anatomy.shift.y;
  return {
    size,
    light: new Float32Array(size * size),
    lung: new Float32Array(size * size),
    toUnit: {
      x0: u * cos + v * sin,
      y0: -u * sin + v * cos + 0.5,
      xx: cos * step,
      xy: -sin * step,
      yx: sin * step,
      yy: cos * step,
    },
  };
}

/** The pixel position (fractional, pixel centres at integers) of the unit point `(x, y)`. */
function toPixel(canvas: Canvas, x: number, y: number): [number, number] {
  const { x0, y0, xx, xy, yx, yy } = canvas.toUnit;
  const determinant = xx * yy - yx * xy;
  const dx = x - x0, dy = y - y0;
  return [(dx * yy - dy * yx) / determinant, (dy * xx - dx * xy) / determinant];
}

/** How {@linkcode stroke} draws. */
export interface StrokeOptions {
  /** Width in unit coordinates; never drawn thinner than about a pixel, but fainter. @default 0.01 */
  width?: number;
  /** Added brightness (negative darkens). @default 0.1 */
  amount?: number;
  /** Draw only where there is lung. @default false */
  inLung?: boolean;
}

/** Draws a polyline of unit points, soft at its edges, brightest where the segments are. */
export function stroke(
  canvas: Canvas,
  points: readonly (readonly [number, number])[],
  options: StrokeOptions = {},
): void {
  const { size, light, lung } = canvas;
  const wanted = (options.width ?? 0.01) * size / 2;
  const half = Math.max(wanted, 0.55);
  // a line thinner than a pixel covers less of it, but stays visible
  const amount = (options.amount ?? 0.1) * Math.sqrt(wanted / half);
  const reach = half + 0.6;
  for (let p = 1; p < points.length; p++) {
    const [ax, ay] = toPixel(canvas, points[p - 1]![0], points[p - 1]![1]);
    const [bx, by] = toPixel(canvas, points[p]![0], points[p]![1]);
    const dx = bx - ax, dy = by - ay;
    const squared = Math.max(dx * dx + dy * dy, 1e-6);
    const left = Math.max(0, Math.ceil(Math.min(ax, bx) - reach));
    const right = Math.min(size - 1, Math.floor(Math.max(ax, bx) + reach));
    const top = Math.max(0, Math.ceil(Math.min(ay, by) - reach));
    const bottom = Math.min(size - 1, Math.floor(Math.max(ay, by) + reach));
    const last = p === points.length - 1;
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const t = ((x - ax) * dx + (y - ay) * dy) / squared;
        // each segment owns [0, 1), so joints are not drawn twice
        if (t < 0 || (last ? t > 1 : t >= 1)) continue;
        const ex = x - ax - t * dx, ey = y - ay - t * dy;
        const distance = Math.sqrt(ex * ex + ey * ey);
        const cover = Math.min(1, half + 0.5 - distance);
        if (cover <= 0) continue;
        const i = y * size + x;
        light[i]! += amount * cover * (options.inLung ? lung[i]! : 1);
      }
    }
  }
}

/** Points on a line that bends by `bend` at its middle, for vessels, tubes and wires. */
export function curve(
  from: readonly [number, number],
  to: readonly [number, number],
  bend = 0,
  steps = 6,
): [number, number][] {
  const points: [number, number][] = [];
  const dx = to[0] - from[0], dy = to[1] - from[1];
  for (let i = 0; i <= steps; i++) {
    const t = i / steps;
    const b = 4 * bend * t * (1 - t);
    points.push([from[0] + dx * t - dy * b, from[1] + dy * t + dx * b]);
  }
  return points;
}

/** How {@linkcode disc} draws. */
export interface DiscOptions {
  /** Half axes in unit coordinates. @default 0.02 */
  rx?: number;
  /** As `rx`. @default the value of `rx` */
  ry?: number;
  /** Added brightness; with `towards`, the share of the way. @default 0.1 */
  amount?: number;
  /** Brightness to move towards instead of adding. */
  towards?: number;
  /** Softness of the edge as a share of the radius; 1 is a soft blob. @default 0.3 */
  soft?: number;
  /** Draw only where there is lung. @default false */
  inLung?: boolean;
}

/** Draws a filled ellipse around the unit point `(x, y)`. */
export function disc(canvas: Canvas, centre: readonly [number, number], options: DiscOptions = {}): void {
  const { size, light, lung, toUnit } = canvas;
  const rx = options.rx ?? 0.02, ry = options.ry ?? rx;
  const amount = options.amount ?? 0.1, towards = options.towards;
  const soft = Math.max(options.soft ?? 0.3, 0.6 / (size * Math.min(rx, ry)));
  const grow = 1 + soft / 2;
  const [px, py] = toPixel(canvas, centre[0], centre[1]);
  const reach = Math.max(rx, ry) * grow * size * 1.2 + 1;
  const left = Math.max(0, Math.ceil(px - reach)), right = Math.min(size - 1, Math.floor(px + reach));
  const top = Math.max(0, Math.ceil(py - reach)), bottom = Math.min(size - 1, Math.floor(py + reach));
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const u = (toUnit.x0 + x * toUnit.xx + y * toUnit.yx - centre[0]) / rx;
      const v = (toUnit.y0 + x * toUnit.xy + y * toUnit.yy - centre[1]) / ry;
      const edge = (grow - Math.sqrt(u * u + v * v)) / soft;
      if (edge <= 0) continue;
      const i = y * size + x;
      const cover = (edge >= 1 ? 1 : edge * edge * (3 - 2 * edge)) * amount * (options.inLung ? lung[i]! : 1);
      light[i]! += towards === undefined ? cover : cover * (towards - light[i]!);
    }
  }
}
