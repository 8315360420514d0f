/**
 * Adapter files: this package's, PEFT's and the authors', to and from a model.
 *
 * @module
 */
export {
  type Combination,
  COMBINATIONS,
  combineAdapters,
  type CombineOptions,
  HypergraphCombineError,
} from "./combine.ts";
export { describeTensors, formatTensors, type TensorDescription, type TensorsDescription } from "./describe.ts";
export type { TowerDepths } from "./authors.ts";
export {
  type AdapterFormat,
  adapterFormat,
  NotAnAdapterError,
  readAdapter,
  type ReadAdapterOptions,
  writeAdapter,
  type WriteAdapterOptions,
} from "./files.ts";
export { HypergraphMergeError, mergeIntoCheckpoint, type MergeOptions } from "./merge.ts";
export { type Adapted, loadAdapter, saveAdapter, type SaveAdapterOptions } from "./model.ts";
export { ACE_LORA_CONFIG, type AdapterConfig, type AdapterTarget } from "./config.ts";
export {
  type AdapterEncoder,
  type AdapterFile,
  type BottleneckTensors,
  HeadPlaceError,
  type HypergraphTensors,
  type LinearTensors,
  type LoraEntry,
  type NamedAdapter,
} from "./record.ts";
export { AdapterSizeError } from "./size_error.ts";
