/** Rows of unit length as one kernel, where the backend has it. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "../types.ts";
import { runKernel } from "./run.ts";

/** `x / max(|x|, 1e-12)` along the last axis, or undefined where the backend has no kernel for it. */
export function fusedL2Normalise(x: Tensor): Tensor | undefined {
  if (tf.getKernel("AceL2Normalise", tf.getBackend()) === undefined || x.dtype !== "float32") return undefined;
  return runKernel("AceL2Normalise", { x })[0]!;
}

tf.registerGradient({
  kernelName: "AceL2Normalise",
  inputsToSave: ["x"],
  gradFunc: (dy, saved) => ({ x: () => runKernel("AceL2NormaliseGrad", { dy: dy as Tensor, x: saved[0]! })[0]! }),
});
