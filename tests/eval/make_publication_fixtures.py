"""Makes tests/eval/fixtures/publication.json: AUPRC, operating points and calibration from scikit-learn and SciPy, DeLong from R's pROC.

Run: python tests/eval/make_publication_fixtures.py   (scikit-learn, scipy, numpy; Rscript with pROC; versions are recorded)
"""
import json
import platform
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy.optimize import brentq
from scipy.special import erfc, log_softmax, softmax
from scipy.stats import norm
from sklearn import metrics

rng = np.random.default_rng(11)

R = r"""
suppressMessages(library(pROC)); options(digits = 17)
d <- read.csv(commandArgs(TRUE)[1])
a <- roc(d$y, d$a, levels = c(0, 1), direction = "<", quiet = TRUE); b <- roc(d$y, d$b, levels = c(0, 1), direction = "<", quiet = TRUE)
t <- roc.test(a, b, method = "delong", paired = TRUE)
cat(format(c(auc(a), sqrt(var(a)), ci.auc(a, method = "delong")[c(1, 3)], t$statistic, t$p.value), digits = 17), sep = "\n")
cat("\n", as.character(packageVersion("pROC")), "\n", R.version.string, "\n", sep = "")
"""


def delong(y, a, b):
    with tempfile.TemporaryDirectory() as folder:
        table, script = Path(folder) / "d.csv", Path(folder) / "d.R"
        table.write_text("y,a,b\n" + "\n".join(f"{i},{float(j)!r},{float(k)!r}" for i, j, k in zip(y, a, b)) + "\n")
        script.write_text(R)
        lines = subprocess.run(["Rscript", script, table], check=True, capture_output=True, text=True).stdout.split("\n")
    auc, se, low, high, z, p = map(float, lines[:6])
    return {"auroc": auc, "standardError": se, "low": low, "high": high, "z": z, "p": p}, lines[6:8]


def binary(name, n, decimals, share):
    y = (rng.random(n) < share).astype(int)
    y[:2], y[2:4] = 0, 1
    a = np.round(rng.normal(size=n) * 0.8 + y, decimals)
    b = np.round(0.5 * a + rng.normal(size=n) * 0.7 + 0.3 * y, decimals)
    test, versions = delong(y, a, b)
    fpr, tpr, thresholds = metrics.roc_curve(y, a, drop_intermediate=False)
    t = thresholds[(tpr - fpr).argmax()]
    called = (a >= t).astype(int)
    tn, fp, fn, tp = metrics.confusion_matrix(y, called).ravel()
    return versions, {
        "name": name, "targets": y.tolist(), "a": a.tolist(), "b": b.tolist(), "delong": test,
        "averagePrecision": metrics.average_precision_score(y, a),
        "youden": {
            "threshold": t, "sensitivity": metrics.recall_score(y, called), "specificity": tn / (tn + fp),
            "ppv": metrics.precision_score(y, called), "npv": tn / (tn + fn), "f1": metrics.f1_score(y, called),
            "balancedAccuracy": metrics.balanced_accuracy_score(y, called), "accuracy": metrics.accuracy_score(y, called),
        },
        "sensitivity90": thresholds[np.argmax(tpr >= 0.9)],
        "specificity90": thresholds[np.nonzero(1 - fpr >= 0.9)[0].max()],
    }


def calibration():
    n, c = 200, 4
    y = rng.integers(0, c, n)
    logits = np.round(rng.normal(size=(n, c)) * 3 + 2 * np.eye(c)[y], 4)

    def slope(inverse):
        p = softmax(inverse * logits, axis=1)
        return ((p * logits).sum(1) - logits[np.arange(n), y]).mean()

    temperature = 1 / brentq(slope, 1e-3, 1e3, xtol=1e-15, rtol=8.9e-16)
    p = softmax(logits, axis=1)
    confidence, right = p.max(1), (p.argmax(1) == y).astype(int)
    bins = np.clip(np.ceil(confidence * 10).astype(int) - 1, 0, 9)
    error = sum((bins == k).mean() * abs(right[bins == k].mean() - confidence[bins == k].mean()) for k in set(bins))
    return {
        "classes": c, "logits": logits.ravel().tolist(), "targets": y.tolist(), "temperature": temperature,
        "confidence": confidence.tolist(), "right": right.tolist(), "ece": error,
        "brier": metrics.brier_score_loss(right, confidence), "nll": float(-log_softmax(logits / temperature, axis=1)[np.arange(n), y].mean()),
    }


z = [0.0, 1e-9, 0.3, 1.0, 1.9, 2.0, 2.1, 3.0, 5.0, 8.0, 20.0, -0.7, -4.0]
levels = [0.5, 0.8, 0.9, 0.95, 0.99, 0.999999]
cases = [binary("distinct scores", 120, 6, 0.4), binary("many ties", 90, 0, 0.5), binary("few positives", 300, 3, 0.05)]
fixture = {
    "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
                 "scikit-learn": sklearn.__version__, "pROC": cases[0][0][0], "R": cases[0][0][1]},
    "normal": {"z": z, "erfc": erfc(z).tolist(), "levels": levels, "quantiles": norm.ppf((1 + np.array(levels)) / 2).tolist()},
    "binary": [case for _, case in cases],
    "calibration": calibration(),
}
target = Path(__file__).parent / "fixtures" / "publication.json"
target.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
print(target, target.stat().st_size, "bytes")
