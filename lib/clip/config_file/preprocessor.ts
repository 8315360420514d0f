/** What `transformers`' preprocessor_config.json says of a model's images. @module */
import type { ClipConfig } from "../config.ts";
import { isRecord, parseJson, SIZE } from "../../io/fields.ts";
import { choiceField, type ClipSource, colourField, type JsonRecord, refuseField, refuseForeign } from "./fields.ts";

/** Fields that change the numbers, with the values that are what this package does. */
const PLAIN: Readonly<Record<string, readonly unknown[]>> = {
  do_resize: [undefined, true],
  do_rescale: [undefined, true],
  do_normalize: [undefined, true],
  do_pad: [undefined, false],
};

/**
 * A configuration with the preprocessor's mean, deviation, resize mode and interpolation.
 *
 * Source: transformers `CLIPImageProcessor` (the shorter side, the centre cropped), `ViTImageProcessor` (both sides).
 *
 * @param text The file's text.
 * @param config What the model's own configuration says.
 * @param path The file's name, for errors.
 * @throws {SyntaxError} If a field is not what this package computes.
 */
export function withPreprocessor(text: string, config: ClipConfig, path: string): ClipConfig {
  const source: ClipSource = { config: path };
  const json = parseJson(text, path);
  if (!isRecord(json)) return refuseField(source, "the file", "a record", json);
  for (const [name, values] of Object.entries(PLAIN)) {
    choiceField(source, name, json[name], values.map((value) => [value, true]));
  }
  refuseForeign(source, json);
  const factor = json["rescale_factor"];
  if (typeof factor === "number" && Math.abs(factor * 255 - 1) > 1e-6) {
    refuseField(source, "rescale_factor", "1/255", factor);
  }
  const { resizedTo, ...sized } = { ...config, vision: withSize(json, config.vision, source) };
  return {
    ...sized,
    mean: colourField(source, "image_mean", json["image_mean"], config.mean),
    std: colourField(source, "image_std", json["image_std"], config.std),
    ...resizing(json, { ...sized, ...(resizedTo === undefined ? {} : { resizedTo }) }, source),
    interpolation: choiceField(source, "resample", json["resample"], [
      [undefined, config.interpolation],
      [2, "bilinear"],
      [3, "bicubic"],
    ]),
  };
}

/** A DINOv2 at the size its images are prepared at, which its positions are resampled for; any other tower as it is. */
function withSize(json: JsonRecord, vision: ClipConfig["vision"], source: ClipSource): ClipConfig["vision"] {
  if (vision.kind !== "dinov2") return vision;
  const sides = [json["crop_size"], json["size"]].flatMap((size) =>
    isRecord(size) ? [size["height"], size["shortest_edge"]] : [size]
  );
  const side = sides.find((value) => typeof value === "number") ?? vision.imageSize;
  if (typeof side === "number" && side > 0 && side % vision.patchSize === 0) return { ...vision, imageSize: side };
  return refuseField(source, "crop_size", `a multiple of the patch size ${vision.patchSize}`, side);
}

type Resizing = Pick<ClipConfig, "resizeMode" | "resizedTo">;

/** The mode, and the side before the crop where that is smaller; a check that the size is the tower's. */
function resizing(json: JsonRecord, config: ClipConfig, source: ClipSource): Resizing {
  const { vision: { imageSize }, resizeMode, resizedTo } = config;
  const isTower = (value: unknown): boolean => value === undefined || value === null || value === imageSize;
  const { size, crop_size: crop } = json;
  if (isRecord(crop)) {
    if (!isTower(crop["height"]) || !isTower(crop["width"])) refuseField(source, "crop_size", `${imageSize}`, crop);
  } else if (!isTower(crop)) refuseField(source, "crop_size", `${imageSize}`, crop);
  if (isRecord(size) && "shortest_edge" in size) {
    if (json["do_center_crop"] === false) refuseField(source, "do_center_crop", "true with size.shortest_edge", false);
    const edge = size["shortest_edge"];
    if (isTower(edge)) return { resizeMode: "shortest" };
    if (crop === undefined || crop === null) refuseField(source, "size.shortest_edge", `${imageSize}`, size);
    return SIZE.fits(edge) && edge > imageSize
      ? { resizeMode: "shortest", resizedTo: edge }
      : refuseField(source, "size.shortest_edge", `at least the crop's ${imageSize}`, size);
  }
  if (isRecord(size)) {
    if (!isTower(size["height"]) || !isTower(size["width"])) refuseField(source, "size", `${imageSize}`, size);
    return { resizeMode: "squash" };
  }
  if (!isTower(size)) refuseField(source, "size", `${imageSize}`, size);
  if (size === undefined) {
    const isCut = resizedTo !== undefined && resizedTo >= imageSize; // a DINOv2 may have been given a larger size
    return { resizeMode, ...(isCut ? { resizedTo } : {}) };
  }
  // A bare number means the shorter side to CLIP's processor, both sides to ViT's.
  const kind = `${json["image_processor_type"] ?? json["feature_extractor_type"] ?? ""}`;
  if (json["do_center_crop"] === true || kind.startsWith("CLIP")) return { resizeMode: "shortest" };
  return { resizeMode: kind.startsWith("ViT") ? "squash" : resizeMode };
}
