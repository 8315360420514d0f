/** Every method of fine-tuning on the other family of text towers: causal, read at the end of text, quick GELU. */
import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals } from "@std/assert";
import type { ClipConfig } from "../../lib/clip/config.ts";
import { initClip } from "../../lib/clip/params.ts";
import { loadPeft, savePeft, trainableLeaves } from "../../lib/peft/files.ts";
import { PEFT_METHODS, type PeftName } from "../../lib/peft/methods.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { normal } from "../../lib/tensor/init.ts";
import { withTensors } from "../../lib/tensor/params.ts";
import type { Tensor2D } from "../../lib/tensor/types.ts";
import { batchOf } from "../../lib/train/batch.ts";
import { contrastiveGradients } from "../../lib/train/gradients.ts";
import { assertClose, largestDifference } from "../close.ts";
import { SMALL, smallPixels } from "../small_model.ts";

const { vocabularySize, contextLength, positions, width, depth, heads, mlpWidth } = SMALL.text;
const CAUSAL: ClipConfig = {
  ...SMALL,
  vision: { ...SMALL.vision, kind: "clip", activation: "quick-gelu" },
  text: {
    ...{ kind: "clip", vocabularySize, contextLength, positions, width, depth, heads, mlpWidth },
    ...{ epsilon: 1e-5, activation: "quick-gelu", eotId: 39 },
  } as ClipConfig["text"],
};
/** Bottlenecks of more than a unit or two, so that not all are on the flat side of the ReLU. */
const SETTINGS: Partial<Record<PeftName, Record<string, unknown>>> = {
  "adapter": { reduction: 2 },
  "clip-adapter": { reduction: 1 },
};
const TEXTS = [[1, 7, 9, 39, 0, 0, 0, 0, 0, 0], [1, 5, 39, 0, 0, 0, 0, 0, 0, 0], [1, 8, 6, 4, 3, 39, 0, 0, 0, 0]];

for (const name of Object.keys(PEFT_METHODS) as PeftName[]) {
  Deno.test(`${name} adapts a CLIP with a causal text tower: gradients, merged = unmerged = reloaded`, async () => {
    await selectBackend({ backend: "cpu" });
    const ids = tf.tensor2d(TEXTS, [3, 10], "int32") as Tensor2D;
    const base = initClip(CAUSAL, 3);
    const method = PEFT_METHODS[name](CAUSAL, SETTINGS[name] ?? {});
    const { model } = method;
    const fresh = await method.prepare(base);
    const leaves = trainableLeaves(method, fresh);
    const moves = [...leaves].map(([leaf, x]) => [leaf, tf.add(x, normal(x.shape, 0.1, 8, leaf))] as const);
    const moved = withTensors(fresh, new Map(moves));
    const [pixels, zeroShot] = [smallPixels(3), PEFT_METHODS.none(CAUSAL).model];
    const [image, text] = [model.imageFeatures(moved, pixels), model.textFeatures(moved, ids)];
    if (name !== "none") {
      const changes = [
        await largestDifference(image, zeroShot.imageFeatures(base, pixels)),
        await largestDifference(text, zeroShot.textFeatures(base, ids)),
      ];
      assert(Math.max(...changes) > 1e-4, `${changes}`);
      const { gradients } = await contrastiveGradients(model, moved, batchOf({ pixels, ids }));
      assertEquals([...gradients.keys()], [...leaves.keys()]);
    }
    const merged = model.forEvaluation(moved);
    await assertClose(model.imageFeatures(merged, pixels), image, 1e-5, "merged image");
    await assertClose(model.textFeatures(merged, ids), text, 1e-5, "merged text");
    const path = await Deno.makeTempFile({ suffix: ".safetensors" });
    try {
      await savePeft(path, method, moved);
      const again = await loadPeft(path, base, CAUSAL);
      await assertClose(again.method.model.textFeatures(again.params, ids), text, 0, "reloaded text");
      await assertClose(again.method.model.imageFeatures(again.params, pixels), image, 0, "reloaded image");
    } finally {
      await Deno.remove(path);
    }
  });
}
