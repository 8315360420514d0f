/** How both towers of an exported model end: the feature that is read, and what the graph says of itself. @module */
import type { AceLoraConfig } from "../../ace_lora.ts";
import { VERSION } from "../../io/run_facts.ts";
import { aceHgnn, type Emitter, l2Normalise, reshape, sliceTokens } from "./blocks.ts";
import { OPSET, type Value } from "./graph.ts";

/** What a graph says of itself. */
export function describe(tower: string, { encoders }: AceLoraConfig): Parameters<Emitter["graph"]["write"]>[0] {
  return {
    name: `ace_lora_${tower}`,
    version: VERSION,
    text: `The ${tower} tower of an adapted vision-language model; its features are unit rows.`,
    metadata: { embedding: String(encoders.embedding), opset: String(OPSET) },
  };
}

/** CLS of unit tokens, or ACE-HGNN's node of it, as unit rows. */
export function feature(
  emitter: Emitter,
  tokens: Value,
  affinity: Value | undefined,
  { hgnn, config, count }: { hgnn: Parameters<typeof aceHgnn>[1] | undefined; config: AceLoraConfig; count: number },
): Value {
  const { embedding } = config.encoders;
  const unit = l2Normalise(emitter, tokens);
  const read = hgnn
    ? aceHgnn(emitter, hgnn, unit, affinity!, { tokens: count, embedding, topK: config.hgnn!.topK })
    : reshape(emitter, sliceTokens(emitter, unit, 0, 1), 0, embedding);
  return l2Normalise(emitter, read);
}
