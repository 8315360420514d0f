/**
 * Dense tasks on the frozen encoder: segmentation by a progressive-upsampling decoder, detection by a three-scale YOLOv3
 * head, their losses, metrics and the cache of maps.
 *
 * @module
 */
export * from "./anchors.ts";
export * from "./baselines.ts";
export * from "./batch_norm.ts";
export * from "./boxes.ts";
export * from "./coco_rle.ts";
export * from "./conv.ts";
export * from "./decoder.ts";
export * from "./detection_metrics.ts";
export * from "./feature_cache.ts";
export * from "./fit.ts";
export * from "./fractions.ts";
export * from "./masks.ts";
export * from "./nms.ts";
export * from "./segmentation_loss.ts";
export * from "./segmentation_metrics.ts";
export * from "./upsample.ts";
export * from "./yolo_decode.ts";
export * from "./yolo_head.ts";
export * from "./yolo_loss.ts";
export * from "./yolo_targets.ts";
