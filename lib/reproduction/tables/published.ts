/** The paper's figures, as far as they are known here. @module */

/** What stands where the paper's figure is not known. */
export const NOT_PUBLISHED = "not published here";

/** A set's published figures, in per cent. */
export interface PublishedFigures {
  /** Accuracy. */
  accuracy: number;
  /** AUROC. */
  auroc: number;
}

/** A set of table 1. */
export type PublishedSet = "chexpert5x200" | "rsna" | "siim";

/** The paper's ACE-LoRA on the sets of table 1; no other row of any table is known here. */
const PUBLISHED_ACE_LORA: Readonly<Record<PublishedSet, PublishedFigures>> = {
  chexpert5x200: { accuracy: 49.80, auroc: 80.87 },
  rsna: { accuracy: 79.54, auroc: 87.19 },
  siim: { accuracy: 73.35, auroc: 81.51 },
};

/** The paper's trainable numbers of ACE-LoRA, in words. */
export const PUBLISHED_TRAINABLE = "0.95 M, 0.48 %";

/** Which of the paper's sets a set of ours stands for; undefined for none. */
export function publishedSet(name: string): PublishedSet | undefined {
  return (["chexpert5x200", "rsna", "siim"] as const).find((key) => name.toLowerCase().startsWith(key.slice(0, 4)));
}

/**
 * The paper's figures of a row on a set.
 *
 * @param isAceLora Whether the row is the paper's ACE-LoRA, unaltered.
 * @param set Our name of the set.
 */
export function publishedFigures(isAceLora: boolean, set: string): PublishedFigures | undefined {
  const key = publishedSet(set);
  return isAceLora && key !== undefined ? PUBLISHED_ACE_LORA[key] : undefined;
}
