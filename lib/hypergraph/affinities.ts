/** Which affinities weigh the CLS hyperedge, by name. @module */
import { checkShape } from "../tensor/shape.ts";
import * as tf from "@tensorflow/tfjs";
import { ones } from "../tensor/init.ts";
import type { Tensor2D, Tensor3D } from "../tensor/types.ts";
import { checkOptions, checkRecord, checkValue, INTEGER, type Rules, TEXT } from "../platform/options.ts";
import {
  aceHgnn,
  type AceHgnnConfig,
  type AceHgnnParams,
  HGNN_RULES,
  type HgnnAffinity,
  initAceHgnn,
} from "./ace_hgnn.ts";
import { type GatHgnnParams, gatScores, initGat } from "./gat.ts";
import { type Gatv2HgnnParams, gatv2Scores, initGatv2 } from "./gatv2.ts";
import { similarityScores } from "./similarity.ts";

interface Affinity {
  scores(params: AceHgnnParams, tokens: Tensor3D, affinity: Tensor2D): Tensor2D;
  init(hidden: number, seed: number, name: string): object;
}

const AFFINITIES: Readonly<Record<HgnnAffinity, Affinity>> = {
  attention: { scores: (_params, _tokens, affinity) => tf.clone(affinity), init: () => ({}) },
  gat: {
    scores: (params, tokens, affinity) => gatScores(params as GatHgnnParams, tokens, affinity),
    init: (hidden, seed, name) => ({ gat: initGat(hidden, seed, `${name} gat`) }),
  },
  gatv2: {
    scores: (params, tokens, affinity) => gatv2Scores(params as Gatv2HgnnParams, tokens, affinity),
    init: (hidden, seed, name) => ({ gatv2: initGatv2(hidden, seed, `${name} gatv2`) }),
  },
  similarity: { scores: (_params, tokens, affinity) => similarityScores(tokens, affinity), init: () => ({}) },
};

function affinityOf(config: Pick<AceHgnnConfig, "affinity">): Affinity {
  const { affinity = "attention" } = config;
  if (!Object.hasOwn(AFFINITIES, affinity)) checkValue("build a hypergraph", "affinity", affinity, HGNN_RULES.affinity);
  return AFFINITIES[affinity];
}

/** What they must be. */
const INIT_RULES: Rules<{ seed?: number; name?: string }> = { seed: INTEGER, name: TEXT };

/** Fresh weights of a hypergraph module with the configured affinities; the bottlenecks do not depend on which. */
export function initHgnn(
  config: Pick<AceHgnnConfig, "hidden" | "affinity">,
  embedding: number,
  options: { seed?: number; name?: string } = {},
): AceHgnnParams {
  checkOptions("build a hypergraph", options, INIT_RULES);
  checkRecord("build a hypergraph", "config", config, { hidden: HGNN_RULES.hidden });
  const { seed = 1, name = "ace-hgnn" } = options;
  return {
    ...initAceHgnn(embedding, config.hidden, seed, name),
    ...affinityOf(config).init(config.hidden, seed, name),
  };
}

/**
 * The scores that choose and weigh the members of the CLS hyperedge, as `aceHgnn` and `chosenHyperedges` take them: the
 * encoder's attention as it is, or what takes its place; similarity where the encoder has no attention of one token to the others.
 *
 * @param params Weights, as {@linkcode initHgnn} makes them for this configuration.
 * @param tokens X, CLS first; shape `[B, N + 1, E]`.
 * @param affinity The encoder's CLS attention, shape `[B, N]`, where it has one.
 * @returns Shape `[B, N]`. The caller disposes it.
 * @throws {RangeError} If the configured affinity is unknown.
 */
export function clsScores(
  params: AceHgnnParams,
  tokens: Tensor3D,
  affinity: Tensor2D | undefined,
  config: Pick<AceHgnnConfig, "affinity"> = {},
): Tensor2D {
  checkRecord("score tokens", "config", config, {});
  checkShape(tokens, [null, null, null], "the tokens");
  if (affinity !== undefined) checkShape(affinity, [tokens.shape[0], tokens.shape[1] - 1], "the affinity");
  const configured = affinityOf(config);
  if (affinity) return configured.scores(params, tokens, affinity);
  const { scores } = configured === AFFINITIES.attention ? AFFINITIES.similarity : configured;
  const [batch, size] = tokens.shape;
  return tf.tidy(() => scores(params, tokens, ones([batch, size - 1]))); // all tokens are candidates
}

/**
 * The CLS node after one round of message passing along the configured affinities, in the sparse form.
 *
 * @returns Shape `[B, E]`, not normalised. The caller disposes it.
 * @throws {RangeError} If the configured affinity is unknown.
 */
export function hypergraph(
  params: AceHgnnParams,
  tokens: Tensor3D,
  affinity: Tensor2D | undefined,
  config: Pick<AceHgnnConfig, "topK" | "affinity">,
): Tensor2D {
  checkRecord("build a hypergraph", "config", config, { topK: HGNN_RULES.topK });
  return tf.tidy(() => aceHgnn(params, tokens, clsScores(params, tokens, affinity, config), config.topK));
}
