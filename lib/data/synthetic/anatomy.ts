/**
 * The geometry of one synthetic chest in unit coordinates: `x` from -0.5 (the patient's right, left of the image) over 0
 * (midline) to 0.5, `y` from 0 (top) to 1. Everything is a table over `y` or over the distance from the midline, so
 * that painting a pixel costs a few look-ups at any image size.
 *
 * @module
 */

/** Entries of every table. */
const TABLE = 256;

/** One lung and the chest wall beside it; index 0 is the patient's right lung, 1 the left. */
export interface LungShape {
  /** Distance of the chest wall from the midline, by `y`. */
  outer: Float32Array;
  /** Distance of the mediastinal edge from the midline, by `y`. */
  inner: Float32Array;
  /** Height of the diaphragm, by distance from the midline (table over `[0, 0.5]`). */
  dome: Float32Array;
  /** Top of the lung. */
  apexY: number;
  /** Height of the dome's summit. */
  domeY: number;
  /** Height of the costophrenic angle. */
  angleY: number;
  /** Widest distance from the midline. */
  width: number;
  /** Where the hilum lies. */
  hilum: { x: number; y: number };
}

/** The ribs' pattern, alike on both sides. */
export interface RibPattern {
  /** Height of the first posterior rib at the spine. */
  top: number;
  /** Distance between ribs. */
  spacing: number;
  /** How far the posterior ribs drop towards the side. */
  drop: number;
  /** Half the width of a rib, as a share of the spacing. */
  half: number;
  /** Brightness of the posterior and anterior ribs. */
  contrast: number;
}

/** One drawn chest without findings. */
export interface Anatomy {
  /** AP films are rotated and scaled more, show a larger heart and smaller lungs. */
  view: "AP" | "PA";
  /** Radians. */
  rotation: number;
  /** Above 1 shows the chest larger than the frame. */
  scale: number;
  /** Shift of the chest in the frame. */
  shift: { x: number; y: number };
  /** The patient's right and left lung. */
  lungs: [LungShape, LungShape];
  /** Borders of heart and great vessels left and right of the midline in the image, by `y`. */
  heart: { right: Float32Array; left: Float32Array };
  /** Shift of the mediastinum, positive to the patient's left. */
  mediastinalShift: number;
  /** Ribs. */
  ribs: RibPattern;
  /** Half width of the body, by `y`. */
  body: Float32Array;
  /** Height of the clavicles' inner ends and how far their outer ends rise. */
  clavicle: { y: number; rise: number };
}

/** What findings change in the geometry before anything is painted. */
export interface AnatomyChanges {
  /** Factor on the heart's width. @default 1 */
  heart?: number;
  /** Factor on the width of the upper mediastinum. @default 1 */
  mediastinum?: number;
  /** How far each diaphragm stands up, right and left. @default [0, 0] */
  raised?: [number, number];
  /** Shift of the mediastinum, positive to the patient's left. @default 0 */
  shift?: number;
}

/** Fills a table over `[0, span]`. */
function table(span: number, value: (x: number) => number): Float32Array {
  const out = new Float32Array(TABLE);
  for (let i = 0; i < TABLE; i++) out[i] = value(i / (TABLE - 1) * span);
  return out;
}

/** The entry of `values` nearest to `at`, a share of the table's span; clamped. */
export function lookUp(values: Float32Array, x: number): number {
  const i = (x * (TABLE - 1) + 0.5) | 0;
  return values[i < 0 ? 0 : i >= TABLE ? TABLE - 1 : i]!;
}

/** A smooth bump of height 1 at `centre`. */
function bump(x: number, centre: number, width: number): number {
  const d = (x - centre) / width;
  return Math.exp(-d * d);
}

function drawLung(left: boolean, portable: boolean, raised: number, rng: () => number): LungShape {
  const spread = (span: number): number => (rng() - 0.5) * span;
  const apexY = 0.115 + spread(0.03);
  const width = (portable ? 0.365 : 0.38) + spread(0.03);
  const domeY = (left ? 0.755 : 0.725) + (portable ? -0.04 : 0) + spread(0.06) - raised;
  const angleY = domeY + 0.125 + spread(0.03) + raised * 0.6;
  const apexX = 0.155 + spread(0.02);
  const medial = 0.055;
  const flare = 0.02 + rng() * 0.02;
  const outer = table(1, (y) => {
    const t = Math.min(Math.max((y - apexY) / (angleY - apexY), 0), 1.1);
    const rising = 1 - Math.min(1, t / 0.68);
    return apexX + (width - flare - apexX) * Math.sqrt(1 - rising * rising) + flare * t * t;
  });
  const inner = table(1, (y) => {
    const t = Math.min(Math.max((y - apexY) / (angleY - apexY), 0), 1);
    const rising = 1 - Math.min(1, t / 0.22);
    return apexX - (apexX - medial) * Math.sqrt(1 - rising * rising);
  });
  const top = left ? 0.2 : 0.17;
  const dome = table(0.5, (a) => {
    const d = a < top ? (top - a) / 0.3 : (a - top) / (width - top);
    return domeY + (angleY - domeY) * (a < top ? 0.5 * d * d : d * d * (0.6 + 0.4 * d * d));
  });
  return {
    outer,
    inner,
    dome,
    apexY,
    domeY,
    angleY,
    width,
    hilum: { x: (left ? 0.1 : -0.095) + spread(0.01), y: (left ? 0.435 : 0.455) + spread(0.02) },
  };
}

/** Borders of heart and great vessels, from the neck to `floor`. */
function drawHeart(
  portable: boolean,
  floor: number,
  { heart = 1, mediastinum: wide = 1 }: AnatomyChanges,
  rng: () => number,
): Anatomy["heart"] {
  const spread = (span: number): number => (rng() - 0.5) * span;
  const heartFactor = heart * (portable ? 1.06 : 1) * (1 + spread(0.14));
  const heartTop = 0.43 + spread(0.03);
  const pedicle = 0.052 + spread(0.01);
  const knob = 0.03 + rng() * 0.016;
  const right = table(1, (y) => {
    const t = (y - heartTop) / (floor - heartTop);
    const atrium = t > 0 ? 0.118 * heartFactor * Math.sqrt(Math.max(0, 1 - ((t - 0.62) / 0.66) ** 2)) : 0;
    const vessels = (pedicle + 0.016 * bump(y, 0.36, 0.1)) * (1 + (wide - 1) * bump(y, 0.3, 0.16));
    return Math.max(vessels, atrium);
  });
  const left = table(1, (y) => {
    const t = (y - heartTop) / (floor - heartTop);
    const ventricle = t > 0
      ? 0.205 * heartFactor * Math.min(1, Math.max(0, t) ** 0.75 * 1.12) * (t > 0.85 ? 1.03 - 0.2 * (t - 0.85) : 1)
      : 0;
    const arch = pedicle + knob * bump(y, 0.325, 0.042) + 0.018 * bump(y, 0.425, 0.05);
    return Math.max(arch * (1 + (wide - 1) * bump(y, 0.3, 0.16)), ventricle);
  });
  return { right, left };
}

/** Half the width of neck, shoulders and trunk. */
function drawBody(rng: () => number): Float32Array {
  const spread = (span: number): number => (rng() - 0.5) * span;
  const neck = 0.12 + spread(0.03);
  const shoulder = 0.11 + spread(0.05);
  const build = 0.47 + spread(0.1);
  return table(1, (y) => {
    if (y < 0.03) return neck;
    const slope = Math.min(1, (y - 0.03) / (shoulder + 0.06));
    const arms = 0.62 - (0.62 - build) * Math.min(1, Math.max(0, (y - 0.3) / 0.2));
    return neck + (arms - neck) * slope ** 0.8;
  });
}

/**
 * A chest drawn at random, changed as the findings ask.
 *
 * @param rng Uniform numbers; the same ones give the same chest.
 * @param changes See {@linkcode AnatomyChanges}; they take no random numbers, so the rest of the chest stays as it was.
 */
export function drawAnatomy(rng: () => number, changes: AnatomyChanges = {}): Anatomy {
  const spread = (span: number): number => (rng() - 0.5) * span;
  const portable = rng() < 0.55;
  const [raisedRight, raisedLeft] = changes.raised ?? [0, 0];
  const lungs: [LungShape, LungShape] = [
    drawLung(false, portable, raisedRight, rng),
    drawLung(true, portable, raisedLeft, rng),
  ];
  const heart = drawHeart(portable, lungs[1].domeY + 0.08, changes, rng);
  const body = drawBody(rng);
  return {
    view: portable ? "AP" : "PA",
    rotation: spread(portable ? 0.16 : 0.08),
    scale: 1 + spread(0.16),
    shift: { x: spread(0.06), y: spread(0.06) },
    lungs,
    heart,
    mediastinalShift: spread(0.016) + (changes.shift ?? 0),
    ribs: {
      top: 0.1 + spread(0.02),
      spacing: 0.078 + spread(0.01),
      drop: 1.5 + spread(0.5),
      half: 0.2 + spread(0.06),
      contrast: 0.055 + rng() * 0.06,
    },
    body,
    clavicle: { y: 0.185 + spread(0.03), rise: 0.05 + rng() * 0.05 },
  };
}
