"""Makes tests/eval/fixtures/metrics.json from scikit-learn and NumPy.

Run: python tests/eval/make_metric_fixtures.py   (scikit-learn, numpy; versions are recorded in the file)
"""
import json
import platform
from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score, roc_curve

rng = np.random.default_rng(7)


def mulberry32(seed):
    """The same stream as lib/tensor/random.ts, written from its definition."""
    state = seed & 0xFFFFFFFF
    imul = lambda a, b: (a * b) & 0xFFFFFFFF
    while True:
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        t = imul(state ^ (state >> 15), state | 1)
        t ^= (t + imul(t ^ (t >> 7), t | 61)) & 0xFFFFFFFF
        yield ((t ^ (t >> 14)) & 0xFFFFFFFF) / 4294967296


def draws(n, resamples, seed):
    stream = mulberry32(seed)
    for _ in range(resamples):
        yield np.array([int(next(stream) * n) for _ in range(n)])


def binary(n, decimals, name):
    y = rng.integers(0, 2, n)
    s = np.round(rng.normal(size=n) * 0.5 + y * 0.6, decimals)
    return case_binary(name, s, y)


def case_binary(name, s, y):
    out = {"name": name, "scores": s.tolist(), "targets": y.tolist(), "auroc": roc_auc_score(y, s)}
    for key, drop in [("curve", True), ("full", False)]:
        fpr, tpr, thresholds = roc_curve(y, s, drop_intermediate=drop)
        out[key] = {"fpr": fpr.tolist(), "tpr": tpr.tolist(), "thresholds": thresholds[1:].tolist()}
    return out


def multiclass(n, c, decimals, name):
    y = np.concatenate([np.arange(c), rng.integers(0, c, n - c)])
    logits = np.round(rng.normal(size=(n, c)) + np.eye(c)[y], decimals)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    p[:, -1] = 1 - p[:, :-1].sum(1)
    p = np.round(p, 12)
    p /= p.sum(1, keepdims=True)
    pred = p.argmax(1)
    return {
        "name": name, "classes": c, "scores": p.ravel().tolist(), "targets": y.tolist(),
        "auroc": roc_auc_score(y, p, multi_class="ovr", average="macro"),
        "per_class": [roc_auc_score((y == k).astype(int), p[:, k]) for k in range(c)],
        "accuracy": accuracy_score(y, pred), "confusion": confusion_matrix(y, pred, labels=range(c)).tolist(),
    }


def multilabel(n, c, name):
    y = (rng.random((n, c)) < 0.3).astype(int)
    s = np.round(rng.random((n, c)) * 0.7 + y * 0.3, 2)
    return {
        "name": name, "classes": c, "scores": s.ravel().tolist(), "targets": y.ravel().tolist(),
        "auroc": roc_auc_score(y, s, average="macro"), "accuracy": float(((s >= 0.5) == y).mean()),
    }


def bootstrap():
    n, resamples, seed = 60, 200, 11
    y = rng.integers(0, 2, n)
    a = np.round(rng.normal(size=n) + y, 1)
    b = np.round(rng.normal(size=n) + 0.4 * y, 1)
    va = [roc_auc_score(y[i], a[i]) for i in draws(n, resamples, seed)]
    d = np.array([roc_auc_score(y[i], a[i]) - roc_auc_score(y[i], b[i]) for i in draws(n, resamples, seed)])
    p = min(1, 2 * (min((d <= 0).sum(), (d >= 0).sum()) + 1) / (resamples + 1))
    return {
        "n": n, "resamples": resamples, "seed": seed, "targets": y.tolist(), "a": a.tolist(), "b": b.tolist(),
        "interval": np.quantile(va, [0.025, 0.975]).tolist(),
        "difference_interval": np.quantile(d, [0.05, 0.95]).tolist(), "p": float(p),
    }


fixture = {
    "versions": {"python": platform.python_version(), "numpy": np.__version__, "scikit-learn": sklearn.__version__},
    "binary": [binary(80, 6, "distinct scores"), binary(80, 1, "many ties"),
               case_binary("all scores equal", np.full(6, 0.5), np.array([0, 1, 0, 1, 1, 0])),
               case_binary("perfectly wrong", np.array([3.0, 2.0, 1.0, 0.0]), np.array([0, 0, 1, 1]))],
    "multiclass": [multiclass(60, 5, 6, "five classes"), multiclass(60, 3, 0, "three classes with ties")],
    "multilabel": [multilabel(50, 4, "four labels")],
    "bootstrap": bootstrap(),
}
target = Path(__file__).parent / "fixtures" / "metrics.json"
target.parent.mkdir(exist_ok=True)
target.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
print(target, target.stat().st_size, "bytes")
