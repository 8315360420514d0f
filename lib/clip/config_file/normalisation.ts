/** Means and standard deviations of colours in [0, 1] that models were trained under. @module */
import type { ClipConfig } from "../config.ts";

type Normalisation = Pick<ClipConfig, "mean" | "std">;

/** ImageNet's, of torchvision's models and of DINOv2. */
export const IMAGENET: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** To [-1, 1], of `transformers`' ViT image processor. */
export const HALF: Normalisation = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
