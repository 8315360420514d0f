/** AdamW over named tensors. @module */
import * as tf from "@tensorflow/tfjs";
import { adamwUpdate } from "../tensor/fused/adamw.ts";
import type { Tensor } from "../tensor/types.ts";

/** AdamW's settings. */
export interface AdamwOptions {
  /** Decay of the first moment. @default {0.9} */
  beta1?: number;
  /** Decay of the second moment. @default {0.999} */
  beta2?: number;
  /** Added to the root of the second moment. @default {1e-8} */
  epsilon?: number;
  /** Decoupled weight decay. @default {0.01} */
  weightDecay?: number;
}

/** The optimiser's memory: both moments of every trainable tensor, and the steps taken. */
export interface AdamwState {
  /** First moments by name. */
  first: Map<string, Tensor>;
  /** Second moments by name. */
  second: Map<string, Tensor>;
  /** Steps taken. */
  step: number;
}

/** Zero moments for the given tensors. */
export function initAdamw(tensors: ReadonlyMap<string, Tensor>): AdamwState {
  const zeros = (): Map<string, Tensor> => new Map([...tensors].map(([name, tensor]) => [name, tf.zerosLike(tensor)]));
  return { first: zeros(), second: zeros(), step: 0 };
}

/** Frees the moments. */
export function disposeAdamw(state: AdamwState): void {
  tf.dispose([...state.first.values(), ...state.second.values()]);
}

/**
 * One step: `p ← p - lr·wd·p - lr · m̂ / (√v̂ + ε)`.
 *
 * Source: torch.optim.AdamW; no difference.
 *
 * @param state Moments; the caller frees them and the old tensors once the step is taken.
 * @param tensors What to change, by name.
 * @param gradients One per tensor.
 * @returns New tensors and a new state; nothing given is changed or freed.
 */
export function adamw(
  state: AdamwState,
  tensors: ReadonlyMap<string, Tensor>,
  gradients: ReadonlyMap<string, Tensor>,
  learningRate: number,
  options: AdamwOptions = {},
): { tensors: Map<string, Tensor>; state: AdamwState } {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = options;
  const next: AdamwState = { first: new Map(), second: new Map(), step: state.step + 1 };
  const out = new Map<string, Tensor>();
  for (const [name, param] of tensors) {
    const [updated, m, v] = adamwUpdate(
      { param, grad: gradients.get(name)!, m: state.first.get(name)!, v: state.second.get(name)! },
      { learningRate, beta1, beta2, epsilon, weightDecay, step: next.step },
    );
    out.set(name, updated);
    next.first.set(name, m);
    next.second.set(name, v);
  }
  return { tensors: out, state: next };
}
