/** Documented aliases of tfjs's tensor types. @module */
import type * as tf from "@tensorflow/tfjs";

/** A tensor of any rank. */
export type Tensor = tf.Tensor;
/** A single number. */
export type Scalar = tf.Scalar;
/** A vector. */
export type Tensor1D = tf.Tensor1D;
/** A matrix. */
export type Tensor2D = tf.Tensor2D;
/** A rank-3 tensor. */
export type Tensor3D = tf.Tensor3D;
/** A rank-4 tensor. */
export type Tensor4D = tf.Tensor4D;

/** The tensor of a shape that is written out: `[B, E]` is a matrix. */
export type TensorOf<Shape extends readonly number[]> = Shape extends readonly [] ? Scalar
  : Shape extends readonly [number] ? Tensor1D
  : Shape extends readonly [number, number] ? Tensor2D
  : Shape extends readonly [number, number, number] ? Tensor3D
  : Shape extends readonly [number, number, number, number] ? Tensor4D
  : Tensor;
