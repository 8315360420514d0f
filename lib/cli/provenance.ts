/** Which files an answer comes from, and what must be said of the shipped model. @module */
import { MINI_JOINT_WEIGHTS, MINI_NOTICE, MINI_VOCABULARY, MINI_WEIGHTS } from "../clip/mini.ts";
import { hashPath } from "../io/hash_path.ts";
import type { Arguments } from "./command.ts";

/** The files a command used, for its records. */
export interface ModelFacts {
  /** As the user named it, or that it is the shipped one. */
  weights: string;
  /** SHA-256 of its content. */
  weights_sha256: string;
  /** SHA-256 of the tokeniser's file; that of a model's folder is part of the folder. */
  tokenizer_sha256?: string;
  /** As the user named it; null without one. */
  adapter: string | null;
  /** SHA-256 of its content. */
  adapter_sha256?: string;
  /** What must be said of the shipped model. */
  notice?: string;
}

/** The same for a page: what is not there is "none". */
export function factsOf(facts: Omit<ModelFacts, "notice">): Record<string, string> {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, value ?? "none"]));
}

/** The folder or file that holds the weights, undefined for the shipped model's. */
function weightsOf(args: Arguments): string | undefined {
  return args.text("model") ?? args.text("weights");
}

/** What must be said of the model that the options name, or undefined: that of a shipped one, whatever its file is called. */
export async function modelNotice(args: Arguments): Promise<string | undefined> {
  const weights = weightsOf(args);
  if (weights === undefined) return MINI_NOTICE;
  const { size, isFile } = await Deno.stat(weights);
  for (const shipped of isFile ? [MINI_WEIGHTS, MINI_JOINT_WEIGHTS] : []) {
    if (size === (await Deno.stat(shipped)).size && await hashPath(weights) === await hashPath(shipped)) {
      return MINI_NOTICE;
    }
  }
}

/** The files that the options name, with their hashes. */
export async function modelFacts(args: Arguments): Promise<ModelFacts> {
  const [weights, adapter, tokenizer] = [weightsOf(args), args.text("adapter"), args.text("tokenizer")];
  const notice = await modelNotice(args);
  const vocabulary = tokenizer ?? (args.text("model") === undefined ? MINI_VOCABULARY : undefined);
  return {
    weights: weights ?? "shipped mini model",
    weights_sha256: await hashPath(weights ?? MINI_WEIGHTS),
    ...(vocabulary === undefined ? {} : { tokenizer_sha256: await hashPath(vocabulary) }),
    adapter: adapter ?? null,
    ...(adapter === undefined ? {} : { adapter_sha256: await hashPath(adapter) }),
    ...(notice === undefined ? {} : { notice }),
  };
}
