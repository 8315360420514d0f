"""Writes fixtures/sigmoid.json: the sigmoid loss and its gradients in float64, by PyTorch's autograd.

    python tests/losses/make_sigmoid.py
"""

import json
import pathlib

import torch
from torch.nn import functional as F

torch.manual_seed(7)
image = F.normalize(torch.randn(4, 3, dtype=torch.float64), dim=1).requires_grad_(True)
text = F.normalize(torch.randn(4, 3, dtype=torch.float64), dim=1).requires_grad_(True)
scale = torch.tensor(10.0, dtype=torch.float64, requires_grad=True)
bias = torch.tensor(-3.0, dtype=torch.float64, requires_grad=True)
mask = torch.ones(4, 4, dtype=torch.float64)
mask[0, 2] = mask[2, 0] = 0


def loss_of(kept: torch.Tensor) -> torch.Tensor:
    """Zhai et al. 2023, Algorithm 1, pairs outside the mask left out."""
    logits = scale * image @ text.T + bias
    labels = 2 * torch.eye(4, dtype=torch.float64) - 1
    return -(kept * F.logsigmoid(labels * logits)).sum() / 4


cases = {}
for name, kept in {"all": torch.ones(4, 4, dtype=torch.float64), "masked": mask}.items():
    for leaf in (image, text, scale, bias):
        leaf.grad = None
    loss = loss_of(kept)
    loss.backward()
    cases[name] = {
        "mask": kept.tolist(),
        "loss": loss.item(),
        **{f"d_{key}": leaf.grad.tolist() for key, leaf in
           {"image": image, "text": text, "scale": scale, "bias": bias}.items()},
    }
inputs = {"image": image.tolist(), "text": text.tolist(), "scale": scale.item(), "bias": bias.item()}
out = pathlib.Path(__file__).parent / "fixtures" / "sigmoid.json"
out.write_text(json.dumps({"torch": torch.__version__, "seed": 7, "inputs": inputs, "cases": cases}, indent=2) + "\n")
