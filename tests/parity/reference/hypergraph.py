"""ACE-HGNN, dense: all N + 1 hyperedges, as written. Nothing is detached but the choice of the top-k entries.

Beyond the published formula (which assumes k <= N - 1): k is cut to the candidates a row has, and a row without any
candidate (N = 1) has no hyperedge members but itself, where a plain softmax over -inf alone would be NaN.

Ties: the LOWEST index wins (stable descending sort), because torch.topk leaves the choice to the implementation.
Scores are compared after rounding (1e-9 in float64, 1e-6 in float32), so that copies of a token tie exactly.
"""

import torch
import torch.nn.functional as F


def choose(scores: torch.Tensor, k: int, tie: str = "lowest") -> torch.Tensor:
    """Indices of each row's k largest scores, best first [..., k']; -1 where fewer candidates than k' exist."""
    decimals = 9 if scores.dtype == torch.float64 else 6
    ranked = torch.round(scores.detach(), decimals=decimals)
    size = ranked.shape[-1]
    k = min(k, size)
    if tie == "lowest":
        order = torch.sort(ranked, dim=-1, descending=True, stable=True).indices[..., :k]
    else:
        order = size - 1 - torch.sort(ranked.flip(-1), dim=-1, descending=True, stable=True).indices[..., :k]
    return order.masked_fill(ranked.gather(-1, order) == -torch.inf, -1)


def gaps(scores: torch.Tensor, k: int) -> torch.Tensor:
    """Per row, the distance between the last score kept and the first one dropped; inf where nothing is dropped."""
    ordered = torch.sort(scores.detach(), dim=-1, descending=True).values
    if k >= ordered.shape[-1]:
        return torch.full(ordered.shape[:-1], torch.inf, dtype=ordered.dtype)
    kept, dropped = ordered[..., k - 1], ordered[..., k]
    return torch.where(dropped == -torch.inf, torch.full_like(kept, torch.inf), kept - dropped)


def scores(x: torch.Tensor, affinity: torch.Tensor) -> torch.Tensor:
    """Step 1: S [B, N+1, N+1] from tokens [B, N+1, E] and the CLS affinities [B, N]."""
    batch, size, _ = x.shape
    rest = F.normalize(x[:, 1:], dim=-1)
    body = rest @ rest.transpose(1, 2)
    left = torch.full((batch, size - 1, 1), -torch.inf, dtype=x.dtype)
    corner = torch.full((batch, 1, 1), -torch.inf, dtype=x.dtype)
    s = torch.cat([torch.cat([corner, affinity[:, None, :]], dim=2), torch.cat([left, body], dim=2)], dim=1)
    return s.masked_fill(torch.eye(size, dtype=torch.bool), -torch.inf)


def incidence(s: torch.Tensor, k: int, tie: str = "lowest") -> tuple[torch.Tensor, torch.Tensor]:
    """Steps 2 and 3: (A [B, N+1, N+1], chosen indices [B, N+1, k'])."""
    indices = choose(s, k, tie)
    kept = torch.zeros_like(s, dtype=torch.bool)
    kept.scatter_(-1, indices.clamp(min=0), indices >= 0)
    # Two members of one row never share an index, but a clamped -1 may land on index 0, which is never a candidate.
    kept &= s.detach() > -torch.inf
    empty = ~kept.any(dim=-1, keepdim=True)
    masked = torch.where(kept, s, torch.full_like(s, -torch.inf))
    a = torch.where(empty, torch.zeros_like(s), masked).softmax(dim=-1)
    a = torch.where(kept, a, torch.zeros_like(a))
    eye = torch.eye(s.shape[-1], dtype=torch.bool)
    a = torch.where(eye, torch.ones_like(a), a)
    column = torch.cat([torch.ones_like(a[:, 0, :1]), a[:, 0, 1:]], dim=1)
    return torch.cat([column[:, :, None], a[:, :, 1:]], dim=2), indices


def adapter(weights: dict[str, torch.Tensor], x: torch.Tensor, name: str) -> torch.Tensor:
    """phi: Linear, LeakyReLU(0.2), Linear; no residual."""
    y = F.linear(x, weights[f"{name}.down.weight"], weights[f"{name}.down.bias"])
    return F.linear(F.leaky_relu(y, 0.2), weights[f"{name}.up.weight"], weights[f"{name}.up.bias"])


def ace_hgnn(weights: dict[str, torch.Tensor], x, affinity, k: int, name: str, tie: str = "lowest") -> dict[str, torch.Tensor]:
    """Unit tokens x [B, N+1, E], affinity [B, N] -> S, A, indices, Y [B, N+1, E] and `features` = Y[0] normalised."""
    s = scores(x, affinity)
    a, indices = incidence(s, k, tie)
    edges = adapter(weights, a @ x, f"{name}.edge")
    y = adapter(weights, a.transpose(1, 2) @ edges, f"{name}.node")
    return {"S": s, "A": a, "indices": indices, "Y": y, "features": F.normalize(y[:, 0], dim=-1)}
