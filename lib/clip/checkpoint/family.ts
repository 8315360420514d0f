/** A CLIP's weights under the names of the other library: open_clip's own towers as `transformers`' CLIPModel, and back. @module */
import { checkKeys } from "../../io/key_report.ts";
import { float32Tensor, type TensorData, toFloat32 } from "../../io/tensors.ts";
import { disposeParams } from "../../tensor/params.ts";
import type { ClipConfig } from "../config.ts";
import { layoutLabel } from "./find_layout.ts";
import type { ClipLayout } from "./layout.ts";
import { VISION_NAMES } from "./vision_names.ts";
import { expectedClip, loadClipTensors, toClipTensors } from "./tensors.ts";

/** A library that reads weights: open_clip, or `transformers`. */
export type ClipFamily = "open_clip" | "hf";

/** The names each library has for CLIP's own towers. */
const OWN_LAYOUTS: Readonly<Record<ClipFamily, ClipLayout>> = {
  open_clip: { vision: "open_clip", visionPrefix: "visual.", text: "open_clip", textPrefix: "" },
  hf: { vision: "hf_clip", visionPrefix: "vision_model.", text: "hf_clip", textPrefix: "text_model." },
};
/** The error for a model that the other library has no towers for. */
export class NoCounterpartError extends RangeError {
  /** Name shown in stack traces. */
  override name = "NoCounterpartError";
}

/** Names that no library but a model's own code reads. */
const SINGLE: Readonly<Record<string, true>> = {
  gloria: true,
  mgca: true,
  cxr_clip: true,
  convirt: true,
  pmc_clip: true,
  medclip: true,
};

/** Which library reads a layout. */
export function familyOf({ vision, text }: ClipLayout): ClipFamily | "mixed" {
  if (vision in SINGLE || text in SINGLE) return "mixed";
  const of = (kind: string): string => kind.startsWith("hf") ? "hf" : "open_clip";
  return of(vision) === of(text) ? of(vision) as ClipFamily : "mixed";
}

/**
 * A checkpoint's tensors under the other library's names, in float32 and its shapes.
 *
 * @param tensors By the names of `layout`, without a wrapper's prefix.
 * @param from The names they have, and what the model is.
 * @throws {NoCounterpartError} If the library has no such towers; the message names what it lacks.
 * @throws {KeyReportError} If a tensor is missing or misshapen.
 */
export async function toFamily(
  tensors: ReadonlyMap<string, TensorData>,
  { layout, config, path }: { layout: ClipLayout; config: ClipConfig; path: string },
  family: ClipFamily,
): Promise<Map<string, TensorData>> {
  checkCounterpart({ layout, config, path }, family);
  const names = [...tensors].map(([name, { shape, dtype }]) => [name, { shape, dtype }] as const);
  checkKeys(expectedClip(config, layout), { path, entries: new Map(names) }, { layout: layoutLabel(layout) });
  const params = await loadClipTensors(config, layout, (name) => {
    const tensor = tensors.get(name)!;
    return Promise.resolve({ shape: tensor.shape, values: toFloat32(tensor) });
  });
  try {
    const named = await toClipTensors(params, OWN_LAYOUTS[family]);
    return new Map([...named].map(([name, { shape, values }]) => [name, float32Tensor(shape, values)]));
  } finally {
    disposeParams(params);
  }
}

function checkCounterpart(
  { layout, config: { vision, text, similarity, resizeMode }, path }: {
    layout: ClipLayout;
    config: ClipConfig;
    path: string;
  },
  family: ClipFamily,
): void {
  const library = family === "hf" ? "transformers' CLIPModel" : "open_clip";
  const refuse = (what: string): never => {
    throw new NoCounterpartError(`Cannot write "${path}" (${layoutLabel(layout)}) for ${library} as ${what}`);
  };
  if (vision.kind !== "clip") {
    const actual = vision.kind === "vit" ? "a ViT with a bias in its patches" : VISION_NAMES[layout.vision].label;
    return refuse(`its image tower must be CLIP's own ViT: it is ${actual}`);
  }
  if (text.kind !== "clip") return refuse("its text tower must be CLIP's own: it is a BERT");
  if (similarity === "sigmoid") refuse("its similarity must be CLIP's softmax: it is a sigmoid with a logit bias");
  if (family === "hf") {
    if (resizeMode === "longest") refuse("its images must be cropped or squashed: they are padded");
    return;
  }
  if (vision.activation !== text.activation) {
    refuse(`both towers must have one activation: they have ${vision.activation} and ${text.activation}`);
  }
  const odd = [vision.epsilon, text.epsilon].find((epsilon) => epsilon !== 1e-5);
  if (odd !== undefined) refuse(`the LayerNorms' epsilon must be 1e-5: current value is ${odd}`);
  if (vision.width % vision.heads !== 0) {
    refuse(`heads must divide the width ${vision.width}: current value is ${vision.heads}`);
  }
}
