/** The options that say how classes are asked: a protocol, the scale, further checkpoints. @module */
import { PROTOCOLS } from "../clip/zero_shot/presets.ts";
import type { Protocol } from "../clip/zero_shot/protocol.ts";
import { promptTexts } from "../clip/zero_shot/prompts.ts";
import { averageScores } from "../clip/zero_shot/protocol_scores.ts";
import { readProtocol } from "../data/protocol.ts";
import type { Classifier } from "../eval/classify.ts";
import { disposeParams } from "../tensor/params.ts";
import { type Arguments, type OptionSpec, UsageError } from "./command.ts";
import { checkPath } from "./paths.ts";

const SCALES = ["adapter", "backbone"] as const;

/** Options of commands that ask a model about classes. */
export const PROTOCOL_OPTIONS: Record<string, OptionSpec> = {
  protocol: {
    value: "NAME|FILE",
    help: `How classes are asked: ${
      Object.keys(PROTOCOLS).join(", ")
    }, or JSON or CSV of prompts by class (default: the paper's templates)`,
  },
  scale: {
    value: "WORD",
    words: SCALES,
    help: "Similarity scale: the adapter's learned one, or the backbone's (default: adapter)",
  },
  ensemble: {
    multiple: true,
    value: "FILE",
    help: "Further weights of the same model, whose scores are averaged with the first's; may be repeated",
  },
};

/**
 * The prompts that `--prompts` gives, none where it gives none.
 *
 * @throws {SyntaxError} If one has no place for a class: that is told before a model is loaded.
 */
export function promptsFrom(args: Arguments): readonly string[] {
  const prompts = args.all("prompts");
  if (prompts.length > 0) promptTexts(["a class"], prompts);
  return prompts;
}

/** The protocol that `--protocol` names. */
export async function protocolFrom(args: Arguments): Promise<Protocol | undefined> {
  const from = args.text("protocol");
  if (from === undefined) return undefined;
  if (args.all("prompts").length > 0) throw new UsageError("--protocol and --prompts exclude each other");
  return await readProtocol(from);
}

/** The classifier with the scale that `--scale` asks for. */
function scaled(args: Arguments, classifier: Classifier): Classifier {
  if (args.choice("scale", SCALES, "adapter") === "adapter") return classifier;
  const { scale: learned, ...params } = classifier.params;
  learned?.dispose();
  return { ...classifier, params, config: { ...classifier.config, learnScale: false } };
}

/**
 * Scores of every checkpoint, averaged: the model's that the options name, then those of `--ensemble`, each loaded after the one
 * before is freed.
 *
 * @param load Loads the classifier, with other weights where they are named.
 * @param score Scores one of them.
 * @returns The averaged scores, and what else came of the first.
 */
export async function averagedOver<R extends { scores: Float32Array }>(
  args: Arguments,
  load: (args: Arguments, weights?: string) => Promise<Classifier>,
  score: (classifier: Classifier) => Promise<R>,
): Promise<R> {
  const paths = args.all("ensemble");
  for (const path of paths) await checkPath(path);
  const runs: R[] = [];
  for (const path of [undefined, ...paths]) {
    const classifier = scaled(args, await load(args, path));
    runs.push(await score(classifier));
    disposeParams(classifier.params);
  }
  return { ...runs[0]!, scores: averageScores(runs.map(({ scores }) => scores)) };
}

/** What a record says of how the classes were asked; nothing where no option asks. */
export function protocolFacts(args: Arguments, protocol: Protocol | undefined): Record<string, string> {
  const [scale, ensemble] = [args.text("scale"), args.all("ensemble")];
  return {
    ...(protocol ? { protocol: protocol.name, ...(protocol.source ? { protocol_source: protocol.source } : {}) } : {}),
    ...(scale === undefined ? {} : { scale }),
    ...(ensemble.length === 0 ? {} : { ensemble: ensemble.join(", ") }),
  };
}
