import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { type Checkpoint, loadCheckpoint, openCheckpoint } from "../../lib/clip/checkpoint/checkpoint.ts";
import { findLayout } from "../../lib/clip/checkpoint/find_layout.ts";
import { impliedConfig } from "../../lib/clip/config_file/implied.ts";
import { parseClipConfig } from "../../lib/clip/config_file/parse.ts";
import { CLIP_VIT_B_32 } from "../../lib/clip/architectures.ts";
import { expectedClip } from "../../lib/clip/checkpoint/tensors.ts";
import { clipSizes } from "../../lib/clip/config_file/sizes.ts";
import { KeyReportError } from "../../lib/io/key_report.ts";
import { openTensorFile } from "../../lib/io/open.ts";
import { readAllTensors } from "../../lib/io/tensor_file.ts";
import { writeTorch } from "../../lib/io/torch_writer.ts";
import { MINI } from "../../lib/clip/architectures.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { testOnBackends } from "../backends.ts";
import { CASES, needsCase } from "../cases.ts";
import { noLeak } from "../close.ts";
import {
  caseOf,
  gradientDifference,
  IMAGE_TOWERS,
  LAYOUT_CASES,
  layoutDifference,
  layoutFiles,
  OTHER_TOWERS,
} from "./layout_cases.ts";
import { inFolder } from "../folder.ts";

await selectBackend({ backend: "cpu" });

for (const one of LAYOUT_CASES) {
  const declare = one.isLarge
    ? (name: string, body: () => Promise<void>) =>
      Deno.test(`${name} [wasm]`, async () => {
        await selectBackend({ backend: "wasm" });
        await body();
      })
    : testOnBackends;
  declare(`loadCheckpoint() gives the original library's probabilities: ${one.layout}`, async () => {
    const difference = await layoutDifference(one);
    assert(difference < 1e-5, `${one.folder}: the largest difference is ${difference}`);
  });
}

for (const one of LAYOUT_CASES.filter(({ folder }) => [...OTHER_TOWERS, ...IMAGE_TOWERS].includes(folder))) {
  testOnBackends(`the gradient through both towers is the original library's: ${one.layout}`, async () => {
    const difference = await gradientDifference(one);
    assert(difference !== undefined && difference < 1e-4, `${one.folder}: the largest difference is ${difference}`);
  });
}

const filesOf = (folder: string): ReturnType<typeof layoutFiles> => layoutFiles(caseOf(folder));

/** Opens a checkpoint for a body. */
async function withCheckpoint(path: string, body: (checkpoint: Checkpoint) => Promise<void> | void): Promise<void> {
  const checkpoint = await openCheckpoint(path);
  try {
    await body(checkpoint);
  } finally {
    checkpoint.file.close();
  }
}

Deno.test("impliedConfig() says what it assumed, unless OpenAI's own file says it", async () => {
  for (
    const [folder, said] of [["chexzero", "OpenAI's CLIP"], ["unimed_clip", "UniMed-CLIP"], ["openai_script", ""]]
  ) {
    await withCheckpoint(filesOf(folder!).weights, (checkpoint) => {
      const notes: string[] = [];
      impliedConfig(checkpoint, (text) => notes.push(text));
      assertEquals(notes.length, said === "" ? 0 : 1);
      assert((notes[0] ?? "").includes(said!), notes[0]);
    });
  }
});

Deno.test("impliedConfig() gives OpenAI's ViT-B/32 its twelve and eight heads", () => {
  const layout = { vision: "open_clip", visionPrefix: "visual.", text: "open_clip", textPrefix: "" } as const;
  const shapes = new Map<string, readonly number[]>([...expectedClip(CLIP_VIT_B_32, layout), ["input_resolution", []]]);
  const file = { path: "ViT-B-32.pt", metadata: {} } as Checkpoint["file"];
  const config = impliedConfig({ file, layout, wrapper: "", shapes, sizes: clipSizes(shapes, layout) });
  assertEquals(config, CLIP_VIT_B_32);
});

Deno.test("impliedConfig() refuses layouts whose models differ in what no tensor tells, and names the missing file", async () => {
  for (
    const [folder, layout, missing] of [
      ["bmc_clip", "saved by open_clip's training", "open_clip_config.json"],
      ["open_clip_bert_mean", "CLIP's own ViT with BERT in open_clip", "open_clip_config.json"],
      ["hf_clip", "transformers' CLIP with transformers' CLIP text transformer", "config.json"],
    ]
  ) {
    await withCheckpoint(filesOf(folder!).weights, (checkpoint) => {
      const error = assertThrows(() => impliedConfig(checkpoint), SyntaxError, missing);
      assert(error.message.includes(layout!) && !error.message.includes("\n"), error.message);
    });
  }
});

Deno.test("findLayout() names what it recognised and what is missing", () => {
  const refused = (names: string[], ...parts: string[]): void => {
    const error = assertThrows(() => findLayout(new Set(names), "model.pt"), SyntaxError);
    for (const part of ["model.pt", ...parts]) assert(error.message.includes(part), error.message);
    assert(!error.message.includes("\n"));
  };
  const vision = "visual.class_embedding";
  refused(["a.b"], "image tower must have one of", "found none in 1 tensors");
  refused([`m.${vision}`, "token_embedding.weight"], `CLIP's own ViT under "m."`, "text tower must have one of");
  refused(["img_encoder.model.features.denseblock1.denselayer1.conv1.weight"], "a DenseNet as image tower");
  refused(["vision_model.head.probe", "vision_model.embeddings.patch_embedding.weight"], "SigLIP");
  refused([vision, "text.token_embedding.weight", "text.cls_emb"], "CoCa");
  refused(["visual.trunk.layers.0.blocks.0.attn.cpb_mlp.0.weight"], "a Swin V2 as image tower");
  refused(["visual.trunk.stages.0.blocks.0.norm.weight"], "a ConvNeXt as image tower");
  // Of two models, the one below what wrappers write.
  const both = ["ema.", "module."].flatMap((p) => [p + vision, `${p}token_embedding.weight`]);
  assertEquals(findLayout(new Set(both), "x").wrapper, "module.");
});

Deno.test("loadCheckpoint() names the layout and the tensor that is missing", async () => {
  const { weights, config } = filesOf("biomed_clip_old");
  await inFolder(async (folder) => {
    const path = `${folder}/less.pt`;
    const file = await openTensorFile(weights);
    const tensors = await readAllTensors(file);
    file.close();
    tensors.delete("text.proj.2.weight");
    await writeTorch(path, { state_dict: tensors });
    await noLeak(() =>
      withCheckpoint(path, async (checkpoint) => {
        const source = { config: config!, weights: path, sizes: checkpoint.sizes };
        const parsed = parseClipConfig(await Deno.readTextFile(config!), source);
        const error = await assertRejects(() => loadCheckpoint(checkpoint, parsed), KeyReportError);
        assert(
          error.message.includes(
            `"${path}" (timm's ViT with BERT in open_clip) as "text.proj.2.weight" [8, 12] is missing`,
          ),
          error.message,
        );
      })
    );
  });
});

Deno.test("loadCheckpoint() refuses a file with a part that these towers do not have", async () => {
  const { weights, config } = filesOf("biomed_clip_old");
  await inFolder(async (folder) => {
    const path = `${folder}/more.pt`;
    const file = await openTensorFile(weights);
    const tensors = await readAllTensors(file);
    file.close();
    for (const name of ["logit_bias", "visual.trunk.blocks.0.ls1.gamma", "visual.trunk.fc_norm.weight"]) {
      await writeTorch(path, new Map([...tensors, [name, tensors.get("visual.trunk.norm.bias")!]]));
      await withCheckpoint(path, async (checkpoint) => {
        const source = { config: config!, weights: path, sizes: checkpoint.sizes };
        const parsed = parseClipConfig(await Deno.readTextFile(config!), source);
        await assertRejects(() => loadCheckpoint(checkpoint, parsed), SyntaxError, `its "${name}" is not`);
      });
    }
  });
});

Deno.test("parseClipConfig() honours a field that changes the numbers or refuses it by name", async () => {
  const { weights, config } = filesOf("biomed_clip_old");
  const text = await Deno.readTextFile(config!);
  await withCheckpoint(weights, ({ sizes }) => {
    const parsed = (
      change: (model: Record<string, Record<string, unknown>>) => void,
    ): ReturnType<typeof parseClipConfig> => {
      const json = JSON.parse(text);
      change(json.model_cfg);
      return parseClipConfig(JSON.stringify(json), { config: "c.json", weights, sizes });
    };
    const old = parsed(() => {}).text;
    assertEquals(old.kind === "bert" && [old.pool, old.head], ["cls", "mlp"]);
    const refused = (change: Parameters<typeof parsed>[0], ...parts: string[]): void => {
      const error = assertThrows(() => parsed(change), SyntaxError, "c.json");
      for (const part of parts) assert(error.message.includes(part), error.message);
    };
    refused((m) => m["text_cfg"]!["hf_pooler_type"] = "mean_pooler", "text_cfg.pooler_type");
    refused((m) => m["text_cfg"]!["pooler_type"] = "max_pooler", "text_cfg.hf_pooler_type", "max_pooler");
    refused((m) => m["text_cfg"]!["pool_kind"] = "max", "text_cfg.pool_kind must be absent");
    refused((m) => m["vision_cfg"]!["qk_norm"] = true, "vision_cfg.qk_norm");
    refused((m) => delete m["vision_cfg"]!["timm_pool"], "vision_cfg.timm_pool", '"avg"');
    refused((m) => m["multimodal_cfg"] = {}, "multimodal_cfg must be absent");
    const preprocess = (cfg: Record<string, unknown>): ReturnType<typeof parseClipConfig> =>
      parseClipConfig(JSON.stringify({ ...JSON.parse(text), preprocess_cfg: cfg }), {
        config: "c.json",
        weights,
        sizes,
      });
    const { resizeMode, interpolation } = preprocess({
      size: [16, 16],
      resize_mode: "squash",
      interpolation: "bilinear",
    });
    assertEquals([resizeMode, interpolation], ["squash", "bilinear"]);
    assertEquals(preprocess({ resize_mode: "longest", fill_color: 0 }).resizeMode, "longest");
    assertThrows(() => preprocess({ interpolation: "random" }), SyntaxError, "preprocess_cfg.interpolation");
    assertThrows(() => preprocess({ size: 224 }), SyntaxError, "preprocess_cfg.size must be 16");
    assertThrows(() => preprocess({ resize_mode: "longest", fill_color: 9 }), SyntaxError, "preprocess_cfg.fill_color");
    assertThrows(() => preprocess({ crop_pct: 0.9 }), SyntaxError, "preprocess_cfg.crop_pct must be absent");
  });
});

Deno.test("parseClipConfig() refuses a Swin's configuration that does not fit its weights, by file and field", async () => {
  const refusedOf = async (
    folder: string,
    change: (vision: Record<string, unknown>) => void,
    ...parts: string[]
  ): Promise<void> => {
    const { weights, config } = filesOf(folder);
    const json = JSON.parse(await Deno.readTextFile(config!));
    change(json.vision_config ?? json.model_cfg.vision_cfg);
    await withCheckpoint(weights, ({ sizes }) => {
      const read = () => parseClipConfig(JSON.stringify(json), { config: "c.json", weights, sizes });
      const { message } = assertThrows(read, SyntaxError);
      for (const part of ["c.json", ...parts]) assert(message.includes(part), message);
    });
  };
  await refusedOf("pair_swin", (v) => v["window_size"] = 7, "vision_config.window_size must be 2", "7");
  await refusedOf("pair_swin", (v) => v["depths"] = [2, 6], "vision_config.depths must be [2,2]", "[2,6]");
  await refusedOf("pair_swin", (v) => v["use_absolute_embeddings"] = true, "vision_config.use_absolute_embeddings");
  await refusedOf("open_clip_swin", (v) => v["image_size"] = 224, "vision_cfg.image_size must be 16", "224");
  await refusedOf("open_clip_swin", (v) => v["timm_pool"] = "max", "vision_cfg.timm_pool");
  await refusedOf("open_clip_swin", (v) => v["timm_model_name"] = "swinv2_base_window8_256", "timm_model_name");
  await refusedOf("biomed_clip_old", (v) => v["timm_model_name"] = "swin_base_patch4_window7_224", "must be a Swin's");
});

Deno.test({
  ...needsCase(
    "logit_scale",
    "loadCheckpoint() reads a logit scale of shape [1], a NumPy scalar beside the weights, and shards",
  ),
  fn: async () => {
    for (
      const path of [
        `${CASES}/logit_scale/scale1.bin`,
        `${CASES}/messages/numpy_scalar.pt`,
        `${CASES}/messages/sharded/model.safetensors.index.json`,
      ]
    ) {
      await noLeak(() =>
        withCheckpoint(path, async (checkpoint) => {
          assertEquals(checkpoint.layout.vision, "timm");
          const params = await loadCheckpoint(checkpoint, MINI);
          assertEquals(params.logitScale.shape, []);
          disposeParams(params);
        })
      );
    }
  },
});

Deno.test("the fixtures' card names the script that made them", async () => {
  const path = fromFileUrl(new URL("clip_fixtures/card.json", import.meta.url));
  const { versions } = JSON.parse(await Deno.readTextFile(path));
  assert(versions.timm && versions.open_clip && versions.transformers);
});
