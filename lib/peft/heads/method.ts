/** The projection heads as what is fine-tuned. @module */
import type { ClipConfig } from "../../clip/config.ts";
import { isTrainedLeaf } from "../../nn/batch_norm.ts";
import { type PeftMethod, peftMethod } from "../method.ts";

/** Projection heads only: the linear layers from the towers to the common embedding. */
export function headsMethod(encoders: ClipConfig): PeftMethod {
  const trains = (leaf: string): boolean => /^(vision|text)\.head\./.test(leaf) && isTrainedLeaf(leaf);
  return peftMethod(encoders, { name: "heads", label: "Projection heads", settings: {}, trains });
}
