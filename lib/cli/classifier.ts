/** The model that the options name, with its adapter, as what answers questions. @module */
import { aceLoraModel } from "../ace_lora.ts";
import { encodeNothing, type EncodingSizes } from "../clip/zero_shot/ahead.ts";
import { loadAdapter } from "../adapters/model.ts";
import type { NamedAdapter } from "../adapters/record.ts";
import type { Classifier } from "../eval/classify.ts";
import type { Arguments } from "./command.ts";
import { adapterFrom, modelFrom } from "./model_options.ts";

/** What is known before a classifier is loaded. */
export interface ClassifierOptions {
  /** The adapter, where it was read. @default {that of `--adapter`, read here} */
  adapter?: NamedAdapter | undefined;
  /** Weights in the place of those named. @default {those of `--model` and `--weights`} */
  weights?: string | undefined;
  /** What will be encoded at a time, where it is known. */
  sizes?: EncodingSizes;
}

/** The model as {@linkcode adaptedFrom} loads it, for questions in words: a head has no part in those, and that is told. */
export async function classifierFrom(args: Arguments, options: ClassifierOptions = {}): Promise<Classifier> {
  const classifier = await adaptedFrom(args, options);
  const { classes } = classifier.config;
  if (classes) {
    console.error(
      `note: the adapter answers by its head of ${classes.length} classes in deno task evaluate alone; here its image features ` +
        `are compared with texts, to which they were not held as it learned`,
    );
  }
  return classifier;
}

/** The model that `--weights`, `--tokenizer` and `--adapter` name, or the same with other weights. */
export async function adaptedFrom(args: Arguments, options: ClassifierOptions = {}): Promise<Classifier> {
  const { weights, sizes = {}, adapter = await adapterFrom(args) } = options;
  const { params, config: encoders, tokenizer } = await modelFrom(args, weights, (params, encoders) => {
    encodeNothing(aceLoraModel({ encoders, learnScale: false }), params, encoders, sizes);
  });
  if (!adapter) return { params, config: { encoders, learnScale: false }, tokenizer };
  const adapted = await loadAdapter(adapter, params, encoders);
  return { params: adapted.params, config: adapted.config, tokenizer };
}
