/** The kernels of the backend `webgpu`. @module */
import { adamw } from "../kernels/adamw/webgpu.ts";
import { affinity, affinityGrad } from "../kernels/affinity/webgpu.ts";
import { attention, attentionGrad } from "../kernels/attention/webgpu.ts";
import { cast } from "../kernels/cast/webgpu.ts";
import { dropout } from "../kernels/dropout/webgpu.ts";
import { gelu, geluGrad } from "../kernels/gelu/webgpu.ts";
import { hyperedges, hyperedgesGrad } from "../kernels/hyperedges/webgpu.ts";
import { infoNce, infoNceGrad } from "../kernels/info_nce/webgpu.ts";
import { COMPOSED, type Kernels, TFJS } from "../kernels/interface.ts";
import { l2Normalise, l2NormaliseGrad } from "../kernels/l2_normalise/webgpu.ts";
import { layerNorm, layerNormFork, layerNormGradParams, layerNormGradX } from "../kernels/layer_norm/webgpu.ts";
import { linear, linearGradX } from "../kernels/linear/webgpu.ts";
import { loraLinear, loraLinearGrad, loraLinearGradX } from "../kernels/lora/webgpu.ts";
import { batchMatMul, fusedMatMul } from "../kernels/matmul/webgpu.ts";
import { messages, messagesGrad, messagesGradParams } from "../kernels/messages/webgpu.ts";
import { linearGradParams, mlp, mlpGradHidden } from "../kernels/mlp/webgpu.ts";
import { narrow } from "../kernels/narrow/webgpu.ts";
import { pack, unpack } from "../kernels/pack/webgpu.ts";
import { topKSoftmax, topKSoftmaxGrad } from "../kernels/top_k_softmax/webgpu.ts";
import type { WebgpuBackend } from "./backend.ts";

/** Every kernel of the backend `webgpu`. */
export const WEBGPU_KERNELS = {
  AceLayerNorm: layerNorm,
  AceLayerNormGradX: layerNormGradX,
  AceLayerNormGradParams: layerNormGradParams,
  AceGelu: gelu,
  AceGeluGrad: geluGrad,
  AceAttention: attention,
  AceAttentionGrad: attentionGrad,
  AceDropout: dropout,
  AceAdamw: adamw,
  AceLayerNormFork: layerNormFork,
  AceL2Normalise: l2Normalise,
  AceL2NormaliseGrad: l2NormaliseGrad,
  AceTopKSoftmax: topKSoftmax,
  AceTopKSoftmaxGrad: topKSoftmaxGrad,
  AceLinear: linear,
  AceBiasedAttention: COMPOSED,
  AceRotate: COMPOSED,
  AceConv: COMPOSED,
  AcePool: COMPOSED,
  AceBlock: COMPOSED,
  AceMlp: mlp,
  AceMlpGradHidden: mlpGradHidden,
  AceMlpGradX: COMPOSED,
  AceLinearGradX: linearGradX,
  AceLinearGradParams: linearGradParams,
  AceLoraLinear: loraLinear,
  AceLoraLinearGrad: loraLinearGrad,
  AceLoraLinearGradX: loraLinearGradX,
  AceInfoNce: infoNce,
  AceInfoNceGrad: infoNceGrad,
  AceHyperedges: hyperedges,
  AceHyperedgesGrad: hyperedgesGrad,
  AceMessages: messages,
  AceMessagesGrad: messagesGrad,
  AceMessagesGradParams: messagesGradParams,
  AceAffinity: affinity,
  AceAffinityGrad: affinityGrad,
  AceNarrow: narrow,
  AcePack: pack,
  AceUnpack: unpack,
  BatchMatMul: batchMatMul,
  _FusedMatMul: fusedMatMul,
  Add: TFJS,
  Cast: cast,
  Identity: TFJS,
  Slice: TFJS,
  SplitV: TFJS,
  PadV2: TFJS,
  Tile: TFJS,
  GatherV2: TFJS,
  TopK: TFJS,
  LeakyRelu: TFJS,
} as const satisfies Kernels<WebgpuBackend>;
