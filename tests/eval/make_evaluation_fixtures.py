"""Makes tests/eval/fixtures/evaluation.json: everything evaluatePredictions() reports, by scikit-learn, SciPy and NumPy.

Each bootstrap draws what lib/eval/metrics/bootstrap.ts draws, by mulberry32 written anew here, so that intervals can be compared
to the last digits.
Run: python tests/eval/make_evaluation_fixtures.py   (scikit-learn, scipy, numpy; versions are recorded)
"""
import json
import math
import platform
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy.optimize import brentq
from scipy.special import softmax
from sklearn import metrics

RESAMPLES, SEED, N = 100, 3, 120


def mulberry32(seed):
    state, mask = seed & 0xFFFFFFFF, 0xFFFFFFFF
    while True:
        state = (state + 0x6D2B79F5) & mask
        t = state
        t = ((t ^ (t >> 15)) * (t | 1)) & mask
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & mask)) & mask
        yield ((t ^ (t >> 14)) & mask) / 4294967296


def draws(n, groups=None):
    rng = mulberry32(SEED)
    if groups is None:
        members = [[i] for i in range(n)]
    else:
        order = list(dict.fromkeys(groups))
        members = [[i for i in range(n) if groups[i] == g] for g in order]
    for _ in range(RESAMPLES):
        yield np.array([i for _ in members for i in members[math.floor(next(rng) * len(members))]])


def ends(statistic, n, groups=None):
    values = np.array([statistic(d) for d in draws(n, groups)])
    values = values[~np.isnan(values)]
    return None if len(values) == 0 else np.quantile(values, [0.025, 0.975]).tolist()


def estimate(statistic, n, patients):
    value = statistic(np.arange(n))
    return {"value": value, "cases": ends(statistic, n), "patients": ends(statistic, n, patients)}


def auroc(y, s):
    return metrics.roc_auc_score(y, s) if 0 < y.sum() < len(y) else math.nan


def auprc(y, s):
    return metrics.average_precision_score(y, s) if y.sum() > 0 else math.nan


def at_threshold(y, s, t):
    called = (s >= t).astype(int)
    tn, fp, fn, tp = metrics.confusion_matrix(y, called, labels=[0, 1]).ravel()
    share = lambda a, b: a / b if b else math.nan
    return [
        metrics.recall_score(y, called) if tp + fn else math.nan, share(tn, tn + fp),
        metrics.precision_score(y, called) if tp + fp else math.nan, share(tn, tn + fn),
        metrics.f1_score(y, called) if 2 * tp + fp + fn else math.nan,
        metrics.balanced_accuracy_score(y, called) if tp + fn and tn + fp else math.nan,
    ]


def youden(y, s):
    fpr, tpr, thresholds = metrics.roc_curve(y, s, drop_intermediate=False)
    return thresholds[(tpr - fpr).argmax()]


def bins(p, happened):
    place = np.clip(np.ceil(p * 10).astype(int) - 1, 0, 9)
    return sum((place == k).mean() * abs(happened[place == k].mean() - p[place == k].mean()) for k in set(place))


def temperature(logits, y):
    slope = lambda b: ((softmax(b * logits, axis=1) * logits).sum(1) - logits[np.arange(len(y)), y]).mean()
    return 1 / brentq(slope, 1e-3, 1e3, xtol=1e-15, rtol=8.9e-16)


def calibration(p, happened):
    return {"ece": bins(p, happened), "brier": float(np.mean((p - happened) ** 2))}


def case(name, classes, multilabel, seed):
    rng = np.random.default_rng(seed)
    c = len(classes)
    patients = [f"p{i}" for i in rng.integers(0, 50, N)]
    tune = np.array([int(p[1:]) % 3 == 0 for p in patients])
    sex = np.array(["F" if int(p[1:]) % 2 else "M" for p in patients])
    if multilabel:
        y = (rng.random((N, c)) < 0.3).astype(int)
        scores = np.round(1 / (1 + np.exp(-(rng.normal(size=(N, c)) + 1.2 * y - 0.6))), 3)
        columns = [(k, scores[:, k], y[:, k]) for k in range(c)]
        right = ((scores >= 0.5).astype(int) == y).mean(1)
    else:
        y = rng.integers(0, c, N)
        scores = softmax(np.round(rng.normal(size=(N, c)) * 1.5 + 1.1 * np.eye(c)[y], 1), axis=1)
        columns = [(k, scores[:, k], (y == k).astype(int)) for k in range(c)]
        columns = columns[1:] if c == 2 else columns
        right = (scores.argmax(1) == y).astype(float)
    judged = ~tune
    n, own = int(judged.sum()), [p for p, t in zip(patients, tune) if not t]
    per_class, parts = {}, []
    for k, s, t in columns:
        threshold = youden(t[tune], s[tune])
        sj, tj = s[judged], t[judged]
        parts.append((sj, tj))
        figures = [estimate(lambda d, i=i: at_threshold(tj[d], sj[d], threshold)[i], n, own) for i in range(6)]
        per_class[classes[k]] = {
            "threshold": threshold, "prevalence": tj.mean(),
            "auroc": estimate(lambda d: auroc(tj[d], sj[d]), n, own), "auprc": estimate(lambda d: auprc(tj[d], sj[d]), n, own),
            **dict(zip(["sensitivity", "specificity", "ppv", "npv", "f1", "balanced_accuracy"], figures)),
        }
    group = sex[judged] == "F"
    inside = lambda d: d[group[d]]
    outside = lambda d: d[~group[d]]
    mean = lambda d: np.mean([auroc(t[d], s[d]) for s, t in parts])
    r = right[judged]
    if multilabel:
        questions = np.stack([np.log(1 - scores), np.log(scores)], axis=2)
        T = temperature(questions[tune].reshape(-1, 2), y[tune].ravel())
        p, happened = scores[judged].ravel(), y[judged].ravel()
        scaled = softmax(questions[judged].reshape(-1, 2) / T, axis=1)[:, 1]
    else:
        T = temperature(np.log(scores[tune]), y[tune])
        after = softmax(np.log(scores[judged]) / T, axis=1)
        pick = (lambda q: (q[:, 1], (y[judged] == 1).astype(int))) if c == 2 else (
            lambda q: (q.max(1), (q.argmax(1) == y[judged]).astype(int)))
        (p, happened), (scaled, _) = pick(scores[judged]), pick(after)
    return {
        "name": name, "classes": classes, "task": "multilabel" if multilabel else "multiclass",
        "scores": scores.ravel().tolist(), "targets": y.ravel().tolist(), "patients": patients, "tune": tune.tolist(), "sex": sex.tolist(),
        "expected": {
            "accuracy": estimate(lambda d: r[d].mean(), n, own), "auroc": estimate(mean, n, own), "perClass": per_class,
            "baseline": float(1 - y[judged].mean() if multilabel else np.bincount(y[judged]).max() / n),
            "confusion": None if multilabel else metrics.confusion_matrix(y[judged], scores[judged].argmax(1)).tolist(),
            "temperature": T, "raw": calibration(p, happened), "scaled": calibration(scaled, happened),
            "women": {
                "n": int(group.sum()), "accuracy": estimate(lambda d: r[inside(d)].mean() if len(inside(d)) else math.nan, n, own),
                "auroc": estimate(lambda d: mean(inside(d)), n, own),
                "gap": estimate(lambda d: mean(inside(d)) - mean(outside(d)), n, own),
            },
        },
    }


fixture = {
    "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
    "resamples": RESAMPLES, "seed": SEED,
    "cases": [
        case("two classes", ["no", "yes"], False, 1), case("three classes, ties", ["a", "b", "c"], False, 2),
        case("labels", ["a", "b", "c"], True, 3),
    ],
}
target = Path(__file__).parent / "fixtures" / "evaluation.json"
target.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
print(target, target.stat().st_size, "bytes")
