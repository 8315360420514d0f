"""Writes tests/data/fixtures/splits.json: index lists of NumPy, scikit-learn and pandas, as heads and hashes.

A hash is the SHA-256 of the indices as decimal numbers joined by commas. Run: python tests/data/make_splits.py
"""

import hashlib
import json
import pathlib

import numpy as np
import pandas as pd
import sklearn
from sklearn.model_selection import ShuffleSplit, train_test_split


def digest(values):
    values = [int(v) for v in values]
    return {"n": len(values), "head": values[:5], "hash": hashlib.sha256(",".join(map(str, values)).encode()).hexdigest()}


out = {"versions": {"numpy": np.__version__, "pandas": pd.__version__, "sklearn": sklearn.__version__}}
out["words"] = {str(s): [int(x) for x in np.random.RandomState(s).randint(0, 2**32, 5, dtype=np.uint32)] for s in (0, 1, 42, 2**32 - 1)}
out["array"] = {
    json.dumps(s): digest(np.random.RandomState(s).permutation(1000)) for s in ([0], [1, 2, 3], list(range(700)), [2**32 - 1, 7])
}
out["permutation"] = {f"{s},{n}": digest(np.random.RandomState(s).permutation(n)) for s in (0, 1, 42, 123456789)
                      for n in (0, 1, 2, 3, 10, 127, 128, 129, 1000, 26684, 100000)}
state = np.random.RandomState(5)
state.permutation(10)
out["second"] = digest(state.permutation(500))
out["interval"] = {}
for top in (1, 2, 255, 256, 2**31, 2**32 - 1, 2**32, 2**32 + 5, 2**40, 2**53 - 1):
    # legacy randint over int64 draws by the same masked rejection
    state = np.random.RandomState(3)
    out["interval"][str(top)] = [int(x) for x in state.randint(0, top + 1, 6, dtype=np.int64)]

cases = [(26684, 0.15, None, 0), (26684, 0.3, None, 0), (10, 0.25, None, 0), (7, 0.5, None, 3), (100, 0.15, 0.7, 0),
         (6012, 0.15, None, 0), (6012, 0.3, None, 0), (1804, 0.5, None, 0), (101, 10, None, 1), (101, None, 0.7, 1),
         (101, None, None, 1), (1000, 333, 0.5, 9), (20, None, 13, 2)]
out["split"] = []
for n, test, train, seed in cases:
    a, b = train_test_split(np.arange(n), test_size=test, train_size=train, random_state=seed)
    out["split"].append({"n": n, "testSize": test, "trainSize": train, "seed": seed, "train": digest(a), "test": digest(b)})
    s = ShuffleSplit(n_splits=1, test_size=test, train_size=train, random_state=seed)
    a2, b2 = next(s.split(np.zeros(n)))
    assert (test is None and train is None) or ((a == a2).all() and (b == b2).all())
out["pandas"] = [{"n": n, "size": size, "seed": seed, "rows": digest(pd.DataFrame({"a": np.arange(n)}).sample(n=size, random_state=seed)["a"])}
                 for n, size, seed in ((12047, int(0.3 * 12047), 42), (10, 10, 42), (10, 0, 1), (5000, 50, 7), (10675, int(0.3 * 10675), 42))]


# --- whole tables at the published sizes, as the authors' scripts read them; layouts_test.ts builds the same tables -------
def ids_digest(ids):
    ids = list(ids)
    return {"size": len(ids), "first": ids[0], "hash": hashlib.sha256("\n".join(ids).encode()).hexdigest()}


def name(i):
    return f"{(i * 2654435761) % 2**32:08x}-{i:05d}"


# RSNA: 26,684 patients, of whom 6,012 have boxes; every fourth of those a second box
rows = []
for i in range(26684):
    if (i * 7919) % 26684 < 6012:
        rows.append({"patientId": name(i), "Target": 1})
        if i % 4 == 0:
            rows.append({"patientId": name(i), "Target": 1})
    else:
        rows.append({"patientId": name(i), "Target": 0})
df = pd.DataFrame(rows).groupby("patientId").agg(list).reset_index()
rsna = {}
train, test = train_test_split(df, test_size=0.15, random_state=0)
rsna["test"], rsna["train"] = ids_digest(test["patientId"]), ids_digest(train["patientId"])
train, rest = train_test_split(df, test_size=5337 * 2, random_state=0)
test, valid = train_test_split(rest, test_size=0.5, random_state=0)
for part, frame in (("train", train), ("val", valid), ("test", test)):
    rsna[f"mgca-{part}"] = ids_digest(frame["patientId"])
positive = df[df["Target"].apply(lambda t: t[0] == 1)]
train, rest = train_test_split(positive, test_size=0.3, random_state=0)
valid, test = train_test_split(rest, test_size=0.5, random_state=0)  # the authors name the first part validation, MGCA test
for part, frame in (("train", train), ("val", valid), ("test", test)):
    rsna[f"positives-{part}"] = ids_digest(frame["patientId"])
out["rsna"] = rsna
# SIIM: 12,047 images, every thirteenth has a second row further down
frame = pd.DataFrame({"ImageId": [name(i) for i in range(12047)] + [name(i) for i in range(0, 12047, 13)]})
frame = frame.drop_duplicates(subset="ImageId")
out["siim"] = {"test": ids_digest(frame.sample(n=int(0.3 * len(frame)), random_state=42)["ImageId"])}
path = pathlib.Path(__file__).parent / "fixtures" / "splits.json"
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps(out, indent=1) + "\n")
print(out["versions"], out["split"][0]["test"]["n"], out["pandas"][0]["rows"]["n"])
