/** Methods that add nothing: they choose which of the model's own weights train. @module */
import type { BiomedClipConfig } from "../clip/config.ts";
import { type PeftMethod, peftMethod } from "./method.ts";

/** Zero-shot: the model as it is. */
export function zeroShotMethod(encoders: BiomedClipConfig): PeftMethod {
  const method = peftMethod(encoders, { name: "none", label: "Zero-shot", settings: {}, learnScale: false });
  return { ...method, model: { ...method.model, isTrainable: () => false } };
}

/** Full fine-tuning: every weight, embedding tables included; `scale` takes the place of `logitScale`. */
export function fullMethod(encoders: BiomedClipConfig): PeftMethod {
  const trains = (leaf: string): boolean => leaf !== "logitScale";
  return peftMethod(encoders, { name: "full", label: "Full fine-tuning", settings: {}, trains });
}

/** Projection heads only: the linear layers from the towers to the common embedding. */
export function headsMethod(encoders: BiomedClipConfig): PeftMethod {
  const trains = (leaf: string): boolean => /^(vision|text)\.head\./.test(leaf);
  return peftMethod(encoders, { name: "heads", label: "Projection heads", settings: {}, trains });
}

/**
 * BitFit: every bias, those of LayerNorms included.
 *
 * Source: Ben Zaken et al. 2022 (arXiv 2106.10199), section 3.
 */
export function bitfitMethod(encoders: BiomedClipConfig): PeftMethod {
  const trains = (leaf: string): boolean => leaf.endsWith(".bias");
  return peftMethod(encoders, { name: "bitfit", label: "BitFit", settings: {}, trains });
}
