/** tf.js's gradients, without what they leave behind. @module */
import { CALL, checkValue, TEXTS } from "../platform/options.ts";
import * as tf from "@tensorflow/tfjs";
import { namedTensors } from "./params.ts";
import { asLong } from "../platform/map_tuple.ts";
import { privateParts } from "./private_parts.ts";
import { keepingLittle } from "./tape.ts";
import type { Scalar, Tensor } from "./types.ts";

/**
 * The value of `f` and its gradients for the leaves, null for a leaf without influence. Where `f` or the way back throws, the
 * value and what was kept for the gradients are freed, which tf.js does not do; and a gradient taken inside another's way back
 * leaves that one its tape.
 *
 * @param f Reads the leaves; what it makes besides its value is freed.
 * @param leaves At least one.
 * @param dy The gradient of the value. @default {1, for a scalar}
 * @returns New tensors. The caller disposes them.
 */
export function gradientsOf<T extends Tensor>(
  f: () => T,
  leaves: readonly Tensor[],
  dy?: T,
): { value: T; grads: (Tensor | null)[] } {
  const engine = tf.engine();
  const { state } = engine;
  const outer = state.activeTape;
  let value: T | undefined;
  try {
    const forward = (): T => keepingLittle(leaves, dy, () => value = f());
    // tf.js types the optional `dy` as required, and its gradients as never null.
    return engine.gradients(forward, [...leaves], dy, true);
  } catch (error) {
    if (state.gradientDepth === 0 && state.activeTape !== outer) {
      for (const { saved } of state.activeTape) tf.dispose(saved ?? []);
    }
    value?.dispose();
    throw error;
  } finally {
    state.activeTape = outer;
  }
}

/** A tape that waits for its way back. */
export interface RecordedGradients {
  /** The gradients of the value by leaf name, as {@linkcode valueAndGradients} has them. Once: it frees the tape. */
  back(): Map<string, Tensor>;
  /** Frees the tape; nothing after `back`. */
  dispose(): void;
}

/** Parts of tf.js's engine that its types call private, or that are otherwise than they say. */
interface Taping {
  state: { activeTape: { saved?: Tensor[] }[] | null };
  startTape(): void;
  endTape(): void;
  gradients(f: () => Scalar, xs: Tensor[], dy: undefined, allowNoGradients: true): { grads: (Tensor | null)[] };
}

/**
 * Records `f` for the gradients of its value, which are taken later: between, anything may be awaited and other gradients taken.
 * Not inside another gradient.
 *
 * @param f Reads the leaves from `tree`, and keeps (`tf.keep`) what else of it shall stay. Its scalar is freed by the way back.
 */
export function recordGradients(tree: unknown, names: readonly string[], f: () => Scalar): RecordedGradients {
  const leaves = leavesOf(tree, names);
  const engine = tf.engine();
  const taping = privateParts<Taping>(engine, ["state", "startTape", "endTape", "gradients"]);
  const { state } = taping;
  let value: Scalar;
  taping.startTape();
  const tape = state.activeTape ?? [];
  const dispose = (): void => {
    for (const { saved } of tape) tf.dispose(saved ?? []);
    tape.length = 0;
    value?.dispose();
  };
  try {
    value = tf.keep(engine.tidy(() => keepingLittle(leaves, undefined, f)));
  } catch (error) {
    dispose();
    throw error;
  } finally {
    taping.endTape();
    state.activeTape = null; // as tf.js leaves it
  }
  return {
    back() {
      try {
        // tf.js begins an empty tape, which gives way to the recorded one.
        const forward = (): Scalar => {
          state.activeTape = tape;
          return value;
        };
        return namedGradients(names, leaves, taping.gradients(forward, leaves, undefined, true).grads);
      } finally {
        state.activeTape = null;
        dispose();
      }
    },
    dispose,
  };
}

/** A value and its gradients by leaf name. */
export interface Gradients {
  /** Scalar. */
  value: Scalar;
  /** One tensor per name asked for; zeros where the value does not depend on the leaf. */
  gradients: Map<string, Tensor>;
}

/**
 * The value of `f` and its gradients for the named leaves of `tree`, which `f` must read from there.
 *
 * @returns New tensors. The caller disposes them.
 */
export function valueAndGradients(tree: unknown, names: readonly string[], f: () => Scalar): Gradients {
  checkValue("differentiate", "names", names, TEXTS);
  checkValue("differentiate", "f", f, CALL);
  if (names.length === 0) throw new RangeError("Cannot differentiate as a leaf must be named: there is none");
  const leaves = leavesOf(tree, names);
  const { value, grads } = gradientsOf(f, leaves);
  return { value, gradients: namedGradients(names, leaves, grads) };
}

function leavesOf(tree: unknown, names: readonly string[]): Tensor[] {
  const named = namedTensors(tree);
  return names.map((name) => {
    const leaf = named.get(name);
    if (!leaf) throw new RangeError(`Cannot differentiate by "${name}" as the tree has no tensor of that name`);
    return leaf;
  });
}

function namedGradients(
  names: readonly string[],
  leaves: readonly Tensor[],
  grads: readonly (Tensor | null)[],
): Map<string, Tensor> {
  return new Map(names.map((name, i) => [name, grads[i] ?? tf.zerosLike(leaves[i]!)]));
}

/** What {@linkcode customGrad} is given for some inputs. */
export interface CustomGradient<Inputs extends readonly Tensor[], Saved extends readonly Tensor[], T extends Tensor> {
  /** The value. */
  value: T;
  /** What is kept for the gradient. */
  saved: Saved;
  /** The gradient of each input. */
  gradFunc: (dy: T, saved: Saved) => { readonly [Place in keyof Inputs]: Tensor };
}

/** A function with a gradient of its own, applied to its inputs; what it makes besides `value` and `saved` is freed. */
export function customGrad<
  Inputs extends readonly Tensor[] | [], // tuples, that is, where they are written out
  Saved extends readonly Tensor[] | [],
  T extends Tensor,
>(inputs: Inputs, f: (...inputs: Inputs) => CustomGradient<Inputs, Saved, T>): T {
  const run = tf.customGrad<T>((...given) => {
    const save = given.pop(); // which tf.js types as one more input
    if (typeof save !== "function") throw new TypeError("Cannot keep what a gradient needs as tf.js must say how");
    const { value, saved, gradFunc } = f(...asLong(given, inputs));
    save([...saved]);
    return { value, gradFunc: (dy, kept) => [...gradFunc(dy, asLong(kept, saved))] };
  });
  return run(...inputs);
}
