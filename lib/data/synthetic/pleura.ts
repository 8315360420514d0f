/**
 * Findings of the pleura: effusion, thickening, pneumothorax.
 *
 * @module
 */
import { type Anatomy, lookUp, type LungShape } from "./anatomy.ts";
import { type Canvas, stroke } from "./canvas.ts";
import type { Finding } from "./findings.ts";
import { noiseAt, valueNoise } from "./noise.ts";
import { clamp, eachLungPixel, lungsOf, type Painter, type PaintResult, signOf, veil } from "./painter.ts";

/** Fluid with a meniscus that rises at the side; blunts the costophrenic angle. */
export const effusion: Painter = (canvas, anatomy, { finding, rng, result }) => {
  for (const lung of lungsOf(finding)) {
    const shape = anatomy.lungs[lung]!;
    const level = shape.angleY - 0.03 - (shape.angleY - shape.apexY - 0.2) * finding.size ** 1.3 * 0.85;
    const rise = 0.035 + 0.1 * finding.size + 0.03 * rng();
    const dense = finding.severity === "mild" ? 0.85 : 0.95;
    veil(canvas, lung, {
      level: 0.69,
      opaque: true,
      share: (x, y, i) => {
        const lateral = clamp((Math.abs(x) - 0.08) / (shape.width - 0.08));
        const fluid = clamp((y - level + rise * lateral * lateral * lateral) / 0.025);
        if (result.pneumothorax) result.pneumothorax[i]! *= 1 - fluid;
        return dense * fluid;
      },
    });
  }
};

/** A bright, uneven band along the chest wall or over the apex. */
export const thickening: Painter = (canvas, anatomy, { finding, rng }) => {
  const noise = valueNoise(20, rng);
  const thick = 0.022 + 0.035 * finding.size;
  for (const lung of lungsOf(finding)) {
    const shape = anatomy.lungs[lung]!;
    const [top, bottom] = finding.zone === "upper"
      ? [shape.apexY, shape.apexY + 0.2]
      : [shape.domeY - 0.24, shape.angleY];
    veil(canvas, lung, {
      level: 0.75,
      opaque: true,
      share: (x, y) => {
        const depth = lookUp(shape.outer, y) - Math.abs(x);
        const along = clamp((y - top) / 0.02 + 0.5) * clamp((bottom - y) / 0.05);
        const cap = finding.zone === "upper" ? Math.min(depth, y - shape.apexY) : depth;
        return along * 0.85 * clamp((thick * (0.5 + noiseAt(noise, 0.5, y)) - cap) / 0.012);
      },
    });
  }
};

/** The visceral pleura of a pneumothorax: its distance from the midline by `y`, farthest from the wall at the apex. */
function pleuralLine(shape: LungShape, size: number): (y: number) => number {
  const widest = 0.045 + 0.16 * size ** 1.2;
  const top = shape.apexY + 0.04 + 0.12 * size;
  return (y) => {
    if (y < top) return -0.1;
    const t = clamp((y - top) / (shape.angleY - top));
    const edge = lookUp(shape.outer, y) - widest * (1 - 0.75 * t * (1 - size * 0.6));
    const round = Math.min(1, t / 0.2);
    return 0.08 + (edge - 0.08) * Math.sqrt(round * (2 - round));
  };
}

/**
 * Lets the air of pneumothoraces in: darkens the pleural space and takes it out of the lung map, so that no vessel or
 * opacity is drawn there; to be called before them.
 *
 * @param options `findings` of the study; `result` receives the map of the air.
 * @returns The lung map as it was, for what lies in the pleura.
 */
export function admitAir(
  canvas: Canvas,
  anatomy: Anatomy,
  options: { findings: readonly Finding[]; result: PaintResult },
): Float32Array {
  const whole = canvas.lung.slice();
  for (const finding of options.findings) {
    if (finding.name !== "Pneumothorax") continue;
    const mask = options.result.pneumothorax ??= new Float32Array(whole.length);
    for (const lung of lungsOf(finding)) {
      const line = pleuralLine(anatomy.lungs[lung]!, finding.size);
      eachLungPixel(canvas, lung, (x, y, i) => {
        const air = clamp((Math.abs(x) - line(y)) / 0.01 + 0.5);
        mask[i] = air * whole[i]!;
        canvas.light[i]! -= 0.12 * mask[i]!;
        canvas.lung[i]! *= 1 - air;
      });
    }
  }
  return whole;
}

/** The visceral pleura's thin bright line and the denser lung that is left; the air itself is let in before. */
export const pneumothorax: Painter = (canvas, anatomy, { finding }) => {
  for (const lung of lungsOf(finding)) {
    const shape = anatomy.lungs[lung]!;
    const line = pleuralLine(shape, finding.size);
    const dense = 0.06 + 0.3 * finding.size ** 2;
    veil(canvas, lung, { level: 0.55, share: (x, y) => dense * clamp((line(y) - Math.abs(x)) / 0.02) });
    const top = shape.apexY + 0.042 + 0.12 * finding.size;
    const edge: [number, number][] = [];
    for (let k = 0; k <= 24; k++) {
      const y = top + (shape.domeY - top) * k / 24;
      edge.push([signOf(lung) * Math.max(0.08, line(y)), y]);
    }
    stroke(canvas, edge, { width: 0.009, amount: 0.2 });
  }
};
