/**
 * Contrastive losses: InfoNCE and label-guided InfoNCE.
 *
 * @module
 */
export { infoNce, type InfoNceOptions } from "./info_nce.ts";
export { falseNegativeMask, type Label } from "./label_mask.ts";
export { sigmoidLoss } from "./sigmoid.ts";
