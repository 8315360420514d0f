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
    model = LogisticRegression(C=strength, tol=1e-10, max_iter=100_000).fit(x, y)
    return {
        "name": name, "width": d, "c": strength, "features": x.ravel().tolist(), "targets": y.tolist(),
        "weight": model.coef_.ravel().tolist(), "bias": model.intercept_.tolist(),
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
                 logistic("weak penalty", 40, 4, 3, 316.0, 0.5), logistic("strong penalty", 24, 4, 3, 0.01, 0.5)],
    "neighbours": neighbours(),
}
target = Path(__file__).parent / "probe.json"
target.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
print(target, target.stat().st_size, "bytes")
