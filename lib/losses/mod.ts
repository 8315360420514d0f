/**
 * Losses: InfoNCE and label-guided InfoNCE, the sigmoid loss of pairs, the weighted cross-entropy of labels.
 *
 * @module
 */
export { infoNce, type InfoNceOptions } from "./info_nce.ts";
export { falseNegativeMask, type Label } from "./label_mask.ts";
export { sigmoidLoss } from "./sigmoid.ts";
export { weightedBce } from "./weighted_bce.ts";
