"""Makes tests/eval/probe/probe.json: logistic regression and k-NN from scikit-learn.

Run: python tests/eval/probe/make_probe_fixtures.py   (scikit-learn, numpy; versions are recorded)
"""
import json
import platform
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

rng = np.random.default_rng(5)


def features(n, d, c, spread):
    y = np.concatenate([np.arange(c), rng.integers(0, c, n - c)])
    x = rng.normal(size=(n, d)) + spread * rng.normal(size=(c, d))[y]
    x = np.round(x, 2)
    return x / np.linalg.norm(x, axis=1, keepdims=True), y


def logistic(name, n, d, c, strength, spread):
    x, y = features(n, d, c, spread)
    queries, _ = features(8 + c, d, c, spread)
    # Its L-BFGS stops where the loss's value no longer changes: at C = 100 that is 1e-5 off the minimum.
    model = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-14, max_iter=1000).fit(x, y)
    log_loss = -np.log(model.predict_proba(x)[np.arange(n), y]).sum()
    objective = (strength * log_loss + (model.coef_ ** 2).sum() / 2) / (strength * n)
    return {
        "name": name, "width": d, "c": strength, "features": x.ravel().tolist(), "targets": y.tolist(),
        "objective": objective, "weight": model.coef_.ravel().tolist(), "bias": model.intercept_.tolist(),
        "queries": queries.ravel().tolist(), "probabilities": model.predict_proba(queries).ravel().tolist(),
    }


def neighbours():
    x, y = features(30, 4, 3, 0.8)
    queries, _ = features(8, 4, 3, 0.8)
    alike = KNeighborsClassifier(7, metric="cosine").fit(x, y).predict_proba(queries)
    weigh = lambda distance: np.exp(-(distance - distance.min(1, keepdims=True)) / 0.07)
    weighted = KNeighborsClassifier(7, metric="cosine", weights=weigh).fit(x, y).predict_proba(queries)
    return {"features": x.ravel().tolist(), "targets": y.tolist(), "queries": queries.ravel().tolist(), "k": 7,
            "alike": alike.ravel().tolist(), "weighted": weighted.ravel().tolist()}


fixture = {
    "versions": {"python": platform.python_version(), "numpy": np.__version__, "scikit-learn": sklearn.__version__},
    "logistic": [logistic("two classes", 24, 4, 2, 1.0, 0.7), logistic("five classes", 50, 5, 5, 1.0, 0.7),
                 logistic("weak penalty", 40, 4, 3, 316.0, 0.5), logistic("strong penalty", 24, 4, 3, 0.01, 0.5),
                 logistic("hardly a penalty", 60, 6, 3, 1e6, 0.2), logistic("hardly a penalty, two classes", 40, 6, 2, 1e6, 0.2),
                 logistic("separable, hardly a penalty", 12, 16, 3, 1e6, 1.0)],
    "neighbours": neighbours(),
}
target = Path(__file__).parent / "probe.json"
target.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
print(target, target.stat().st_size, "bytes")
