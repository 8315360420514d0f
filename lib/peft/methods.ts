/** Every fine-tuning method, by name: a folder each. @module */
import type { ClipConfig } from "../clip/config.ts";
import { aceLoraMethod } from "./ace_lora/method.ts";
import { adapterMethod } from "./adapter/method.ts";
import { bitfitMethod } from "./bitfit/method.ts";
import { clipAdapterMethod } from "./clip_adapter/method.ts";
import { coopMethod } from "./coop/method.ts";
import { doraMethod } from "./dora/method.ts";
import { fullMethod } from "./full/method.ts";
import { headsMethod } from "./heads/method.ts";
import { ia3Method } from "./ia3/method.ts";
import { loraMethod, rsloraMethod } from "./lora/method.ts";
import type { PeftMethod } from "./method.ts";
import { zeroShotMethod } from "./none/method.ts";
import { vptMethod } from "./vpt/method.ts";
import { keysOf } from "../platform/known_keys.ts";

/** Makes a method for models of a size; settings left out are the method's defaults. */
export type PeftFactory = (encoders: ClipConfig, settings?: Readonly<Record<string, unknown>>) => PeftMethod;

/** The table, each method with the type of its own settings. */
export const PEFT_TABLE = {
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
} as const satisfies Record<string, PeftFactory>;

/** The rows of the comparison of fine-tuning methods. */
export type PeftName = keyof typeof PEFT_TABLE;

/** Their names, in the tables' order. */
export const PEFT_NAMES: readonly PeftName[] = keysOf(PEFT_TABLE);

/** The methods compared, in the tables' order. Each is trained by the same `fit`, under the same loss. */
export const PEFT_METHODS: Readonly<Record<PeftName, PeftFactory>> = PEFT_TABLE;
