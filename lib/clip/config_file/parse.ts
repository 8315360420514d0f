/**
 * A CLIP's configuration from a JSON file: which format it has, and what concerns both towers. open_clip's is read in
 * open_clip.ts, `transformers`' in transformers.ts; another one gets a file beside them and a line in {@linkcode parseClipConfig}.
 *
 * @module
 */
import { towerKinds } from "../checkpoint/layout.ts";
import type { ClipConfig } from "../config.ts";
import { imageHead } from "../towers/image.ts";
import { type ClipSource, type JsonRecord, refuseField } from "./fields.ts";
import { openClip } from "./open_clip.ts";
import { hfDinov2 } from "./dinov2.ts";
import { hfClip, hfPair, hfSiglip } from "./transformers.ts";
import { isRecord, parseJson } from "../../io/fields.ts";

/**
 * The configuration a JSON file describes: an open_clip configuration (with or without `model_cfg` around it), or a
 * `config.json` of `transformers`' `CLIPModel`, `SiglipModel`, `VisionTextDualEncoderModel` or `Dinov2Model`.
 *
 * Sizes it declares are checked against the weights'; sizes it leaves out are read from them.
 *
 * @param text The file's text.
 * @param source Files' names and the weights' sizes.
 * @throws {SyntaxError} If it is no such configuration, or a field does not fit; the message names the file and the field.
 */
export function parseClipConfig(text: string, source: ClipSource): ClipConfig {
  const json = parseRecord(text, source);
  const model = isRecord(json["model_cfg"]) ? json["model_cfg"] : json;
  if (isRecord(model["vision_cfg"])) return finish(openClip(json, model, source), source);
  const kind = json["model_type"] ?? (Array.isArray(json["architectures"]) ? json["architectures"][0] : undefined);
  if (kind === "clip" || kind === "CLIPModel") return finish(hfClip(json, source), source);
  if (kind === "vision-text-dual-encoder" || kind === "VisionTextDualEncoderModel") {
    return finish(hfPair(json, source), source);
  }
  if (kind === "siglip" || kind === "SiglipModel") return finish(hfSiglip(json, source), source);
  if (kind === "dinov2" || kind === "Dinov2Model") return finish(hfDinov2(json, source), source);
  if (kind === "dinov2_with_registers" || kind === "Dinov2WithRegistersModel") {
    return finish(hfDinov2(json, source), source);
  }
  return refuseField(
    source,
    "model_type",
    '"clip", "siglip", "vision-text-dual-encoder" or "dinov2", or vision_cfg be there',
    kind,
  );
}

function parseRecord(text: string, source: ClipSource): JsonRecord {
  const json = parseJson(text, source.config);
  return isRecord(json) ? json : refuseField(source, "the file", "a record", json);
}

/** Checks what concerns both towers. */
function finish(config: ClipConfig, source: ClipSource): ClipConfig {
  const { vision, text } = config;
  if ("patchSize" in vision && vision.imageSize % vision.patchSize !== 0) {
    refuseField(source, "image_size", `a multiple of the patch size ${vision.patchSize}`, vision.imageSize);
  }
  if (imageHead(vision) === "none" && config.embedding !== vision.width) {
    refuseField(
      source,
      "the embedding's size",
      `the image tower's width ${vision.width}, which has no projection`,
      config.embedding,
    );
  }
  if (source.sizes) {
    const { layout } = source.sizes;
    const kinds: [string, string, string][] = [
      ["image", vision.kind, towerKinds(layout).vision],
      ["text", text.kind, towerKinds(layout).text],
    ];
    for (const [tower, declared, stored] of kinds) {
      if (declared === stored) continue;
      throw new SyntaxError(
        `Cannot use "${source.config}" with "${source.weights}" as its ${tower} tower must be of kind "${stored}" to fit ` +
          `the weights: current value is "${declared}"`,
      );
    }
  }
  return config;
}
