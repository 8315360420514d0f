/**
 * Synthetic chest radiographs with a report, CheXpert labels, boxes and masks, all from one seed.
 *
 * @module
 */
import { checkValue, INTEGER, RECORD } from "../../platform/options.ts";
import { deriveSeed, mulberry32 } from "../../tensor/random.ts";
import type { RasterImage } from "../../image/raster.ts";
import type { BinaryMask, Box, LabelValue } from "../types.ts";
import { drawAnatomy } from "./anatomy.ts";
import { createCanvas } from "./canvas.ts";
import { paintChest, paintVessels } from "./chest_base.ts";
import { anatomyChanges, brokenRibs, IN_LUNG, ON_TOP, PAINTERS } from "./chest_findings.ts";
import { exposeFilm } from "./film.ts";
import { completeFinding, drawFindings, type Finding, type FindingName, type FindingSpec } from "./findings.ts";
import type { PaintResult } from "./painter.ts";
import { admitAir } from "./pleura.ts";
import { writeReport } from "./report.ts";

/** What is known of a synthetic study before a pixel is drawn. */
export interface SyntheticStudy {
  /** Findings and impression, free text. */
  report: string;
  /** The 14 CheXpert labels of the report, in the order of `CHEXPERT_LABELS`. */
  labels: readonly LabelValue[];
  /** What is drawn, whether the report is sure of it or not. */
  findings: readonly Finding[];
  /** Projection. */
  view: "AP" | "PA";
}

/** The pixels of a synthetic study. */
export interface SyntheticFilm {
  /** Grey, 8 bit. */
  image: RasterImage;
  /** Pneumonia, in pixels of the image; empty when there is none. */
  boxes: readonly Box[];
  /** Where the pneumothorax is, when there is one. */
  mask?: BinaryMask;
}

/** A synthetic study with its pixels. */
export interface SyntheticChest extends SyntheticStudy, SyntheticFilm {}

/** Options of {@linkcode syntheticChest}. */
export interface SyntheticChestOptions {
  /** Pixels a side; the same seed shows the same chest at every size. @default 64 */
  size?: number;
  /** The findings to draw, and no others. @default drawn at `PREVALENCES` */
  findings?: readonly FindingSpec[];
}

/**
 * Findings, report and labels of the study `seed`, without its pixels.
 *
 * @param options `findings`: those to draw; see {@linkcode SyntheticChestOptions}.
 */
export function syntheticStudy(seed: number, options: SyntheticChestOptions = {}): SyntheticStudy {
  checkValue("draw a study", "seed", seed, INTEGER);
  checkValue("draw a study", "its options", options, RECORD);
  const rng = mulberry32(deriveSeed(seed, "findings"));
  const findings = options.findings?.map((spec) => completeFinding(spec, rng)) ?? drawFindings(rng);
  const view = drawAnatomy(mulberry32(deriveSeed(seed, "anatomy"))).view;
  return { ...writeReport({ findings, view }, mulberry32(deriveSeed(seed, "report"))), findings, view };
}

/**
 * Draws `findings` on the chest of `seed`.
 *
 * @param options `findings`: what to draw, complete; `size`: pixels a side (@default 64).
 * @throws {RangeError} If `size` is not a whole number of at least 16.
 */
export function drawFilm(
  seed: number,
  options: { findings: readonly Finding[]; size?: number },
): SyntheticFilm {
  const { findings } = options;
  const size = options.size ?? 64;
  if (!Number.isInteger(size) || size < 16) {
    throw new RangeError(`Cannot draw a radiograph as its size must be a whole number >= 16: current value is ${size}`);
  }
  const stream = (name: string): () => number => mulberry32(deriveSeed(seed, name));
  const anatomy = drawAnatomy(stream("anatomy"), anatomyChanges(findings));
  const canvas = createCanvas(size, anatomy);
  const broken = brokenRibs(findings, stream("ribs"));
  const result: PaintResult = { pneumonia: [] };
  paintChest(canvas, anatomy, { rng: stream("base"), broken });
  const whole = admitAir(canvas, anatomy, { findings, result });
  paintVessels(canvas, anatomy, { rng: stream("vessels") });
  const paint = (order: readonly FindingName[]): void => {
    for (const name of order) {
      for (const finding of findings) {
        if (finding.name === name) {
          PAINTERS[name]?.(canvas, anatomy, { finding, rng: stream(name), result, broken });
        }
      }
    }
  };
  paint(IN_LUNG);
  canvas.lung = whole;
  paint(ON_TOP);
  const image = exposeFilm(canvas, { rng: stream("film"), view: anatomy.view });
  const boxes = result.pneumonia.flatMap((share) => boundingBox(share, size));
  const film: SyntheticFilm = { image, boxes };
  if (result.pneumothorax) {
    film.mask = {
      width: size,
      height: size,
      data: Uint8Array.from(result.pneumothorax, (share) => share > 0.4 ? 1 : 0),
    };
  }
  return film;
}

/** The box around the pixels that hold at least 0.35 of the densest one; none when nothing is dense. */
function boundingBox(share: Float32Array, size: number): Box[] {
  let most = 0;
  for (const value of share) if (value > most) most = value;
  if (most < 0.05) return [];
  let left = size, right = -1, top = size, bottom = -1;
  for (let i = 0; i < share.length; i++) {
    if (share[i]! < 0.35 * most) continue;
    const x = i % size, y = (i - x) / size;
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < top) top = y;
    bottom = y;
  }
  return [{ x: left, y: top, width: right - left + 1, height: bottom - top + 1, label: "pneumonia" }];
}

/**
 * A synthetic radiograph with all that belongs to it: the same seed and options give the same pixels and words.
 *
 * @param seed 32-bit seed.
 * @param options See {@linkcode SyntheticChestOptions}.
 * @throws {RangeError} If `size` is not a whole number of at least 16, or a finding is unknown.
 *
 * @example One film
 * ```ts
 * import { syntheticChest } from "@ace-lora/ace-lora/data";
 * import { assertEquals } from "@std/assert";
 *
 * const { image } = syntheticChest(1, { size: 64 });
 * assertEquals([image.width, image.height], [64, 64]);
 * ```
 */
export function syntheticChest(seed: number, options: SyntheticChestOptions = {}): SyntheticChest {
  const study = syntheticStudy(seed, options);
  const film = drawFilm(seed, {
    findings: study.findings,
    ...(options.size === undefined ? {} : { size: options.size }),
  });
  return { ...study, ...film };
}
