/** Context optimisation: learned words in every text. @module */
import type { ClipConfig } from "../../clip/config.ts";
import { normal } from "../../tensor/init.ts";
import { checkSize, type PeftMethod, peftMethod, withSettings } from "../method.ts";

/** Settings of context optimisation. */
export interface ContextConfig {
  /** Learned words, M. */
  words: number;
}

/** Sixteen words shared by all classes, normal of deviation 0.02: the default of the method's own code (`TRAINER.COOP.N_CTX`). Zhou et al. 2022, arXiv 2109.01134. */
const COOP: ContextConfig = { words: 16 };

/**
 * CoOp with reports. The method as published learns `[V]_1 ... [V]_M [class]` from images and class indices. Here the pairs
 * are images and reports, so the same M vectors stand after [CLS] in **every** text, in reports while training and in class
 * prompts at evaluation: `[CLS] [V]_1 ... [V]_M text [SEP]`. They take the places 1 to M of the position table and the text
 * moves up; where that exceeds the table the text is cut, its [SEP] kept. Both encoders stay frozen. Not class specific.
 *
 * @param given `words`; by default 16, or a quarter of a position table shorter than 64.
 */
export function coopMethod(encoders: ClipConfig, given?: Partial<ContextConfig>): PeftMethod {
  const { positions, width } = encoders.text;
  const words = Math.max(1, Math.min(COOP.words, Math.floor(positions / 4)));
  const settings = withSettings({ words }, given, "context optimisation");
  checkSize(settings.words, "the number of context words");
  if (settings.words > positions - 2) {
    throw new RangeError(
      `Cannot set up context optimisation as two of ${positions} places must be left: current value is ${settings.words} words`,
    );
  }
  return peftMethod(encoders, {
    name: "coop",
    label: "CoOp",
    settings,
    trains: (leaf) => leaf === "text.trunk.context",
    add: (base, seed) => {
      const context = normal([settings.words, width], 0.02, seed, "context");
      return { ...base, text: { ...base.text, trunk: { ...base.text.trunk, context } } };
    },
  });
}
