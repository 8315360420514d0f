/**
 * Findings inside the lung: atelectasis, consolidation, edema, lesion, unspecific opacity, pneumonia.
 *
 * @module
 */
import { lookUp } from "./anatomy.ts";
import { curve, disc, stroke } from "./canvas.ts";
import { paintVessels } from "./chest_base.ts";
import { noiseAt, valueNoise } from "./noise.ts";
import { clamp, lungsOf, type Painter, signOf, veil, zoneCentre } from "./painter.ts";

/** Plate-like bands and a crowded base; the raised diaphragm is in the geometry. */
export const atelectasis: Painter = (canvas, anatomy, { finding, rng }) => {
  for (const lung of lungsOf(finding)) {
    const shape = anatomy.lungs[lung]!;
    const bands = 1 + Math.round(2 * finding.size * rng() + finding.size);
    const from = finding.zone === "mid" ? shape.domeY - 0.2 : shape.domeY - 0.06;
    for (let b = 0; b < bands; b++) {
      const y = from - b * 0.035 + (rng() - 0.5) * 0.02;
      const start = 0.12 + rng() * 0.06;
      const end = Math.min(start + 0.12 + 0.1 * rng(), lookUp(shape.outer, y) - 0.01);
      stroke(canvas, curve([signOf(lung) * start, y + 0.01], [signOf(lung) * end, y + (rng() - 0.4) * 0.05], 0.05), {
        width: 0.012 + 0.014 * finding.size,
        amount: 0.16 + 0.16 * finding.size,
        inLung: true,
      });
    }
    // crowded, airless base
    const haze = 0.1 + 0.3 * finding.size;
    if (finding.zone !== "mid") {
      veil(canvas, lung, { level: 0.62, share: (_x, y) => haze * clamp(1 - (shape.domeY - y) / 0.1) });
    }
  }
};

/** A dense lobe with the fissure as its sharp edge, and air bronchograms. */
export const consolidation: Painter = (canvas, anatomy, { finding, rng }) => {
  const noise = valueNoise(9, rng);
  const strength = 0.42 + 0.48 * finding.size;
  for (const lung of lungsOf(finding)) {
    const shape = anatomy.lungs[lung]!;
    const height = shape.domeY - shape.apexY;
    const fissure = shape.apexY + height * 0.5;
    const reach = 0.08 + 0.08 * finding.size;
    const centre = zoneCentre(anatomy, lung, { zone: finding.zone, rng: () => 0.5 });
    veil(canvas, lung, {
      level: 0.68,
      share: (x, y) => {
        const a = Math.abs(x);
        let part: number;
        if (finding.zone === "upper") {
          // the minor fissure is a sharp, nearly level lower edge
          part = clamp((fissure + 0.05 * (a - 0.2) - y) / 0.012) *
            clamp((y - (fissure - 0.2 - 0.25 * finding.size)) / 0.06);
        } else if (finding.zone === "mid") {
          part = clamp((y - fissure) / 0.012) * clamp((fissure + 0.13 + reach * 0.5 - y) / 0.05) *
            clamp((0.34 - a) / 0.08);
        } else {
          part = clamp((y - (shape.domeY - 0.13 - reach)) / 0.07) * clamp((a - 0.06) / 0.03);
        }
        return part * strength * (0.82 + 0.3 * (noiseAt(noise, x + 0.5, y) - 0.3));
      },
    });
    // air bronchograms
    for (let k = 0; k < 4; k++) {
      const to: [number, number] = [centre[0] + (rng() - 0.3) * signOf(lung) * 0.12, centre[1] + (rng() - 0.5) * 0.14];
      stroke(canvas, curve([signOf(lung) * 0.1, (shape.hilum.y + centre[1]) / 2], to, 0.1), {
        width: 0.008,
        amount: -0.1 * strength,
        inLung: true,
      });
    }
  }
};

/** Haze around both hila, full vessels and Kerley B lines. */
export const edema: Painter = (canvas, anatomy, { finding, rng }) => {
  const noise = valueNoise(16, rng);
  const strength = 0.22 + 0.5 * finding.size;
  paintVessels(canvas, anatomy, { rng, fullness: 0.7 + 0.5 * finding.size });
  for (const lung of [0, 1] as const) {
    const { hilum, width, domeY } = anatomy.lungs[lung]!;
    veil(canvas, lung, {
      level: 0.66,
      share: (x, y) => {
        const u = (x - hilum.x * 1.3) / 0.17, v = (y - hilum.y - 0.06) / 0.21;
        return strength * Math.exp(-(u * u + v * v)) * (0.65 + 0.7 * noiseAt(noise, x + 0.5, y)) + 0.06 * finding.size;
      },
    });
    // Kerley B lines at the side of the base
    for (let k = 0; k < 5; k++) {
      const y = domeY - 0.02 - k * 0.025;
      const outer = Math.min(lookUp(anatomy.lungs[lung]!.outer, y), width);
      stroke(canvas, [[signOf(lung) * (outer - 0.05), y + 0.004], [signOf(lung) * (outer - 0.005), y]], {
        width: 0.005,
        amount: 0.12 + 0.15 * finding.size,
        inLung: true,
      });
    }
  }
};

/** One or two round nodules or masses with a sharp rim. */
export const lesion: Painter = (canvas, anatomy, { finding, rng }) => {
  const count = finding.size > 0.5 && rng() < 0.3 ? 2 : 1;
  for (const lung of lungsOf(finding)) {
    for (let k = 0; k < count; k++) {
      const radius = (0.02 + 0.055 * finding.size) * (k === 0 ? 1 : 0.7);
      disc(canvas, zoneCentre(anatomy, lung, { zone: finding.zone, rng }), {
        rx: radius * (0.9 + 0.2 * rng()),
        ry: radius,
        amount: 0.5 + 0.25 * finding.size,
        towards: 0.68,
        soft: 0.35,
        inLung: true,
      });
    }
  }
};

/** One hazy, ill-defined opacity. */
export const opacity: Painter = (canvas, anatomy, { finding, rng }) => {
  const noise = valueNoise(8, rng);
  for (const lung of lungsOf(finding)) {
    const [cx, cy] = zoneCentre(anatomy, lung, { zone: finding.zone, rng });
    const r = 0.07 + 0.06 * finding.size;
    veil(canvas, lung, {
      level: 0.64,
      share: (x, y) => {
        const u = (x - cx) / r, v = (y - cy) / (r * 1.15);
        return (0.28 + 0.4 * finding.size) * Math.exp(-(u * u + v * v)) * (0.75 + 0.5 * noiseAt(noise, x + 0.5, y));
      },
    });
  }
};

/** A patchy infiltrate: a cluster of small, uneven, ill-defined opacities; its map is kept for the boxes. */
export const pneumonia: Painter = (canvas, anatomy, { finding, rng, result }) => {
  const noise = valueNoise(22, rng);
  for (const lung of lungsOf(finding)) {
    const [cx, cy] = zoneCentre(anatomy, lung, { zone: finding.zone, rng });
    const keep = new Float32Array(canvas.light.length);
    const spread = 0.05 + 0.05 * finding.size;
    const patches: number[] = [];
    for (let k = 0; k < 4 + Math.round(4 * finding.size); k++) {
      patches.push(cx + (rng() - 0.5) * 2 * spread, cy + (rng() - 0.5) * 2.4 * spread, 0.028 + 0.028 * rng());
    }
    const strength = 0.45 + 0.4 * finding.size;
    veil(canvas, lung, {
      level: 0.66,
      keep,
      share: (x, y) => {
        let clear = 1;
        for (let k = 0; k < patches.length; k += 3) {
          const u = (x - patches[k]!) / patches[k + 2]!, v = (y - patches[k + 1]!) / patches[k + 2]!;
          const d = u * u + v * v;
          if (d < 5) clear *= 1 - 0.75 * Math.exp(-d);
        }
        return (1 - clear) * strength * (0.45 + 0.95 * noiseAt(noise, x + 0.5, y));
      },
    });
    result.pneumonia.push(keep);
  }
};
