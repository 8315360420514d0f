/** DINOv2, and what a model without a text tower does. */
import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { findLayout } from "../../lib/clip/checkpoint/find_layout.ts";
import { NO_TEXT } from "../../lib/clip/architectures.ts";
import type { ClipConfig, VitConfig } from "../../lib/clip/config.ts";
import { loadClip, readClipConfig } from "../../lib/clip/load.ts";
import { NoTextTowerError } from "../../lib/clip/no_text.ts";
import { countClip } from "../../lib/clip/params.ts";
import { attentionHeads, encodeImage } from "../../lib/clip/towers/image.ts";
import { loadDenseEncoder } from "../../lib/dense/encoder.ts";
import { mapSource } from "../../lib/dense/maps.ts";

import { encodePng } from "../../lib/image/png.ts";
import { loadModel } from "../../lib/model.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import type { Tensor4D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose, noLeak } from "../close.ts";
import { caseOf, IMAGE_TOWERS, layoutFiles, openCase, withCopy } from "./layout_cases.ts";

for (const folder of IMAGE_TOWERS) {
  testOnBackends(`encodeImage() gives transformers' patch tokens too: ${folder}`, async () => {
    const { params, config, expected } = await openCase(caseOf(folder));
    const pixels = expected.get("pixels") as Tensor4D;
    const { tokens, affinity } = encodeImage(params, pixels, config, { affinity: "logits" });
    const all = expected.get("tokens")!; // CLS, registers, patches
    const [batch, size, width] = all.shape as [number, number, number];
    const patches = tokens.shape[1] - 1;
    const wanted = tf.concat([
      tf.slice(all, [0, 0, 0], [batch, 1, width]),
      tf.slice(all, [0, size - patches, 0], [batch, patches, width]),
    ], 1);
    await assertClose(tokens, wanted, 1e-4, "tokens"); // not unit rows: of a LayerNorm
    assertEquals(affinity!.shape, [batch, patches]);
    // With a gate of ones nothing changes, registers or not.
    const gate = tf.ones([batch, attentionHeads(config.vision), patches + 1, patches + 1]) as Tensor4D;
    await assertClose(encodeImage(params, pixels, config, { gate }).tokens, tokens, 1e-5, "gated tokens");
    disposeParams(params);
  });
}

async function changeJson(path: string, fields: Record<string, unknown>): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify({ ...JSON.parse(await Deno.readTextFile(path)), ...fields }));
}

Deno.test("loadModel() reads RAD-DINO's folder: it encodes images, maps them for dense tasks, and refuses texts", async () => {
  await selectBackend({ backend: "wasm" });
  await withCopy("rad_dino", async (folder) => {
    // What else the folder has: the head of its training, and the weights under DINOv2's own names.
    for (const name of ["dino_head", "backbone_compatible"]) {
      await Deno.writeTextFile(join(folder, `${name}.safetensors`), "");
    }
    const image = join(folder, "film.png");
    await Deno.writeFile(
      image,
      encodePng({ width: 20, height: 24, channels: 1, bitDepth: 8, data: new Uint8Array(480).map((_, i) => i) }),
    );
    await noLeak(async () => {
      const model = await loadModel(folder);
      assertEquals(model.config.mean, [0.5307, 0.5307, 0.5307]);
      assertEquals(model.config.embedding, 16);
      const features = await model.encodeImages([image]);
      assertAlmostEquals(features.reduce((sum, x) => sum + x * x, 0), 1, 1e-5);
      const refusals = [
        () => model.encodeTexts(["edema"]),
        () => model.classify([image], ["edema", "no finding"]),
      ];
      for (const ask of refusals) {
        const { message } = await assertRejects(ask, NoTextTowerError, "an image tower alone");
        assert(!message.includes("\n"));
      }
      model.dispose();
      const encoder = await loadDenseEncoder(folder);
      const source = await mapSource([{ id: "1", image: () => Promise.resolve(square()) }], encoder);
      assertEquals([source.grid, source.width], [2, 16]);
      assertEquals((await source.maps([0])).length, 2 * 2 * 16);
      disposeParams(encoder.trunk);
    });
  });
});

function square() {
  return { width: 16, height: 16, channels: 1, bitDepth: 8, data: new Uint8Array(256) } as const;
}

Deno.test("loadClip() takes a DINOv2's size from its preprocessor, and refuses SwiGLU and a size that cuts patches", async () => {
  await selectBackend({ backend: "cpu" });
  await withCopy("dinov2_resampled", async (folder) => {
    const { params, config } = await loadClip(folder);
    disposeParams(params);
    assertEquals(config.vision.kind === "dinov2" && [config.vision.imageSize, config.vision.positionSize], [16, 24]);
    const sized = (side: number) =>
      changeJson(join(folder, "preprocessor_config.json"), {
        size: { shortest_edge: side },
        crop_size: { height: side, width: side },
      });
    await sized(20);
    await assertRejects(
      () => loadClip(folder),
      SyntaxError,
      "crop_size must be a multiple of the patch size 8: found 20",
    );
    await sized(16);
    await changeJson(join(folder, "config.json"), { use_swiglu_ffn: true });
    await assertRejects(() => loadClip(folder), SyntaxError, "use_swiglu_ffn must be false: found true");
    await changeJson(join(folder, "config.json"), { use_swiglu_ffn: false, image_size: 16 });
    await assertRejects(() => loadClip(folder), SyntaxError, "image_size must be 24 to fit the weights");
  });
});

Deno.test("loadClip() takes torch.hub's DINOv2 for 224 of 256 pixels unless its preprocessor says otherwise, and refuses the giant", async () => {
  await selectBackend({ backend: "cpu" });
  const { weights } = layoutFiles(caseOf("dinov2_hub"));
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(weights, join(folder, "dinov2_vits14_pretrain.pth"));
    const read = async () => {
      const { resizeMode, resizedTo, vision } = await readClipConfig(folder);
      const { imageSize, positionSize, positionOffset } = vision as VitConfig;
      return [resizeMode, resizedTo, imageSize, positionSize, positionOffset];
    };
    assertEquals(await read(), ["shortest", 256, 224, 64, 0.1]);
    const preprocessor = join(folder, "preprocessor_config.json");
    await Deno.copyFile(join(weights, "..", "preprocessor_config.json"), preprocessor);
    assertEquals(await read(), ["shortest", 48, 40, 64, 0.1]);
    await changeJson(preprocessor, { size: { shortest_edge: 40 } });
    assertEquals(await read(), ["shortest", undefined, 40, 64, 0.1]);
    await changeJson(preprocessor, { size: { shortest_edge: 32 } });
    await assertRejects(read, SyntaxError, "size.shortest_edge must be at least the crop's 40");
    await Deno.remove(preprocessor);
    await Deno.writeTextFile(join(folder, "config.json"), "{}");
    await assertRejects(read, SyntaxError, "must come without a configuration");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  assertThrows(
    () => findLayout(new Set(["cls_token", "blocks.0.ls1.gamma", "blocks.0.mlp.w12.weight"]), "dinov2_vitg14.pth"),
    SyntaxError,
    "the SwiGLU of DINOv2's giant",
  );
});

Deno.test("a ViT-B/14 of 518 pixels has the numbers of RAD-DINO", () => {
  const config: ClipConfig = {
    vision: {
      ...{
        kind: "dinov2",
        imageSize: 518,
        patchSize: 14,
        width: 768,
        depth: 12,
        heads: 12,
        mlpWidth: 3072,
        epsilon: 1e-6,
      },
      ...{ activation: "gelu", pool: "cls", head: "none" },
    },
    text: NO_TEXT,
    embedding: 768,
    similarity: "softmax",
    scale: 1,
    mean: [0.5307, 0.5307, 0.5307],
    std: [0.2583, 0.2583, 0.2583],
    resizeMode: "shortest",
    interpolation: "bicubic",
  };
  assertEquals(countClip(config, (name) => name.startsWith("vision.")), 86_579_712);
  assertEquals(countClip(config), 86_579_713); // and the scale, which is 1
});

Deno.test("findLayout() refuses query decoders by name and says why", () => {
  for (
    const [name, sign] of [
      ["MedKLIP", "module.disease_embedding_layer.weight"],
      ["KAD", "model.decoder_norm.weight"],
      ["CARZero", "state_dict.CARZero.fusion_module.decoder_norm.weight"],
    ]
  ) {
    const error = assertThrows(
      () => findLayout(new Set([sign!, "image_encoder.res_features.0.weight"]), "best.pth"),
      SyntaxError,
      `${name}'s query decoder, whose score reads all tokens of image and text and is no similarity of two features`,
    );
    assert(error.message.includes("best.pth") && !error.message.includes("\n"));
  }
});
