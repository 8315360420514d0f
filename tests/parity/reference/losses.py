"""InfoNCE and label-guided InfoNCE, and the schedule."""

import math

import torch
import torch.nn.functional as F

BLANK = -2  # how a blank label is written in the fixtures (int32 has no NaN)


def keep_mask(labels: torch.Tensor) -> torch.Tensor:
    """Labels [B, 14] (1, 0, -1 uncertain, -2 blank) -> True where a pair stays in the denominators [B, B]."""
    y = torch.where(labels == 1, 1, 0)
    same = (y[:, None, :] == y[None, :, :]).all(dim=-1)
    return ~same | torch.eye(len(y), dtype=torch.bool)


def info_nce(image, text, scale, keep: torch.Tensor | None = None) -> torch.Tensor:
    """Unit rows [B, E] twice, scalar scale -> mean of the row-wise and column-wise cross-entropies."""
    logits = scale * image @ text.t()
    if keep is not None:
        logits = logits.masked_fill(~keep, -torch.inf)
    target = torch.arange(len(image))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.t(), target)) / 2


def learning_rate(step: int, base: float, warmup: int, total: int) -> float:
    """The rate of 0-based step s: base * s / warmup while s < warmup, then base * (1 + cos(pi * p)) / 2,
    p = (s - warmup) / (total - warmup). The first step's rate is 0 and the last one's is not yet 0, as in
    transformers.get_cosine_schedule_with_warmup (num_cycles 0.5), which the published training uses."""
    if step < warmup:
        return base * step / max(1, warmup)
    progress = (step - warmup) / max(1, total - warmup)
    return max(0.0, base * 0.5 * (1.0 + math.cos(math.pi * progress)))
