"""Seeded weights, inputs and labels of the tiny model, in float32. Every bias and LayerNorm parameter is random."""

import numpy as np
import torch

from config import ModelConfig

LENGTHS = (12, 3, 7, 5, 9, 4)  # real tokens with [CLS] and [SEP]: no padding; 2 < k after [CLS]; ...; exactly k
CLS, SEP, FIRST_WORD = 2, 3, 5


def random_weights(config: ModelConfig, seed: int, rank: int = 4) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(seed)
    weights: dict[str, torch.Tensor] = {}

    def put(name: str, shape: tuple[int, ...], std: float, mean: float = 0.0) -> None:
        weights[name] = torch.from_numpy((mean + std * rng.standard_normal(shape)).astype(np.float32))

    def linear(name: str, size_out: int, size_in: int, bias: bool = True) -> None:
        put(f"{name}.weight", (size_out, size_in), 1.3 / size_in**0.5)
        if bias:
            put(f"{name}.bias", (size_out,), 0.2)

    def norm(name: str, size: int) -> None:
        put(f"{name}.weight", (size,), 0.2, 1.0)
        put(f"{name}.bias", (size,), 0.2)

    v, t = config.vision, config.text
    patches = (v.image_size // v.patch_size) ** 2
    put("visual.trunk.cls_token", (1, 1, v.width), 0.5)
    put("visual.trunk.pos_embed", (1, patches + 1, v.width), 0.5)
    put("visual.trunk.patch_embed.proj.weight", (v.width, 3, v.patch_size, v.patch_size), 1 / (3 * v.patch_size**2) ** 0.5)
    put("visual.trunk.patch_embed.proj.bias", (v.width,), 0.2)
    for layer in range(v.depth):
        block = f"visual.trunk.blocks.{layer}"
        norm(f"{block}.norm1", v.width)
        linear(f"{block}.attn.qkv", 3 * v.width, v.width)
        linear(f"{block}.attn.proj", v.width, v.width)
        norm(f"{block}.norm2", v.width)
        linear(f"{block}.mlp.fc1", v.mlp, v.width)
        linear(f"{block}.mlp.fc2", v.width, v.mlp)
    norm("visual.trunk.norm", v.width)
    linear("visual.head.proj", config.embed, v.width, bias=False)

    name = "text.transformer.embeddings"
    put(f"{name}.word_embeddings.weight", (t.vocab, t.width), 0.5)
    put(f"{name}.position_embeddings.weight", (t.positions, t.width), 0.5)
    put(f"{name}.token_type_embeddings.weight", (t.token_types, t.width), 0.5)
    norm(f"{name}.LayerNorm", t.width)
    for layer in range(t.depth):
        block = f"text.transformer.encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            linear(f"{block}.attention.self.{part}", t.width, t.width)
        linear(f"{block}.attention.output.dense", t.width, t.width)
        norm(f"{block}.attention.output.LayerNorm", t.width)
        linear(f"{block}.intermediate.dense", t.mlp, t.width)
        linear(f"{block}.output.dense", t.width, t.mlp)
        norm(f"{block}.output.LayerNorm", t.width)
    linear("text.proj.0", t.proj_hidden, t.width, bias=False)
    linear("text.proj.2", config.embed, t.proj_hidden, bias=False)
    weights["logit_scale"] = torch.tensor(np.float32(2.3))
    weights["scale"] = weights["logit_scale"].exp()

    for encoder, c in (("visual", v), ("text", t)):
        for layer in range(c.depth):
            for target in ("q", "k", "v", "o"):
                put(f"lora.{encoder}.{layer}.{target}.A", (rank, c.width), 1 / c.width**0.5)
                put(f"lora.{encoder}.{layer}.{target}.B", (c.width, rank), 0.4)
        weights |= random_adapters(config.embed, config.hgnn_hidden, rng, f"hgnn.{encoder}")
    return weights


def random_adapters(embed: int, hidden: int, rng: np.random.Generator, prefix: str) -> dict[str, torch.Tensor]:
    weights = {}
    for part in ("edge", "node"):
        for name, size_out, size_in in (("down", hidden, embed), ("up", embed, hidden)):
            w = rng.standard_normal((size_out, size_in)) * (2 / size_in) ** 0.5  # Kaiming normal, fan in
            weights[f"{prefix}.{part}.{name}.weight"] = torch.from_numpy(w.astype(np.float32))
            b = rng.standard_normal(size_out) * 0.2
            weights[f"{prefix}.{part}.{name}.bias"] = torch.from_numpy(b.astype(np.float32))
    return weights


def random_batch(config: ModelConfig, seed: int) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(seed)
    v, t = config.vision, config.text
    pixels = rng.standard_normal((len(LENGTHS), v.image_size, v.image_size, 3)).astype(np.float32)
    ids = np.zeros((len(LENGTHS), t.context), np.int32)
    for row, length in enumerate(LENGTHS):
        ids[row, 0] = CLS
        ids[row, 1 : length - 1] = rng.integers(FIRST_WORD, t.vocab, length - 2)
        ids[row, length - 1] = SEP
    return {"pixels": torch.from_numpy(pixels), "ids": torch.from_numpy(ids), "labels": label_rows()}


def label_rows() -> torch.Tensor:
    """[6, 14]: 1 positive, 0 negative, -1 uncertain, -2 blank. After mapping to positives only, row 0 = row 1 (they
    differ only in an uncertain and a negative entry) and row 2 = row 3 (all blank = negatives and uncertain ones)."""
    y = np.full((6, 14), -2, np.int32)
    y[0, 0] = 1
    y[1, 0], y[1, 3], y[1, 11] = 1, -1, 0
    # row 2 stays all blank
    y[3, :6], y[3, 7] = 0, -1
    y[4, 3], y[4, 9], y[4, 12] = 1, 1, 0
    y[5, 3], y[5, 9], y[5, 11] = 1, -1, 1
    return torch.from_numpy(y)
