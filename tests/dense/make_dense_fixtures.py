"""Writes fixtures/dense.json: what PyTorch, pycocotools and plain numpy say about the layers, losses and metrics of lib/dense.

    python tests/dense/make_dense_fixtures.py

Needs torch, numpy, pycocotools. The torch modules are built from torch.nn alone, none of lib/dense's code is read.
Made with torch 2.13.0 (CPU), numpy 2.x, pycocotools 2.0.11.
"""

import contextlib
import io
import json
import math
import pathlib

import numpy as np
import pycocotools
import torch
import torch.nn.functional as F
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import nn

OUT = pathlib.Path(__file__).parent / "fixtures" / "dense.json"
torch.manual_seed(7)
torch.set_num_threads(1)
rng = np.random.RandomState(7)


def flat(t, digits=6):
    return [float(f"{v:.{digits}g}") for v in t.detach().double().reshape(-1).tolist()]


def nhwc(t):
    return t.permute(0, 2, 3, 1).contiguous()


def rounded(*shape, scale=1.0):
    """Numbers that JSON holds exactly enough: three decimals."""
    return torch.tensor(np.round(rng.randn(*shape) * scale, 3), dtype=torch.float32)


def conv_weight(w):
    return flat(w.permute(0, 2, 3, 1))  # [out, row, column, in]


def convs():
    out = []
    for height, width, stride, kernel in [(5, 4, 1, 3), (4, 6, 2, 3), (5, 7, 2, 3), (3, 3, 1, 1)]:
        x = rounded(2, 3, height, width).requires_grad_()
        w = rounded(4, 3, kernel, kernel, scale=0.4).requires_grad_()
        b = rounded(4).requires_grad_()
        y = F.conv2d(x, w, b, stride=stride, padding=(kernel - 1) // 2)
        g = rounded(*y.shape)
        y.backward(g)
        out.append(dict(x=flat(nhwc(x)), shape=[2, height, width, 3], weight=conv_weight(w), bias=flat(b), kernel=kernel,
                        stride=stride, y=flat(nhwc(y)), yShape=list(nhwc(y).shape), slope=flat(nhwc(g)),
                        dx=flat(nhwc(x.grad)), dWeight=conv_weight(w.grad), dBias=flat(b.grad)))
    return out


def batch_norm():
    layer = nn.BatchNorm2d(3)
    with torch.no_grad():
        layer.weight.copy_(rounded(3) + 1)
        layer.bias.copy_(rounded(3))
        layer.running_mean.copy_(rounded(3))
        layer.running_var.copy_(rounded(3).abs() + 0.5)
    before = dict(weight=flat(layer.weight), bias=flat(layer.bias), mean=flat(layer.running_mean), variance=flat(layer.running_var))
    x = (rounded(2, 3, 4, 2) * 2 + 1).requires_grad_()
    layer.eval()
    still = layer(x)
    layer.train()
    y = layer(x)
    g = rounded(*y.shape)
    y.backward(g)
    return dict(params=before, x=flat(nhwc(x)), still=flat(nhwc(still)), y=flat(nhwc(y)), slope=flat(nhwc(g)), dx=flat(nhwc(x.grad)),
                dWeight=flat(layer.weight.grad), dBias=flat(layer.bias.grad), mean=flat(layer.running_mean),
                variance=flat(layer.running_var))


def upsampling():
    x = rounded(1, 2, 3, 4)
    up = lambda **k: flat(nhwc(nn.Upsample(scale_factor=2, **k)(x)))
    return dict(x=flat(nhwc(x)), aligned=up(mode="bilinear", align_corners=True), plain=up(mode="bilinear", align_corners=False),
                nearest=up(mode="nearest"))


class Decoder(nn.Module):
    """The works' progressive upsampling, written from their description."""

    def __init__(self, width, channels):
        super().__init__()
        sizes = [width, *channels]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(),
                          nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True))
            for a, b in zip(sizes, sizes[1:]))
        self.head = nn.Conv2d(sizes[-1], 1, 3, padding=1)

    def forward(self, x):
        for stage in self.stages:
            x = stage(x)
        return self.head(x)[:, 0]


def soft_dice(logits, target):
    p = torch.sigmoid(logits)
    return (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)


def focal(logits, target):
    ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p = torch.sigmoid(logits)
    pt = torch.where(target > 0.5, p, 1 - p)
    return ((1 - pt) ** 2 * ce).mean()


def named_conv(prefix, conv, leaf=lambda t: t):
    out = {f"{prefix}.weight": conv_weight(leaf(conv.weight))}
    if conv.bias is not None:
        out[f"{prefix}.bias"] = flat(leaf(conv.bias))
    return out


def set_rounded(module):
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.round(p * 1000) / 1000)


def decoder():
    model = Decoder(5, [4, 3])
    set_rounded(model)
    x = rounded(2, 5, 3, 3)
    target = torch.tensor((rng.rand(2, 12, 12) > 0.7).astype(np.float32))
    target[1] = 0
    model.train()
    logits = model(x)
    loss = 10 * focal(logits, target) - torch.log(soft_dice(logits, target))
    loss.backward()

    def leaves(leaf):
        out = {}
        for i, stage in enumerate(model.stages):
            out |= named_conv(f"stages.{i}.conv", stage[0], leaf)
            out |= {f"stages.{i}.norm.weight": flat(leaf(stage[1].weight)), f"stages.{i}.norm.bias": flat(leaf(stage[1].bias))}
        return out | named_conv("head", model.head, leaf)

    weights, gradients = leaves(lambda t: t), leaves(lambda t: t.grad)
    running = {f"stages.{i}.norm.{k}": flat(getattr(s[1], v)) for i, s in enumerate(model.stages)
               for k, v in [("mean", "running_mean"), ("variance", "running_var")]}
    model.eval()
    return dict(maps=flat(nhwc(x)), target=flat(target), weights=weights, logits=flat(logits), loss=loss.item(), focal=focal(logits, target).item(),
                dice=soft_dice(logits, target).item(), gradients=gradients, running=running, still=flat(model(x)))


class Cbl(nn.Sequential):
    def __init__(self, a, b, k):
        super().__init__(nn.Conv2d(a, b, k, padding=(k - 1) // 2, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.1))


class Yolo(nn.Module):
    def __init__(self, width, w, pairs, outputs):
        super().__init__()
        self.map = nn.Conv2d(width, width, 1)
        self.pyramid = nn.ModuleList([nn.Conv2d(width, 4 * w, 3, stride=2, padding=1), nn.Conv2d(width, 2 * w, 1), nn.Conv2d(width, w, 1)])
        self.blocks, self.outputs, self.down = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i, lateral in enumerate([4 * w, 2 * w, w]):
            narrow, wide = w // 2**i, 2 * w // 2**i
            first = lateral if i == 0 else lateral + narrow
            layers = []
            for k in range(pairs):
                layers += [Cbl(first if k == 0 else wide, narrow, 1), Cbl(narrow, wide, 3)]
            self.blocks.append(nn.ModuleList(layers))
            self.outputs.append(nn.Conv2d(wide, outputs, 1))
            self.down.append(Cbl(2 * narrow, narrow, 1) if i else nn.Identity())

    def forward(self, x):
        x = self.map(x)
        # the fine scale is enlarged first and narrowed after: the order of the description
        laterals = [self.pyramid[0](x), self.pyramid[1](x), self.pyramid[2](F.interpolate(x, scale_factor=2, mode="bilinear"))]
        branch, out = None, []
        for i, y in enumerate(laterals):
            if i:
                y = torch.cat([F.interpolate(self.down[i](branch), scale_factor=2, mode="nearest"), y], 1)
            for k, block in enumerate(self.blocks[i]):
                y = block(y)
                if k == len(self.blocks[i]) - 2:
                    branch = y
            out.append(self.outputs[i](y))
        return out

    def leaves(self, leaf):
        out = named_conv("map", self.map, leaf)
        for i, conv in enumerate(self.pyramid):
            out |= named_conv(f"pyramid.{i}", conv, leaf)
        for i in range(3):
            layers = {f"scales.{i}.blocks.{k}": b for k, b in enumerate(self.blocks[i])}
            if i:
                layers[f"scales.{i}.down"] = self.down[i]
            for name, block in layers.items():
                out |= named_conv(f"{name}.conv", block[0], leaf)
                out |= {f"{name}.norm.weight": flat(leaf(block[1].weight)), f"{name}.norm.bias": flat(leaf(block[1].bias))}
            out |= named_conv(f"scales.{i}.output", self.outputs[i], leaf)
        return out


ANCHORS = [[[0.5, 0.6], [0.7, 0.4]], [[0.3, 0.3], [0.2, 0.45]], [[0.1, 0.1], [0.15, 0.08]]]  # coarse to fine; w, h
BOXES = [[[0.1, 0.2, 0.3, 0.35, 0], [0.55, 0.5, 0.4, 0.45, 1]], [], [[0.62, 0.13, 0.11, 0.09, 1]]]  # x, y, w, h, class


def shape_iou(a, b):
    both = min(a[0], b[0]) * min(a[1], b[1])
    return both / (a[0] * a[1] + b[0] * b[1] - both)


def yolo_scale_loss(pred, anchors, classes, scale, best_only):
    """Cell by cell with torch's own losses on probabilities."""
    n, _, g, _ = pred.shape
    a = len(anchors)
    pred = pred.view(n, a, 5 + classes, g, g).permute(0, 1, 3, 4, 2)
    mask, none = torch.zeros(n, a, g, g), torch.ones(n, a, g, g)
    t, cls = torch.zeros(n, a, g, g, 4), torch.zeros(n, a, g, g, classes)
    for i, boxes in enumerate(BOXES):
        for x, y, w, h, c in boxes:
            gx, gy = (x + w / 2) * g, (y + h / 2) * g
            col, row = int(gx), int(gy)
            ious = [shape_iou((w, h), anchor) for anchor in anchors]
            for k, iou in enumerate(ious):
                if iou > 0.5:
                    none[i, k, row, col] = 0
            everywhere = [max(shape_iou((w, h), an) for an in s) for s in ANCHORS]
            if best_only and int(np.argmax(everywhere)) != scale:
                continue
            k = int(np.argmax(ious))
            mask[i, k, row, col] = 1
            none[i, k, row, col] = 0
            t[i, k, row, col] = torch.tensor([gx - col, gy - row, math.log(w / anchors[k][0]), math.log(h / anchors[k][1])])
            cls[i, k, row, col, c] = 1
    p = torch.sigmoid(pred)
    bce, mse = nn.BCELoss(), nn.MSELoss()
    loss = 0
    for j in (0, 1):
        loss = loss + 2.5 * bce(p[..., j] * mask, t[..., j] * mask)
    for j in (2, 3):
        loss = loss + 2.5 * mse(pred[..., j] * mask, t[..., j] * mask)
    loss = loss + bce(p[..., 4] * mask, mask) + 0.5 * bce(p[..., 4] * none, none * 0)
    return loss + bce(p[..., 5:] * mask[..., None], cls * mask[..., None])


def iou(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(0, w) * max(0, h)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def decode(outputs, classes, least):
    found = [[] for _ in range(outputs[0].shape[0])]
    for out, anchors in zip(outputs, ANCHORS):
        n, _, g, _ = out.shape
        p = out.detach().double().view(n, len(anchors), 5 + classes, g, g).numpy()
        s = 1 / (1 + np.exp(-p))
        for i in range(n):
            for row in range(g):
                for col in range(g):
                    for k, (aw, ah) in enumerate(anchors):
                        v = p[i, k, :, row, col]
                        c = int(np.argmax(v[5:]))
                        score = s[i, k, 4, row, col] * s[i, k, 5 + c, row, col]
                        if score < least:
                            continue
                        x, y = (col + s[i, k, 0, row, col]) / g, (row + s[i, k, 1, row, col]) / g
                        w, h = aw * math.exp(v[2]), ah * math.exp(v[3])
                        x0, y0, x1, y1 = max(0, x - w / 2), max(0, y - h / 2), min(1, x + w / 2), min(1, y + h / 2)
                        found[i].append([x0, y0, x1 - x0, y1 - y0, c, score])
    return found


def nms(boxes, least, overlap):
    kept = []
    for box in sorted([b for b in boxes if b[5] >= least], key=lambda b: -b[5]):
        if all(k[4] != box[4] or iou(k, box) < overlap for k in kept):
            kept.append(box)
    return kept


def yolo():
    model = Yolo(4, 4, 2, 2 * 7)
    set_rounded(model)
    x = rounded(3, 4, 4, 4)
    model.train()
    outputs = model(x)
    losses = {f"{'best' if best else 'every-scale'}": [yolo_scale_loss(o, a, 2, i, best).item() for i, (o, a) in enumerate(zip(outputs, ANCHORS))]
              for best in (False, True)}
    sum(yolo_scale_loss(o, a, 2, i, False) for i, (o, a) in enumerate(zip(outputs, ANCHORS))).backward()
    found = decode(outputs, 2, 0.2)
    digits = lambda rows: [[float(f"{v:.6g}") for v in row] for row in rows]
    return dict(maps=flat(nhwc(x)), weights=model.leaves(lambda t: t), outputs=[flat(nhwc(o)) for o in outputs], losses=losses,
                gradients={k: v for k, v in model.leaves(lambda t: t.grad).items() if k.startswith(("map", "scales.0.output", "scales.1.down", "pyramid.2"))},
                anchors=ANCHORS, boxes=BOXES, decoded=[len(f) for f in found], kept=[digits(nms(f, 0.25, 0.5)) for f in found])


def coco_map(images, classes, thresholds):
    gts, dts, n = [], [], 0
    for i, (truth, detections) in enumerate(images):
        for x, y, w, h, c in truth:
            n += 1
            gts.append(dict(id=n, image_id=i + 1, category_id=c + 1, bbox=[x, y, w, h], area=w * h, iscrowd=0))
        for x, y, w, h, c, s in detections:
            dts.append(dict(image_id=i + 1, category_id=c + 1, bbox=[x, y, w, h], score=s))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = dict(images=[dict(id=i + 1) for i in range(len(images))], annotations=gts,
                            categories=[dict(id=c + 1) for c in range(classes)])
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(dts), "bbox")
        run.params.iouThrs = np.array(thresholds)
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][:, :, :, 0, -1]  # threshold, recall, class
    per = [[None if (precision[t, :, c] == -1).any() else float(precision[t, :, c].mean()) for c in range(classes)] for t in range(len(thresholds))]
    values = [v for row in per for v in row if v is not None]
    return dict(mean=float(np.mean(values)), per=per)


def maps():
    thresholds = [0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75]
    sets = []
    for classes, count in [(1, 30), (3, 25)]:
        images = []
        for _ in range(count):
            truth = [[*np.round(rng.rand(2) * 60, 2).tolist(), *np.round(10 + rng.rand(2) * 30, 2).tolist(), int(rng.randint(classes))]
                     for _ in range(rng.randint(4))]
            detections = []
            for box in truth:
                for _ in range(rng.randint(3)):
                    moved = np.maximum(np.round(np.array(box[:4]) + rng.randn(4) * 4, 2), 0.5).tolist()
                    detections.append([*moved, box[4] if rng.rand() > 0.1 else int(rng.randint(classes)), round(float(rng.rand()), 1)])
            for _ in range(rng.randint(3)):
                detections.append([*np.round(rng.rand(2) * 60, 2).tolist(), *np.round(10 + rng.rand(2) * 30, 2).tolist(), int(rng.randint(classes)), round(float(rng.rand()), 1)])
            images.append((truth, detections))
        seen = [i for i in images if i[0] and i[1]]
        sets.append(dict(classes=classes, images=images, strict=coco_map(images, classes, thresholds), customary=coco_map(seen, classes, thresholds)["mean"]))
    return sets


def anchors():
    shapes = np.round(np.abs(np.concatenate([rng.randn(30, 2) * 0.02 + m for m in ([0.1, 0.12], [0.3, 0.2], [0.25, 0.5], [0.6, 0.55])])), 3)
    best = 0
    for _ in range(50):  # Lloyd's rounds from random boxes
        centres = shapes[rng.choice(len(shapes), 4, replace=False)]
        for _ in range(100):
            ious = np.array([[shape_iou(s, c) for c in centres] for s in shapes])
            owner = ious.argmax(1)
            fresh = np.array([shapes[owner == k].mean(0) if (owner == k).any() else centres[k] for k in range(4)])
            if np.allclose(fresh, centres):
                break
            centres = fresh
        value = np.array([[shape_iou(s, c) for c in centres] for s in shapes]).max(1).mean()
        if value > best:
            best, winner = value, centres
    winner = winner[np.argsort(winner.prod(1))]
    return dict(shapes=shapes.tolist(), meanIou=float(best), anchors=winner.tolist())


def packed(value):
    """Lists of numbers as one text each, "= 1 2 3": thousands of lines less in the file."""
    if isinstance(value, dict):
        return {k: packed(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(v, (int, float)) for v in value):
            return "= " + " ".join(f"{v:.12g}" for v in value)
        return [packed(v) for v in value]
    return value


OUT.parent.mkdir(exist_ok=True)
OUT.write_text(json.dumps(packed(dict(
    card=dict(torch=torch.__version__, numpy=np.__version__, pycocotools="2.0.11", seed=7),
    convs=convs(), batchNorm=batch_norm(), upsampling=upsampling(), decoder=decoder(), yolo=yolo(), maps=maps(), anchors=anchors())),
    indent=2) + "\n")
print(OUT, OUT.stat().st_size)
