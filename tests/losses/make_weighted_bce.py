"""Writes fixtures/weighted_bce.json: BCEWithLogitsLoss(pos_weight) and its gradient in float64, by PyTorch.

    python tests/losses/make_weighted_bce.py
"""

import json
import pathlib

import torch

torch.manual_seed(11)
logits = (3 * torch.randn(5, 3, dtype=torch.float64)).requires_grad_(True)
targets = torch.randint(0, 2, (5, 3)).double()
weights = torch.tensor([0.5, 1.0, 7.25], dtype=torch.float64)
known = torch.ones(5, 3, dtype=torch.float64)
known[1, 0] = known[3, 2] = known[4, 2] = 0

cases = {}
loss = torch.nn.BCEWithLogitsLoss(pos_weight=weights)(logits, targets)
loss.backward()
cases["all"] = {"targets": targets.tolist(), "loss": loss.item(), "d_logits": logits.grad.tolist()}
logits.grad = None
each = torch.nn.BCEWithLogitsLoss(pos_weight=weights, reduction="none")(logits, targets)
loss = each[known == 1].mean()
loss.backward()
cases["some unknown"] = {
    "targets": torch.where(known == 1, targets, -1.0).tolist(),
    "loss": loss.item(),
    "d_logits": logits.grad.tolist(),
}
out = {"torch": torch.__version__, "logits": logits.tolist(), "weights": weights.tolist(), "cases": cases}
path = pathlib.Path(__file__).parent / "fixtures" / "weighted_bce.json"
path.write_text(json.dumps(out, indent=1) + "\n")
