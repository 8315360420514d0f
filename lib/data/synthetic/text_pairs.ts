/** Pairs of texts that say the same, to pre-train a text tower on. @module */
import { checkValue, INTEGER } from "../../platform/options.ts";
import { deriveSeed, mulberry32 } from "../../tensor/random.ts";
import { FILMS, plainCaption } from "./captions.ts";
import { syntheticStudy } from "./chest.ts";
import { PROMPTS } from "./corpus.ts";
import { type Finding, FINDING_NAMES, pick } from "./findings.ts";
import { OTHER_MODALITIES, syntheticImage } from "./modalities.ts";
import type { Contents } from "./pretraining_pairs.ts";
import { writeReport } from "./report.ts";
import { caseSeed } from "./seeds.ts";

/** Options of {@linkcode textPair}. */
export interface TextPairOptions {
  /** Share of pairs about chest radiographs. @default 0.55 */
  chestShare?: number;
  /** Share of those about one finding, each as often as the others; the rest follow the prevalences. @default 0 */
  evenShare?: number;
  /** Speak of what is seen, in plain words, instead of reporting findings by name. @default false */
  plain?: boolean;
}

/** Two texts about the same thing. */
export interface TextPair extends Contents {
  /** The texts. */
  texts: readonly [string, string];
}

const MENTIONS = [...PROMPTS, "{c}"];

/**
 * Two texts of `seed` that say the same in other words, as reports of one study by two readers do; every other second one
 * only names the findings. No image belongs to them, and no text about a radiograph speaks both of what is seen and of what
 * it is called.
 *
 * @param options See {@linkcode TextPairOptions}.
 */
export function textPair(seed: number, options: TextPairOptions = {}): TextPair {
  checkValue("draw texts", "seed", seed, INTEGER);
  const { chestShare = 0.55, evenShare = 0, plain = false } = options;
  const rng = mulberry32(deriveSeed(seed, "texts"));
  if (rng() >= chestShare) {
    const modality = pick(OTHER_MODALITIES, rng);
    const caption = (which: string): string => syntheticImage(modality, deriveSeed(seed, which), { size: 16 }).caption;
    return { modality, findings: [], texts: [caption("first text"), caption("second text")] };
  }
  const chest = caseSeed(seed, { set: "pretraining", index: 1 });
  const study = syntheticStudy(chest, rng() < evenShare ? { findings: atMostOne(rng) } : {});
  const { findings } = study;
  const report = (): string => writeReport(study, rng).report;
  const texts: [string, string] = plain
    ? [plainCaption(findings), `${pick(FILMS, rng)} ${pick(["with", "showing"], rng)} ${plainCaption(findings)}`]
    : [report(), rng() < 0.5 ? report() : pick(MENTIONS, rng).replace("{c}", names(findings, rng))];
  return { modality: "chest", findings, texts };
}

function atMostOne(rng: () => number): { name: Finding["name"] }[] {
  const name = pick([...FINDING_NAMES, undefined], rng);
  return name ? [{ name }] : [];
}

function names(findings: readonly Finding[], rng: () => number): string {
  if (findings.length === 0) return pick(["no finding", "normal"], rng);
  return findings.map(({ name }) => name.toLowerCase()).join(" and ");
}
