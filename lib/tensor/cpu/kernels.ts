/** The fused kernels in plain loops: slow, and the reference for the other backends. @module */
import type { KernelTable } from "../kernels.ts";
import { adamw } from "./adamw.ts";
import { attention, attentionGrad } from "./attention.ts";
import { dropout } from "./dropout.ts";
import { gelu, geluGrad } from "./gelu.ts";
import { layerNorm, layerNormGradParams, layerNormGradX } from "./layer_norm.ts";

/** Kernel functions by the kernel's name. */
export const CPU_KERNELS: KernelTable = {
  AceLayerNorm: layerNorm,
  AceLayerNormGradX: layerNormGradX,
  AceLayerNormGradParams: layerNormGradParams,
  AceGelu: gelu,
  AceGeluGrad: geluGrad,
  AceAttention: attention,
  AceAttentionGrad: attentionGrad,
  AceDropout: dropout,
  AceAdamw: adamw,
};
