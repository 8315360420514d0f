"""What PyTorch computes for a checkpoint, an adapter, pixels and token ids: the reference of the full-size check.

    python make_reference.py DIR

Reads DIR/open_clip_pytorch_model.bin, DIR/adapter.pt and DIR/inputs.safetensors (`pixels` [n, 224, 224, 3] and `ids`
[C * P, 256]; `prompts` in its metadata is P), computes in float64 with the code in tests/parity/reference, and writes
DIR/reference.safetensors. Prints JSON: versions, and seconds an image and a text in float32. Needs torch and safetensors.
"""

import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "parity" / "reference"))
from config import LoraConfig, ModelConfig, TextConfig, VisionConfig  # noqa: E402
from hypergraph import ace_hgnn, gaps  # noqa: E402
from towers import image_tower, merge_lora, text_tower  # noqa: E402


def read_adapter(path: Path, layers: int) -> dict[str, torch.Tensor]:
    """The authors' file under the reference's names."""
    weights = torch.load(path, map_location="cpu", weights_only=True)["weights"]
    out = {"scale": weights["logit_scale"]}
    for i in range(2 * layers):
        tower, layer = ("text", i) if i < layers else ("visual", i - layers)
        for target in "qkv":
            pair = weights[f"layer_{i}"][f"{target}_proj"]
            out[f"lora.{tower}.{layer}.{target}.A"] = pair["w_lora_A"]
            out[f"lora.{tower}.{layer}.{target}.B"] = pair["w_lora_B"]
    for tower, short in (("visual", "img"), ("text", "text")):
        for part in ("edge", "node"):
            for name, tensor in weights[f"{short}_{part}_adapter"].items():
                out[f"hgnn.{tower}.{part}.{name}"] = tensor
    return out


def config_of(weights: dict[str, torch.Tensor]) -> tuple[ModelConfig, LoraConfig]:
    layers = sum(name.startswith("visual.trunk.blocks.") and name.endswith("norm1.weight") for name in weights)
    vocabulary = weights["text.transformer.embeddings.word_embeddings.weight"].shape[0]
    vision = VisionConfig(image_size=224, patch_size=16, width=768, depth=layers, heads=12, mlp=3072)
    text = TextConfig(vocab=vocabulary, context=256, positions=512, width=768, depth=layers, heads=12, mlp=3072, proj_hidden=640)
    every = tuple(range(layers))
    lora = LoraConfig(rank=4, alpha=1.0, visual_layers=every, text_layers=every)
    return ModelConfig(vision=vision, text=text, embed=512, hgnn_hidden=128, top_k=5), lora


def one_by_one(compute, rows) -> dict[str, torch.Tensor]:
    """Joins what `compute` gives for each row, to bound the memory."""
    results = [compute(rows[i : i + 1]) for i in range(len(rows))]
    return {name: torch.cat([r[name] for r in results]) for name in results[0]}


def reference(weights, pixels, ids, prompts, config, lora) -> dict[str, torch.Tensor]:
    def cls(tokens):
        return F.normalize(tokens[:, 0], dim=-1)

    out = {
        "image.frozen": one_by_one(lambda x: {"cls": cls(image_tower(weights, x, config)["tokens"])}, pixels)["cls"],
        "text.frozen": one_by_one(lambda x: {"cls": cls(text_tower(weights, x, config)["tokens"])}, ids)["cls"],
    }
    merged = merge_lora(weights, config, lora)
    image = one_by_one(lambda x: image_tower(merged, x, config), pixels)
    text = one_by_one(lambda x: text_tower(merged, x, config), ids)
    x, t = F.normalize(image["tokens"], dim=-1), F.normalize(text["tokens"], dim=-1)
    out |= {"image.lora": cls(image["tokens"]), "text.lora": cls(text["tokens"])}
    out |= {"image.affinity": image["logits"], "text.affinity": text["probabilities"]}
    graph = ace_hgnn(weights, x, image["logits"], 5, "hgnn.visual")
    out |= {"image.ace": graph["features"], "image.chosen": graph["indices"][:, 0].to(torch.int32)}
    out["text.ace"] = ace_hgnn(weights, t, text["probabilities"], 5, "hgnn.text")["features"]
    classes = len(ids) // prompts
    mean_tokens = t.reshape(classes, prompts, *t.shape[1:]).mean(dim=1)
    mean_affinity = text["probabilities"].reshape(classes, prompts, -1).mean(dim=1)
    out["class.ace"] = ace_hgnn(weights, mean_tokens, mean_affinity, 5, "hgnn.text")["features"]
    out["scores"] = (weights["scale"] * out["image.ace"] @ out["class.ace"].t()).softmax(dim=-1)
    frozen = F.normalize(out["text.frozen"].reshape(classes, prompts, -1).mean(dim=1), dim=-1)
    out["scores.frozen"] = (weights["logit_scale"].exp() * out["image.frozen"] @ frozen.t()).softmax(dim=-1)
    out["gap"] = gaps(graph["S"], 5)[:, 0]
    return out


def main():
    folder = Path(sys.argv[1])
    began = time.perf_counter()
    state = torch.load(folder / "open_clip_pytorch_model.bin", map_location="cpu", weights_only=True)
    load_seconds = time.perf_counter() - began
    config, lora = config_of(state)
    adapter = read_adapter(folder / "adapter.pt", config.vision.depth)
    with safe_open(folder / "inputs.safetensors", "pt") as file:
        pixels, ids, prompts = file.get_tensor("pixels"), file.get_tensor("ids").long(), int(file.metadata()["prompts"])
    single = {**{k: v for k, v in state.items() if v.is_floating_point()}, **adapter}
    with torch.no_grad():
        merged = merge_lora(single, config, lora)
        image_tower(merged, pixels[:1], config)
        began = time.perf_counter()
        for i in range(len(pixels)):
            image_tower(merged, pixels[i : i + 1], config)
        image_seconds = (time.perf_counter() - began) / len(pixels)
        began = time.perf_counter()
        for i in range(len(ids)):
            text_tower(merged, ids[i : i + 1], config)
        text_seconds = (time.perf_counter() - began) / len(ids)
        del merged, state
        weights = {k: v.double() for k, v in single.items()}
        del single
        out = reference(weights, pixels.double(), ids, prompts, config, lora)
    stored = {k: (v if v.dtype == torch.int32 else v.float()).contiguous() for k, v in out.items()}
    save_file(stored, folder / "reference.safetensors")
    print(json.dumps({
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "smallest_gap": out["gap"].min().item(),
        "seconds": {"load": load_seconds, "image": image_seconds, "text": text_seconds},
    }))


if __name__ == "__main__":
    main()
