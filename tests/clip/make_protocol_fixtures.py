"""Makes tests/clip/protocol_fixtures.json: scores of random features by the arithmetic of the original evaluations.

Written from CheXzero zero_shot.py (commit 5c341db), GLoRIA gloria.py (416466a), MedCLIP modeling_medclip.py (9c3396f), CXR-CLIP
evaluator.py (3118885), UniMed-CLIP eval_zeroshot.py and app.py (6f09177), transformers' SiglipModel and ACE-LoRA's released
zero_shot_chest_xray_14_eval, with the libraries those call (NumPy, SciPy, scikit-learn, torch).

Run: python tests/clip/make_protocol_fixtures.py
"""
import json
import pathlib
import sys

import numpy as np
import scipy
import sklearn
import torch
from scipy.special import softmax
from sklearn.metrics.pairwise import cosine_similarity

rng = np.random.default_rng(12)
IMAGES, CLASSES, WIDTH = 6, 3, 8
PROMPTS = [4, 1, 7]
SCALE, BIAS = 14.3, -6.5


def rows(n):
    """Unit rows of numbers that float32 holds, computed with in float64 so that rounding is not compared."""
    x = rng.normal(size=(n, WIDTH)).astype(np.float32)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float64)


images = rows(IMAGES)
positive = [rows(n) for n in PROMPTS]
negative = [rows(n) for n in PROMPTS[::-1]]


def class_weights(features):
    """CheXzero zeroshot_classifier, UniMed build_text_features: unit features averaged, then unit."""
    mean = torch.tensor(features).mean(dim=0)
    return (mean / mean.norm()).numpy()


pos = np.stack([class_weights(f) for f in positive], axis=1)
neg = np.stack([class_weights(f) for f in negative], axis=1)

expected = {}
# CheXzero run_softmax_eval
p, n = images @ pos, images @ neg
expected["chexzero"] = np.exp(p) / (np.exp(p) + np.exp(n))
# CheXzero ensemble_models, over two checkpoints of which the second has the images in another order
other = expected["chexzero"][::-1]
expected["chexzero-ensemble"] = np.mean([expected["chexzero"], other], axis=0)
# GLoRIA zero_shot_classification, the global similarity; utils.normalize
g = np.stack([cosine_similarity(images, f).max(axis=1) for f in positive], axis=1)
expected["gloria"] = (g - g.mean(axis=0)) / g.std(axis=0)
# MedCLIP PromptClassifier(ensemble=True), and its default
logits = [torch.matmul(torch.tensor(images), torch.tensor(f).t()) * SCALE for f in positive]
expected["medclip"] = torch.stack([torch.mean(x, 1) for x in logits], 1).numpy()
expected["medclip-max"] = torch.stack([torch.max(x, 1)[0] for x in logits], 1).numpy()
# CXR-CLIP zeroshot_gloria ("mean") and zeroshot_binary
expected["cxr-clip-5x200"] = np.stack([cosine_similarity(images, f).mean(axis=1) for f in positive], axis=1)
pair = [softmax(cosine_similarity(images, np.stack([neg[:, c], pos[:, c]])), axis=1)[:, 1] for c in range(CLASSES)]
expected["cxr-clip"] = np.stack(pair, axis=1)
# UniMed-CLIP app
expected["unimed-clip"] = (torch.tensor(images) @ torch.tensor(pos)).softmax(dim=-1).numpy()
# transformers SiglipModel: logits_per_text = text @ image.T * exp(scale) + bias
expected["medsiglip"] = torch.sigmoid(torch.tensor(images) @ torch.tensor(pos) * SCALE + BIAS).numpy()
# ACE-LoRA on NIH: exp of unscaled cosines, min-max over the classes of each image
e = np.exp(images @ pos)
expected["ace-lora-nih"] = (e - e.min(1, keepdims=True)) / (e.max(1, keepdims=True) - e.min(1, keepdims=True))
expected["ace-lora"] = softmax(SCALE * (images @ pos), axis=1)

flat = lambda x: [float(np.float32(v)) for v in np.asarray(x).reshape(-1)]
out = {
    "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "scipy": scipy.__version__,
                 "scikit-learn": sklearn.__version__, "torch": torch.__version__},
    "seed": 12, "embedding": WIDTH, "scale": SCALE, "bias": BIAS,
    "images": flat(images), "positive": [flat(f) for f in positive], "negative": [flat(f) for f in negative],
    "expected": {name: flat(x) for name, x in expected.items()},
}
path = pathlib.Path(__file__).parent / "protocol_fixtures.json"
path.write_text(json.dumps(out) + "\n")
