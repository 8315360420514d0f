"""Draws of Python's random.Random for tests/data/python_random_test.ts and tests/eval/probe/shots_test.ts.

python3 tests/data/make_python_random.py > tests/data/fixtures/python_random.json
"""
import json
import platform
import random

SIZES = [(5, 5), (21, 3), (22, 3), (40, 1), (100, 16), (277, 64), (85, 6), (1000, 8), (3000, 4)]


def few_shots(train, validation, shots, seed):
    """CoOp's draw: per class in order of first occurrence, one generator, training part first, at most four to validate."""
    generator = random.Random(seed)

    def draw(targets, count):
        groups = {}
        for place, target in enumerate(targets):
            groups.setdefault(target, []).append(place)
        places = []
        for items in groups.values():
            places += generator.sample(items, count) if len(items) >= count else items
        return places

    return draw(train, shots), draw(validation, min(shots, 4))


TRAIN = [(7 * i * i + i // 3) % 3 for i in range(90)]
VALIDATION = [(5 * i + i // 4) % 3 for i in range(14)]
print(json.dumps({
    "python": platform.python_version(),
    "samples": [
        {"n": n, "k": k, "seed": seed, "sample": random.Random(seed).sample(range(n), k)}
        for n, k in SIZES for seed in (0, 1, 2, 3, 4294967295)
    ],
    "train": TRAIN,
    "validation": VALIDATION,
    "shots": [
        dict(zip(("shots", "seed", "train", "validation"), (shots, seed, *few_shots(TRAIN, VALIDATION, shots, seed))))
        for shots in (1, 2, 4, 8, 16, 40) for seed in (1, 2, 3)
    ],
}))
