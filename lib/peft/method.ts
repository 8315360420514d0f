/** What a fine-tuning method is: start values for a frozen model, which of them train, and the features. @module */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, aceLoraModel, type AceLoraParams } from "../ace_lora.ts";
import type { ClipParams } from "../clip/params.ts";
import type { ClipConfig } from "../clip/config.ts";
import type { ContrastiveModel } from "../clip/contrastive.ts";
import { checkName, checkValue, COUNT, RECORD } from "../platform/options.ts";
import { mapTensors } from "../tensor/params.ts";
import type { FeatureAdapterParams } from "./clip_adapter/layer.ts";

/** A BiomedCLIP of any size with what any of the methods adds. */
export interface PeftParams extends AceLoraParams {
  /** CLIP-Adapter's bottlenecks behind the encoders. */
  featureAdapter?: { image?: FeatureAdapterParams; text?: FeatureAdapterParams };
}

/** One fine-tuning method at one model size. */
export interface PeftMethod {
  /** Key in the registry, in files and in results. */
  name: string;
  /** Name in tables. */
  label: string;
  /** Sizes of the model it is for. */
  encoders: ClipConfig;
  /** Its settings as plain data: enough, with `name` and `encoders`, to make the method again. */
  settings: Readonly<Record<string, unknown>>;
  /**
   * The tree training starts from. Frozen leaves are shared with `base`, trainable ones are its own: free it with
   * `disposeParams(result, base)`. `seed` is of the new weights (@default 1).
   */
  prepare(base: ClipParams, options?: PrepareOptions): Promise<PeftParams>;
  /** Trainable leaves and features, as `fit` and the evaluation take them. */
  model: ContrastiveModel<PeftParams>;
}

/** Options of `prepare`. */
export interface PrepareOptions {
  /** Seed of the new weights. @default {1} */
  seed?: number;
}

/** What sets one method apart, for {@linkcode peftMethod}. */
export interface PeftParts {
  /** Key. */
  name: string;
  /** Name in tables. */
  label: string;
  /** Plain data. */
  settings: object;
  /** Whether training changes the leaf of this name; the similarity's scale is added. @default {nothing but the scale} */
  trains?: (leaf: string) => boolean;
  /** Adds what the method adds. @default {nothing} */
  add?: (base: ClipParams, seed: number) => PeftParams;
  /** Learn the similarity's scale, as the released training does for every method. @default {true} */
  learnScale?: boolean;
}

/**
 * A method that leaves the way features are made alone: one CLS feature an encoder, of unit length.
 *
 * @param encoders Sizes.
 * @param parts What the method is.
 */
export function peftMethod(encoders: ClipConfig, parts: PeftParts): PeftMethod {
  const { name, label, settings, trains = () => false, add = (base) => base, learnScale = true } = parts;
  const config: AceLoraConfig = { encoders, learnScale };
  const isTrainable = (leaf: string): boolean => leaf === "scale" || trains(leaf);
  return {
    name,
    label,
    encoders,
    settings: { ...settings },
    async prepare(base, { seed = 1 } = {}) {
      const logitScale = (await base.logitScale.data())[0]!;
      const shared = new Set(Object.values(flat(base)));
      // Leaves that train are copies, so that freeing an untrained tree never frees the frozen model's.
      const own = mapTensors(add(base, seed), (leaf, path) => trains(path) && shared.has(leaf) ? tf.clone(leaf) : leaf);
      return learnScale ? { ...own, scale: tf.scalar(Math.exp(logitScale)) } : own;
    },
    model: { ...aceLoraModel(config, label), isTrainable },
  };
}

function flat(base: ClipParams): Record<string, tf.Tensor> {
  const leaves: Record<string, tf.Tensor> = {};
  mapTensors(base, (leaf, path) => leaves[path] = leaf);
  return leaves;
}

/**
 * A method's defaults with some of them changed.
 *
 * @throws {TypeError} If a setting is not one of the method's.
 */
export function withSettings<T extends object>(defaults: T, given: Partial<T> | undefined, method: string): T {
  checkValue(`set up ${method}`, "its settings", given ?? {}, RECORD);
  for (const name of Object.keys(given ?? {})) checkName(`set up ${method}`, "setting", name, Object.keys(defaults));
  return { ...defaults, ...given };
}

/** Refuses a size that is not a positive integer. @throws {TypeError | RangeError} */
export function checkSize(value: number, what: string): void {
  checkValue(`set up ${what}`, "it", value, COUNT);
}
