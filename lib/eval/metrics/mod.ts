/** Figures of an evaluation, from plain numbers: accuracy, AUROC, ROC curves, confusion, bootstrap intervals. @module */
export * from "./accuracy.ts";
export * from "./auroc.ts";
export * from "./bootstrap.ts";
export * from "./confusion.ts";
export * from "./roc_curve.ts";
export * from "./summary.ts";
