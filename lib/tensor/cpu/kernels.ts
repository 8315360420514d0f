/**
 * The kernels in plain loops, slow and the reference for the other backends, registered when imported. What is composed or
 * tf.js's own has a reference already.
 *
 * @module
 */
import { adamw } from "../kernels/adamw/cpu.ts";
import { attention, attentionGrad } from "../kernels/attention/cpu.ts";
import { dropout } from "../kernels/dropout/cpu.ts";
import { gelu, geluGrad } from "../kernels/gelu/cpu.ts";
import { COMPOSED, type Kernels, TFJS } from "../kernels/interface.ts";
import { layerNorm, layerNormGradParams, layerNormGradX } from "../kernels/layer_norm/cpu.ts";
import { registerKernels } from "../kernels/register.ts";
import type { CpuBackend } from "./call.ts";

/** Every kernel of the backend `cpu`. */
export const CPU_KERNELS = {
  AceLayerNorm: layerNorm,
  AceLayerNormGradX: layerNormGradX,
  AceLayerNormGradParams: layerNormGradParams,
  AceGelu: gelu,
  AceGeluGrad: geluGrad,
  AceAttention: attention,
  AceAttentionGrad: attentionGrad,
  AceDropout: dropout,
  AceAdamw: adamw,
  AceLayerNormFork: COMPOSED,
  AceL2Normalise: COMPOSED,
  AceL2NormaliseGrad: COMPOSED,
  AceTopKSoftmax: COMPOSED,
  AceTopKSoftmaxGrad: COMPOSED,
  AceLinear: COMPOSED,
  AceBiasedAttention: COMPOSED,
  AceRotate: COMPOSED,
  AceConv: COMPOSED,
  AcePool: COMPOSED,
  AceBlock: COMPOSED,
  AceMlp: COMPOSED,
  AceMlpGradHidden: COMPOSED,
  AceMlpGradX: COMPOSED,
  AceLinearGradX: COMPOSED,
  AceLinearGradParams: COMPOSED,
  AceLoraLinear: COMPOSED,
  AceLoraLinearGrad: COMPOSED,
  AceLoraLinearGradX: COMPOSED,
  AceInfoNce: COMPOSED,
  AceInfoNceGrad: COMPOSED,
  AceHyperedges: COMPOSED,
  AceHyperedgesGrad: COMPOSED,
  AceMessages: COMPOSED,
  AceMessagesGrad: COMPOSED,
  AceMessagesGradParams: COMPOSED,
  AceAffinity: COMPOSED,
  AceAffinityGrad: COMPOSED,
  AceNarrow: COMPOSED,
  AcePack: COMPOSED,
  AceUnpack: COMPOSED,
  BatchMatMul: TFJS,
  _FusedMatMul: TFJS,
  Add: TFJS,
  Cast: TFJS,
  Identity: TFJS,
  Slice: TFJS,
  SplitV: TFJS,
  PadV2: TFJS,
  Tile: TFJS,
  GatherV2: TFJS,
  TopK: TFJS,
  LeakyRelu: TFJS,
} as const satisfies Kernels<CpuBackend>;

registerKernels("cpu", CPU_KERNELS);
