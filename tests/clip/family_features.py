"""Features that open_clip and transformers compute from whole folders, configuration and weights both read by them.

Run: python tests/clip/family_features.py FIXTURE FOLDER [FIXTURE FOLDER ...]
FIXTURE is a folder of clip_fixtures; the features of its pixels and token ids go to FOLDER/features.safetensors.
"""

import json
import pathlib
import sys

import torch
from transformers import CLIPModel  # before the stand-in for torchvision, which it would look at
from make_clip_fixtures import open_clip
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)

for fixture, folder in zip(*[iter(map(pathlib.Path, sys.argv[1:]))] * 2):
    given = load_file(fixture / "expected.safetensors")
    pixels, ids = given["pixels"].permute(0, 3, 1, 2), given["ids"].long()
    with torch.no_grad():
        if (folder / "config.json").exists():
            model = CLIPModel.from_pretrained(folder).eval()
            image = model.visual_projection(model.vision_model(pixels).pooler_output)
            text = model.text_projection(model.text_model(ids).pooler_output)
        else:
            model = open_clip.CLIP(**json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]).eval()
            model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
            image, text = model.encode_image(pixels), model.encode_text(ids)
    save_file({"image": image.contiguous(), "text": text.contiguous(), "logit_scale": model.logit_scale.detach().reshape([])},
              folder / "features.safetensors")
