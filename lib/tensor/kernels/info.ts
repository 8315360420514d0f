/** References to tensors, as kernels are given them and return them. @module */
import type * as tf from "@tensorflow/tfjs";

/** tf.js's reference to a tensor's data, as kernels see it. */
export type TensorInfo = tf.TensorInfo;

/** A reference to a tensor of a shape. */
export interface InfoOf<Shape extends number[]> extends TensorInfo {
  shape: Shape;
}
/** That of a vector. */
export type Info1D = InfoOf<[number]>;
/** That of a matrix. */
export type Info2D = InfoOf<[number, number]>;
/** That of a tensor of rank 3. */
export type Info3D = InfoOf<[number, number, number]>;
/** That of a tensor of rank 4. */
export type Info4D = InfoOf<[number, number, number, number]>;

declare const SHAPED_AS: unique symbol;

/** A result that has the shape of one of the inputs. */
export type ShapedAs<Input extends string> = TensorInfo & { readonly [SHAPED_AS]?: Input };

/** The input whose shape a result has, or false: undefined would be a name to compilers that do not tell it apart. */
export type InputOfShape<Result> = typeof SHAPED_AS extends keyof Result ? NonNullable<Result[typeof SHAPED_AS]>
  : false;

/** Tensors by name. */
export type Named<Names extends string, Info extends TensorInfo = TensorInfo> = Record<Names, Info>;

/** Those that may be absent; tf.js hands them over as undefined. */
export type Optional<Names extends string, Info extends TensorInfo = TensorInfo> = Partial<
  Record<Names, Info | undefined>
>;
