"""The two BiomedCLIP towers as functions of a flat dictionary of weights, under open_clip's checkpoint names.

Conventions: timm's VisionTransformer (`visual.trunk.*`), transformers' BertModel (`text.transformer.*`), open_clip's
projection heads (`visual.head.proj`, `text.proj.0`, `text.proj.2`). No dropout anywhere.

LoRA: with `lora` given, a projection of block l gains scaling * (x A^T) B^T for every target that has the tensors
`lora.{visual|text}.{l}.{q|k|v|o}.{A|B}` in `weights` and is selected by the config.
"""

import torch
import torch.nn.functional as F

from config import LoraConfig, ModelConfig

Weights = dict[str, torch.Tensor]


def _lora_delta(weights: Weights, x, encoder: str, layer: int, target: str, lora: LoraConfig | None):
    """scaling * (x A^T) B^T, or 0 where the projection carries no LoRA."""
    if lora is None or target not in lora.targets:
        return 0.0
    layers = lora.visual_layers if encoder == "visual" else lora.text_layers
    if layers is None or layer not in layers:
        return 0.0
    name = f"lora.{encoder}.{layer}.{target}"
    return lora.scaling * F.linear(F.linear(x, weights[f"{name}.A"]), weights[f"{name}.B"])


def _attend(q, k, v, heads: int, keep=None):
    """Multi-head attention. Returns the context [B, N, D], logits and masked probabilities [B, heads, N, N].

    The logits are scaled by 1 / sqrt(head width) and NOT masked; `keep` [B, N] (True = real token) masks the softmax.
    """
    batch, tokens, width = q.shape
    size = width // heads
    q, k, v = (t.reshape(batch, tokens, heads, size).permute(0, 2, 1, 3) for t in (q, k, v))
    logits = q @ k.transpose(-2, -1) / size**0.5
    masked = logits
    if keep is not None:
        masked = logits.masked_fill(~keep[:, None, None, :], torch.finfo(logits.dtype).min)
    probabilities = masked.softmax(dim=-1)
    context = (probabilities @ v).permute(0, 2, 1, 3).reshape(batch, tokens, width)
    return context, logits, probabilities


def _norm(weights: Weights, x, name: str, eps: float):
    return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], eps)


def _linear(weights: Weights, x, name: str):
    return F.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))


def image_tower(weights: Weights, pixels, config: ModelConfig, lora: LoraConfig | None = None) -> dict[str, torch.Tensor]:
    """Pixels [B, H, W, 3] -> `hidden` [B, N+1, D] (after the final norm), `tokens` [B, N+1, E] (projected, not
    normalised), `logits` [B, N] (last block, CLS query to patches, before softmax, mean over heads) and
    `probabilities` [B, N] (the same after softmax)."""
    c = config.vision
    x = F.conv2d(
        pixels.permute(0, 3, 1, 2),
        weights["visual.trunk.patch_embed.proj.weight"],
        weights["visual.trunk.patch_embed.proj.bias"],
        stride=c.patch_size,
    )
    x = x.flatten(2).transpose(1, 2)  # [B, N, D], patches row by row
    x = torch.cat([weights["visual.trunk.cls_token"].expand(x.shape[0], -1, -1), x], dim=1)
    x = x + weights["visual.trunk.pos_embed"]
    for layer in range(c.depth):
        block = f"visual.trunk.blocks.{layer}"
        y = _norm(weights, x, f"{block}.norm1", c.eps)
        q, k, v = _linear(weights, y, f"{block}.attn.qkv").chunk(3, dim=-1)
        q = q + _lora_delta(weights, y, "visual", layer, "q", lora)
        k = k + _lora_delta(weights, y, "visual", layer, "k", lora)
        v = v + _lora_delta(weights, y, "visual", layer, "v", lora)
        context, logits, probabilities = _attend(q, k, v, c.heads)
        x = x + _linear(weights, context, f"{block}.attn.proj") + _lora_delta(weights, context, "visual", layer, "o", lora)
        y = _norm(weights, x, f"{block}.norm2", c.eps)
        x = x + _linear(weights, F.gelu(_linear(weights, y, f"{block}.mlp.fc1")), f"{block}.mlp.fc2")
    hidden = _norm(weights, x, "visual.trunk.norm", c.eps)
    return {
        "hidden": hidden,
        "tokens": F.linear(hidden, weights["visual.head.proj.weight"]),
        "logits": logits.mean(dim=1)[:, 0, 1:],
        "probabilities": probabilities.mean(dim=1)[:, 0, 1:],
    }


def text_tower(weights: Weights, ids, config: ModelConfig, lora: LoraConfig | None = None) -> dict[str, torch.Tensor]:
    """Ids [B, L] (pad = 0) -> `hidden` [B, L, D], `tokens` [B, L, E] (projected, not normalised), `probabilities`
    [B, L-1] (last block, CLS query to the others, after padding mask and softmax, mean over heads) and `logits`
    [B, L-1] (the same before mask and softmax)."""
    c = config.text
    name = "text.transformer.embeddings"
    keep = ids != c.pad_id
    x = (
        weights[f"{name}.word_embeddings.weight"][ids]
        + weights[f"{name}.position_embeddings.weight"][: ids.shape[1]]
        + weights[f"{name}.token_type_embeddings.weight"][0]
    )
    x = _norm(weights, x, f"{name}.LayerNorm", c.eps)
    for layer in range(c.depth):
        block = f"text.transformer.encoder.layer.{layer}"
        q, k, v = (
            _linear(weights, x, f"{block}.attention.self.{long}") + _lora_delta(weights, x, "text", layer, short, lora)
            for short, long in (("q", "query"), ("k", "key"), ("v", "value"))
        )
        context, logits, probabilities = _attend(q, k, v, c.heads, keep)
        y = _linear(weights, context, f"{block}.attention.output.dense") + _lora_delta(weights, context, "text", layer, "o", lora)
        x = _norm(weights, x + y, f"{block}.attention.output.LayerNorm", c.eps)
        y = _linear(weights, F.gelu(_linear(weights, x, f"{block}.intermediate.dense")), f"{block}.output.dense")
        x = _norm(weights, x + y, f"{block}.output.LayerNorm", c.eps)
    hidden = F.gelu(F.linear(x, weights["text.proj.0.weight"]))
    return {
        "hidden": x,
        "tokens": F.linear(hidden, weights["text.proj.2.weight"]),
        "logits": logits.mean(dim=1)[:, 0, 1:],
        "probabilities": probabilities.mean(dim=1)[:, 0, 1:],
    }


def merge_lora(weights: Weights, config: ModelConfig, lora: LoraConfig) -> Weights:
    """A copy of `weights` whose selected projections are W + scaling * B A; every other tensor is shared."""
    merged = dict(weights)

    def delta(encoder: str, layer: int, target: str):
        name = f"lora.{encoder}.{layer}.{target}"
        return lora.scaling * weights[f"{name}.B"] @ weights[f"{name}.A"]

    for layer in lora.visual_layers or ():
        block = f"visual.trunk.blocks.{layer}.attn"
        if "o" in lora.targets:
            merged[f"{block}.proj.weight"] = weights[f"{block}.proj.weight"] + delta("visual", layer, "o")
        rows = list(weights[f"{block}.qkv.weight"].chunk(3, dim=0))
        for row, target in enumerate(("q", "k", "v")):
            if target in lora.targets:
                rows[row] = rows[row] + delta("visual", layer, target)
        merged[f"{block}.qkv.weight"] = torch.cat(rows, dim=0)
    for layer in lora.text_layers or ():
        block = f"text.transformer.encoder.layer.{layer}.attention"
        names = {"q": "self.query", "k": "self.key", "v": "self.value", "o": "output.dense"}
        for target in lora.targets:
            name = f"{block}.{names[target]}.weight"
            merged[name] = weights[name] + delta("text", layer, target)
    return merged
