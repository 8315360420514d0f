/**
 * Layers that encoders are made of: linear (with optional LoRA), LayerNorm, attention, feed-forward, transformer blocks; convolution, batch
 * normalisation and enlargement of maps.
 *
 * @module
 */
export {
  type AffinityKind,
  type AttentionParams,
  type AttentionProjection,
  selfAttention,
  type SelfAttentionOptions,
  type SelfAttentionResult,
} from "./attention.ts";
export { attentionPool, type AttentionPoolOptions, type AttentionPoolParams } from "./attention_pool.ts";
export {
  batchNorm,
  type BatchNormParams,
  type BatchStatistics,
  initBatchNorm,
  isTrainedLeaf,
  runningStatistics,
} from "./batch_norm.ts";
export { bottleneck, type BottleneckParams } from "./bottleneck.ts";
export {
  conv2d,
  convNorm,
  type ConvNormParams,
  type ConvParams,
  type ConvShape,
  initConv,
  initConvNorm,
} from "./conv.ts";
export { dropExtra, type EncodedTokens, extendMasks, insertAfterFirst, type TokenMasks } from "./extra_tokens.ts";
export { layerNorm, type LayerNormParams } from "./layer_norm.ts";
export {
  type FrozenLinear,
  frozenLinear,
  isLinear,
  linear,
  type LinearOptions,
  type LinearParams,
  type LinearUpdate,
  type LowRank,
  mergeUpdates,
  type UpdateMethod,
} from "./linear.ts";
export { extendRotary, type RotaryOptions, type RotaryTable, rotaryTable, rotate } from "./rotary.ts";
export { resamplePositions } from "./resample_positions.ts";
export { mergeOrder, reorder, rowOrder, type TokenOrder, windowBias, windowOrder, type Windows } from "./windows.ts";
export { type Activation, mlp, type MlpOptions, type MlpParams, quickGelu, tanhGelu } from "./mlp.ts";
export { type BlockPlace, type Encoder, mapBlocks, TOWER_NAMES, type TowerBlocks, towerBlocks } from "./towers.ts";
export {
  type BlockParams,
  transformer,
  transformerBlock,
  type TransformerOptions,
  type TransformerResult,
} from "./transformer.ts";
export { upsampleBilinear, upsampleNearest, type UpsampleOptions } from "./upsample.ts";
