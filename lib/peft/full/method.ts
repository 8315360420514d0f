/** Full fine-tuning. @module */
import type { ClipConfig } from "../../clip/config.ts";
import { isTrainedLeaf } from "../../nn/batch_norm.ts";
import { type PeftMethod, peftMethod } from "../method.ts";

/** Full fine-tuning: every weight, embedding tables included, statistics of batch normalisations not; `scale` takes the place of `logitScale`. */
export function fullMethod(encoders: ClipConfig): PeftMethod {
  const trains = (leaf: string): boolean => leaf !== "logitScale" && isTrainedLeaf(leaf);
  return peftMethod(encoders, { name: "full", label: "Full fine-tuning", settings: {}, trains });
}
