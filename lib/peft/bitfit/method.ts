/** BitFit. @module */
import type { ClipConfig } from "../../clip/config.ts";
import { type PeftMethod, peftMethod } from "../method.ts";

/**
 * BitFit: every bias, those of LayerNorms included.
 *
 * Source: Ben Zaken et al. 2022 (arXiv 2106.10199), section 3.
 */
export function bitfitMethod(encoders: ClipConfig): PeftMethod {
  const trains = (leaf: string): boolean => leaf.endsWith(".bias");
  return peftMethod(encoders, { name: "bitfit", label: "BitFit", settings: {}, trains });
}
