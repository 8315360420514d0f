/** PEFT's `adapter_config.json`: as it is written, what is refused of others', and the numbers of one module. @module */
import { quoted, shownValue } from "../io/_errors.ts";
import type { AdapterConfig } from "./config.ts";

/** The file's record. */
export type PeftConfig = Readonly<Record<string, unknown>>;

/** The record of LoRA in some modules, scaled by its rank's root. */
export function peftConfig(
  { rank, alpha, dropout }: Pick<AdapterConfig, "rank" | "alpha" | "dropout">,
  modules: readonly string[],
): PeftConfig {
  // alpha √3 / √(3R) = alpha / √R, so the scaling of the fused update is that of the others. PEFT before 0.15 takes a pattern
  // only where a dot stands before it, so it must not be the whole of a module's name.
  const pattern = "attn\\.qkv";
  const isPatterned = modules.some((module) => module.endsWith(".qkv"));
  return {
    peft_type: "LORA",
    task_type: null,
    base_model_name_or_path: "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
    revision: null,
    inference_mode: true,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: dropout,
    use_rslora: true,
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    modules_to_save: null,
    layers_to_transform: null,
    layers_pattern: null,
    rank_pattern: isPatterned ? { [pattern]: 3 * rank } : {},
    alpha_pattern: isPatterned ? { [pattern]: alpha * Math.sqrt(3) } : {},
    target_modules: [...modules],
  };
}

/** Whether this package wrote a record: PEFT writes other names, in another order. */
export function isOwnConfig(config: PeftConfig): boolean {
  const own = peftConfig({ rank: 1, alpha: 1, dropout: 0 }, []);
  return Object.keys(config).join() === Object.keys(own).join();
}

/** Refuses what would change the update and is not read. */
export function checkPeftConfig(config: PeftConfig, fail: (reason: string) => Error): void {
  const expected: [string, unknown[]][] = [
    ["peft_type", ["LORA"]],
    // Others (pissa, olora, corda, loftq) are relative to a base that PEFT itself changes, or may be (eva).
    ["init_lora_weights", [true, false, "gaussian", "orthogonal", undefined]],
    ["bias", ["none", undefined]],
    ["use_dora", [false, undefined]],
    ["use_qalora", [false, undefined]],
    ["use_bdlora", [null, false, undefined]],
    ["lora_bias", [false, undefined]],
    ["fan_in_fan_out", [false, undefined]],
    ["modules_to_save", [null, undefined]],
    ["target_parameters", [null, undefined]],
    ["trainable_token_indices", [null, undefined]],
    ["layer_replication", [null, undefined]],
  ];
  for (const [key, allowed] of expected) {
    const isEmpty = Array.isArray(config[key]) && config[key].length === 0;
    if (!allowed.includes(config[key]) && !isEmpty) {
      const why = key === "init_lora_weights"
        ? ", with which the base stays as it is (PEFT's save_pretrained converts others by path_initial_model_for_weight_conversion)"
        : "";
      throw fail(
        `${key} must be ${JSON.stringify(allowed[0])}${why}: found ${shownValue(config[key])}`,
      );
    }
  }
}

/**
 * Whether `pattern` may be tried: names, `\\.`, `\\d`, choices and at most two repeats, of single characters, so that matching
 * takes no time to speak of.
 */
function isPlainPattern(pattern: string): boolean {
  return pattern.length <= 200 && /^[\w.\\*+^$()|-]+$/.test(pattern) && !/\)[*+]/.test(pattern) &&
    pattern.replace(/[^*+]/g, "").length <= 2;
}

/** The number PEFT takes for a module: the first pattern that matches its end, else the general one. */
export function patterned(
  patterns: unknown,
  module: string,
  general: unknown,
  fail: (reason: string) => Error,
): number {
  let value = general;
  for (const [pattern, own] of Object.entries(patterns ?? {}).slice(0, 1000)) {
    let matches: boolean;
    try {
      if (!isPlainPattern(pattern)) throw new Error();
      matches = new RegExp(`^(.*\\.)?(${pattern})$`).test(module);
    } catch {
      throw fail(`pattern ${quoted(pattern)} must be a name, with choices and at most two repeats of a character`);
    }
    if (!matches) continue;
    value = own;
    break;
  }
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw fail(`the rank and alpha of ${quoted(module)} must be numbers`);
}
