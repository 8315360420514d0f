/** AdamW over named tensors. @module */
import * as tf from "@tensorflow/tfjs";
import {
  AMOUNT,
  checkOptions,
  checkRecord,
  checkValue,
  LIST,
  needed,
  PART,
  RECORD,
  type Rule,
  type Rules,
  WHOLE,
} from "../platform/options.ts";
import { adamwUpdate } from "../tensor/kernels/adamw/api.ts";
import type { Tensor, Tensor1D } from "../tensor/types.ts";
import { type FlatLayout, flatLayout, packNamed, unpackNamed } from "./flat.ts";

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

/** What they must be. */
export const ADAMW_RULES: Rules<AdamwOptions> = { beta1: PART, beta2: PART, epsilon: AMOUNT, weightDecay: AMOUNT };

/** The optimiser's memory: both moments of every trainable tensor, flat, and the steps taken. */
export interface AdamwState {
  /** Which tensors stand where in the flat ones. */
  layout: FlatLayout;
  /** First moments, one flat tensor a group of the layout. */
  first: Tensor1D[];
  /** Second moments. */
  second: Tensor1D[];
  /** Steps taken. */
  step: number;
}

/** Both moments by tensor. */
export interface AdamwMoments {
  /** First moments by name. */
  first: Map<string, Tensor>;
  /** Second moments by name. */
  second: Map<string, Tensor>;
}

/** Tensors by name. */
const TENSORS: Rule = {
  must: "tensors by name, a Map",
  type: "object",
  allows: (value) => value instanceof Map && [...value.values()].every((tensor) => tensor instanceof tf.Tensor),
};
const isPacked = (value: unknown): boolean => Array.isArray(value) && value.every((part) => part instanceof tf.Tensor);
/** What a step is taken from. */
const STEP_RULES = {
  state: needed(RECORD),
  tensors: needed(TENSORS),
  gradients: needed({
    must: "tensors by name, a Map, or packed in a list",
    allows: (value) => isPacked(value) || TENSORS.allows!(value),
  }),
  learningRate: needed(AMOUNT),
};
const STATE_RULES: Rules<AdamwState> = {
  layout: needed(LIST),
  first: needed(LIST),
  second: needed(LIST),
  step: needed(WHOLE),
};

/** Zero moments for the given tensors. */
export function initAdamw(tensors: ReadonlyMap<string, Tensor>): AdamwState {
  checkValue("start AdamW", "the tensors", tensors, TENSORS);
  const layout = flatLayout(tensors);
  const zeros = (): Tensor1D[] =>
    tf.tidy(() => {
      const all = new Map([...tensors].map(([name, { shape }]) => [name, tf.zeros(shape)]));
      return packNamed(layout, all);
    });
  return { layout, first: zeros(), second: zeros(), step: 0 };
}

/** The moments by tensor, new copies that the caller disposes. */
export function adamwMoments(state: AdamwState): AdamwMoments {
  return { first: unpackNamed(state.layout, state.first), second: unpackNamed(state.layout, state.second) };
}

/** A state from moments by tensor, which it copies. */
export function adamwFromMoments(moments: AdamwMoments, step: number): AdamwState {
  const layout = flatLayout(moments.first);
  return { layout, first: packNamed(layout, moments.first), second: packNamed(layout, moments.second), step };
}

/** Frees the moments. */
export function disposeAdamw(state: AdamwState): void {
  checkRecord("free AdamW's moments", "its state", state, STATE_RULES);
  tf.dispose([...state.first, ...state.second]);
}

/**
 * One step: `p ← p - lr·wd·p - lr · m̂ / (√v̂ + ε)`.
 *
 * Source: torch.optim.AdamW; no difference.
 *
 * @param state Moments; the caller frees them and the old tensors once the step is taken.
 * @param tensors What to change, by name.
 * @param gradients One per tensor, by name, or packed as the state's layout says.
 * @returns New tensors and a new state; nothing given is changed or freed.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind, or something else will not do.
 */
export function adamw(
  state: AdamwState,
  tensors: ReadonlyMap<string, Tensor>,
  gradients: ReadonlyMap<string, Tensor> | readonly Tensor1D[],
  learningRate: number,
  options: AdamwOptions = {},
): { tensors: Map<string, Tensor>; state: AdamwState } {
  checkOptions("take a step of AdamW", options, ADAMW_RULES);
  checkRecord("take a step of AdamW", "its input", { state, tensors, gradients, learningRate }, STEP_RULES);
  checkRecord("take a step of AdamW", "its state", state, STATE_RULES);
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = options;
  const next: AdamwState = { layout: state.layout, first: [], second: [], step: state.step + 1 };
  const params = packNamed(state.layout, tensors);
  if (!("get" in gradients) && gradients.length !== params.length) {
    tf.dispose(params);
    throw new TypeError(
      `Cannot take a step of AdamW as packed gradients must be as many as its state's moments, ${params.length}: there are ${gradients.length}`,
    );
  }
  const grads = "get" in gradients ? packNamed(state.layout, gradients) : gradients;
  const updated = params.map((param, i) => {
    const [value, m, v] = adamwUpdate(
      { param, grad: grads[i]!, m: state.first[i]!, v: state.second[i]! },
      { learningRate, beta1, beta2, epsilon, weightDecay, step: next.step },
    );
    next.first.push(m);
    next.second.push(v);
    return value;
  });
  const out = unpackNamed(state.layout, updated);
  tf.dispose([...params, ...(grads === gradients ? [] : grads), ...updated]);
  return { tensors: out, state: next };
}
