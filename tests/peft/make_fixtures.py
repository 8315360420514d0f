"""Expected values of the fine-tuning methods: real `peft` where it has the method, PyTorch written out where it has not.

    python -m venv .venv && .venv/bin/pip install numpy safetensors torch transformers peft
    .venv/bin/python tests/peft/make_fixtures.py

All is computed in float64 from float32 weights and stored as float32; versions and settings go into fixtures/card.json.
The toy is two transformer blocks, the first pre-norm, the second post-norm.
"""
import importlib.metadata
import json
import math
from pathlib import Path

import torch
from peft import IA3Config, LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).parent / "fixtures"
WIDTH, HEADS, HIDDEN, BATCH, TOKENS = 8, 2, 16, 3, 5
RANK, ALPHA, EPSILON, SEED = 2, 3, 1e-6, 7
LAYERS = ["query", "key", "value", "output", "fc1", "fc2"]
torch.manual_seed(SEED)


def draw(*shape, std=1.0):
    """Normal numbers that float32 holds exactly."""
    return (torch.randn(*shape) * std).float().double()


class Block(nn.Module):
    def __init__(self, order):
        super().__init__()
        self.order = order
        for name, (out, size) in dict(query=(WIDTH, WIDTH), key=(WIDTH, WIDTH), value=(WIDTH, WIDTH), output=(WIDTH, WIDTH),
                                      fc1=(HIDDEN, WIDTH), fc2=(WIDTH, HIDDEN)).items():
            setattr(self, name, nn.Linear(size, out))
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, eps=EPSILON), nn.LayerNorm(WIDTH, eps=EPSILON)

    def attend(self, x, mask=None):
        batch, tokens, width = x.shape
        heads = lambda y: y.reshape(batch, tokens, HEADS, width // HEADS).transpose(1, 2)
        q, k, v = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
        scores = q @ k.transpose(-1, -2) / math.sqrt(width // HEADS)
        if mask is not None:
            scores = scores.masked_fill(mask[:, None, None, :] == 0, -math.inf)
        weights = scores.softmax(-1)
        self.cls_logits, self.cls_weights = scores[:, :, 0, 1:].mean(1), weights[:, :, 0, 1:].mean(1)
        return self.output((weights @ v).transpose(1, 2).reshape(batch, tokens, width))

    def forward(self, x, mask=None, adapt=lambda y: y):
        feed = lambda y: adapt(self.fc2(F.gelu(self.fc1(y))))
        if self.order == "pre":
            x = x + self.attend(self.norm1(x), mask)
            return x + feed(self.norm2(x))
        x = self.norm1(x + self.attend(x, mask))
        return self.norm2(x + feed(x))


class Toy(nn.Module):
    def __init__(self, orders=("pre", "post")):
        super().__init__()
        self.blocks = nn.ModuleList(Block(order) for order in orders)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def toy(orders=("pre", "post")):
    model = Toy(orders).double()
    with torch.no_grad():
        for name, p in model.named_parameters():
            is_norm = ".norm" in name
            p.copy_(draw(*p.shape, std=0.2) + (1 if is_norm and name.endswith("weight") else 0))
            p.copy_(p.float().double())
    return model


out, card = {}, {}


def record(prefix, tensors):
    for name, t in tensors.items():
        if name.endswith(".l"):  # peft keeps (IA)^3's factors as a row or a column
            t = t.flatten()
        out[f"{prefix}.{name}"] = t.detach().to(torch.int32 if t.dtype == torch.int64 else torch.float32).contiguous()


def short(name):
    """base_model.model.blocks.0.query.lora_A.default.weight -> 0.query.A"""
    name = name.replace("base_model.model.blocks.", "").replace(".default", "").replace(".weight", "")
    for long, brief in dict(lora_A="A", lora_B="B", lora_magnitude_vector="m", ia3_l="l").items():
        name = name.replace(long, brief)
    return name


# 1. Real peft.
base = toy()
state = {name: p.clone() for name, p in base.state_dict().items()}
record("base", {name.replace("blocks.", ""): p for name, p in state.items()})
x, upstream = draw(BATCH, TOKENS, WIDTH), draw(BATCH, TOKENS, WIDTH)
record("peft", dict(x=x, upstream=upstream, plain=base(x)))
low_rank = dict(r=RANK, lora_alpha=ALPHA, target_modules=["query", "key", "value"], lora_dropout=0.0)
CONFIGS = {
    "lora": LoraConfig(**low_rank),
    "rslora": LoraConfig(**low_rank, use_rslora=True),
    "dora": LoraConfig(**low_rank, use_dora=True),
    "ia3": IA3Config(target_modules=["key", "value", "fc2"], feedforward_modules=["fc2"]),
}
for name, config in CONFIGS.items():
    model = toy()
    model.load_state_dict(state)
    fresh = get_peft_model(model, config).double()
    card[f"{name}_fresh_difference"] = float((fresh(x) - base(x)).abs().max().detach())
    leaves = {short(key): p for key, p in fresh.named_parameters() if p.requires_grad}
    record(f"{name}.fresh", {key: p for key, p in leaves.items() if key.endswith(".m") or key.endswith(".l")})
    with torch.no_grad():
        for key, p in leaves.items():
            p.copy_(p * (1 + draw(*p.shape, std=0.2)) if key[-1] in "ml" else draw(*p.shape, std=0.5))
            p.copy_(p.float().double())
    fresh.train()
    inputs = x.clone().requires_grad_()
    result = fresh(inputs)
    (result * upstream).sum().backward()
    record(name, {"output": result, "grad.x": inputs.grad})
    record(f"{name}.leaf", leaves)
    record(f"{name}.grad", {key: p.grad for key, p in leaves.items()})
    with torch.no_grad():
        merged = fresh.merge_and_unload()
        changed = {key.replace("blocks.", ""): p for key, p in merged.state_dict().items()
                   if not torch.equal(p, state[key])}
        record(f"{name}.merged", changed)
        card[f"{name}_merged_difference"] = float((merged(x) - result).abs().max().detach())

# 2. Bottleneck adapters: x + up(relu(down(x))) on what the feed-forward part gives.
ADAPTER = 3
model = toy()
model.load_state_dict(state)
leaves = {}
for i in range(2):
    shapes = {"down.weight": (ADAPTER, WIDTH), "down.bias": (ADAPTER,), "up.weight": (WIDTH, ADAPTER), "up.bias": (WIDTH,)}
    leaves |= {f"{i}.{key}": draw(*shape, std=0.5).requires_grad_() for key, shape in shapes.items()}
inputs = x.clone().requires_grad_()
y = inputs
for i, block in enumerate(model.blocks):
    part = lambda key: leaves[f"{i}.{key}"]
    y = block(y, adapt=lambda h: h + (h @ part("down.weight").T + part("down.bias")).relu() @ part("up.weight").T + part("up.bias"))
(y * upstream).sum().backward()
record("adapter", {"output": y, "grad.x": inputs.grad})
record("adapter.leaf", leaves)
record("adapter.grad", {key: p.grad for key, p in leaves.items()})

# 3. Deep prompts, as the method's code has them: after the first block the prompts' places are overwritten.
PROMPTS = 2
model = toy(("pre", "pre"))
record("vpt.base", {name.replace("blocks.", ""): p for name, p in model.state_dict().items()})
prompts = [draw(PROMPTS, WIDTH).requires_grad_() for _ in range(2)]
inputs = x.clone().requires_grad_()
y = inputs
for i, block in enumerate(model.blocks):
    rest = y[:, 1:] if i == 0 else y[:, 1 + PROMPTS:]
    y = block(torch.cat([y[:, :1], prompts[i].expand(BATCH, -1, -1), rest], 1))
tokens = torch.cat([y[:, :1], y[:, 1 + PROMPTS:]], 1)
affinity = model.blocks[1].cls_weights[:, PROMPTS:]
logits = model.blocks[1].cls_logits[:, PROMPTS:]
affinity_upstream = draw(BATCH, TOKENS - 1)
((tokens * upstream).sum() + (affinity * affinity_upstream).sum()).backward()
record("vpt", {"tokens": tokens, "probabilities": affinity, "logits": logits, "affinity_upstream": affinity_upstream,
               "grad.x": inputs.grad, **{f"leaf.{i}": p for i, p in enumerate(prompts)},
               **{f"grad.{i}": p.grad for i, p in enumerate(prompts)}})

# 4. Context words after [CLS]: [CLS] V1..VM text [SEP]; texts that exceed the position table are cut, [SEP] kept.
WORDS, POSITIONS, CONTEXT, LENGTH = 20, 12, 4, 10
texts = [[2, 7, 8, 9, 10, 11, 12, 13, 14, 3], [2, 5, 6, 3], [2, 9, 8, 7, 6, 5, 4, 19, 3], [2, 9, 8, 7, 6, 5, 18, 3]]
ids = torch.tensor([t + [0] * (LENGTH - len(t)) for t in texts])
model = toy(("post", "post"))
record("coop.base", {name.replace("blocks.", ""): p for name, p in model.state_dict().items()})
word, position, kind = draw(WORDS, WIDTH), draw(POSITIONS, WIDTH), draw(2, WIDTH)
gain, offset, context = 1 + draw(WIDTH, std=0.2), draw(WIDTH, std=0.2), draw(CONTEXT, WIDTH).requires_grad_()
gain = gain.float().double()
kept = min(LENGTH, POSITIONS - CONTEXT)
rows, mask = [], []
for text in texts:
    text = text if len(text) <= kept else text[:kept - 1] + [text[-1]]
    padded = text + [0] * (kept - len(text))
    rows.append(torch.cat([word[padded[:1]], context, word[padded[1:]]]) + position[:kept + CONTEXT] + kind[0])
    mask.append([1] + [1] * CONTEXT + [int(i != 0) for i in padded[1:]])
mask = torch.tensor(mask)
y = F.layer_norm(torch.stack(rows), (WIDTH,), gain, offset, EPSILON)
for block in model.blocks:
    y = block(y, mask)
tokens = torch.cat([y[:, :1], y[:, 1 + CONTEXT:]], 1)
affinity = model.blocks[1].cls_weights[:, CONTEXT:]
token_upstream, affinity_upstream = draw(*tokens.shape), draw(*affinity.shape)
((tokens * token_upstream).sum() + (affinity * affinity_upstream).sum()).backward()
record("coop", dict(ids=ids, word=word, position=position, tokenType=kind, gain=gain, offset=offset, context=context,
                    tokens=tokens, probabilities=affinity, upstream=token_upstream, affinity_upstream=affinity_upstream,
                    grad=context.grad))

# 5. CLIP-Adapter, on features that are not normalised, as its code has it.
features, down, up = draw(BATCH, WIDTH), draw(3, WIDTH).requires_grad_(), draw(WIDTH, 3).requires_grad_()
ratio = 0.2
feature_upstream = draw(BATCH, WIDTH)
adapted = F.normalize(ratio * (features @ down.T).relu().matmul(up.T).relu() + (1 - ratio) * features, dim=-1)
(adapted * feature_upstream).sum().backward()
record("clip_adapter", dict(features=features, down=down, up=up, output=adapted, upstream=feature_upstream))
record("clip_adapter.grad", dict(down=down.grad, up=up.grad))

HERE.mkdir(exist_ok=True)
save_file(out, HERE / "methods.safetensors")
versions = {name: importlib.metadata.version(name) for name in ("torch", "peft", "transformers", "safetensors")}
settings = dict(width=WIDTH, heads=HEADS, hidden=HIDDEN, rank=RANK, alpha=ALPHA, epsilon=EPSILON, seed=SEED, ratio=ratio)
(HERE / "card.json").write_text(json.dumps(dict(versions=versions, settings=settings, noise=card), indent=2) + "\n")
print(json.dumps(card, indent=1), len(out))
