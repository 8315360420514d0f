/**
 * The normal chest: soft tissue, lungs, mediastinum and heart, abdomen, ribs, clavicles, trachea and vessels.
 *
 * @module
 */
import { type Anatomy, TABLE } from "./anatomy.ts";
import { type Canvas, curve, disc, stroke } from "./canvas.ts";
import { noiseAt, valueNoise } from "./noise.ts";

/** A rib that is broken: its outer part is displaced. */
export interface BrokenRib {
  /** Index of the lung beside it (0 the patient's right). */
  lung: 0 | 1;
  /** Which posterior rib, from the top. */
  rib: number;
  /** Distance of the break from the midline. */
  distance: number;
  /** Downward displacement of the outer part. */
  displaced: number;
}

const LAST = TABLE - 1;

/**
 * Paints the normal chest on `canvas` and fills its lung map.
 *
 * @param canvas Fresh from `createCanvas`.
 * @param anatomy The chest's geometry.
 * @param options `rng` for textures, `broken` for ribs that are broken.
 */
export function paintChest(
  canvas: Canvas,
  anatomy: Anatomy,
  options: { rng: () => number; broken: readonly BrokenRib[] },
): void {
  const { size, light, lung } = canvas;
  const { x0, y0, xx, xy, yx, yy } = canvas.toUnit;
  const { ribs, heart, body, mediastinalShift } = anatomy;
  const { rng, broken } = options;
  const texture = valueNoise(10, rng);
  const lungLevel = 0.2 + rng() * 0.08;
  const tissue = 0.5 + rng() * 0.08;
  const breast = rng() < 0.5 ? 0.05 + rng() * 0.09 : 0.02;
  const abdomen = 0.7 + rng() * 0.08;
  const blur = Math.max(0.011, 0.8 / size);
  const ribBlur = Math.max(0.07, 0.6 / size / ribs.spacing);
  const spineY = rng();
  for (let py = 0, i = 0; py < size; py++) {
    for (let px = 0; px < size; px++, i++) {
      const x = x0 + px * xx + py * yx;
      const y = y0 + px * xy + py * yy;
      const side = x < 0 ? 0 : 1;
      const a = x < 0 ? -x : x;
      const shape = anatomy.lungs[side]!;
      let row = (y * LAST + 0.5) | 0;
      row = row < 0 ? 0 : row > LAST ? LAST : row;
      let col = (a * 2 * LAST + 0.5) | 0;
      col = col > LAST ? LAST : col;
      // body against air
      let inside = (body[row]! - a) / 0.02 + 0.5;
      inside = inside < 0 ? 0 : inside > 1 ? 1 : inside;
      if (inside === 0) {
        light[i] = 0.03;
        continue;
      }
      const outer = shape.outer[row]!;
      const dome = shape.dome[col]!;
      // soft tissue, thicker towards the abdomen, thinner at the sides
      const rim = a / body[row]!;
      let value = tissue - 0.16 * rim * rim * rim + 0.12 * (y - 0.4) + 0.06 * (noiseAt(texture, x + 0.5, y) - 0.5);
      // lung
      let cover = 0;
      if (y > shape.apexY - 0.03) {
        let edge = (outer - a) / blur + 0.5;
        let medial = (a - shape.inner[row]!) / blur + 0.5;
        let base = (dome - y) / (blur * 1.2) + 0.5;
        let apex = (y - shape.apexY) / blur + 0.5;
        edge = edge < 0 ? 0 : edge > 1 ? 1 : edge;
        medial = medial < 0 ? 0 : medial > 1 ? 1 : medial;
        base = base < 0 ? 0 : base > 1 ? 1 : base;
        apex = apex < 0 ? 0 : apex > 1 ? 1 : apex;
        cover = edge * medial * base * apex;
        // chest wall seen edge on
        const wall = (a - outer) / 0.03;
        if (wall > 0 && wall < 1.5 && y < dome + 0.1) value += 0.07 * (1.5 - wall) / 1.5;
        if (base < 1) value += (abdomen - value) * (1 - base) * (a < outer + 0.06 ? 1 : 0.6);
      }
      if (cover > 0) {
        const depth = (a - 0.1) / (outer - 0.08);
        const level = lungLevel + breast * (y - 0.35) + 0.05 * depth * depth * depth +
          0.05 * (noiseAt(texture, y, x + 0.5) - 0.5);
        value += (level - value) * cover;
      }
      // heart, great vessels and spine
      const m = x - mediastinalShift;
      const border = m < 0 ? heart.right[row]! : heart.left[row]!;
      const ma = m < 0 ? -m : m;
      let inHeart = (border - ma) / (blur * 1.3) + 0.5;
      if (inHeart > 0 && y > 0.08) {
        inHeart = inHeart > 1 ? 1 : inHeart;
        const round = ma / border;
        const level = 0.72 - 0.12 * round * round + 0.06 * (y - 0.5);
        if (y < dome) cover *= 1 - inHeart;
        if (level > value || y < dome) value += (level - value) * inHeart * (y < 0.16 ? (y - 0.08) * 12.5 : 1);
      }
      if (a < 0.05) {
        const disc = (y + spineY) / 0.052;
        value += (0.05 + (disc - Math.floor(disc) < 0.22 ? -0.02 : 0.012)) * (1 - a / 0.05);
      }
      // ribs: posterior ones fall outwards, anterior ones fall inwards
      if (a > 0.03 && a < outer + 0.035 && y > 0.07 && y < dome + 0.12) {
        const away = a - 0.1;
        let distance = y - ribs.top - (away > 0 ? ribs.drop * away * away : 0.3 * away * away);
        const under = y > dome ? 0.45 : 1;
        for (let b = 0; b < broken.length; b++) {
          const it = broken[b]!;
          if (it.lung !== side || a < it.distance) continue;
          const mine = distance / ribs.spacing - it.rib;
          if (mine > -0.1 && mine < 1.3) distance -= it.displaced;
        }
        let phase = distance / ribs.spacing;
        const number = Math.floor(phase);
        phase -= number + 0.5;
        if (number >= 0 && number < 10) {
          let band = (ribs.half - (phase < 0 ? -phase : phase)) / ribBlur + 0.5;
          band = band < 0 ? 0 : band > 1 ? 1 : band;
          const cortex = band < 1 ? 1.15 : 0.85;
          value += ribs.contrast * band * cortex * under * (0.6 + a);
        }
        if (a > 0.13) {
          const inward = outer + 0.03 - a;
          let front = (y - ribs.top - 0.13 - 1.25 * inward + 0.9 * inward * inward) / (ribs.spacing * 1.12);
          const frontNumber = Math.floor(front);
          front -= frontNumber + 0.5;
          if (frontNumber >= 0 && frontNumber < 6) {
            let band = (ribs.half * 1.15 - (front < 0 ? -front : front)) / ribBlur + 0.5;
            band = band < 0 ? 0 : band > 1 ? 1 : band;
            value += ribs.contrast * 0.5 * band * under;
          }
        }
      }
      light[i] = 0.03 + (value - 0.03) * inside;
      lung[i] = cover;
    }
  }
  paintDetails(canvas, anatomy, rng);
}

/** Trachea, clavicles, shoulder blades, stomach bubble. */
function paintDetails(canvas: Canvas, anatomy: Anatomy, rng: () => number): void {
  const shift = anatomy.mediastinalShift;
  const carina: [number, number] = [0.006 + shift, 0.385];
  stroke(canvas, [[0, 0.02], [0.002 + shift * 0.5, 0.2], carina], { width: 0.036, amount: -0.1 });
  stroke(canvas, [carina, [-0.05 + shift, 0.43]], { width: 0.02, amount: -0.06 });
  stroke(canvas, [carina, [0.06 + shift, 0.43]], { width: 0.018, amount: -0.06 });
  for (const sign of [-1, 1]) {
    const { y, rise } = anatomy.clavicle;
    stroke(canvas, curve([sign * 0.035, y], [sign * 0.4, y - rise], sign * 0.05), { width: 0.03, amount: 0.1 });
    stroke(canvas, curve([sign * 0.035, y + 0.012], [sign * 0.4, y - rise + 0.012], sign * 0.05), {
      width: 0.006,
      amount: 0.07,
    });
    const blade = anatomy.view === "AP" ? 0.33 : 0.4;
    stroke(canvas, curve([sign * (blade + 0.05), 0.17], [sign * blade, 0.42], sign * 0.03), {
      width: 0.022,
      amount: 0.05,
    });
    disc(canvas, [sign * 0.46, 0.16], { rx: 0.05, amount: 0.12, soft: 0.4 });
  }
  if (rng() < 0.75) {
    const left = anatomy.lungs[1]!;
    disc(canvas, [0.17 + rng() * 0.06, left.domeY + 0.075 + rng() * 0.02], {
      rx: 0.05 + rng() * 0.03,
      ry: 0.02 + rng() * 0.018,
      amount: -0.22,
      soft: 0.6,
    });
  }
}

/**
 * Draws the vessels that branch from both hila, in the lungs only.
 *
 * @param options `rng`; `fullness` scales their brightness and width (congestion, @default 1).
 */
export function paintVessels(
  canvas: Canvas,
  anatomy: Anatomy,
  options: { rng: () => number; fullness?: number },
): void {
  const { rng } = options;
  const fullness = options.fullness ?? 1;
  for (const side of [0, 1]) {
    const { hilum, width } = anatomy.lungs[side]!;
    const sign = side === 0 ? -1 : 1;
    const x = hilum.x + anatomy.mediastinalShift;
    disc(canvas, [x, hilum.y], { rx: 0.03, ry: 0.06, amount: 0.1 * fullness, soft: 0.9, inLung: true });
    const branches = 8;
    for (let b = 0; b < branches; b++) {
      const angle = -1.25 + 2.75 * (b + rng()) / branches;
      const length = (0.13 + 0.12 * rng()) * (angle < -0.5 ? 0.9 : 1.15);
      const end: [number, number] = [
        x + sign * Math.min(Math.cos(angle) * length, width - 0.1),
        hilum.y + Math.sin(angle) * length,
      ];
      const path = curve([x + sign * 0.012 * rng(), hilum.y + (rng() - 0.5) * 0.08], end, (rng() - 0.5) * 0.3, 3);
      const thick = (0.011 + 0.006 * rng()) * fullness;
      for (let p = 1; p < path.length; p++) {
        stroke(canvas, [path[p - 1]!, path[p]!], {
          width: thick * (1.2 - 0.28 * p),
          amount: (0.1 + (p === 1 ? -0.02 : 0.01) - 0.012 * p) * fullness,
          inLung: true,
        });
      }
      const middle = path[1]!;
      const away = angle + (rng() < 0.5 ? 0.6 : -0.6);
      stroke(canvas, [middle, [middle[0] + sign * Math.cos(away) * 0.08, middle[1] + Math.sin(away) * 0.08]], {
        width: thick * 0.55,
        amount: 0.08 * fullness,
        inLung: true,
      });
    }
  }
}
