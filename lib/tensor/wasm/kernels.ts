/** The kernels of the backend `wasm`: each calls a C function. @module */
import { adamw } from "../kernels/adamw/wasm.ts";
import { add } from "../kernels/add/wasm.ts";
import { attention, attentionGrad } from "../kernels/attention/wasm.ts";
import { biasedAttention } from "../kernels/biased_attention/wasm.ts";
import { block } from "../kernels/block/wasm.ts";
import { cast } from "../kernels/cast/wasm.ts";
import { conv, pool } from "../kernels/conv/wasm.ts";
import { dropout } from "../kernels/dropout/wasm.ts";
import { gather } from "../kernels/gather/wasm.ts";
import { gelu, geluGrad } from "../kernels/gelu/wasm.ts";
import { identity } from "../kernels/identity/wasm.ts";
import { COMPOSED, type Kernels } from "../kernels/interface.ts";
import { l2Normalise, l2NormaliseGrad } from "../kernels/l2_normalise/wasm.ts";
import { layerNorm, layerNormFork, layerNormGradParams, layerNormGradX } from "../kernels/layer_norm/wasm.ts";
import { leakyRelu } from "../kernels/leaky_relu/wasm.ts";
import { linear, linearGradParams } from "../kernels/linear/wasm.ts";
import { loraLinear, loraLinearGrad, loraLinearGradX } from "../kernels/lora/wasm.ts";
import { batchMatMul, fusedMatMul } from "../kernels/matmul/wasm.ts";
import { mlp, mlpGradHidden, mlpGradX } from "../kernels/mlp/wasm.ts";
import { pad } from "../kernels/pad/wasm.ts";
import { rotate } from "../kernels/rotate/wasm.ts";
import { slice } from "../kernels/slice/wasm.ts";
import { split } from "../kernels/split/wasm.ts";
import { tile } from "../kernels/tile/wasm.ts";
import { topK } from "../kernels/top_k/wasm.ts";
import type { WasmBackend } from "./module.ts";

/** Every kernel of the backend `wasm`. */
export const WASM_KERNELS = {
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
  AceTopKSoftmax: COMPOSED,
  AceTopKSoftmaxGrad: COMPOSED,
  AceLinear: linear,
  AceBiasedAttention: biasedAttention,
  AceRotate: rotate,
  AceConv: conv,
  AcePool: pool,
  AceBlock: block,
  AceMlp: mlp,
  AceMlpGradHidden: mlpGradHidden,
  AceMlpGradX: mlpGradX,
  AceLinearGradX: COMPOSED,
  AceLinearGradParams: linearGradParams,
  AceLoraLinear: loraLinear,
  AceLoraLinearGrad: loraLinearGrad,
  AceLoraLinearGradX: loraLinearGradX,
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
  BatchMatMul: batchMatMul,
  _FusedMatMul: fusedMatMul,
  Add: add,
  Cast: cast,
  Identity: identity,
  Slice: slice,
  SplitV: split,
  PadV2: pad,
  Tile: tile,
  GatherV2: gather,
  TopK: topK,
  LeakyRelu: leakyRelu,
} as const satisfies Kernels<WasmBackend>;
