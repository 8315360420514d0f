"""Expected values of the hypergraph module under other affinities, written out hyperedge by hyperedge in PyTorch.

    python -m venv .venv && .venv/bin/pip install numpy safetensors torch torch_geometric
    .venv/bin/python tests/hypergraph/make_affinities.py

The scores are checked against PyG's GATConv and GATv2Conv first (their attention over the whole neighbourhood of CLS).
"""
import importlib.metadata
import json
import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from torch_geometric.nn import GATConv, GATv2Conv

HERE = Path(__file__).parent / "fixtures"
BATCH, LOCAL, WIDTH, HIDDEN, TOP_K, SEED = 4, 7, 8, 5, 3, 11
torch.manual_seed(SEED)
draw = lambda *shape: torch.randn(*shape).float().double()

weights = {f"{part}.{layer}.{kind}": draw(*shape) * 0.5
           for part in ("edge", "node")
           for layer, size in (("down", (HIDDEN, WIDTH)), ("up", (WIDTH, HIDDEN)))
           for kind, shape in (("weight", size), ("bias", size[:1]))}
vectors = {"gat.source": draw(HIDDEN), "gat.target": draw(HIDDEN), "gatv2.attention": draw(HIDDEN)}
weights = {name: w.float().double() for name, w in weights.items()}
tokens = draw(BATCH, LOCAL + 1, WIDTH)
# As the text's attention gives it: probabilities, exactly 0 at the pads. The last sample has fewer candidates than k.
real = [LOCAL, LOCAL, 4, 2]
affinity = torch.stack([torch.cat([F.softmax(draw(n), 0), torch.zeros(LOCAL - n).double()]) for n in real]).float().double()
upstream = draw(BATCH, WIDTH)


def score(kind, x, i, j):
    """The score of token j for the hyperedge of node i."""
    w = params["edge.down.weight"]
    if kind == "gat":
        joined = torch.cat([w @ x[i], w @ x[j]])
        return F.leaky_relu(torch.cat([params["gat.source"], params["gat.target"]]) @ joined, 0.2)
    if kind == "gatv2":
        return params["gatv2.attention"] @ F.leaky_relu(w @ x[i] + w @ x[j], 0.2)
    return F.cosine_similarity(x[i], x[j], dim=0)


def phi(part, x):
    low = F.leaky_relu(params[f"{part}.down.weight"] @ x + params[f"{part}.down.bias"], 0.2)
    return params[f"{part}.up.weight"] @ low + params[f"{part}.up.bias"]


def kept(scores):
    """Softmax over the k best of `{j: score}`."""
    best = sorted(scores, key=lambda j: -scores[j].item())[:TOP_K]
    return dict(zip(best, torch.stack([scores[j] for j in best]).softmax(0)))


def features(kind, x, a):
    """Y_0: every hyperedge of every node, method section 3 with another S[0, j]."""
    nodes = range(1, LOCAL + 1)
    reached = [j for j in nodes if a[j - 1] != 0]
    attention = {j: a[j - 1] for j in nodes} if kind == "attention" else {j: score(kind, x, 0, j) for j in reached}
    cls = kept(attention)
    y = phi("edge", x[0] + sum(w * x[j] for j, w in cls.items()))
    for i in nodes:
        near = kept({j: F.cosine_similarity(x[i], x[j], dim=0) for j in nodes if j != i})
        edge = x[i] + sum(w * x[j] for j, w in near.items()) + (cls[i] * x[0] if i in cls else 0)
        if i in cls:
            y = y + cls[i] * phi("edge", edge)
    return phi("node", y)


# PyG on a star: every other node sends to CLS. Its attention is the softmax of the scores.
params = weights | vectors
card = {}
for name, conv in (("gat", GATConv(WIDTH, HIDDEN, heads=1, add_self_loops=False, bias=False)),
                   ("gatv2", GATv2Conv(WIDTH, HIDDEN, heads=1, add_self_loops=False, bias=False, share_weights=True))):
    conv = conv.double()
    with torch.no_grad():
        w = weights["edge.down.weight"]
        if name == "gat":
            conv.lin.weight.copy_(w)
            conv.att_dst.copy_(vectors["gat.source"][None, None])  # PyG's dst is the node that receives, the CLS
            conv.att_src.copy_(vectors["gat.target"][None, None])
        else:
            conv.lin_l.weight.copy_(w)
            conv.lin_l.bias.zero_() if conv.lin_l.bias is not None else None
            conv.att.copy_(vectors["gatv2.attention"][None, None])
        edges = torch.stack([torch.arange(1, LOCAL + 1), torch.zeros(LOCAL, dtype=torch.long)])
        _, (_, alpha) = conv(tokens[0], edges, return_attention_weights=True)
        ours = torch.stack([score(name, tokens[0], 0, j) for j in range(1, LOCAL + 1)]).softmax(0)
        card[f"{name}_against_pyg"] = float((alpha[:, 0] - ours).abs().max())
        assert card[f"{name}_against_pyg"] < 1e-12, card

out = {"tokens": tokens, "affinity": affinity, "upstream": upstream, **{f"weights.{k}": v for k, v in params.items()}}
for kind in ("attention", "gat", "gatv2", "similarity"):
    params = {k: v.clone().requires_grad_() for k, v in (weights | vectors).items()}
    x = tokens.clone().requires_grad_()
    y = torch.stack([features(kind, x[b], affinity[b]) for b in range(BATCH - (kind == "attention"))])
    (y * upstream[: len(y)]).sum().backward()
    out[f"{kind}.features"], out[f"{kind}.grad.tokens"] = y, x.grad
    if kind != "attention":
        out[f"{kind}.scores"] = torch.stack([torch.stack([
            score(kind, tokens[b], 0, j) if affinity[b, j - 1] != 0 else torch.tensor(-1e9).double()
            for j in range(1, LOCAL + 1)]) for b in range(BATCH)])
    out |= {f"{kind}.grad.{k}": v.grad for k, v in params.items() if v.grad is not None}

HERE.mkdir(exist_ok=True)
save_file({k: v.detach().float().contiguous() for k, v in out.items()}, HERE / "affinities.safetensors")
versions = {name: importlib.metadata.version(name) for name in ("torch", "torch_geometric", "safetensors")}
settings = dict(batch=BATCH, local=LOCAL, width=WIDTH, hidden=HIDDEN, top_k=TOP_K, seed=SEED, real=real)
(HERE / "affinities.json").write_text(json.dumps(dict(versions=versions, settings=settings, noise=card), indent=2) + "\n")
print(card, len(out))
