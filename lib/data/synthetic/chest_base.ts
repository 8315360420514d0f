/**
 * The normal chest: soft tissue, lungs, mediastinum and heart, abdomen, ribs, clavicles, trachea and vessels.
 *
 * @module
 */
import { type Anatomy, lookUp, type RibPattern } from "./anatomy.ts";
import { type Canvas, curve, disc, stroke } from "./canvas.ts";
import { noiseAt, type ValueNoise, valueNoise } from "./noise.ts";

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

/** What differs from film to film beside the anatomy: levels of light, and how soft an edge is. */
interface FilmLook {
  texture: ValueNoise;
  lung: number;
  tissue: number;
  breast: number;
  abdomen: number;
  /** In unit coordinates. */
  blur: number;
  /** As a share of the ribs' spacing. */
  ribBlur: number;
  /** Phase of the vertebrae. */
  spineY: number;
}

function drawLook(size: number, { ribs }: Anatomy, rng: () => number): FilmLook {
  return {
    texture: valueNoise(10, rng),
    lung: 0.2 + rng() * 0.08,
    tissue: 0.5 + rng() * 0.08,
    breast: rng() < 0.5 ? 0.05 + rng() * 0.09 : 0.02,
    abdomen: 0.7 + rng() * 0.08,
    blur: Math.max(0.011, 0.8 / size),
    ribBlur: Math.max(0.07, 0.6 / size / ribs.spacing),
    spineY: rng(),
  };
}

/** `t` held between 0 and 1: the soft edge of a shape. */
function ramp(t: number): number {
  return t < 0 ? 0 : t > 1 ? 1 : t;
}

function softTissue({ tissue, texture }: FilmLook, x: number, y: number, rim: number): number {
  return tissue - 0.16 * rim * rim * rim + 0.12 * (y - 0.4) + 0.06 * (noiseAt(texture, x + 0.5, y) - 0.5);
}

function lungLight({ lung, breast, texture }: FilmLook, x: number, y: number, depth: number): number {
  return lung + breast * (y - 0.35) + 0.05 * depth * depth * depth + 0.05 * (noiseAt(texture, y, x + 0.5) - 0.5);
}

function heartLight(y: number, round: number): number {
  return 0.72 - 0.12 * round * round + 0.06 * (y - 0.5);
}

/** Vertebrae and the discs between them. */
function spineLight({ spineY }: FilmLook, y: number): number {
  const disc = (y + spineY) / 0.052;
  return 0.05 + (disc - Math.floor(disc) < 0.22 ? -0.02 : 0.012);
}

/** A posterior rib, which falls outwards; `a` is the distance from the midline, `under` what the abdomen leaves of the light. */
function posteriorRib({ ribBlur }: FilmLook, ribs: RibPattern, fallen: number, a: number, under: number): number {
  let phase = fallen / ribs.spacing;
  const number = Math.floor(phase);
  phase -= number + 0.5;
  if (number < 0 || number >= 10) return 0;
  const band = ramp((ribs.half - (phase < 0 ? -phase : phase)) / ribBlur + 0.5);
  const cortex = band < 1 ? 1.15 : 0.85;
  return ribs.contrast * band * cortex * under * (0.6 + a);
}

/** How far below the first posterior rib's line a point lies, the displacement of broken ribs taken away. */
function ribDistance(ribs: RibPattern, broken: readonly BrokenRib[], side: 0 | 1, a: number, y: number): number {
  const away = a - 0.1;
  let distance = y - ribs.top - (away > 0 ? ribs.drop * away * away : 0.3 * away * away);
  for (const { lung, rib, distance: start, displaced } of broken) {
    if (lung !== side || a < start) continue;
    const mine = distance / ribs.spacing - rib;
    if (mine > -0.1 && mine < 1.3) distance -= displaced;
  }
  return distance;
}

/** An anterior rib, which falls inwards; `inward` is the distance from the chest wall. */
function anteriorRib({ ribBlur }: FilmLook, ribs: RibPattern, y: number, inward: number, under: number): number {
  let phase = (y - ribs.top - 0.13 - 1.25 * inward + 0.9 * inward * inward) / (ribs.spacing * 1.12);
  const number = Math.floor(phase);
  phase -= number + 0.5;
  if (number < 0 || number >= 6) return 0;
  const band = ramp((ribs.half * 1.15 - (phase < 0 ? -phase : phase)) / ribBlur + 0.5);
  return ribs.contrast * 0.5 * band * under;
}

/** A film that is painted. */
interface Film {
  anatomy: Anatomy;
  look: FilmLook;
  broken: readonly BrokenRib[];
}

/** Paints the pixel at index `i`, which lies at `x` and `y` in unit coordinates. */
function paintPoint({ light, lung }: Canvas, i: number, { anatomy, look, broken }: Film, x: number, y: number): void {
  const { ribs, heart, body, mediastinalShift } = anatomy;
  const { blur } = look;
  const side = x < 0 ? 0 : 1;
  const a = x < 0 ? -x : x; // distance from the midline
  const shape = anatomy.lungs[side];
  const half = lookUp(body, y);
  const inside = ramp((half - a) / 0.02 + 0.5); // body against air
  if (inside === 0) {
    light[i] = 0.03;
    return;
  }
  const outer = lookUp(shape.outer, y);
  const dome = lookUp(shape.dome, a * 2);
  let value = softTissue(look, x, y, a / half);
  let cover = 0; // of the lung
  if (y > shape.apexY - 0.03) {
    const base = ramp((dome - y) / (blur * 1.2) + 0.5);
    cover = ramp((outer - a) / blur + 0.5) * ramp((a - lookUp(shape.inner, y)) / blur + 0.5) * base *
      ramp((y - shape.apexY) / blur + 0.5);
    const wall = (a - outer) / 0.03; // seen edge on
    if (wall > 0 && wall < 1.5 && y < dome + 0.1) value += 0.07 * (1.5 - wall) / 1.5;
    if (base < 1) value += (look.abdomen - value) * (1 - base) * (a < outer + 0.06 ? 1 : 0.6);
  }
  if (cover > 0) value += (lungLight(look, x, y, (a - 0.1) / (outer - 0.08)) - value) * cover;
  const m = x - mediastinalShift;
  const border = lookUp(m < 0 ? heart.right : heart.left, y);
  const inHeart = y > 0.08 ? ramp((border - (m < 0 ? -m : m)) / (blur * 1.3) + 0.5) : 0;
  if (inHeart > 0) {
    const level = heartLight(y, (m < 0 ? -m : m) / border);
    if (y < dome) cover *= 1 - inHeart;
    if (level > value || y < dome) value += (level - value) * inHeart * (y < 0.16 ? (y - 0.08) * 12.5 : 1);
  }
  if (a < 0.05) value += spineLight(look, y) * (1 - a / 0.05);
  if (a > 0.03 && a < outer + 0.035 && y > 0.07 && y < dome + 0.12) {
    const under = y > dome ? 0.45 : 1; // through the abdomen
    value += posteriorRib(look, ribs, ribDistance(ribs, broken, side, a, y), a, under);
    if (a > 0.13) value += anteriorRib(look, ribs, y, outer + 0.03 - a, under);
  }
  light[i] = 0.03 + (value - 0.03) * inside;
  lung[i] = cover;
}

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
  { rng, broken }: { rng: () => number; broken: readonly BrokenRib[] },
): void {
  const { size } = canvas;
  const { x0, y0, xx, xy, yx, yy } = canvas.toUnit;
  const film: Film = { anatomy, look: drawLook(size, anatomy, rng), broken };
  for (let py = 0, i = 0; py < size; py++) {
    for (let px = 0; px < size; px++, i++) {
      paintPoint(canvas, i, film, x0 + px * xx + py * yx, y0 + px * xy + py * yy);
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
