/** The model that the options name, with its adapter, as what answers questions. @module */
import { aceLoraModel } from "../ace_lora.ts";
import { encodeNothing, type EncodingSizes } from "../clip/zero_shot/ahead.ts";
import { loadAdapter } from "../adapters/model.ts";
import type { Classifier } from "../eval/classify.ts";
import type { Arguments } from "./command.ts";
import { checkUnseen, unknownCasesNote } from "../data/seen.ts";
import type { Case } from "../data/types.ts";
import { checkAdapter, modelFrom } from "./model_options.ts";

/** The model as {@linkcode adaptedFrom} loads it, for questions in words: a head has no part in those, and that is told. */
export async function classifierFrom(args: Arguments, weights?: string, sizes?: EncodingSizes): Promise<Classifier> {
  const classifier = await adaptedFrom(args, weights, sizes);
  const { classes } = classifier.config;
  if (classes) {
    console.error(
      `note: the adapter answers by its head of ${classes.length} classes in deno task evaluate alone; here its image features ` +
        `are compared with texts, to which they were not held as it learned`,
    );
  }
  return classifier;
}

/**
 * The model that `--weights`, `--tokenizer` and `--adapter` name, or the same with other weights.
 *
 * @param sizes What will be encoded at a time, where it is known.
 */
export async function adaptedFrom(args: Arguments, weights?: string, sizes: EncodingSizes = {}): Promise<Classifier> {
  const adapter = await checkAdapter(args);
  const { params, config: encoders, tokenizer } = await modelFrom(args, weights, (params, encoders) => {
    encodeNothing(aceLoraModel({ encoders, learnScale: false }), params, encoders, sizes);
  });
  if (adapter === undefined) return { params, config: { encoders, learnScale: false }, tokenizer };
  return { ...await loadAdapter(adapter, params, encoders), tokenizer };
}

/**
 * Refuses cases to be judged that the adapter was trained on, or whose patients it was; says where its file does not tell.
 *
 * @throws {SeenCasesError} If there is one.
 */
export function checkAdapterUnseen(args: Arguments, { seen }: Classifier, cases: readonly Case[]): void {
  const adapter = args.text("adapter");
  if (adapter === undefined) return;
  if (seen) checkUnseen(cases, seen, adapter);
  else console.error(unknownCasesNote(adapter));
}
