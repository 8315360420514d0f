/**
 * What the painters of findings share: visiting a lung's pixels, veiling them, and finding a place in a lung.
 *
 * @module
 */
import { type Anatomy, lookUp } from "./anatomy.ts";
import type { BrokenRib } from "./chest_base.ts";
import type { Canvas } from "./canvas.ts";
import type { Finding } from "./findings.ts";

/** What painting leaves behind for the data set. */
export interface PaintResult {
  /** Share of each pixel that is pneumothorax. */
  pneumothorax?: Float32Array;
  /** Share of each pixel that is pneumonia, one map a lung. */
  pneumonia: Float32Array[];
}

/** What a painter is given beside canvas and anatomy. */
export interface PainterOptions {
  /** The finding to paint. */
  finding: Finding;
  /** Uniform numbers of this finding. */
  rng: () => number;
  /** Filled by painters. */
  result: PaintResult;
  /** The ribs that are broken. */
  broken: readonly BrokenRib[];
}

/** Draws one finding on the canvas. */
export type Painter = (canvas: Canvas, anatomy: Anatomy, options: PainterOptions) => void;

/** The lungs a finding touches: 0 the patient's right, 1 the left. */
export function lungsOf(finding: Finding): (0 | 1)[] {
  return finding.side === "left" ? [1] : finding.side === "right" ? [0] : [0, 1];
}

/** The direction of a lung: -1 the patient's right (left in the image), 1 the left. */
export function signOf(lung: 0 | 1): number {
  return lung === 0 ? -1 : 1;
}

/** `value` cut to `[0, 1]`. */
export function clamp(value: number): number {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}

/** Calls `visit` for every pixel that holds some of one lung, with its unit coordinates. */
export function eachLungPixel(canvas: Canvas, lung: 0 | 1, visit: (x: number, y: number, i: number) => void): void {
  const { size, toUnit } = canvas;
  for (let py = 0, i = 0; py < size; py++) {
    for (let px = 0; px < size; px++, i++) {
      if (canvas.lung[i]! <= 0) continue;
      const x = toUnit.x0 + px * toUnit.xx + py * toUnit.yx;
      if ((x < 0) === (lung === 0)) visit(x, toUnit.y0 + px * toUnit.xy + py * toUnit.yy, i);
    }
  }
}

/** How {@linkcode veil} draws. */
export interface VeilOptions {
  /** Brightness to move towards. */
  level: number;
  /** Share of the way at unit point `(x, y)`, pixel `i`. */
  share: (x: number, y: number, i: number) => number;
  /** Receives the share where it is larger than what is there. @default none */
  keep?: Float32Array;
  /** Covers up to the lung's soft edge, so that no seam is left. @default false */
  opaque?: boolean;
}

/** Moves the brightness of one lung's pixels towards a level. */
export function veil(canvas: Canvas, lung: 0 | 1, options: VeilOptions): void {
  const { level, share, keep, opaque } = options;
  const { light } = canvas;
  eachLungPixel(canvas, lung, (x, y, i) => {
    const part = share(x, y, i) * (opaque ? Math.min(1, 4 * canvas.lung[i]!) : canvas.lung[i]!);
    if (part <= 0) return;
    light[i]! += part * (level - light[i]!);
    if (keep && part > keep[i]!) keep[i] = part;
  });
}

/** A point in a zone of a lung, near its middle, clear of the heart. */
export function zoneCentre(
  anatomy: Anatomy,
  lung: 0 | 1,
  options: { zone: Finding["zone"]; rng: () => number },
): [number, number] {
  const { zone, rng } = options;
  const shape = anatomy.lungs[lung]!;
  const height = shape.domeY - shape.apexY;
  const y = shape.apexY + height * ((zone === "upper" ? 0.25 : zone === "mid" ? 0.52 : 0.78) + (rng() - 0.5) * 0.16);
  const inner = Math.max(lookUp(shape.inner, y), lookUp(lung === 0 ? anatomy.heart.right : anatomy.heart.left, y));
  const outer = lookUp(shape.outer, y);
  return [signOf(lung) * (inner + (outer - inner) * (0.35 + 0.4 * rng())), y];
}
