"""The bench's PyTorch side: the same model, eager, float32, driven by JSON lines over stdin and stdout.

Requests: {"do": "setup", "id", "work": {...}, "threads"} builds something to time; {"do": "run", "id"} runs it once and
answers its seconds; {"do": "drop", "id"} frees it; {"do": "export", "path", "batch"} writes the image tower as ONNX in a folder;
{"do": "check"} compares this file's model with the kept reference of tests/parity (largest differences). Each answer is
one JSON line.

The towers follow tests/parity/reference/towers.py with what a careful PyTorch user would add: one fused
scaled_dot_product_attention a block, attention scores for the last block's CLS query only, low-rank updates in the cheap
order, the sparse form of ACE-HGNN, torch.optim.AdamW.
"""

import json
import os
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "parity" / "reference"))
from config import TINY, LoraConfig, ModelConfig, TextConfig, VisionConfig  # noqa: E402
from hypergraph import ace_hgnn  # noqa: E402
from losses import info_nce  # noqa: E402
from pipeline import features as reference_features, trainable_names  # noqa: E402
from tiny import random_adapters, random_batch, random_weights  # noqa: E402

SIZES = {
    "full": ModelConfig(
        vision=VisionConfig(image_size=224, patch_size=16, width=768, depth=12, heads=12, mlp=3072),
        text=TextConfig(30522, 256, 512, width=768, depth=12, heads=12, mlp=3072, proj_hidden=640),
        embed=512,
        hgnn_hidden=128,
        top_k=5,
    ),
    "mini": ModelConfig(
        vision=VisionConfig(image_size=64, patch_size=8, width=96, depth=4, heads=4, mlp=384),
        text=TextConfig(512, 48, 48, width=96, depth=4, heads=4, mlp=384, proj_hidden=80),
        embed=64,
        hgnn_hidden=128,
        top_k=5,
    ),
}
BERT_DROPOUT = 0.1
LORA_DROPOUT = 0.1
_weights = {}


def weights_of(size):
    if size not in _weights:
        _weights[size] = random_weights(SIZES[size], 1)
    return _weights[size]


def lora_of(config):
    return replace(LoraConfig(), visual_layers=tuple(range(config.vision.depth)), text_layers=tuple(range(config.text.depth)))


class Towers:
    """Both towers over a flat dictionary of weights; `training` switches the dropouts on."""

    def __init__(self, weights, config, lora, training=False):
        self.w, self.c, self.lora, self.training = weights, config, lora, training

    def linear(self, x, name):
        return F.linear(x, self.w[f"{name}.weight"], self.w.get(f"{name}.bias"))

    def norm(self, x, name, eps):
        return F.layer_norm(x, self.w[f"{name}.weight"].shape, self.w[f"{name}.weight"], self.w[f"{name}.bias"], eps)

    def update(self, x, encoder, layer, target):
        name = f"lora.{encoder}.{layer}.{target}"
        x = F.dropout(x, LORA_DROPOUT, self.training)
        return F.linear(F.linear(x, self.w[f"{name}.A"]) * self.lora.scaling, self.w[f"{name}.B"])

    def qkv(self, y, encoder, layer):
        """q, k, v of one block, with the updates where there are any."""
        if encoder == "visual":
            q, k, v = self.linear(y, f"visual.trunk.blocks.{layer}.attn.qkv").chunk(3, dim=-1)
        else:
            block = f"text.transformer.encoder.layer.{layer}.attention.self"
            q, k, v = (self.linear(y, f"{block}.{n}") for n in ("query", "key", "value"))
        if self.lora is None:
            return q, k, v
        return (x + self.update(y, encoder, layer, t) for x, t in ((q, "q"), (k, "k"), (v, "v")))

    def attend(self, q, k, v, heads, mask=None):
        batch, tokens, width = q.shape
        q, k, v = (t.view(batch, tokens, heads, width // heads).transpose(1, 2) for t in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(batch, tokens, width)

    def image_block(self, x, layer, affinity=False):
        c, block = self.c.vision, f"visual.trunk.blocks.{layer}"
        q, k, v = self.qkv(self.norm(x, f"{block}.norm1", c.eps), "visual", layer)
        logits = None
        if affinity:  # averaged over heads: one product over the whole width
            logits = (k @ q[:, 0, :, None])[:, 1:, 0] / (c.heads * (c.width // c.heads) ** 0.5)
        x = x + self.linear(self.attend(q, k, v, c.heads), f"{block}.attn.proj")
        y = F.gelu(self.linear(self.norm(x, f"{block}.norm2", c.eps), f"{block}.mlp.fc1"))
        return x + self.linear(y, f"{block}.mlp.fc2"), logits

    def image(self, pixels):
        """Pixels [B, 3, H, W] -> projected tokens [B, N+1, E] and CLS attention logits [B, N]."""
        c, w = self.c.vision, self.w
        name = "visual.trunk.patch_embed.proj"
        x = F.conv2d(pixels, w[f"{name}.weight"], w[f"{name}.bias"], stride=c.patch_size).flatten(2).transpose(1, 2)
        x = torch.cat([w["visual.trunk.cls_token"].expand(x.shape[0], -1, -1), x], dim=1) + w["visual.trunk.pos_embed"]
        logits = None
        for layer in range(c.depth):
            x, logits = self.image_block(x, layer, layer == c.depth - 1)
        return F.linear(self.norm(x, "visual.trunk.norm", c.eps), w["visual.head.proj.weight"]), logits

    def text(self, ids):
        """Ids [B, L] -> projected tokens [B, L, E] and CLS attention probabilities [B, L-1]."""
        c, w = self.c.text, self.w
        name = "text.transformer.embeddings"
        keep = ids != c.pad_id
        mask = keep[:, None, None, :]
        x = F.embedding(ids, w[f"{name}.word_embeddings.weight"]) + w[f"{name}.position_embeddings.weight"][: ids.shape[1]]
        x = self.norm(x + w[f"{name}.token_type_embeddings.weight"][0], f"{name}.LayerNorm", c.eps)
        x = F.dropout(x, BERT_DROPOUT, self.training)
        probabilities = None
        for layer in range(c.depth):
            block = f"text.transformer.encoder.layer.{layer}"
            q, k, v = self.qkv(x, "text", layer)
            if layer == c.depth - 1:
                size = c.width // c.heads
                scores = torch.einsum("bhd,bnhd->bhn", q[:, 0].unflatten(-1, (c.heads, size)), k.unflatten(-1, (c.heads, size)))
                scores = (scores / size**0.5).masked_fill(~keep[:, None, :], -torch.inf)
                probabilities = scores.softmax(-1).mean(1)[:, 1:]
            context = self.attend(q, k, v, c.heads, mask)
            x = self.norm(x + self.linear(context, f"{block}.attention.output.dense"), f"{block}.attention.output.LayerNorm", c.eps)
            y = self.linear(F.gelu(self.linear(x, f"{block}.intermediate.dense")), f"{block}.output.dense")
            x = self.norm(x + F.dropout(y, BERT_DROPOUT, self.training), f"{block}.output.LayerNorm", c.eps)
        hidden = F.gelu(F.linear(x, w["text.proj.0.weight"]))
        return F.linear(hidden, w["text.proj.2.weight"]), probabilities


def adapter(w, x, name):
    y = F.leaky_relu(F.linear(x, w[f"{name}.down.weight"], w[f"{name}.down.bias"]), 0.2)
    return F.linear(y, w[f"{name}.up.weight"], w[f"{name}.up.bias"])


def sparse_hgnn(w, x, affinity, k, name):
    """Y[0] from the k + 1 hyperedges that reach it; unit tokens x [B, N+1, E], affinity [B, N]."""
    cls, local = x[:, :1], x[:, 1:]
    top, index = affinity.topk(k, dim=-1)
    weight = top.softmax(-1)[:, :, None]
    chosen = local.gather(1, index[:, :, None].expand(-1, -1, x.shape[-1]))
    cosines = F.normalize(chosen, dim=-1) @ F.normalize(local, dim=-1).transpose(1, 2)
    cosines = cosines.scatter(2, index[:, :, None], -torch.inf)
    near, place = cosines.topk(k, dim=-1)
    members = local.gather(1, place.flatten(1)[:, :, None].expand(-1, -1, x.shape[-1])).unflatten(1, place.shape[1:])
    edges = weight * cls + chosen + (near.softmax(-1)[..., None] * members).sum(2)
    edges = torch.cat([cls + (weight * chosen).sum(1, keepdim=True), edges], dim=1)
    messages = adapter(w, edges, f"{name}.edge")
    return adapter(w, messages[:, 0] + (weight * messages[:, 1:]).sum(1), f"{name}.node")


def features(towers, pixels, ids):
    out = []
    for name, (tokens, affinity) in (("visual", towers.image(pixels)), ("text", towers.text(ids))):
        x = F.normalize(tokens, dim=-1)
        out.append(F.normalize(sparse_hgnn(towers.w, x, affinity, towers.c.top_k, f"hgnn.{name}"), dim=-1))
    return out


def random_inputs(config, batch):
    rng = np.random.default_rng(0)
    side, length = config.vision.image_size, config.text.context
    pixels = torch.from_numpy(rng.standard_normal((batch, 3, side, side)).astype(np.float32))
    ids = np.zeros((batch, length), np.int64)
    for row in range(batch):
        words = int(length * (0.25 + 0.75 * rng.random()))
        ids[row, :words] = rng.integers(5, config.text.vocab, words)
    return pixels, torch.from_numpy(ids)


def cached_backward(towers, scale, pixels, ids):
    """GradCache as lib/train/gradients.ts does it (fresh dropout in the second pass, which costs the same)."""
    *parts, last = zip(pixels, ids)
    with torch.no_grad():
        cached = [features(towers, *part) for part in parts]
    earlier = [torch.cat(column).requires_grad_(True) for column in zip(*cached)]
    info_nce(*(torch.cat(pair) for pair in zip(earlier, features(towers, *last))), scale).backward()
    gradients = [f.grad.split(len(parts[0][0])) for f in earlier]
    for i, part in enumerate(parts):
        torch.autograd.backward(features(towers, *part), [g[i] for g in gradients])


def step_work(size, batch, micro):
    config = SIZES[size]
    lora = lora_of(config)
    frozen = weights_of(size)
    names = trainable_names(frozen, replace(lora), True)
    names = [n for n in names if not n.endswith((".o.A", ".o.B"))]
    weights = {k: v.clone().requires_grad_(True) if k in names else v for k, v in frozen.items()}
    towers = Towers(weights, config, lora, training=True)
    optimizer = torch.optim.AdamW([weights[n] for n in names], lr=1e-4, weight_decay=0.01)
    pixels, ids = random_inputs(config, batch)

    def whole():
        optimizer.zero_grad(set_to_none=True)
        info_nce(*features(towers, pixels, ids), weights["scale"]).backward()
        optimizer.step()

    def chunked():
        optimizer.zero_grad(set_to_none=True)
        cached_backward(towers, weights["scale"], pixels.split(micro), ids.split(micro))
        optimizer.step()

    return whole if micro >= batch else chunked


def block_work(batch, backward):
    config = SIZES["full"]
    weights = dict(weights_of("full"))
    for target in "qkv":
        for m in "AB":
            weights[f"lora.visual.0.{target}.{m}"] = weights[f"lora.visual.0.{target}.{m}"].clone().requires_grad_(backward)
    towers = Towers(weights, config, lora_of(config), training=True)
    x = torch.randn(batch, 197, 768, requires_grad=backward)
    dy = torch.randn(batch, 197, 768)

    def run():
        y, _ = towers.image_block(x, 0)
        if backward:
            x.grad = None
            y.backward(dy)

    return run


def hgnn_work(tokens, batch, form, backward):
    rng = np.random.default_rng(0)
    w = random_adapters(512, 128, rng, "hgnn.visual")
    for v in w.values():
        v.requires_grad_(backward)
    x = F.normalize(torch.from_numpy(rng.standard_normal((batch, tokens + 1, 512)).astype(np.float32)), dim=-1)
    affinity = torch.from_numpy(rng.standard_normal((batch, tokens)).astype(np.float32))
    x.requires_grad_(backward)
    affinity.requires_grad_(backward)

    def run():
        y = ace_hgnn(w, x, affinity, 5, "hgnn.visual")["Y"][:, 0] if form == "dense" else sparse_hgnn(w, x, affinity, 5, "hgnn.visual")
        if backward:
            y.sum().backward()

    return run


def make_work(work):
    """A function without arguments, and whether gradients are wanted."""
    kind = work["kind"]
    if kind == "step":
        return step_work(work["size"], work["batch"], work.get("microBatch", work["batch"])), True
    if kind in ("image", "text"):
        config = SIZES[work["size"]]
        towers = Towers(weights_of(work["size"]), config, None)
        pixels, ids = random_inputs(config, work["batch"])
        return (lambda: towers.image(pixels)) if kind == "image" else (lambda: towers.text(ids)), False
    if kind == "block":
        return block_work(work["batch"], work["backward"]), work["backward"]
    if kind == "hgnn":
        return hgnn_work(work["tokens"], work["batch"], work["form"], work["backward"]), work["backward"]
    if kind == "matmul":
        a, b = torch.randn(work["m"], work["k"]), torch.randn(work["k"], work["n"])
        return lambda: a @ b, False
    raise ValueError(f"unknown work {kind}")


def check():
    """Largest differences of this file's towers, and sparse ACE-HGNN from the reference's, in float64 on the tiny model."""
    weights = {k: v.double() if v.is_floating_point() else v for k, v in random_weights(TINY, 3).items()}
    batch = random_batch(TINY, 4)
    pixels, ids = batch["pixels"].double(), batch["ids"].long()
    lora = LoraConfig()
    out = reference_features(weights, pixels, ids, TINY, lora)
    towers = Towers(weights, TINY, lora)
    image, text = features(towers, pixels.permute(0, 3, 1, 2), ids)
    # Rows with fewer real tokens than k tie among the pads, which torch.topk settles in its own way.
    clear = (ids != 0).sum(1) > TINY.top_k
    return {
        "image": (image - out["features.visual"]).abs().max().item(),
        "text": (text - out["features.text"]).abs()[clear].max().item(),
    }


def export(path, batch):
    config = SIZES["full"]
    weights_of("full")

    class Module(torch.nn.Module):
        def forward(self, pixels):
            return Towers(weights_of("full"), config, None).image(pixels)[0]

    pixels, _ = random_inputs(config, batch)
    folder = Path(path)
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "vit", "architectures": ["ViTModel"]}))
    torch.onnx.export(
        Module(), (pixels,), str(folder / "onnx" / "model.onnx"), dynamo=False, opset_version=20, input_names=["pixel_values"],
        output_names=["last_hidden_state"], dynamic_axes={"pixel_values": {0: "batch"}},
    )  # fmt: skip
    return {"path": path}


def main():
    out = os.fdopen(os.dup(1), "w")  # whatever libraries print, C++ included, must not reach the protocol
    os.dup2(2, 1)
    jobs = {}
    capability = torch.backends.cpu.get_cpu_capability()
    print(json.dumps({"torch": f"{torch.__version__} ({capability})", "python": platform.python_version()}), file=out, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        do = request["do"]
        try:
            if do == "setup":
                jobs[request["id"]] = (*make_work(request["work"]), request["threads"])
                answer = {}
            elif do == "run":
                work, grad, threads = jobs[request["id"]]
                if torch.get_num_threads() != threads:
                    torch.set_num_threads(threads)
                with torch.set_grad_enabled(grad):
                    start = time.perf_counter()
                    work()
                    answer = {"seconds": time.perf_counter() - start}
            elif do == "drop":
                jobs.pop(request["id"])
                answer = {}
            elif do == "check":
                answer = check()
            elif do == "export":
                with torch.no_grad():
                    answer = export(request["path"], request["batch"])
            else:
                raise ValueError(f"unknown request {do}")
        except Exception as error:  # the bench shows it and goes on without this measurement
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
