/** Zero-shot, the row the methods are compared with. @module */
import type { ClipConfig } from "../../clip/config.ts";
import { type PeftMethod, peftMethod } from "../method.ts";

/** Zero-shot: the model as it is. */
export function zeroShotMethod(encoders: ClipConfig): PeftMethod {
  const method = peftMethod(encoders, { name: "none", label: "Zero-shot", settings: {}, learnScale: false });
  return { ...method, model: { ...method.model, isTrainable: () => false } };
}
