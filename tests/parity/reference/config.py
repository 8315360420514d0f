"""Sizes of a BiomedCLIP-shaped model, as plain records, and the LoRA and ACE-HGNN settings."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VisionConfig:
    """A timm ViT: pre-norm, qkv bias, erf GELU, LayerNorm eps 1e-6, CLS token, learned positions."""

    image_size: int
    patch_size: int
    width: int
    depth: int
    heads: int
    mlp: int
    eps: float = 1e-6


@dataclass(frozen=True)
class TextConfig:
    """A BERT encoder without pooler: post-norm, erf GELU, LayerNorm eps 1e-12."""

    vocab: int
    context: int
    positions: int
    width: int
    depth: int
    heads: int
    mlp: int
    proj_hidden: int
    token_types: int = 2
    pad_id: int = 0
    eps: float = 1e-12


@dataclass(frozen=True)
class LoraConfig:
    """scaling = alpha / sqrt(rank). `layers` are 0-based block indices per encoder; None leaves it without LoRA."""

    rank: int = 4
    alpha: float = 1.0
    targets: tuple[str, ...] = ("q", "k", "v")
    visual_layers: tuple[int, ...] | None = (0, 1)
    text_layers: tuple[int, ...] | None = (0, 1)

    @property
    def scaling(self) -> float:
        return self.alpha / self.rank**0.5


@dataclass(frozen=True)
class ModelConfig:
    vision: VisionConfig
    text: TextConfig
    embed: int
    hgnn_hidden: int
    top_k: int


TINY = ModelConfig(
    vision=VisionConfig(image_size=32, patch_size=8, width=32, depth=2, heads=4, mlp=64),
    # More position rows than the context holds, as in BiomedCLIP (512 rows, context 256).
    text=TextConfig(vocab=64, context=12, positions=16, width=32, depth=2, heads=4, mlp=64, proj_hidden=24),
    embed=16,
    hgnn_hidden=8,
    top_k=3,
)
