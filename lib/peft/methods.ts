/** Every fine-tuning method, by name. @module */
import type { BiomedClipConfig } from "../clip/config.ts";
import { adapterMethod } from "./adapter/method.ts";
import { clipAdapterMethod } from "./clip_adapter/method.ts";
import { coopMethod } from "./coop/method.ts";
import { doraMethod } from "./dora/method.ts";
import { ia3Method } from "./ia3/method.ts";
import { aceLoraMethod, loraMethod, rsloraMethod } from "./low_rank.ts";
import type { PeftMethod, PeftName } from "./method.ts";
import { bitfitMethod, fullMethod, headsMethod, zeroShotMethod } from "./subsets.ts";
import { vptMethod } from "./vpt/method.ts";

/** Makes a method for models of a size; settings left out are the method's defaults. */
export type PeftFactory = (encoders: BiomedClipConfig, settings?: Readonly<Record<string, unknown>>) => PeftMethod;

/** The methods compared, in the tables' order. Each is trained by the same `fit`, under the same loss. */
export const PEFT_METHODS: Readonly<Record<PeftName, PeftFactory>> = {
  "none": zeroShotMethod,
  "full": fullMethod,
  "heads": headsMethod,
  "bitfit": bitfitMethod,
  "adapter": adapterMethod,
  "ia3": ia3Method,
  "vpt": vptMethod,
  "coop": coopMethod,
  "clip-adapter": clipAdapterMethod,
  "lora": loraMethod,
  "rslora": rsloraMethod,
  "dora": doraMethod,
  "ace-lora": aceLoraMethod,
};
