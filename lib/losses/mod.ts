/**
 * Contrastive losses: InfoNCE and label-guided InfoNCE.
 *
 * @module
 */
export * from "./info_nce.ts";
export * from "./label_mask.ts";
export * from "./sigmoid.ts";
