/**
 * Segmentation and detection on the frozen image encoder.
 *
 * @module
 */
export * from "./data.ts";
export * from "./encoder.ts";
export * from "./files.ts";
export * from "./maps.ts";
export * from "./pictures.ts";
export * from "./train.ts";
export * from "./detect/anchors.ts";
export * from "./detect/boxes.ts";
export * from "./detect/data.ts";
export * from "./detect/decode.ts";
export * from "./detect/head.ts";
export * from "./detect/loss.ts";
export * from "./detect/metrics.ts";
export * from "./detect/run.ts";
export * from "./detect/submission.ts";
export * from "./detect/targets.ts";
export * from "./segment/data.ts";
export * from "./segment/head.ts";
export * from "./segment/loss.ts";
export * from "./segment/masks.ts";
export * from "./segment/metrics.ts";
export * from "./segment/run.ts";
export * from "./segment/submission.ts";
