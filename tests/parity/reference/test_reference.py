"""Checks of the reference itself against public implementations. Usage: python tests/parity/reference/test_reference.py

Needs torch; `transformers` is used where it is installed, else its checks are named as skipped. Prints every largest
absolute difference (float64 unless said) and fails above 1e-6.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from config import TINY, LoraConfig
from hypergraph import ace_hgnn, choose, incidence, scores
from losses import info_nce, keep_mask, learning_rate
from pipeline import features, trainable_names
from tiny import label_rows, random_batch, random_weights
from towers import image_tower, merge_lora, text_tower

LIMIT = 1e-6
torch.set_default_dtype(torch.float64)
W = {k: v.double() for k, v in random_weights(TINY, 7).items()}
BATCH = {k: v.double() if v.is_floating_point() else v for k, v in random_batch(TINY, 8).items()}
LORA = LoraConfig()
failures = []


def close(name, a, b, limit=LIMIT):
    d = float((a - b).abs().max())
    print(f"{'ok  ' if d <= limit else 'FAIL'} {d:.2e}  {name}")
    if not d <= limit:
        failures.append(name)


def true(name, condition):
    print(f"{'ok  ' if condition else 'FAIL'} {name}")
    if not condition:
        failures.append(name)


def part(prefix, weights=None):
    return {k.removeprefix(prefix): v for k, v in (weights or W).items() if k.startswith(prefix)}


def check_bert_tower():
    try:
        from transformers import BertConfig, BertModel
    except ImportError:
        print("skip text_tower against transformers.BertModel (transformers is not installed)")
        return
    t = TINY.text
    config = BertConfig(
        vocab_size=t.vocab, hidden_size=t.width, num_hidden_layers=t.depth, num_attention_heads=t.heads,
        intermediate_size=t.mlp, hidden_act="gelu", max_position_embeddings=t.positions,
        type_vocab_size=t.token_types, layer_norm_eps=t.eps, pad_token_id=t.pad_id,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="eager",
    )
    for name, weights in (("base", W), ("merged LoRA", merge_lora(W, TINY, LORA))):
        model = BertModel(config, add_pooling_layer=False).double().eval()
        missing, unexpected = model.load_state_dict(part("text.transformer.", weights), strict=False)
        true(f"BertModel takes every text.transformer name ({name})", not unexpected and not [m for m in missing if "position_ids" not in m])
        keep = BATCH["ids"] != t.pad_id
        with torch.no_grad():
            theirs = model(input_ids=BATCH["ids"], attention_mask=keep.long(), output_attentions=True)
            ours = text_tower(weights, BATCH["ids"], TINY)
        close(f"text_tower hidden states against BertModel, {name}", ours["hidden"], theirs.last_hidden_state)
        cls = theirs.attentions[-1].mean(dim=1)[:, 0, 1:]
        close(f"text_tower CLS probabilities against BertModel attentions, {name}", ours["probabilities"], cls)
        true(f"pads have probability exactly 0, {name}", bool((ours["probabilities"][~keep[:, 1:]] == 0).all()))
        projected = nn.Sequential(nn.Linear(t.width, t.proj_hidden, bias=False), nn.GELU(), nn.Linear(t.proj_hidden, TINY.embed, bias=False))
        projected.load_state_dict(part("text.proj."))
        close(f"text head against nn.Sequential, {name}", ours["tokens"], projected(theirs.last_hidden_state).detach())


class Block(nn.Module):
    """A timm-named block on torch's own MultiheadAttention."""

    def __init__(self, c):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(c.width, c.eps), nn.LayerNorm(c.width, c.eps)
        self.attn = nn.MultiheadAttention(c.width, c.heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(c.width, c.mlp), nn.GELU(), nn.Linear(c.mlp, c.width))

    def forward(self, x):
        y = self.norm1(x)
        y, probabilities = self.attn(y, y, y, need_weights=True, average_attn_weights=True)
        x = x + y
        return x + self.mlp(self.norm2(x)), probabilities


def check_image_tower():
    c = TINY.vision
    renames = {
        "attn.in_proj_weight": "attn.qkv.weight", "attn.in_proj_bias": "attn.qkv.bias",
        "attn.out_proj.weight": "attn.proj.weight", "attn.out_proj.bias": "attn.proj.bias",
        "mlp.0.weight": "mlp.fc1.weight", "mlp.0.bias": "mlp.fc1.bias",
        "mlp.2.weight": "mlp.fc2.weight", "mlp.2.bias": "mlp.fc2.bias",
    }
    for name, weights in (("base", W), ("merged LoRA", merge_lora(W, TINY, LORA))):
        size = c.image_size // c.patch_size
        patches = BATCH["pixels"].reshape(-1, size, c.patch_size, size, c.patch_size, 3).permute(0, 1, 3, 5, 2, 4)
        x = F.linear(
            patches.reshape(len(patches), size * size, -1),
            weights["visual.trunk.patch_embed.proj.weight"].flatten(1),
            weights["visual.trunk.patch_embed.proj.bias"],
        )
        x = torch.cat([weights["visual.trunk.cls_token"].expand(len(x), -1, -1), x], dim=1) + weights["visual.trunk.pos_embed"]
        with torch.no_grad():
            for layer in range(c.depth):
                block, source = Block(c).double(), part(f"visual.trunk.blocks.{layer}.", weights)
                block.load_state_dict({key: source[renames.get(key, key)] for key in block.state_dict()})
                x, probabilities = block(x)
            norm = nn.LayerNorm(c.width, c.eps).double()
            norm.load_state_dict(part("visual.trunk.norm.", weights))
            ours = image_tower(weights, BATCH["pixels"], TINY)
            close(f"image_tower hidden states against nn.MultiheadAttention blocks, {name}", ours["hidden"], norm(x))
            close(f"image_tower CLS probabilities against nn.MultiheadAttention, {name}", ours["probabilities"], probabilities[:, 0, 1:])


def check_affinity_logits():
    """One head: softmax of the recorded logits (with the CLS one, by subtraction) must rank as the probabilities do."""
    from dataclasses import replace

    one = replace(TINY, vision=replace(TINY.vision, heads=1))
    ours = image_tower(W, BATCH["pixels"], one)
    difference = ours["logits"] - ours["probabilities"].log()
    close("image logits are log probabilities up to one constant per image (one head)", difference, difference[:, :1].expand_as(difference))


def check_lora():
    lora = features(W, BATCH["pixels"], BATCH["ids"], TINY, LORA)
    merged = features(merge_lora(W, TINY, LORA), BATCH["pixels"], BATCH["ids"], TINY, None)
    for encoder in ("visual", "text"):
        close(f"merged = unmerged, {encoder} features", lora[f"features.{encoder}"], merged[f"features.{encoder}"])
    base = features(W, BATCH["pixels"], BATCH["ids"], TINY, None)
    true("LoRA changes the features", float((base["features.visual"] - lora["features.visual"]).abs().max()) > 0.01)
    true("scaling of rank 4, alpha 1 is 0.5", LORA.scaling == 0.5)
    count = sum(W[n].numel() for n in trainable_names(W, LORA, True))
    expected = 2 * 2 * 3 * 2 * 4 * 32 + 4 * (16 * 8 + 8 + 8 * 16 + 16) + 1
    true(f"trainable numbers {count}", count == expected)


def check_hgnn():
    """Against a loop over nodes and hyperedges in plain arithmetic."""
    out = features(W, BATCH["pixels"], BATCH["ids"], TINY, LORA)["graph.visual"]
    x, a, k = out["x"], out["affinity"], TINY.top_k
    phi = {}
    for p in ("edge", "node"):
        phi[p] = nn.Sequential(nn.Linear(16, 8), nn.LeakyReLU(0.2), nn.Linear(8, 16)).double()
        phi[p].load_state_dict({f"{i}.{m}": W[f"hgnn.visual.{p}.{n}.{m}"] for i, n in ((0, "down"), (2, "up")) for m in ("weight", "bias")})
    worst = 0.0
    with torch.no_grad():
        for b in range(len(x)):
            size = x.shape[1]
            members = []
            for i in range(size):
                score = {j: float(a[b, j - 1]) if i == 0 else float(F.cosine_similarity(x[b, i], x[b, j], dim=0)) for j in range(1, size) if j != i}
                best = sorted(score, key=lambda j: -score[j])[:k]
                total = sum(math.exp(score[j]) for j in best)
                members.append({j: math.exp(score[j]) / total for j in best} | {i: 1.0})
            for i in range(1, size):
                if i in members[0]:
                    members[i][0] = members[0][i]
            edges = [phi["edge"](sum(w * x[b, j] for j, w in m.items())) for m in members]
            y0 = phi["node"](sum(members[e].get(0, 0.0) * edges[e] for e in range(size)))
            worst = max(worst, float((F.normalize(y0, dim=0) - out["features"][b]).abs().max()))
    close("ACE-HGNN features against a loop over nodes", torch.tensor(worst), torch.tensor(0.0))
    true("lowest index wins ties", choose(torch.tensor([[0.0, 1.0, 0.0, 0.0]]), 2).tolist() == [[1, 0]])
    lonely, _ = incidence(scores(x[:, :2], a[:, :1]), k)
    true("one token: A is all ones", bool((lonely == 1).all()))
    weights = {k.replace("visual.", ""): v for k, v in W.items() if k.startswith("hgnn.visual")}
    leaf = x.clone().requires_grad_(True)
    true("gradcheck", torch.autograd.gradcheck(lambda t, u: ace_hgnn(weights, t, u, 3, "hgnn")["features"], (leaf[:1], a[:1].clone().requires_grad_(True))))


def check_losses():
    from itertools import product

    g = torch.Generator().manual_seed(1)
    v, t = (F.normalize(torch.randn(6, 16, generator=g), dim=-1) for _ in range(2))
    keep = keep_mask(label_rows())
    removed = [(i, j) for i, j in product(range(6), repeat=2) if not keep[i, j]]
    true(f"removed pairs {removed}", removed == [(0, 1), (1, 0), (2, 3), (3, 2)])
    total = 0.0
    for i in range(6):
        row = sum(math.exp(10 * float(v[i] @ t[j])) for j in range(6) if keep[i, j])
        column = sum(math.exp(10 * float(v[j] @ t[i])) for j in range(6) if keep[j, i])
        total += math.log(row) + math.log(column) - 20 * float(v[i] @ t[i])
    close("label-guided InfoNCE against sums", info_nce(v, t, torch.tensor(10.0), keep), torch.tensor(total / 12))


def check_schedule():
    rates = [learning_rate(s, 1e-3, 2, 10) for s in range(10)]
    true(f"first rate 0, peak after the warm-up: {[round(r, 7) for r in rates]}", rates[0] == 0 and rates[2] == 1e-3)
    try:
        from transformers import get_cosine_schedule_with_warmup
    except ImportError:
        print("skip learning_rate against transformers (not installed)")
        return
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=1e-3)
    schedule = get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=2, num_training_steps=10)
    theirs = []
    for _ in range(10):
        theirs.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    close("learning_rate against get_cosine_schedule_with_warmup", torch.tensor(rates), torch.tensor(theirs))


if __name__ == "__main__":
    for check in (check_bert_tower, check_image_tower, check_affinity_logits, check_lora, check_hgnn, check_losses, check_schedule):
        check()
    if failures:
        raise SystemExit(f"{len(failures)} checks failed: {failures}")
