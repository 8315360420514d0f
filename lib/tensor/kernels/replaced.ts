/** The kernels of tf.js that have another in their place. @module */
import type * as tf from "@tensorflow/tfjs";
import type { NoAttributes } from "./attributes.ts";
import type { Named, Optional, TensorInfo } from "./info.ts";

/** Kernels of tf.js that some backend of ours replaces. Each gets tf.js's own for the calls it does not take. */
export interface ReplacedKernels {
  /** `A B`, batch axes broadcast. */
  BatchMatMul: { inputs: Named<"a" | "b">; attrs: tf.BatchMatMulAttrs; outputs: TensorInfo };
  /** `activation(A B + bias)`. */
  _FusedMatMul: {
    inputs: Named<"a" | "b"> & Optional<"bias" | "preluActivationWeights">;
    attrs: Pick<tf._FusedMatMulAttrs, "transposeA" | "transposeB" | "activation"> & { leakyreluAlpha?: number };
    outputs: TensorInfo;
  };
  /** `a + b`, broadcast. */
  Add: { inputs: Named<"a" | "b">; attrs: NoAttributes; outputs: TensorInfo };
  /** A tensor as another type. */
  Cast: { inputs: Named<"x">; attrs: Pick<tf.CastAttrs, "dtype">; outputs: TensorInfo };
  /** A clone. */
  Identity: { inputs: Named<"x">; attrs: NoAttributes; outputs: TensorInfo };
  /** A part of a tensor. */
  Slice: { inputs: Named<"x">; attrs: { begin: number[]; size: number[] }; outputs: TensorInfo };
  /** Parts along one axis. */
  SplitV: { inputs: Named<"x">; attrs: tf.SplitVAttrs; outputs: TensorInfo[] };
  /** A tensor with a constant round it. */
  PadV2: { inputs: Named<"x">; attrs: tf.PadV2Attrs; outputs: TensorInfo };
  /** A tensor repeated. */
  Tile: { inputs: Named<"x">; attrs: tf.TileAttrs; outputs: TensorInfo };
  /** Slices of a tensor by index. */
  GatherV2: { inputs: Named<"x" | "indices">; attrs: tf.GatherV2Attrs; outputs: TensorInfo };
  /** The k largest of each row and their places. */
  TopK: { inputs: Named<"x">; attrs: tf.TopKAttrs; outputs: [values: TensorInfo, indices: TensorInfo] };
  /** `x`, or `alpha x` where it is negative. */
  LeakyRelu: { inputs: Named<"x">; attrs: tf.LeakyReluAttrs; outputs: TensorInfo };
}
