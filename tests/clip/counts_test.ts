import { assertEquals } from "@std/assert";
import { BIOMED_CLIP, MINI } from "../../lib/clip/architectures.ts";
import { BIOMED_CLIP_LAYOUT } from "../../lib/clip/checkpoint/layout.ts";
import { expectedClip } from "../../lib/clip/checkpoint/tensors.ts";
import { impliedConfig } from "../../lib/clip/config_file/implied.ts";
import { clipSizes } from "../../lib/clip/config_file/sizes.ts";
import { buildClip } from "../../lib/clip/params.ts";
import { ACE_LORA_HGNN } from "../../lib/hypergraph/ace_hgnn.ts";
import { countTrainable, initAceLora } from "../../lib/ace_lora.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import type { TensorFile } from "../../lib/io/tensor_file.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import type { Tensor } from "../../lib/tensor/types.ts";
import * as tf from "@tensorflow/tfjs";

function count(config: typeof BIOMED_CLIP): number {
  let total = 0;
  buildClip(config, (_, shape) => {
    total += shape.reduce((a, b) => a * b, 1);
    return null as unknown as Tensor;
  });
  return total;
}

Deno.test("BIOMED_CLIP has 195,902,721 or 194,653,185 numbers, by its word table", () => {
  // ViT-B/16 85,798,656 + head 393,216; BERT without pooler 85,054,464 + 394,752 + 1,536 + 1,536 + words x 768;
  // text head 491,520 + 327,680; logit scale 1.
  const rest = 85_798_656 + 393_216 + 85_054_464 + 512 * 768 + 2 * 768 + 2 * 768 + 491_520 + 327_680 + 1;
  assertEquals(count(BIOMED_CLIP), rest + 30_522 * 768);
  assertEquals(count(BIOMED_CLIP), 195_902_721);
  const small = { ...BIOMED_CLIP, text: { ...BIOMED_CLIP.text, vocabularySize: 28_895 } };
  assertEquals(count(small), 194_653_185);
});

Deno.test("MINI has about a million numbers", () => {
  // A block of width 96: 12 * 96^2 + 13 * 96 = 111,840, four a tower.
  const vision = 192 * 96 + 96 + 96 + 65 * 96 + 4 * 111_840 + 2 * 96 + 64 * 96;
  const text = (512 + 48 + 2) * 96 + 2 * 96 + 4 * 111_840 + 80 * 96 + 64 * 80;
  assertEquals(count(MINI), vision + text + 1);
  assertEquals(count(MINI), 992_865);
});

Deno.test("initAceLora() with the paper's settings has exactly 969,217 trainable numbers", async () => {
  await selectBackend({ backend: "cpu" });
  tf.engine().startScope();
  // Zeros share no memory with real weights; only the shapes matter here.
  const base = buildClip(BIOMED_CLIP, (_, shape) => tf.zeros(shape));
  const params = await initAceLora(base, { encoders: BIOMED_CLIP, lora: ACE_LORA_LORA, hgnn: ACE_LORA_HGNN });
  assertEquals(countTrainable(params), 969_217);
  tf.engine().endScope();
});

Deno.test("impliedConfig() reads every size of BiomedCLIP and the mini model from the shapes", () => {
  const cut = { ...BIOMED_CLIP, text: { ...BIOMED_CLIP.text, vocabularySize: 28_895, depth: 2 } };
  for (const config of [BIOMED_CLIP, MINI, cut]) {
    const shapes = expectedClip(config, BIOMED_CLIP_LAYOUT);
    const sizes = clipSizes(shapes, BIOMED_CLIP_LAYOUT);
    const read = () => Promise.reject(new RangeError("no tensors"));
    const file: TensorFile = {
      path: "x.bin",
      format: "torch",
      entries: new Map(),
      metadata: {},
      read,
      close: () => {},
    };
    const checkpoint = { file, layout: BIOMED_CLIP_LAYOUT, wrapper: "", shapes, sizes };
    const notes: string[] = [];
    assertEquals(impliedConfig(checkpoint, (text) => notes.push(text)), config);
    assertEquals(notes.length, config === MINI ? 0 : 1);
  }
});

Deno.test("expectedClip() has open_clip's names and shapes", () => {
  const expected = expectedClip(BIOMED_CLIP, BIOMED_CLIP_LAYOUT);
  assertEquals(expected.get("visual.trunk.patch_embed.proj.weight"), [768, 3, 16, 16]);
  assertEquals(expected.get("visual.trunk.blocks.11.attn.qkv.weight"), [2304, 768]);
  assertEquals(expected.get("text.transformer.encoder.layer.0.attention.output.LayerNorm.bias"), [768]);
  assertEquals(expected.get("text.proj.2.weight"), [512, 640]);
  assertEquals(expected.get("logit_scale"), []);
  // 4 embeddings and 2 norms of the ViT stem and head, 12 a block; 5 and 16 a layer for BERT; 2 heads, 1 scale.
  assertEquals(expected.size, 7 + 12 * 12 + 5 + 12 * 16 + 2 + 1);
});
