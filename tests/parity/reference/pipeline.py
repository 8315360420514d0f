"""Image-text batch -> loss, and the list of trainable tensors."""

import torch.nn.functional as F

from config import LoraConfig, ModelConfig
from hypergraph import ace_hgnn
from losses import info_nce
from towers import Weights, image_tower, text_tower


def trainable_names(weights: Weights, lora: LoraConfig, hgnn: bool) -> list[str]:
    """Names of the LoRA tensors the config selects, of the four adapters when `hgnn`, and `scale`; sorted."""
    names = []
    for encoder, layers in (("visual", lora.visual_layers), ("text", lora.text_layers)):
        for layer in layers or ():
            names += [f"lora.{encoder}.{layer}.{t}.{m}" for t in lora.targets for m in ("A", "B")]
    if hgnn:
        names += [name for name in weights if name.startswith("hgnn.")]
    return sorted([*names, "scale"])


def features(weights: Weights, pixels, ids, config: ModelConfig, lora: LoraConfig | None, hgnn=("visual", "text")) -> dict:
    """Unit CLS features of both encoders, through ACE-HGNN for those named in `hgnn`."""
    image = image_tower(weights, pixels, config, lora)
    text = text_tower(weights, ids, config, lora)
    out = {"image": image, "text": text}
    for name, tower, affinity in (("visual", image, "logits"), ("text", text, "probabilities")):
        x = F.normalize(tower["tokens"], dim=-1)
        if name in hgnn:
            graph = ace_hgnn(weights, x, tower[affinity], config.top_k, f"hgnn.{name}")
            out[f"graph.{name}"] = {"x": x, "affinity": tower[affinity], **graph}
            out[f"features.{name}"] = graph["features"]
        else:
            out[f"features.{name}"] = x[:, 0]
    return out


def loss(weights: Weights, pixels, ids, keep, config: ModelConfig, lora: LoraConfig | None, hgnn=("visual", "text")):
    """Label-guided InfoNCE when `keep` is a mask, plain InfoNCE when it is None."""
    out = features(weights, pixels, ids, config, lora, hgnn)
    return info_nce(out["features.visual"], out["features.text"], weights["scale"], keep), out
