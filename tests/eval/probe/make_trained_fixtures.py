"""Makes tests/eval/probe/trained.json: Tip-Adapter, Tip-Adapter-F and CLIP-Adapter in PyTorch, in double precision.

Written from the papers' formulas: Zhang et al. 2022 (Tip-Adapter, Eq. 4 to 6, and section 3.2) and Gao et al. 2021
(CLIP-Adapter, Eq. 3 to 6). The start values of CLIP-Adapter are drawn here as lib/tensor/random.ts says, so that the
whole method is compared and not a step of it. All shots are one batch, as 256 are more than there are.

Run: python tests/eval/probe/make_trained_fixtures.py   (torch, numpy; versions are recorded)
"""
import json
import math
import platform
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

WORD = 0xFFFFFFFF
torch.set_default_dtype(torch.float64)


def derive(seed, name):
    """FNV-1a of a stream's name."""
    value = (0x811C9DC5 ^ seed) & WORD
    for letter in name:
        value = ((value ^ ord(letter)) * 0x01000193) & WORD
    value = ((value ^ (value >> 16)) * 0x85EBCA6B) & WORD
    return value ^ (value >> 13)


def mulberry(seed):
    """Uniform numbers of Mulberry32."""
    state = seed
    while True:
        state = (state + 0x6D2B79F5) & WORD
        t = state
        t = ((t ^ (t >> 15)) * (t | 1)) & WORD
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & WORD)) & WORD
        yield ((t ^ (t >> 14)) & WORD) / 2**32


def kaiming(rows, columns, seed, name):
    """torch's Linear initialisation: uniform within one over the root of the fan-in, as float32."""
    draw = mulberry(derive(seed, name))
    bound = 1 / math.sqrt(columns)
    values = np.array([(2 * next(draw) - 1) * bound for _ in range(rows * columns)], dtype=np.float32)
    return torch.tensor(values.reshape(rows, columns), dtype=torch.float64)


def adamw(parameters, loss, epochs, epsilon):
    """Full-batch AdamW at 1e-3, falling as half a cosine over the steps."""
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, eps=epsilon)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
        schedule.step()


def clip_adapter(x, y, classes, queries, scale, seed, ratio=0.2, reduction=4):
    width = x.shape[1]
    own = derive(seed, "clip-adapter probe")
    down = kaiming(width // reduction, width, own, "down").requires_grad_()
    up = kaiming(width, width // reduction, own, "up").requires_grad_()

    def logits(features):
        adapted = F.relu(F.relu(features @ down.T) @ up.T)
        mixed = ratio * adapted + (1 - ratio) * features
        return scale * F.normalize(mixed, dim=1) @ classes.T

    adamw([down, up], lambda: F.cross_entropy(logits(x), y), epochs=200, epsilon=1e-8)
    return logits(queries).detach()


def cache(keys, one_hot, features, beta):
    return torch.exp(-beta * (1 - features @ keys.T)) @ one_hot


def search(keys, one_hot, features, labels, zero_shot):
    """The first best of 200 beta and 20 alpha, from 0.1 up."""
    best = (-1, None, None)
    for b in range(200):
        beta = 0.1 + b * (7 - 0.1) / 200
        added = cache(keys, one_hot, features, beta)
        for a in range(20):
            alpha = 0.1 + a * (3 - 0.1) / 20
            right = int(((zero_shot + alpha * added).argmax(1) == labels).sum())
            if right > best[0]:
                best = (right, alpha, beta)
    return best[1], best[2]


def tip_adapter(x, y, classes, queries, scale, validation, labels, train):
    one_hot = F.one_hot(y, classes.shape[0]).to(x.dtype)
    keys = x.clone().requires_grad_()
    if train:
        def logits(features):
            return scale * features @ classes.T + 1.0 * cache(keys, one_hot, features, 5.5)
        adamw([keys], lambda: F.cross_entropy(logits(x), y), epochs=20, epsilon=1e-4)
    keys = keys.detach()
    alpha, beta = search(keys, one_hot, validation, labels, scale * validation @ classes.T)
    scores = scale * queries @ classes.T + alpha * cache(keys, one_hot, queries, beta)
    return {"alpha": alpha, "beta": beta, "scores": scores.ravel().tolist()}


def unit(rng, targets, centres, noise):
    rows = centres[targets] + noise * rng.normal(size=(len(targets), centres.shape[1]))
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.round(rows, 4)  # as the file holds them


def case(name, classes, width, shots, scale, noise, seed):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, width))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    parts = {}
    for part, each in (("train", shots), ("validation", min(shots, 4)), ("queries", 3)):
        targets = np.tile(np.arange(classes), each)
        parts[part] = (unit(rng, targets, centres, noise), targets)
    prompts = unit(rng, np.arange(classes), centres, 0.3)
    as_torch = lambda values: torch.tensor(values.astype(np.float64))
    x, validation, queries = (as_torch(parts[part][0]) for part in ("train", "validation", "queries"))
    y, labels = (torch.tensor(parts[part][1]) for part in ("train", "validation"))
    given = (x, y, as_torch(prompts), queries, scale)
    listed = lambda values: [round(float(value), 4) for value in values.ravel()]
    return {
        "name": name, "classes": classes, "scale": scale, "seed": seed,
        "train": listed(parts["train"][0]), "train_targets": parts["train"][1].tolist(),
        "validation": listed(parts["validation"][0]), "validation_targets": parts["validation"][1].tolist(),
        "queries": listed(parts["queries"][0]), "class_features": listed(prompts),
        "tip-adapter": tip_adapter(*given, validation, labels, train=False),
        "tip-adapter-f": tip_adapter(*given, validation, labels, train=True),
        "clip-adapter": {"scores": clip_adapter(*given, seed).ravel().tolist()},
    }


fixture = {
    "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    "cases": [case("two classes, one shot", 2, 8, 1, 20.0, 0.25, 3), case("three classes, four shots", 3, 16, 4, 100.0, 0.3, 5)],
}
target = Path(__file__).parent / "trained.json"
target.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
print(target, target.stat().st_size, "bytes")
