/**
 * Parameter-efficient fine-tuning methods, a folder each.
 *
 * @module
 */
export { type LoadedPeft, loadPeft, savePeft } from "./files.ts";
export { type PeftMethod, peftMethod, type PeftParams, type PeftParts, type PrepareOptions } from "./method.ts";
export { PEFT_METHODS, PEFT_TABLE, type PeftFactory, type PeftName } from "./methods.ts";
export { type BottleneckConfig, injectBottlenecks } from "./adapter/method.ts";
export { featureAdapter, type FeatureAdapterParams } from "./clip_adapter/layer.ts";
export { CLIP_ADAPTER, type FeatureAdapterConfig } from "./clip_adapter/method.ts";
export { injectDora } from "./dora/method.ts";
export { type Ia3Config, type Ia3Target, injectIa3 } from "./ia3/method.ts";
export {
  ACE_LORA_LORA,
  layersAt,
  LORA_POSITIONS,
  type LoraConfig,
  type LoraLayers,
  loraLayers,
  type LoraPositions,
  loraScaling,
  type LoraTarget,
} from "./lora/config.ts";
export { initLora, injectLora, TARGET_LAYERS } from "./lora/inject.ts";
export { isLora, type LoraParams, loraUpdate } from "./lora/layer.ts";
export { unmergeLora } from "./lora/merge.ts";
export { loraMethod } from "./lora/method.ts";
