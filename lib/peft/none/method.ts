/** Zero-shot, the row the methods are compared with. @module */
import type { BiomedClipConfig } from "../../clip/config.ts";
import { type PeftMethod, peftMethod } from "../method.ts";

/** Zero-shot: the model as it is. */
export function zeroShotMethod(encoders: BiomedClipConfig): PeftMethod {
  const method = peftMethod(encoders, { name: "none", label: "Zero-shot", settings: {}, learnScale: false });
  return { ...method, model: { ...method.model, isTrainable: () => false } };
}
