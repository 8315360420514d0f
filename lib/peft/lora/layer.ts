/** LoRA in a linear layer. @module */
import * as tf from "@tensorflow/tfjs";
import { frozenLinear, type LinearUpdate, type LowRank, type UpdateMethod } from "../../nn/linear.ts";
import { dropout } from "../../tensor/kernels/dropout/api.ts";
import type { Tensor2D } from "../../tensor/types.ts";
import { addLora } from "./merge.ts";

/** A low-rank update `scaling · B A` of a frozen weight, as a layer carries it. */
export interface LoraParams extends LowRank, LinearUpdate {}

/**
 * `y = x Wᵀ + b + scaling · dropout(x) Aᵀ Bᵀ`, in the cheap order, never as a full product B A.
 *
 * Source: LoRA, Hu et al. 2021, Eq. (3).
 */
const LORA_LAYER: UpdateMethod = {
  name: "lora",
  replacesDropout: true,
  lowRank: (update: LoraParams): LowRank => update,
  apply(update: LoraParams, layer, rows, seed): Tensor2D {
    const { loraA, loraB, scaling, dropout: rate } = update;
    return tf.tidy(() => {
      const y = frozenLinear(layer, rows);
      const input = seed !== undefined && rate > 0 ? dropout(rows, { rate, seed }) : rows;
      const low = tf.mul(tf.matMul(input, loraA, false, true), scaling); // [rows, R]
      return tf.add(y, tf.matMul(low, loraB, false, true));
    });
  },
  merge: (update: LoraParams, layer) => addLora(layer, update, update.scaling),
};

/** The update with these factors. */
export function loraUpdate({ loraA, loraB, scaling, dropout }: LowRank): LoraParams {
  return { method: LORA_LAYER, loraA, loraB, scaling, dropout };
}

/** Whether a layer's update is LoRA. */
export function isLora(update: LinearUpdate | undefined): update is LoraParams {
  return update?.method === LORA_LAYER;
}
