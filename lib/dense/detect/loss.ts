/** The detection loss: box, objectness and class. @module */
import * as tf from "@tensorflow/tfjs";
import type { Scalar, Tensor, Tensor2D, Tensor4D } from "../../tensor/types.ts";
import { reshape } from "../../tensor/typed.ts";
import { checkOptions, NUMBER, type Rules } from "../../platform/options.ts";

/** {@linkcode ScaleTargets} as tensors of N = B · g · g · A rows. */
export interface ScaleTargetTensors {
  /** Shape `[N, 1]`. */
  mask: Tensor2D;
  /** Shape `[N, 1]`. */
  background: Tensor2D;
  /** Shape `[N, 4]`. */
  coordinates: Tensor2D;
  /** Shape `[N, C]`. */
  classes: Tensor2D;
}

/** Factors of the parts. */
export interface DetectionLossOptions {
  /** Of the centre. @default {2.5} */
  centre?: number;
  /** Of the size. @default {2.5} */
  size?: number;
  /** Of objectness where there is no box, beside 1 where there is one. @default {0.5} */
  background?: number;
}

/** What they must be. */
const LOSS_RULES: Rules<DetectionLossOptions> = {
  centre: NUMBER,
  size: NUMBER,
  background: NUMBER,
};

/**
 * The loss of one scale, each part a mean over all N anchors of all cells:
 * `2.5 (BCE_x + BCE_y) + 2.5 (MSE_w + MSE_h) + BCE_object + 0.5 BCE_background + BCE_class / C`,
 * where all but the background's count only anchors that answer for a box.
 *
 * Source: MGCA's `YOLOLoss.forward`.
 *
 * @param output Raw predictions, shape `[B, g, g, A (5 + C)]`.
 * @param targets Of the same cells.
 * @returns Scalar. The caller disposes it.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function detectionLoss(
  output: Tensor4D,
  targets: ScaleTargetTensors,
  options: DetectionLossOptions = {},
): Scalar {
  checkOptions("compute the detection loss", options, LOSS_RULES);
  const { centre = 2.5, size = 2.5, background = 0.5 } = options;
  const classes = targets.classes.shape[1];
  const rows = output.size / (5 + classes);
  if (rows !== targets.mask.shape[0]) {
    throw new TypeError(
      `Cannot compute the detection loss as targets must have ${rows} anchors: current number is ${
        targets.mask.shape[0]
      }`,
    );
  }
  return tf.tidy(() => {
    const raw = reshape(output, [rows, 5 + classes]);
    const part = (from: number, count: number): Tensor2D => tf.slice(raw, [0, from], [rows, count]);
    const aim = (from: number): Tensor2D => tf.slice(targets.coordinates, [0, from], [rows, 2]);
    const crossEntropy = (logits: Tensor, target: Tensor): Tensor =>
      tf.sub(tf.softplus(logits), tf.mul(logits, target));
    const total = (x: Tensor, factor: number): Scalar => tf.mul(tf.sum(x), factor / rows);
    const objectness = part(4, 1);
    return tf.addN([
      total(tf.mul(crossEntropy(part(0, 2), aim(0)), targets.mask), centre),
      total(tf.mul(tf.square(tf.sub(part(2, 2), aim(2))), targets.mask), size),
      total(tf.mul(tf.softplus(tf.neg(objectness)), targets.mask), 1),
      total(tf.mul(tf.softplus(objectness), targets.background), background),
      total(tf.mul(crossEntropy(part(5, classes), targets.classes), targets.mask), 1 / classes),
    ]);
  });
}
