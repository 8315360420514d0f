"""Writes tests/parity/fixtures/*.safetensors and card.json. Usage: python tests/parity/reference/make_fixtures.py

Everything is computed in float64 from float32 weights and inputs, then rounded to float32. The same computation in
float32 is run beside it, and the largest differences go into the card: the noise a float32 implementation may have.
"""

import json
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import safetensors
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from config import TINY, LoraConfig
from hypergraph import ace_hgnn, gaps
from losses import info_nce, keep_mask, learning_rate
from pipeline import features, loss, trainable_names
from tiny import random_adapters, random_batch, random_weights
from towers import image_tower, merge_lora, text_tower

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "fixtures"
SEED = 20261
WEIGHT_SEED = SEED
MIN_GAP = 1e-4  # the batch seed is the first one whose top-k choices are all clearer than this

QKV = LoraConfig()
QVO_TOP1_IMAGE = LoraConfig(targets=("q", "v", "o"), visual_layers=(TINY.vision.depth - 1,), text_layers=None)
QKVO = LoraConfig(targets=("q", "k", "v", "o"))
STEPS, BASE_RATE, DECAY, WARMUP = 10, 1e-3, 0.01, 2


def cast(tensors, dtype):
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in tensors.items()}


def leaves(weights, names):
    """A copy of the dictionary whose named tensors are fresh leaves with gradients."""
    return {k: v.clone().requires_grad_(True) if k in names else v for k, v in weights.items()}


def clearance(graph, k, chosen_only=False):
    """The smallest gap of a batch; zero-affinity pads tie on purpose, and the lowest index settles them."""
    g = gaps(graph["S"], k)
    zero = graph["affinity"].detach() == 0
    if zero.any():
        for row in range(len(g)):
            if (zero.shape[1] - int(zero[row].sum())) < k:
                g[row, 0] = torch.inf
    if chosen_only:
        keep = torch.zeros_like(g, dtype=torch.bool)
        keep[:, 0] = True
        keep.scatter_(1, graph["indices"][:, 0].clamp(min=0), True)
        g = torch.where(keep, g, torch.full_like(g, torch.inf))
    return g.min().item()


def towers_cases(w, batch):
    out = {}
    settings = {"base": (w, None), "lora": (w, QKV), "merged": (merge_lora(w, TINY, QKV), None)}
    for name, (weights, lora) in settings.items():
        image = image_tower(weights, batch["pixels"], TINY, lora)
        text = text_tower(weights, batch["ids"], TINY, lora)
        out[f"{name}.visual.tokens"], out[f"{name}.text.tokens"] = image["tokens"], text["tokens"]
        out[f"{name}.visual.hidden"], out[f"{name}.text.hidden"] = image["hidden"], text["hidden"]
        for encoder, tower in (("visual", image), ("text", text)):
            out[f"{name}.{encoder}.affinity.logits"] = tower["logits"]
            out[f"{name}.{encoder}.affinity.probabilities"] = tower["probabilities"]
    image = image_tower(w, batch["pixels"], TINY, QVO_TOP1_IMAGE)
    out["qvo_top1.visual.tokens"], out["qvo_top1.visual.affinity.logits"] = image["tokens"], image["logits"]
    for name, lora in (("merged", QKV), ("qvo_top1.merged", QVO_TOP1_IMAGE)):
        for key, value in merge_lora(w, TINY, lora).items():
            if value is not w.get(key):
                out[f"{name}.weight.{key}"] = value
    return out


def graph_cases(w, batch):
    out, clear = {}, []
    result = features(w, batch["pixels"], batch["ids"], TINY, QKV)
    for encoder in ("visual", "text"):
        graph = result[f"graph.{encoder}"]
        clear.append(clearance(graph, TINY.top_k))
        for key in ("x", "affinity", "indices", "A", "Y", "features"):
            out[f"hgnn.{encoder}.{key}"] = graph[key]
    return out, min(clear)


def loss_cases(w, batch, keep):
    """Every loss of the pipeline, and the gradient of every trainable tensor for three of them."""
    out, clear = {"labels.keep": keep.to(torch.int32)}, []
    runs = {
        "guided": (QKV, keep, ("visual", "text"), True),
        "plain": (QKV, None, (), True),
        "guided_qkvo": (QKVO, keep, ("visual", "text"), True),
        "guided_lora_only": (QKV, keep, (), False),
        "plain_both": (QKV, None, ("visual", "text"), False),
        "guided_visual": (QKV, keep, ("visual",), False),
        "guided_text": (QKV, keep, ("text",), False),
    }
    for name, (lora, mask, hgnn, gradients) in runs.items():
        names = trainable_names(w, lora, bool(hgnn))
        weights = leaves(w, names)
        value, result = loss(weights, batch["pixels"], batch["ids"], mask, TINY, lora, hgnn)
        clear += [clearance(result[f"graph.{e}"], TINY.top_k, True) for e in hgnn]
        out[f"loss.{name}"] = value.detach()
        if gradients:
            value.backward()
            for key in names:
                out[f"grad.{name}.{key}"] = weights[key].grad
    return out, min(clear)


def feature_loss_cases(dtype):
    """InfoNCE alone, on random unit rows: values and gradients by features and scale; and the degenerate masks."""
    rng = np.random.default_rng(SEED + 1)
    raw = torch.from_numpy(rng.standard_normal((2, 6, TINY.embed)).astype(np.float32)).to(dtype)
    rows = F.normalize(raw, dim=-1).to(torch.float32).to(dtype)
    masks = {
        "plain": None,
        "guided": keep_mask(random_batch(TINY, 0)["labels"]),
        "identical": torch.eye(6, dtype=torch.bool),
        "distinct": torch.ones(6, 6, dtype=torch.bool),
    }
    out = {"info_nce.image": rows[0], "info_nce.text": rows[1], "info_nce.scale": torch.tensor(14.0, dtype=dtype)}
    for name, keep in masks.items():
        image, text, scale = (out[f"info_nce.{k}"].clone().requires_grad_(True) for k in ("image", "text", "scale"))
        value = info_nce(image, text, scale, keep)
        value.backward()
        out[f"info_nce.{name}.loss"] = value.detach()
        for key, leaf in (("image", image), ("text", text), ("scale", scale)):
            out[f"info_nce.{name}.grad.{key}"] = leaf.grad
    one = info_nce(rows[0][:1], rows[1][:1], out["info_nce.scale"])
    out["info_nce.one_pair.loss"] = one
    return out


def training_cases(w, batch, keep):
    """Ten AdamW steps on the one batch, label-guided InfoNCE, ACE-HGNN on both encoders, LoRA on q, k, v."""
    names = trainable_names(w, QKV, True)
    weights = leaves(w, names)
    parameters = [weights[name] for name in names]
    optimizer = torch.optim.AdamW(parameters, lr=BASE_RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=DECAY)
    losses, rates, clear = [], [], []
    for step in range(STEPS):
        rate = learning_rate(step, BASE_RATE, WARMUP, STEPS)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        value, result = loss(weights, batch["pixels"], batch["ids"], keep, TINY, QKV)
        clear += [clearance(result[f"graph.{e}"], TINY.top_k, True) for e in ("visual", "text")]
        value.backward()
        optimizer.step()
        losses.append(value.item())
        rates.append(rate)
    out = {"adamw.loss": torch.tensor(losses), "adamw.lr": torch.tensor(rates)}
    out |= {f"adamw.final.{name}": weights[name].detach() for name in names}
    return out, min(clear)


def prompt_cases(w, batch):
    """Prompt ensemble: the six texts as three classes of two prompts; normalised tokens and affinities averaged over
    prompts, then ACE-HGNN, then normalised; and the zero-shot scores of the six images."""
    text = text_tower(w, batch["ids"], TINY, QKV)
    x = F.normalize(text["tokens"], dim=-1).reshape(3, 2, TINY.text.context, TINY.embed).mean(dim=1)
    affinity = text["probabilities"].reshape(3, 2, -1).mean(dim=1)
    graph = ace_hgnn(w, x, affinity, TINY.top_k, "hgnn.text")
    image = features(w, batch["pixels"], batch["ids"], TINY, QKV)["features.visual"]
    plain = F.normalize(x[:, 0], dim=-1)  # without ACE-HGNN: the averaged CLS row
    out = {"prompts.x": x, "prompts.affinity": affinity, "prompts.features": graph["features"]}
    out["prompts.features_no_hgnn"] = plain
    out["prompts.scores"] = (w["scale"] * image @ graph["features"].t()).softmax(dim=-1)
    return out, clearance({**graph, "affinity": affinity}, TINY.top_k, True)


def pipeline(w32, b32, dtype):
    w, batch = cast(w32, dtype), cast(b32, dtype)
    keep = keep_mask(batch["labels"])
    with torch.no_grad():
        out = towers_cases(w, batch)
        graphs, clear_a = graph_cases(w, batch)
        prompts, clear_b = prompt_cases(w, batch)
    losses, clear_c = loss_cases(w, batch, keep)
    trained, clear_d = training_cases(w, batch, keep)
    out |= graphs | prompts | losses | feature_loss_cases(dtype) | trained
    return out, min(clear_a, clear_b, clear_c, clear_d)


def hgnn_inputs():
    """Tokens (not normalised), affinity and k of every ACE-HGNN case, in float32."""
    rng = np.random.default_rng(SEED + 2)
    embed = TINY.embed

    def normal(*shape):
        return torch.from_numpy(rng.standard_normal(shape).astype(np.float32))

    cases = {}
    x, a = normal(2, 9, embed), normal(2, 8)
    cases["random"] = (x, a, 3)
    cases["k_one"] = (x, a, 1)
    cases["k_equals_n"] = (x, a, 8)
    cases["k_over_n"] = (x, a, 12)
    cases["one_token"] = (normal(2, 2, embed), normal(2, 1), 3)
    big = a * 30
    cases["large_logits"] = (x, big, 3)
    zero = torch.zeros(2, 8)
    zero[0, :2] = torch.tensor([0.6, 0.3])
    zero[1, :5] = torch.tensor([0.1, 0.3, 0.05, 0.2, 0.15])
    cases["zero_pads"] = (normal(2, 9, embed), zero, 4)
    cases["all_affinities_equal"] = (x, torch.full((2, 8), 0.125), 3)
    twins, twin_a = normal(2, 9, embed), normal(2, 8)
    for first, second in ((2, 6), (3, 7), (3, 8)):
        twins[:, second] = twins[:, first]
        twin_a[:, second - 1] = twin_a[:, first - 1]
    cases["duplicated_tokens"] = (twins, twin_a, 3)
    same = normal(2, 1, embed).repeat(1, 9, 1)
    same[:, 0] = normal(2, embed)
    cases["identical_tokens"] = (same, torch.full((2, 8), 0.125), 3)
    opposite = normal(1, 9, embed)
    opposite[0, 5:] = -opposite[0, 1:5]
    cases["opposite_tokens"] = (opposite, normal(1, 8), 5)
    return cases


def run_hgnn(adapters, tokens, affinity, k, upstream, dtype, tie="lowest"):
    names = [n for n in adapters]
    weights = leaves(cast(adapters, dtype), names)
    raw, a = (t.to(dtype).clone().requires_grad_(True) for t in (tokens, affinity))
    x = F.normalize(raw, dim=-1)
    graph = ace_hgnn(weights, x, a, k, "hgnn", tie)
    (graph["features"] * upstream.to(dtype)).sum().backward()
    out = {"x": x, "A": graph["A"], "indices": graph["indices"], "Y": graph["Y"], "features": graph["features"]}
    out = {key: value.detach() for key, value in out.items()}
    out |= {"grad.tokens": raw.grad, "grad.affinity": a.grad}
    out |= {f"grad.{n}": weights[n].grad for n in names}
    return out, gaps(graph["S"], k)


def hgnn_cases():
    rng = np.random.default_rng(SEED + 3)
    adapters = random_adapters(TINY.embed, TINY.hgnn_hidden, rng, "hgnn")
    out, notes = dict(adapters), {}
    for name, (tokens, affinity, k) in hgnn_inputs().items():
        upstream = torch.from_numpy(rng.standard_normal((len(tokens), TINY.embed)).astype(np.float32))
        exact, gap = run_hgnn(adapters, tokens, affinity, k, upstream, torch.float64)
        other, _ = run_hgnn(adapters, tokens, affinity, k, upstream, torch.float64, "highest")
        single, _ = run_hgnn(adapters, tokens, affinity, k, upstream, torch.float32)
        clear = gap > 1e-6  # rows whose kept set does not depend on how ties are broken
        clear[:, 0] = True  # row 0's scores are inputs: exact ties there go to the lowest index
        case = {"tokens": tokens, "affinity": affinity, "k": torch.tensor(k, dtype=torch.int32), "upstream": upstream}
        case |= exact | {"determined": clear.to(torch.int32)}
        out |= {f"{name}.{key}": value for key, value in case.items()}
        spread = {key: difference(exact[key], other[key]) for key in exact if key not in ("indices", "x")}
        notes[name] = {
            "shape": list(tokens.shape),
            "k": k,
            "rows": int(clear.numel()),
            "rows_determined": int(clear.sum()),
            "smallest_gap": None if torch.isinf(gap).all() else float(gap[~torch.isinf(gap)].min()),
            "features_depend_on_ties": spread["features"] > 1e-9,
            "gradients_depend_on_ties": sorted(key for key, d in spread.items() if key.startswith("grad.") and d > 1e-9),
            "float32_difference": {
                key: difference(exact[key], single[key]) for key in ("features", "grad.tokens", "grad.affinity")
            },
        }
    return out, notes


def difference(a, b):
    return 0.0 if a.numel() == 0 else float((a.double() - b.double()).abs().max())


def torch_topk_ties():
    """Which of tied entries this build's torch.topk returns, for information."""
    zeros = torch.topk(torch.zeros(8), 3).indices.tolist()
    mixed = torch.topk(torch.tensor([0.6, 0.3, 0, 0, 0, 0, 0, 0]), 4).indices.tolist()
    return {"eight zeros, k = 3": zeros, "[0.6, 0.3, 0 x 6], k = 4": mixed}


def save(name, tensors):
    stored = {}
    for key, value in tensors.items():
        value = value.detach()
        stored[key] = (value.to(torch.float32) if value.is_floating_point() else value.to(torch.int32)).contiguous().clone()
    save_file(stored, OUT / name)
    (OUT / name).chmod(0o644)
    return {"bytes": (OUT / name).stat().st_size, "tensors": len(stored)}


def main():
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    OUT.mkdir(exist_ok=True)
    weights = random_weights(TINY, WEIGHT_SEED)
    for batch_seed in range(SEED, SEED + 500):
        batch = random_batch(TINY, batch_seed)
        out, clear = pipeline(weights, batch, torch.float64)
        if clear > MIN_GAP:
            break
    else:
        raise SystemExit(f"no batch seed gives top-k gaps over {MIN_GAP}")
    single, _ = pipeline(weights, batch, torch.float32)
    noise, worst = {}, {}
    for key in out:
        d = difference(out[key], single[key])
        group = ".".join(key.split(".")[: 2 if key.split(".")[0] in ("grad", "adamw", "info_nce") else 1])
        noise[group] = max(noise.get(group, 0.0), d)
    hgnn, hgnn_notes = hgnn_cases()
    files = {
        "weights.safetensors": save("weights.safetensors", weights),
        "cases.safetensors": save("cases.safetensors", batch | out),
        "cases_hgnn.safetensors": save("cases_hgnn.safetensors", hgnn),
    }
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout.strip()
    card = {
        "what": "Expected values of a tiny BiomedCLIP-shaped model with LoRA, ACE-HGNN and both losses, from PyTorch",
        "command": "python tests/parity/reference/make_fixtures.py",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "safetensors": safetensors.__version__,
        },
        "seed": SEED,
        "batch_seed": batch_seed,
        "smallest_top_k_gap": clear,
        "repository_commit_before": commit,
        "arithmetic": "float64 from float32 weights and inputs, stored as float32 and int32",
        "float32_difference": {k: noise[k] for k in sorted(noise)},
        "config": asdict(TINY),
        "lora": {
            "default": {**asdict(QKV), "scaling": QKV.scaling},
            "qvo_top1": asdict(QVO_TOP1_IMAGE),
            "guided_qkvo": asdict(QKVO),
        },
        "labels": "int32 [6, 14]: 1 positive, 0 negative, -1 uncertain, -2 blank",
        "optimiser": {
            "name": "torch.optim.AdamW",
            "lr": BASE_RATE,
            "betas": [0.9, 0.999],
            "eps": 1e-8,
            "weight_decay": f"{DECAY}, on every trainable tensor (biases and scale too)",
            "steps": STEPS,
            "warmup_steps": WARMUP,
            "schedule": "step s = 0..9 uses lr * s / 2 if s < 2, else lr * (1 + cos(pi * (s - 2) / 8)) / 2; step 0 has rate 0",
            "loss": "adamw.loss[s] is taken before step s's update; label-guided, ACE-HGNN on both encoders, LoRA on q, k, v",
        },
        "top_k_ties": {
            "rule": "lowest index wins (stable descending sort); -1 in indices where a row has fewer candidates than k",
            "this_torch_topk": torch_topk_ties(),
        },
        "hgnn_cases": hgnn_notes,
        "files": files,
    }
    (OUT / "card.json").write_text(json.dumps(card, indent=2) + "\n")
    json.dump({k: card[k] for k in ("batch_seed", "smallest_top_k_gap", "float32_difference", "hgnn_cases", "files")}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
