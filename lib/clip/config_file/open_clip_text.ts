/** A text tower's configuration from open_clip's JSON. @module */
import type { Activation } from "../../nn/mlp.ts";
import type { BertConfig, CausalTextConfig } from "../config.ts";
import { choiceField, type ClipSource, headsField, type JsonRecord, refuseField, sizeField } from "./fields.ts";
import { hiddenField } from "./open_clip_fields.ts";

/** Names that open_clip gave fields of `text_cfg` before 2.20. */
const OLD_TEXT_NAMES: readonly (readonly [string, string])[] = [
  ["proj", "hf_proj_type"],
  ["pooler_type", "hf_pooler_type"],
];

/** `text_cfg` under its present names. */
export function renamedText(source: ClipSource, json: JsonRecord): JsonRecord {
  const out: Record<string, unknown> = { ...json };
  for (const [old, name] of OLD_TEXT_NAMES) {
    if (out[old] === undefined) continue;
    if (out[name] !== undefined && out[name] !== out[old]) {
      refuseField(source, `text_cfg.${old}`, `what text_cfg.${name} is`, out[old]);
    }
    out[name] = out[old];
    delete out[old];
  }
  return out;
}

/** A causal text tower, as CLIP's own. */
export function openClipText(json: JsonRecord, activation: Activation, source: ClipSource): CausalTextConfig {
  const sizes = source.sizes?.text;
  const fieldOf = (name: string): string => `text_cfg.${name}`;
  const size = (name: string, value: number | undefined, fallback: number): number =>
    sizeField(source, fieldOf(name), json[name], { stored: value, fallback });
  const width = size("width", sizes?.width, 512);
  const context = size("context_length", sizes?.positions, 77);
  const pool = choiceField(source, fieldOf("pool_type"), json["pool_type"], [
    [undefined, "argmax"],
    ["argmax", "argmax"],
    ["eos", "eos"],
  ]);
  return {
    kind: "clip",
    vocabularySize: size("vocab_size", sizes?.vocabularySize, 49408),
    contextLength: context,
    positions: context,
    width,
    depth: size("layers", sizes?.depth, 12),
    heads: headsField(source, fieldOf("heads"), json["heads"], { width, fallback: 8 }),
    mlpWidth: hiddenField(source, "text_cfg", json, { width, stored: sizes?.mlpWidth }),
    epsilon: 1e-5,
    activation,
    ...(pool === "eos" ? { eotId: sizeField(source, fieldOf("eos_id"), json["eos_id"], { fallback: 2 }) } : {}),
  };
}

/** A BERT of `transformers`, with open_clip's projection. */
export function openClipBert(json: JsonRecord, source: ClipSource): BertConfig {
  const sizes = source.sizes?.text;
  const fieldOf = (name: string): string => `text_cfg.${name}`;
  if (
    !/bert/i.test(String(json["hf_model_name"])) || /roberta|distil|deberta|albert/i.test(String(json["hf_model_name"]))
  ) {
    refuseField(source, fieldOf("hf_model_name"), "the name of a BERT", json["hf_model_name"]);
  }
  const size = (name: string, value: number | undefined): number =>
    sizeField(source, fieldOf(name), json[name], { stored: value });
  const width = size("width", sizes?.width);
  const positions = sizeField(source, "the number of position embeddings", undefined, { stored: sizes?.positions });
  const contextLength = sizeField(source, fieldOf("context_length"), json["context_length"], { fallback: 77 });
  if (contextLength > positions) refuseField(source, fieldOf("context_length"), `at most ${positions}`, contextLength);
  const head = choiceField(source, fieldOf("hf_proj_type"), json["hf_proj_type"], [
    [undefined, "mlp"],
    ["mlp", "mlp"],
    ["linear", "linear"],
  ]);
  return {
    kind: "bert",
    vocabularySize: size("vocab_size", sizes?.vocabularySize),
    contextLength,
    positions,
    width,
    depth: size("layers", sizes?.depth),
    heads: headsField(source, fieldOf("heads"), json["heads"], {
      width,
      fallback: Math.max(1, Math.round(width / 64)),
    }),
    mlpWidth: sizeField(source, "the width of the text layers", undefined, { stored: sizes?.mlpWidth }),
    epsilon: 1e-12,
    dropout: 0.1,
    tokenTypes: sizeField(source, "the number of token types", undefined, { stored: sizes?.tokenTypes }),
    pool: choiceField(source, fieldOf("hf_pooler_type"), json["hf_pooler_type"], [
      [undefined, "mean"],
      ["mean_pooler", "mean"],
      ["cls_last_hidden_state_pooler", "cls"],
      ["cls_pooler", "pooler"],
    ]),
    head: head as "mlp" | "linear",
    headWidth: head === "linear" ? 0 : sizeField(source, "the width of the text projection", undefined, {
      stored: sizes?.headWidth,
    }),
  };
}
