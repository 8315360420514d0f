/** How an adapter is meant. @module */
import { ACE_LORA_HGNN } from "../hypergraph/ace_hgnn.ts";
import { shownValue } from "../io/_errors.ts";
import { SIZE } from "../io/fields.ts";
import { ACE_LORA_LORA } from "../peft/lora/config.ts";

/** A projection of an attention layer. */
export type AdapterTarget = "q" | "k" | "v" | "o";

/** The targets, in the order the files use. */
export const TARGETS: readonly AdapterTarget[] = ["q", "k", "v", "o"];

/** How an adapter is meant. */
export interface AdapterConfig {
  /** LoRA rank R. */
  rank: number;
  /** The update's numerator. */
  alpha: number;
  /** The scaling is `alpha / √rank`. */
  rankStabilised: true;
  /** Dropout on the update's input while training. */
  dropout: number;
  /** Projections that carry an update. */
  targets: AdapterTarget[];
  /** A name of the layers that carry an update (`all`, `up`, ...), which only a depth gives a meaning; `custom` where none is known. */
  positions: string;
  /** Nodes of a hyperedge; null without ACE-HGNN. */
  topK: number | null;
  /** Hidden width of ACE-HGNN's bottlenecks; null without ACE-HGNN. */
  hidden: number | null;
  /** Text affinity that ACE-HGNN was trained with. @default {"probabilities", of files that do not say} */
  textAffinity?: "probabilities" | "logits";
}

const { rank, alpha, dropout } = ACE_LORA_LORA;
const { topK, hidden } = ACE_LORA_HGNN;

/** The paper's settings, for files that do not carry them. */
export const ACE_LORA_CONFIG: AdapterConfig = {
  ...{ rank, alpha, rankStabilised: true, dropout },
  targets: [...ACE_LORA_LORA.targets],
  positions: "all",
  ...{ topK, hidden },
};

/**
 * Reads a config from JSON, with {@linkcode ACE_LORA_CONFIG} for what is absent.
 *
 * @param file What messages call the file.
 * @throws {SyntaxError} If a setting is not what it must be.
 */
export function parseConfig(value: Readonly<Record<string, unknown>>, file: string): AdapterConfig {
  const config: AdapterConfig = { ...ACE_LORA_CONFIG, ...value };
  const { rank, alpha, dropout, targets, positions, topK, hidden, rankStabilised, textAffinity } = config;
  const checks: [string, unknown, boolean][] = [
    ["rank", rank, SIZE.fits(rank)],
    ["alpha", alpha, Number.isFinite(alpha)],
    ["rankStabilised", rankStabilised, rankStabilised === true],
    ["dropout", dropout, Number.isFinite(dropout) && dropout >= 0 && dropout < 1],
    ["targets", targets, Array.isArray(targets) && targets.every((t) => TARGETS.includes(t))],
    ["positions", positions, typeof positions === "string"],
    ["topK", topK, topK === null || SIZE.fits(topK)],
    ["hidden", hidden, hidden === null || SIZE.fits(hidden)],
    ["textAffinity", textAffinity, [undefined, "probabilities", "logits"].includes(textAffinity)],
  ];
  for (const [name, actual, isRight] of checks) {
    if (!isRight) {
      throw new SyntaxError(
        `Cannot read "${file}" as an adapter: setting ${name} is ${shownValue(actual)}`,
      );
    }
  }
  return {
    ...{ rank, alpha, rankStabilised, dropout, targets: [...targets], positions, topK, hidden },
    ...(textAffinity === undefined ? {} : { textAffinity }),
  };
}
