/**
 * Figures of an evaluation, from plain numbers: accuracy, AUROC, AUPRC, curves, operating points,
 * calibration, confusion, bootstrap and DeLong intervals.
 *
 * @module
 */
export * from "./accuracy.ts";
export * from "./auroc.ts";
export * from "./bootstrap.ts";
export * from "./calibration.ts";
export * from "./confusion.ts";
export * from "./delong.ts";
export * from "./operating_point.ts";
export * from "./precision_recall.ts";
export * from "./retrieval.ts";
export * from "./roc_curve.ts";
export * from "./summary.ts";
