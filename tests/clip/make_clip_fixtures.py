"""Writes tests/clip/clip_fixtures: tiny random CLIPs as their libraries save them, and the features they give.

References: transformers' CLIPModel and VisionTextDualEncoderModel, open_clip's CLIP and HFTextEncoder. Each folder holds the
configuration and the weights, as save_pretrained and torch.save write them, and expected.safetensors with pixels (NCHW as
NHWC), token ids, and the features before normalisation; card.json names versions and seeds.

Run: python tests/clip/make_clip_fixtures.py
Needs: torch, transformers, open_clip_torch (its torchvision is not needed and is replaced by a stand-in where it is absent).
"""

import importlib.machinery
import json
import pathlib
import shutil
import sys
import types

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (BertConfig, CLIPConfig, CLIPModel, CLIPVisionConfig, VisionTextDualEncoderConfig,
                          VisionTextDualEncoderModel, ViTConfig)

out = pathlib.Path(__file__).parent / "clip_fixtures"
SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
ONE = {"num_hidden_layers": 1}  # two layers where the layout is tested, one where only the rest differs, to keep files small
VISION = {**SIZES, "image_size": 16, "patch_size": 8}
TEXT = {**SIZES, "vocab_size": 64, "max_position_embeddings": 10}


class StandIn(types.ModuleType):
    """A module whose every attribute is an empty class."""

    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (object,), {})


def import_open_clip():
    """open_clip.model and open_clip.hf_model without the package's torchvision, timm and data loading."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        for name in ("torchvision", "torchvision.ops", "torchvision.ops.misc", "torchvision.transforms",
                     "torchvision.transforms.functional"):
            sys.modules[name] = StandIn(name)
            sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)
    spec = importlib.util.find_spec("open_clip")
    package = StandIn("open_clip")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["open_clip"] = package
    return importlib.import_module("open_clip.model"), importlib.import_module("open_clip.hf_model")


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
def open_clip_native(name, open_clip, quick, seed):
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
def open_clip_bert(name, open_clip, hf_model, pooler, projection, seed):
    """open_clip's own image tower with its Hugging Face text tower (CustomTextCLIP)."""
    folder, images = fresh(name), pixels(seed + 1)
    model, vision = torch.nn.Module(), {**OPEN_VISION, "layers": 1}
    model.visual = open_clip._build_vision_tower(8, vision)
    model.text = hf_model.HFTextEncoder("bert", 8, config=BertConfig(**{**TEXT, **ONE}), pooler_type=pooler, proj_type=projection)
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


torch.set_num_threads(1)
open_clip, hf_model = import_open_clip()
hf_clip("hf_clip", 63, CLIP_IDS_PADDED_WITH_EOT, 10)
hf_clip("hf_clip_old_eos", 2, CLIP_IDS, 20, binary=True)
pair("pair_vit_bert", ViTConfig(**VISION), 30)
pair("pair_clip_bert", CLIPVisionConfig(**{**VISION, **ONE}), 40, ONE)
open_clip_native("open_clip_quick", open_clip, True, 50)
open_clip_native("open_clip_gelu", open_clip, False, 60)
open_clip_bert("open_clip_bert_mean", open_clip, hf_model, "mean_pooler", "linear", 70)
open_clip_bert("open_clip_bert_cls", open_clip, hf_model, "cls_pooler", "mlp", 80)
version = importlib.import_module("open_clip.version").__version__
card = {
    "what": "tiny random CLIPs and their features, made by ../make_clip_fixtures.py; no trained weights, no patient data",
    "versions": {"python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__,
                 "open_clip": version},
    "seeds": "10, 20, ... 80 for the weights in the order of the script's last lines, one more for the pixels",
}
(out / "card.json").write_text(json.dumps(card, indent=2) + "\n")
