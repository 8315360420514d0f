"""Writes tests/clip/clip_fixtures: tiny random CLIPs as their libraries save them, and the features they give.

References: transformers' CLIPModel and VisionTextDualEncoderModel, open_clip's CLIP and HFTextEncoder, timm's
VisionTransformer, and OpenAI's CLIP, written again here from its paper. Each folder holds the weights (and the configuration,
where such checkpoints come with one) as save_pretrained, torch.save and torch.jit.save write them, and expected.safetensors
with pixels (NCHW as NHWC), token ids, the features before normalisation and the logits; card.json names versions and seeds.

Run: python tests/clip/make_clip_fixtures.py [FOLDER ...]   (all of them where none is named)
Needs: torch, transformers, open_clip_torch, timm, omegaconf (torchvision is replaced by a stand-in).
"""

import argparse
import collections
import enum
import importlib.machinery
import importlib.metadata
import json
import math
import pathlib
import shutil
import sys
import types

import numpy
import torch
from safetensors.torch import load_file, save_file


class InterpolationMode(enum.Enum):
    NEAREST, NEAREST_EXACT, BILINEAR, BICUBIC, BOX, HAMMING, LANCZOS = range(7)


class StandIn(types.ModuleType):
    """A module whose every attribute is an empty class: torchvision, which open_clip and timm import and the towers do not use."""

    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return InterpolationMode if name == "InterpolationMode" else type(name, (object,), {})


class StandInFinder:
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name.split(".")[0] == "torchvision" else None

    def create_module(self, spec):
        return StandIn(spec.name)

    def exec_module(self, module):
        pass


from transformers.utils import is_torchvision_available  # noqa: E402

is_torchvision_available()  # transformers keeps the answer: it is to do without, and not to ask the stand-in for its version
sys.meta_path.insert(0, StandInFinder())
import open_clip  # noqa: E402
import timm  # noqa: E402
import transformers  # noqa: E402
from open_clip.hf_model import HFTextEncoder  # noqa: E402
from open_clip.model import _build_vision_tower  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402
from transformers import (BertConfig, CLIPConfig, CLIPModel, CLIPVisionConfig, VisionTextDualEncoderConfig,
                          VisionTextDualEncoderModel, ViTConfig)  # noqa: E402

out = pathlib.Path(__file__).parent / "clip_fixtures"
SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
ONE = {"num_hidden_layers": 1}  # two layers where the layout is tested, one where only the rest differs, to keep files small
VISION = {**SIZES, "image_size": 16, "patch_size": 8}
TEXT = {**SIZES, "vocab_size": 64, "max_position_embeddings": 10}


def randomise(model, seed):
    """Every parameter random, also those that start at 0 or 1, so that a wrong place shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        is_gain = "norm" in name.lower() or ".ln_" in name or name.startswith("ln_")
        spread = 0.3 if parameter.dim() == 1 else 1 / parameter.shape[-1] ** 0.5 if parameter.dim() > 1 else 0.0
        start = 1.0 if is_gain and name.endswith("weight") else 2.5 if "logit_scale" in name else 0.0
        parameter.data = start + spread * noise
    return model.eval()


def pixels(seed):
    return torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


# Words 1 to 60; 62 begins and 63 ends a text. The second row fills the context, the third has no word.
CLIP_IDS = torch.tensor([[62, 5, 17, 60, 63, 0, 0, 0, 0, 0], [62, 9, 8, 7, 6, 5, 4, 3, 2, 63], [62, 63] + [0] * 8])
CLIP_IDS_PADDED_WITH_EOT = torch.where(torch.arange(10) > (CLIP_IDS == 63).int().argmax(1, keepdim=True), 63, CLIP_IDS)
# 2 is [CLS], 3 is [SEP], 0 is [PAD].
BERT_IDS = torch.tensor([[2, 5, 17, 60, 3, 0, 0, 0, 0, 0], [2, 9, 8, 7, 6, 5, 4, 33, 22, 3], [2, 3] + [0] * 8])


def save(folder, images, tensors):
    save_file({"pixels": images.permute(0, 2, 3, 1).contiguous(), **{k: v.contiguous() for k, v in tensors.items()}},
              folder / "expected.safetensors")


def fresh(name):
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@torch.no_grad()
def hf_clip(name, eos, ids, seed, binary=False):
    folder, images = fresh(name), pixels(seed + 1)
    config = CLIPConfig(text_config={**TEXT, **(ONE if binary else {}), "eos_token_id": eos, "bos_token_id": 62, "pad_token_id": 0},
                        vision_config={**VISION, **(ONE if binary else {})}, projection_dim=8)
    model = randomise(CLIPModel(config), seed)
    model.save_pretrained(folder)
    if binary:
        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    result = model(input_ids=ids, pixel_values=images)
    image = model.visual_projection(model.vision_model(images).pooler_output)
    text = model.text_projection(model.text_model(ids).pooler_output)
    save(folder, images, {"ids": ids.int(), "image": image, "text": text, "logits": result.logits_per_image})


@torch.no_grad()
def pair(name, vision, seed, fewer={}):
    folder, images = fresh(name), pixels(seed + 1)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(vision, BertConfig(**{**TEXT, **fewer}), projection_dim=8)
    model = randomise(VisionTextDualEncoderModel(config), seed)
    model.save_pretrained(folder)
    mask = (BERT_IDS != 0).long()
    result = model(input_ids=BERT_IDS, attention_mask=mask, pixel_values=images)
    image = model.visual_projection(model.vision_model(images).pooler_output)
    text = model.text_projection(model.text_model(BERT_IDS, attention_mask=mask).pooler_output)
    save(folder, images, {"ids": BERT_IDS.int(), "image": image, "text": text, "logits": result.logits_per_image})


def write_open_clip(folder, model_cfg, state):
    preprocess = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}
    text = json.dumps({"model_cfg": model_cfg, "preprocess_cfg": preprocess}, indent=2)
    (folder / "open_clip_config.json").write_text(text + "\n")
    torch.save(state, folder / "open_clip_pytorch_model.bin")


OPEN_VISION = {"image_size": 16, "layers": 2, "width": 16, "patch_size": 8, "head_width": 8, "mlp_ratio": 2.0}


@torch.no_grad()
def open_clip_native(name, quick, seed):
    folder, images = fresh(name), pixels(seed + 1)
    text = {"context_length": 10, "vocab_size": 64, "width": 24, "heads": 3, "layers": 2, "mlp_ratio": 2.0}
    vision = OPEN_VISION
    if not quick:
        vision, text = {**vision, "layers": 1}, {**text, "layers": 1}
    model = randomise(open_clip.CLIP(8, vision, text, quick_gelu=quick), seed)
    model_cfg = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text, **({"quick_gelu": True} if quick else {})}
    write_open_clip(folder, model_cfg, model.state_dict())
    image, text_features = model.encode_image(images), model.encode_text(CLIP_IDS)
    logits = model.get_logits(images, CLIP_IDS)[0]
    save(folder, images, {"ids": CLIP_IDS.int(), "image": image, "text": text_features, "logits": logits})


@torch.no_grad()
def open_clip_bert(name, pooler, projection, seed):
    """open_clip's own image tower with its Hugging Face text tower (CustomTextCLIP)."""
    folder, images = fresh(name), pixels(seed + 1)
    model, vision = torch.nn.Module(), {**OPEN_VISION, "layers": 1}
    model.visual = _build_vision_tower(8, vision)
    model.text = HFTextEncoder("bert", 8, config=BertConfig(**{**TEXT, **ONE}), pooler_type=pooler, proj_type=projection)
    if pooler != "cls_pooler":
        model.text.transformer.pooler = None  # as it is when made from a name, not from a configuration
    model.logit_scale = torch.nn.Parameter(torch.zeros([]))
    randomise(model, seed)
    text_cfg = {"hf_model_name": "tiny-bert", "hf_proj_type": projection, "hf_pooler_type": pooler, "context_length": 10,
                "heads": 2}
    write_open_clip(folder, {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text_cfg}, model.state_dict())
    image, text = model.visual(images), model.text(BERT_IDS)
    unit = torch.nn.functional.normalize
    logits = model.logit_scale.exp() * unit(image, dim=-1) @ unit(text, dim=-1).T
    save(folder, images, {"ids": BERT_IDS.int(), "image": image, "text": text, "logits": logits})


# --- layouts of released checkpoints ----------------------------------------------------------------------------------


class Block(torch.nn.Module):
    """A layer of OpenAI's CLIP (Radford et al. 2021), under its checkpoints' names."""

    def __init__(self, width, heads, quick):
        super().__init__()
        self.attn = torch.nn.MultiheadAttention(width, heads)
        self.ln_1 = torch.nn.LayerNorm(width)
        self.ln_2 = torch.nn.LayerNorm(width)
        self.mlp = torch.nn.Sequential(collections.OrderedDict(
            c_fc=torch.nn.Linear(width, 4 * width), gelu=QuickGelu() if quick else torch.nn.GELU(),
            c_proj=torch.nn.Linear(4 * width, width)))

    def forward(self, x, mask=None):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class QuickGelu(torch.nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Blocks(torch.nn.Module):
    def __init__(self, width, depth, quick=True):
        super().__init__()
        self.resblocks = torch.nn.ModuleList(Block(width, max(1, width // 64), quick) for _ in range(depth))

    def forward(self, x, mask=None):
        x = x.transpose(0, 1)
        for block in self.resblocks:
            x = block(x, mask)
        return x.transpose(0, 1)


class OpenAiVision(torch.nn.Module):
    def __init__(self, width, patch, image, depth, embedding):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = torch.nn.Parameter(torch.zeros(width))
        self.positional_embedding = torch.nn.Parameter(torch.zeros((image // patch) ** 2 + 1, width))
        self.ln_pre = torch.nn.LayerNorm(width)
        self.transformer = Blocks(width, depth)
        self.ln_post = torch.nn.LayerNorm(width)
        self.proj = torch.nn.Parameter(torch.zeros(width, embedding))

    def forward(self, x):
        patches = self.conv1(x).flatten(2).transpose(1, 2)
        cls = self.class_embedding.expand(x.shape[0], 1, -1)
        x = self.ln_pre(torch.cat([cls, patches], 1) + self.positional_embedding)
        return self.ln_post(self.transformer(x)[:, 0]) @ self.proj


class OpenAiClip(torch.nn.Module):
    def __init__(self, width=32, patch=8, image=16, depth=1, words=64, context=10, embedding=8):
        super().__init__()
        self.visual = OpenAiVision(width, patch, image, depth, embedding)
        self.transformer = Blocks(width, depth)
        self.token_embedding = torch.nn.Embedding(words, width)
        self.positional_embedding = torch.nn.Parameter(torch.zeros(context, width))
        self.ln_final = torch.nn.LayerNorm(width)
        self.text_projection = torch.nn.Parameter(torch.zeros(width, embedding))
        self.logit_scale = torch.nn.Parameter(torch.zeros([]))

    def encode_text(self, ids):
        mask = torch.full((ids.shape[1], ids.shape[1]), -math.inf).triu(1)
        x = self.transformer(self.token_embedding(ids) + self.positional_embedding, mask)
        return self.ln_final(x)[torch.arange(len(ids)), ids.argmax(-1)] @ self.text_projection

    def forward(self, images, ids):
        return self.visual(images), self.encode_text(ids)


def with_sizes(model):
    """The numbers OpenAI's own files hold beside the weights."""
    for name, value in (("input_resolution", 16), ("context_length", 10), ("vocab_size", 64)):
        model.register_buffer(name, torch.tensor(value))
    return model


def rounded(model, dtype=torch.float16):
    """The model in float32 with weights that `dtype` holds exactly."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype).float()
    return model


def save_features(folder, images, ids, image, text, scale):
    unit = torch.nn.functional.normalize
    logits = scale.exp() * unit(image, dim=-1) @ unit(text, dim=-1).T
    save(folder, images, {"ids": ids.int(), "image": image, "text": text, "logits": logits})


def half(state):
    return {name: value.half() if value.is_floating_point() else value for name, value in state.items()}


@torch.no_grad()
def openai(name, seed, write, dtype=torch.float32):
    folder, images = fresh(name), pixels(seed + 1)
    model = rounded(randomise(OpenAiClip(), seed), dtype)
    image, text = model(images, CLIP_IDS)
    save_features(folder, images, CLIP_IDS, image, text, model.logit_scale)
    write(folder, model, images)


def write_script(folder, model, images):
    """As the released files: a TorchScript program in half precision."""
    program = torch.jit.trace(with_sizes(model), (images, CLIP_IDS))
    torch.jit.save(program.half(), folder / "model.pt")


class UniMed(torch.nn.Module):
    """open_clip's image tower and text encoder under the names of UniMed-CLIP."""

    def __init__(self):
        super().__init__()
        self.visual = _build_vision_tower(8, {**OPEN_VISION, "layers": 1, "head_width": 16}, quick_gelu=True)
        self.text_encoder = bert_encoder(heads=1)
        self.logit_scale = torch.nn.Parameter(torch.zeros([]))


class BiomedClip(torch.nn.Module):
    """timm's image tower and open_clip's text encoder, as BiomedCLIP has them."""

    def __init__(self):
        super().__init__()
        self.visual = torch.nn.Module()
        self.visual.trunk = VisionTransformer(img_size=16, patch_size=8, embed_dim=16, depth=1, num_heads=2, mlp_ratio=2,
                                              num_classes=0)
        self.visual.head = torch.nn.Sequential(collections.OrderedDict(proj=torch.nn.Linear(16, 8, bias=False)))
        self.text = bert_encoder(heads=2)
        self.logit_scale = torch.nn.Parameter(torch.zeros([]))


def bert_encoder(heads):
    config = BertConfig(**{**TEXT, **ONE, "num_attention_heads": heads})
    encoder = HFTextEncoder("bert", 8, config=config, pooler_type="cls_last_hidden_state_pooler", proj_type="mlp")
    encoder.transformer.pooler = None  # as it is when made from a name, not from a configuration
    return encoder


@torch.no_grad()
def unimed(name, seed):
    folder, images = fresh(name), pixels(seed + 1)
    model = randomise(UniMed(), seed)
    save_features(folder, images, BERT_IDS, model.visual(images), model.text_encoder(BERT_IDS), model.logit_scale)
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save({"epoch": 5, "name": "ViT-B-16-quickgelu", "state_dict": state, "best_acc1": numpy.float64(0.5),
                "optimizer": {"state": {}, "param_groups": [{"lr": 1e-5, "betas": (0.9, 0.98), "params": [0, 1]}]}},
               folder / "unimed_clip.pt")


@torch.no_grad()
def biomed_clip(name, seed, write):
    folder, images = fresh(name), pixels(seed + 1)
    model = randomise(BiomedClip(), seed)
    image = model.visual.head(model.visual.trunk(images))
    save_features(folder, images, BERT_IDS, image, model.text(BERT_IDS), model.logit_scale)
    state = model.state_dict()
    state["text.transformer.embeddings.position_ids"] = torch.arange(10)[None]  # a buffer of transformers before 4.31
    write(folder, state)


def biomed_config(folder, **text):
    vision = {"timm_model_name": "vit_base_patch16_224", "timm_model_pretrained": False, "timm_pool": "", "timm_proj": "linear",
              "image_size": 16, "head_width": 8}
    text = {"hf_model_name": "tiny-bert", "hf_tokenizer_name": "tiny-bert", "context_length": 10, "heads": 2, **text}
    model = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}, indent=2) + "\n")


def write_old_biomed_clip(folder, state):
    biomed_config(folder, proj="mlp", pooler_type="cls_last_hidden_state_pooler")
    torch.save(state, folder / "open_clip_pytorch_model.bin")


def write_lightning(prefix):
    import omegaconf

    def write(folder, state):
        biomed_config(folder, hf_proj_type="mlp", hf_pooler_type="cls_last_hidden_state_pooler")
        torch.save({"epoch": 2, "global_step": 10, "pytorch-lightning_version": "2.2.0",
                    "state_dict": {prefix + key: value for key, value in state.items()},
                    "hyper_parameters": omegaconf.OmegaConf.create({"lr": 1e-4, "model": {"width": 16}}),
                    "args": argparse.Namespace(seed=1), "callbacks": {"ModelCheckpoint": {"best": numpy.float32(0.5)}}},
                   folder / "last.ckpt")
    return write


@torch.no_grad()
def bmc_clip(name, seed):
    """open_clip's own training checkpoint beside its configuration."""
    folder, images = fresh(name), pixels(seed + 1)
    vision = {**OPEN_VISION, "layers": 1}
    text = {"context_length": 10, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1, "mlp_ratio": 2.0}
    model = randomise(open_clip.CLIP(8, vision, text), seed)
    write_open_clip(folder, {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text}, {})
    (folder / "open_clip_pytorch_model.bin").unlink()
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save({"epoch": 9, "name": "run", "state_dict": state, "optimizer": {"state": {}, "param_groups": []}},
               folder / "epoch_9.pt")
    save_features(folder, images, CLIP_IDS, model.encode_image(images), model.encode_text(CLIP_IDS), model.logit_scale)


@torch.no_grad()
def hf_shards(name, seed):
    """transformers' CLIP in bfloat16, in shards of safetensors."""
    folder, images = fresh(name), pixels(seed + 1)
    text = {**TEXT, "eos_token_id": 63, "bos_token_id": 62, "pad_token_id": 0}
    model = rounded(randomise(CLIPModel(CLIPConfig(text_config=text, vision_config=VISION, projection_dim=8)), seed), torch.bfloat16)
    image = model.visual_projection(model.vision_model(images).pooler_output)
    words = model.text_projection(model.text_model(CLIP_IDS_PADDED_WITH_EOT).pooler_output)
    save_features(folder, images, CLIP_IDS_PADDED_WITH_EOT, image, words, model.logit_scale)
    model.bfloat16().save_pretrained(folder, max_shard_size="12KB")


@torch.no_grad()
def pair_shards(name, seed):
    """A pair of transformers' towers in half precision, in shards of pytorch_model.bin."""
    folder, images = fresh(name), pixels(seed + 1)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(ViTConfig(**{**VISION, **ONE}), BertConfig(**{**TEXT, **ONE}),
                                                                  projection_dim=8)
    model = rounded(randomise(VisionTextDualEncoderModel(config), seed))
    mask = (BERT_IDS != 0).long()
    image = model.visual_projection(model.vision_model(images).pooler_output)
    words = model.text_projection(model.text_model(BERT_IDS, attention_mask=mask).pooler_output)
    save_features(folder, images, BERT_IDS, image, words, model.logit_scale)
    config.save_pretrained(folder)
    state = list(half(model.state_dict()).items())
    files = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    parts = [dict(state[: len(state) // 2]), dict(state[len(state) // 2:])]
    for file, part in zip(files, parts):
        torch.save(part, folder / file)
    index = {"metadata": {"total_size": 0}, "weight_map": {key: file for file, part in zip(files, parts) for key in part}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1) + "\n")


@torch.no_grad()
def peft_adapter(name, seed):
    """An adapter that peft saved for the model of hf_clip, and that model's features with it."""
    import peft

    folder, images = fresh(name), pixels(seed + 1)
    base = CLIPModel.from_pretrained(out / "hf_clip").eval()
    model = peft.get_peft_model(base, peft.LoraConfig(r=2, lora_alpha=3, target_modules=["q_proj", "v_proj"]))
    generator = torch.Generator().manual_seed(seed)
    for key, parameter in sorted(model.named_parameters()):
        if "lora_" in key:
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    model.eval().save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    ids = CLIP_IDS_PADDED_WITH_EOT
    image = base.visual_projection(base.vision_model(images).pooler_output)
    text = base.text_projection(base.text_model(ids).pooler_output)
    save_features(folder, images, ids, image, text, base.logit_scale)
    path = folder / "adapter_config.json"  # the base's path is this machine's
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": "hf_clip"}, indent=2) + "\n")


SIGLIP_IDS = torch.tensor([[5, 17, 60, 1, 1, 1, 1, 1, 1, 1], [9, 8, 7, 6, 5, 4, 3, 2, 33, 1], [1] * 10])
SIGLIP_SIZES = {**SIZES, "num_hidden_layers": 1}


def add_gradients(folder, image, text):
    """Adds the gradients of half the squared features by the first query projection of each tower: where LoRA stands.

    Each is a pair: a function that gives the features, and the parameter; of a fused one, the first third of its rows.
    """
    path = folder / "expected.safetensors"
    tensors = load_file(path)
    for name, pair in (("image", image), ("text", text)):
        if pair is None:
            continue
        features, weight = pair
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(features().square().sum() / 2, [weight])
        tensors[f"{name}_gradient"] = gradient[: weight.shape[1]].contiguous()
    save_file(tensors, path)


def save_siglip(folder, images, image, text, model):
    """As save_features, with SigLIP's bias in the logits."""
    unit = torch.nn.functional.normalize
    logits = model.logit_scale.exp() * unit(image, dim=-1) @ unit(text, dim=-1).T + model.logit_bias
    save(folder, images, {"ids": SIGLIP_IDS.int(), "image": image, "text": text, "logits": logits})


@torch.no_grad()
def hf_siglip(name, seed):
    """transformers' SigLIP, which MedSigLIP, XraySigLIP and the SigLIP 2 of fixed resolution are saved as."""
    from transformers import SiglipConfig, SiglipModel

    folder, images = fresh(name), pixels(seed + 1)
    config = SiglipConfig(text_config={**SIGLIP_SIZES, "vocab_size": 64, "max_position_embeddings": 10},
                          vision_config={**SIGLIP_SIZES, "image_size": 16, "patch_size": 8})
    model = randomise(SiglipModel(config), seed)
    model.logit_bias.data.fill_(-2.0)
    model.save_pretrained(folder)
    image, text = model.vision_model(images).pooler_output, model.text_model(SIGLIP_IDS).pooler_output
    result = model(input_ids=SIGLIP_IDS, pixel_values=images)
    save_siglip(folder, images, image, text, model)
    add_gradients(
        folder,
        (lambda: model.vision_model(images).pooler_output, model.vision_model.encoder.layers[0].self_attn.q_proj.weight),
        (lambda: model.text_model(SIGLIP_IDS).pooler_output, model.text_model.encoder.layers[0].self_attn.q_proj.weight))
    torch.testing.assert_close(result.logits_per_image, load_file(folder / "expected.safetensors")["logits"])


@torch.no_grad()
def open_clip_siglip(name, seed):
    """open_clip's SigLIP: timm's image tower with its attention pooling, a text tower that reads its last token."""
    from open_clip.model import CustomTextCLIP

    folder, images = fresh(name), pixels(seed + 1)
    vision = VisionTransformer(img_size=16, patch_size=8, embed_dim=16, depth=1, num_heads=2, mlp_ratio=2, num_classes=0,
                               class_token=False, global_pool="map")
    text = {"context_length": 10, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1, "mlp_ratio": 2.0,
            "no_causal_mask": True, "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6},
            "act_kwargs": {"approximate": "tanh"}}
    model = CustomTextCLIP(16, {**OPEN_VISION, "layers": 1}, text, init_logit_bias=-2.0)
    model.visual = torch.nn.Module()
    model.visual.trunk = vision
    randomise(model, seed)
    model.logit_bias.data.fill_(-2.0)
    tower = {"image_size": 16, "timm_model_name": "vit_base_patch16_siglip_224", "timm_model_pretrained": False,
             "timm_pool": "map", "timm_proj": "none", "head_width": 8}
    write_open_clip(folder, {"embed_dim": 16, "init_logit_bias": -10, "custom_text": True, "vision_cfg": tower,
                             "text_cfg": {**text, "hf_tokenizer_name": "timm/ViT-B-16-SigLIP"}}, model.state_dict())
    save_siglip(folder, images, model.visual.trunk(images), model.text(SIGLIP_IDS), model)
    add_gradients(folder, (lambda: model.visual.trunk(images), model.visual.trunk.blocks[0].attn.qkv.weight),
                  (lambda: model.text(SIGLIP_IDS), model.text.transformer.resblocks[0].attn.in_proj_weight))


FIXTURES = {
    "hf_clip": lambda name: hf_clip(name, 63, CLIP_IDS_PADDED_WITH_EOT, 10),
    "hf_clip_old_eos": lambda name: hf_clip(name, 2, CLIP_IDS, 20, binary=True),
    "pair_vit_bert": lambda name: pair(name, ViTConfig(**VISION), 30),
    "pair_clip_bert": lambda name: pair(name, CLIPVisionConfig(**{**VISION, **ONE}), 40, ONE),
    "open_clip_quick": lambda name: open_clip_native(name, True, 50),
    "open_clip_gelu": lambda name: open_clip_native(name, False, 60),
    "open_clip_bert_mean": lambda name: open_clip_bert(name, "mean_pooler", "linear", 70),
    "open_clip_bert_cls": lambda name: open_clip_bert(name, "cls_pooler", "mlp", 80),
    "openai_script": lambda name: openai(name, 90, write_script, torch.float16),
    "openai_state": lambda name: openai(
        name, 100, lambda folder, model, _: torch.save(half(with_sizes(model).state_dict()), folder / "model.pt"), torch.float16),
    "chexzero": lambda name: openai(
        name, 110, lambda folder, model, _: torch.save(model.state_dict(), folder / "best_64_0.0001_original.pt")),
    "pubmed_clip": lambda name: openai(
        name, 120, lambda folder, model, _: torch.save({"epoch": 3, "state_dict": model.state_dict()}, folder / "PubMedCLIP_ViT32.pth")),
    "unimed_clip": lambda name: unimed(name, 130),
    "biomed_clip_old": lambda name: biomed_clip(name, 140, write_old_biomed_clip),
    "lightning": lambda name: biomed_clip(name, 150, write_lightning("model.")),
    "lightning_parallel": lambda name: biomed_clip(name, 160, write_lightning("model.module.clip.")),
    "bmc_clip": lambda name: bmc_clip(name, 170),
    "hf_shards": lambda name: hf_shards(name, 180),
    "pair_shards": lambda name: pair_shards(name, 190),
    "hf_clip_peft": lambda name: peft_adapter(name, 200),
    "hf_siglip": lambda name: hf_siglip(name, 210),
    "open_clip_siglip": lambda name: open_clip_siglip(name, 220),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[1:] or FIXTURES:
        FIXTURES[chosen](chosen)
    card = {
        "what": "tiny random CLIPs and their features, made by ../make_clip_fixtures.py; no trained weights, no patient data",
        "versions": {"python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__,
                     "open_clip": open_clip.__version__, "timm": timm.__version__, "omegaconf": importlib.metadata.version("omegaconf")},
        "seeds": "10, 20, ... for the weights in the order of the script's table, one more for the pixels; from 500 on in make_tower_fixtures.py",
    }
    (out / "card.json").write_text(json.dumps(card, indent=2) + "\n")
