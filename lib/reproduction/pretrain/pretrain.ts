/** Pre-trains the generalist from scratch. @module */
import * as tf from "@tensorflow/tfjs";
import type { ClipParams } from "../../clip/params.ts";
import { MINI } from "../../clip/architectures.ts";
import type { VitConfig } from "../../clip/config.ts";
import { initClip } from "../../clip/params.ts";
import type { ContrastiveModel } from "../../clip/contrastive.ts";
import { disposeParams, namedTensors, withTensors } from "../../tensor/params.ts";
import type { Tensor3D } from "../../tensor/types.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { FitOptions, FitResult } from "../../train/options.ts";
import { fit } from "../../train/fit.ts";
import type { BatchSource } from "../../train/source.ts";
import { captionSource, IMAGE_STAGE } from "./image.ts";
import { PRETRAIN, type PretrainSettings } from "./settings.ts";
import { TEXT_STAGE, textSource } from "./text.ts";

/**
 * Trains MINI from random weights, one tower after the other, as BiomedCLIP's towers had been trained apart before they met:
 * the text tower on pairs of texts (PubMedBERT knew the language of reports from texts alone), then the image tower on
 * images of four modalities with captions, most of which say in plain words what is seen and few what it is called. The
 * generalist so knows the language and the sights, but hardly which word belongs to which sight: the specialist's task.
 *
 * Both stages leave pairs of the same contents out of the denominators; two untrained towers trained together settle on
 * telling modalities apart and nothing within one.
 *
 * @param tokenizer MINI's.
 * @returns The trained tree; free it with `disposeParams`.
 */
export async function pretrain(
  tokenizer: Tokenizer,
  settings: PretrainSettings = PRETRAIN,
  hooks: Pick<FitOptions, "onStep" | "signal" | "statePath" | "resume"> = {},
): Promise<FitResult<ClipParams>> {
  const start = freshMini(settings.seed);
  const run = (
    model: ContrastiveModel<ClipParams>,
    params: ClipParams,
    source: BatchSource,
  ): Promise<FitResult<ClipParams>> =>
    fit(model, params, source, {
      ...hooks,
      ...(hooks.statePath ? { statePath: `${hooks.statePath}.${model === TEXT_STAGE ? "text" : "image"}` } : {}),
      ...stageOptions(settings),
    });
  const first = await run(TEXT_STAGE, start, textSource(settings, tokenizer));
  if (first.interrupted) return first;
  const second = await run(IMAGE_STAGE, first.params, captionSource(settings, tokenizer));
  disposeParams(start, second.params);
  disposeParams(first.params, second.params);
  return { ...second, history: [...first.history, ...second.history] };
}

/** How every stage is trained: one pass over pairs that are made as they are asked for. */
export function stageOptions(
  { seed, batchSize, learningRate }: Pick<PretrainSettings, "seed" | "batchSize" | "learningRate">,
): FitOptions {
  return {
    epochs: 1,
    warmupEpochs: 0.05,
    beta2: 0.98, // the run is short
    batchSize,
    learningRate,
    loss: "label-guided",
    shuffle: false,
    seed,
  };
}

/** Where the position embeddings of the image tower stand. */
const POSITIONS = "vision.trunk.posEmbed";

/** MINI with random weights, the position embeddings of its image tower apart. Free it with `disposeParams`. */
export function freshMini(seed: number): ClipParams {
  const random = initClip(MINI, seed);
  const start = withTensors(random, new Map([[POSITIONS, waves(MINI.vision)]]));
  namedTensors(random).get(POSITIONS)!.dispose();
  return start;
}

/** Position embeddings to start from: sines and cosines of row and column, as tall as the patches' embeddings; CLS has none. */
function waves({ imageSize, patchSize, width }: VitConfig): Tensor3D {
  const side = imageSize / patchSize;
  const quarter = width / 4;
  const row = (y: number, x: number): number[] =>
    [x, y].flatMap((coordinate) =>
      [Math.sin, Math.cos].flatMap((wave) =>
        Array.from({ length: quarter }, (_, i) => wave(coordinate / 100 ** (i / quarter)))
      )
    );
  const patches = Array.from({ length: side * side }, (_, i) => row(Math.floor(i / side), i % side));
  return tf.tensor3d([[new Array<number>(width).fill(0), ...patches]]);
}
