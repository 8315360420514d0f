"""A seeded random BiomedCLIP in open_clip's format, and an adapter in the authors' format that fits it.

    python make_checkpoint.py --out DIR [--layers 12] [--vocabulary 30522] [--adapter ACE_LoRA.pt] [--seed 1] [--safetensors]

Writes DIR/open_clip_pytorch_model.bin (torch.save of a flat state dict, float32, `position_ids` included, 784 MB with
twelve layers and 30,522 words) and DIR/adapter.pt. With --adapter the released file is taken: with fewer than twelve
layers, its first ones of each tower. Without it an adapter of the same form is drawn. With --safetensors the weights are
DIR/open_clip_model.safetensors instead. Needs torch, and safetensors then.
"""

import argparse
import math
from pathlib import Path

import torch

WIDTH, MLP, EMBED, HIDDEN, RANK = 768, 3072, 512, 128, 4
VOCABULARIES = (28895, 30522)


def checkpoint(layers: int, vocabulary: int, seed: int) -> dict[str, torch.Tensor]:
    """Weights scaled so that signals neither die nor explode over the layers, as in a trained model."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape, std):
        return torch.randn(*shape, generator=rng) * std

    state = {}

    def linear(name, size, inputs, bias=True):
        state[f"{name}.weight"] = normal(size, inputs, std=1 / math.sqrt(inputs))
        if bias:
            state[f"{name}.bias"] = normal(size, std=0.02)

    def norm(name):
        state[f"{name}.weight"] = 1 + normal(WIDTH, std=0.1)
        state[f"{name}.bias"] = normal(WIDTH, std=0.05)

    state["logit_scale"] = torch.tensor(4.4454)
    state["visual.trunk.cls_token"] = normal(1, 1, WIDTH, std=0.2)
    state["visual.trunk.pos_embed"] = normal(1, 197, WIDTH, std=0.2)
    state["visual.trunk.patch_embed.proj.weight"] = normal(WIDTH, 3, 16, 16, std=1 / math.sqrt(768))
    state["visual.trunk.patch_embed.proj.bias"] = normal(WIDTH, std=0.02)
    for layer in range(layers):
        block = f"visual.trunk.blocks.{layer}"
        norm(f"{block}.norm1")
        linear(f"{block}.attn.qkv", 3 * WIDTH, WIDTH)
        linear(f"{block}.attn.proj", WIDTH, WIDTH)
        norm(f"{block}.norm2")
        linear(f"{block}.mlp.fc1", MLP, WIDTH)
        linear(f"{block}.mlp.fc2", WIDTH, MLP)
    norm("visual.trunk.norm")
    linear("visual.head.proj", EMBED, WIDTH, bias=False)

    embeddings = "text.transformer.embeddings"
    state[f"{embeddings}.position_ids"] = torch.arange(512).reshape(1, 512)
    state[f"{embeddings}.word_embeddings.weight"] = normal(vocabulary, WIDTH, std=0.05)
    state[f"{embeddings}.position_embeddings.weight"] = normal(512, WIDTH, std=0.02)
    state[f"{embeddings}.token_type_embeddings.weight"] = normal(2, WIDTH, std=0.02)
    norm(f"{embeddings}.LayerNorm")
    for layer in range(layers):
        block = f"text.transformer.encoder.layer.{layer}"
        for name in ("query", "key", "value"):
            linear(f"{block}.attention.self.{name}", WIDTH, WIDTH)
        linear(f"{block}.attention.output.dense", WIDTH, WIDTH)
        norm(f"{block}.attention.output.LayerNorm")
        linear(f"{block}.intermediate.dense", MLP, WIDTH)
        linear(f"{block}.output.dense", WIDTH, MLP)
        norm(f"{block}.output.LayerNorm")
    linear("text.proj.0", 640, WIDTH, bias=False)
    linear("text.proj.2", EMBED, 640, bias=False)
    return state


def cut(adapter: dict, layers: int) -> dict:
    """The adapter's first layers of each tower: text layers come first in the authors' files, then image layers."""
    weights = adapter["weights"]
    count = sum(name.startswith("layer_") for name in weights)
    kept = [*range(layers), *range(count // 2, count // 2 + layers)]
    rest = {name: value for name, value in weights.items() if not name.startswith("layer_")}
    return {
        "weights": {**{f"layer_{i}": weights[f"layer_{j}"] for i, j in enumerate(kept)}, **rest},
        "metadata": adapter["metadata"],
    }


def drawn(layers: int, seed: int) -> dict:
    """A random adapter in the authors' format."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape, std):
        return torch.randn(*shape, generator=rng) * std

    def projection():
        return {"w_lora_A": normal(RANK, WIDTH, std=0.03), "w_lora_B": normal(WIDTH, RANK, std=0.03)}

    def adapter():
        return {
            "down.weight": normal(HIDDEN, EMBED, std=math.sqrt(2 / EMBED)),
            "down.bias": normal(HIDDEN, std=0.02),
            "up.weight": normal(EMBED, HIDDEN, std=math.sqrt(2 / HIDDEN)),
            "up.bias": normal(EMBED, std=0.02),
        }

    weights = {f"layer_{i}": {f"{p}_proj": projection() for p in "qkv"} for i in range(2 * layers)}
    weights |= {f"{tower}_{part}_adapter": adapter() for tower in ("img", "text") for part in ("edge", "node")}
    weights["logit_scale"] = torch.tensor(78.0)
    metadata = {"r": RANK, "topk": 5, "k_nearest": 5, "params": ["q", "k", "v"], "position": "all", "loss_type": "clip_loss_ace_hgnn"}
    return {"weights": weights, "metadata": metadata}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--vocabulary", type=int, default=30522, choices=VOCABULARIES)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--safetensors", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    state = checkpoint(args.layers, args.vocabulary, args.seed)
    if args.safetensors:
        from safetensors.torch import save_file

        save_file(state, args.out / "open_clip_model.safetensors")
    else:
        torch.save(state, args.out / "open_clip_pytorch_model.bin")
    if args.adapter:
        adapter = torch.load(args.adapter, map_location="cpu", weights_only=True)
        if args.layers < 12:
            adapter = cut(adapter, args.layers)
    else:
        adapter = drawn(args.layers, args.seed + 1)
    torch.save(adapter, args.out / "adapter.pt")
    print(sum(t.numel() for name, t in state.items() if not name.endswith("position_ids")))


if __name__ == "__main__":
    main()
