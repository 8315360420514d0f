"""Features that open_clip, timm and transformers compute with files of merged weights.

Run: python tests/clip/library_features.py FIXTURE WEIGHTS [FIXTURE WEIGHTS ...]
FIXTURE is a folder of clip_fixtures; the features of its pixels and token ids go to WEIGHTS.features.
"""

import json
import pathlib
import shutil
import sys
import tempfile

import torch
from make_clip_fixtures import BiomedClip, open_clip
from safetensors.torch import load_file, save_file
from transformers import CLIPModel

torch.set_num_threads(1)


def state(weights):
    """The file as the libraries load it."""
    if weights.suffix == ".safetensors":
        return load_file(weights)
    return torch.load(weights, weights_only=True)


@torch.no_grad()
def features(fixture, weights):
    given = load_file(fixture / "expected.safetensors")
    pixels, ids = given["pixels"].permute(0, 3, 1, 2), given["ids"].long()
    if (fixture / "config.json").exists():
        folder = pathlib.Path(tempfile.mkdtemp())
        shutil.copy(fixture / "config.json", folder)
        shutil.copy(weights, folder / ("model.safetensors" if weights.suffix == ".safetensors" else "pytorch_model.bin"))
        model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
        shutil.rmtree(folder)
        image = model.visual_projection(model.vision_model(pixels).pooler_output)
        text = model.text_projection(model.text_model(ids).pooler_output)
        return image, text, model.logit_scale
    config = json.loads((fixture / "open_clip_config.json").read_text())["model_cfg"]
    tensors = state(weights)
    if "timm_model_name" in config["vision_cfg"]:
        model = BiomedClip().eval()
        tensors.pop("text.transformer.embeddings.position_ids", None)  # transformers since 4.31 does not save it
        model.load_state_dict(tensors)
        return model.visual.head(model.visual.trunk(pixels)), model.text(ids), model.logit_scale
    model = open_clip.CLIP(**config).eval()
    model.load_state_dict(tensors)
    return model.encode_image(pixels), model.encode_text(ids), model.logit_scale


for fixture, weights in zip(*[iter(map(pathlib.Path, sys.argv[1:]))] * 2):
    image, text, scale = features(fixture, weights)
    tensors = {"image": image.contiguous(), "text": text.contiguous(), "logit_scale": scale.detach().float().reshape([])}
    save_file(tensors, f"{weights}.features")
