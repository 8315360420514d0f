/** Calls of kernels by name, and their gradients, with the types of interface.ts. @module */
import * as tf from "@tensorflow/tfjs";
import "../cpu/kernels.ts"; // tf.js's cpu backend is there without being asked for
import type { Tensor, TensorOf } from "../types.ts";
import type { InputOfShape, TensorInfo } from "./info.ts";
import type { Contracts, FusedName, KernelResult } from "./interface.ts";

/** The tensor of a reference: of its rank, or of the type of the input whose shape it has. */
type TensorOfInfo<Info, Inputs> = InputOfShape<Info> extends infer Input extends keyof Inputs ? Inputs[Input] & Tensor
  : Info extends { shape: infer Shape extends number[] } ? TensorOf<Shape>
  : Tensor;

type TensorsOf<Result, Inputs> = Result extends readonly TensorInfo[]
  ? { [Place in keyof Result]: TensorOfInfo<Result[Place], Inputs> }
  : TensorOfInfo<Result, Inputs>;

/** The tensors that a kernel gives: one, or several in order. */
export type Outputs<Name extends FusedName, Inputs = Contracts[Name]["inputs"]> = TensorsOf<KernelResult<Name>, Inputs>;

/** Whether the current backend has a kernel of its own. */
export function hasKernel(kernelName: FusedName): boolean {
  return tf.getKernel(kernelName, tf.getBackend()) !== undefined;
}

/** Whether a gradient may be asked for through what is computed now. */
export function isRecorded(): boolean {
  const { gradientDepth, kernelDepth } = tf.engine().state;
  return gradientDepth > 0 && kernelDepth === 0;
}

/**
 * Runs a kernel on the current backend, on the gradient tape.
 *
 * @param kernelName The kernel's name.
 * @param inputs Its tensors.
 * @param attrs Its numbers and flags.
 * @returns Its outputs.
 * @throws {Error} If the current backend has not got the kernel.
 */
export function runKernel<Name extends FusedName, Inputs extends Contracts[Name]["inputs"]>(
  kernelName: Name,
  inputs: Inputs,
  attrs: Contracts[Name]["attrs"],
): Outputs<Name, Inputs> {
  if (!hasKernel(kernelName)) {
    throw new Error(
      `Cannot run ${kernelName} as the backend must have it (await initWasm() or initWebgpu() first): ` +
        `current backend is "${tf.getBackend()}"`,
    );
  }
  // tf.js knows of no kernel's inputs and outputs: their types are those of interface.ts.
  return tf.engine().runKernel(kernelName, inputs as tf.NamedTensorMap, attrs as tf.NamedAttrMap) as Outputs<
    Name,
    Inputs
  >;
}

/** How a kernel is differentiated. */
export interface Gradient<Name extends FusedName, Saved extends readonly Tensor[]> {
  /** Inputs that are kept for it. @default {none} */
  inputsToSave?: (string & keyof Contracts[Name]["inputs"])[];
  /** Whether all inputs are kept instead. @default {false} */
  saveAllInputs?: boolean;
  /** Which outputs are kept, after the inputs. @default {none} */
  outputsToSave?: boolean[];
  /** Each input's gradient as a thunk, run only if it is asked for. */
  gradFunc: (
    dy: Outputs<Name>,
    saved: Saved,
    attrs: Contracts[Name]["attrs"],
  ) => { [Input in keyof Contracts[Name]["inputs"]]?: () => Tensor };
}

/** Tells tf.js how a kernel is differentiated, on every backend. */
export function registerGradient<Name extends FusedName, Saved extends readonly Tensor[]>(
  kernelName: Name,
  gradient: Gradient<Name, Saved>,
): void {
  tf.registerGradient({ kernelName, ...gradient as unknown as Omit<tf.GradConfig, "kernelName"> });
}

/**
 * Checks that all tensors are float32.
 *
 * @param verb What is being done, for the message.
 * @param tensors The tensors by name.
 * @throws {TypeError} If one is not.
 */
export function checkFloat(verb: string, tensors: Record<string, Tensor | undefined>): void {
  for (const [name, t] of Object.entries(tensors)) {
    if (t && t.dtype !== "float32") {
      throw new TypeError(`Cannot ${verb} ${name} as its dtype must be float32: current dtype is ${t.dtype}`);
    }
  }
}
