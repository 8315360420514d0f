"""Grey JPEGs of many kinds and what Pillow reads from them, as SHA-256 by file on standard output.

python make_grey_jpegs.py FOLDER COUNT SEED LARGEST   (Pillow and NumPy; LARGEST: pixels of the longest side)
"""

import hashlib
import io
import json
import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDES = [1, 7, 8, 9, 16, 33, 100, 257, 640]


def drawn(rng: random.Random, largest: int) -> np.ndarray:
    """A picture: smooth, noisy, both as in a film, sharp-edged as burnt-in letters, or of one shade."""
    width, height = (rng.choice([side for side in SIDES if side <= largest]) for _ in range(2))
    numbers = np.random.default_rng(rng.randrange(2**32))
    y, x = np.mgrid[0:height, 0:width]
    smooth = 128 + 100 * np.sin(x / rng.uniform(3, 90)) * np.cos(y / rng.uniform(3, 90))
    kind = rng.choice(["smooth", "film", "noise", "letters", "shade"])
    if kind == "smooth":
        values = smooth
    elif kind == "film":
        values = smooth + numbers.normal(0, rng.uniform(1, 12), smooth.shape)
    elif kind == "noise":
        values = numbers.uniform(0, 255, smooth.shape)
    elif kind == "shade":
        values = np.full(smooth.shape, rng.randrange(256))
    else:
        picture = Image.fromarray(smooth.clip(0, 90).astype(np.uint8))
        ImageDraw.Draw(picture).text((2, 2), "PORTABLE L 12:34", fill=255)
        values = np.asarray(picture)
    return values.clip(0, 255).astype(np.uint8)


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(int(sys.argv[3]))
    largest = int(sys.argv[4])
    hashes = {}
    for i in range(count):
        options = {"quality": rng.choice([1, 5, 20, 50, 75, 85, 90, 95, 98, 100]), "optimize": rng.random() < 0.5}
        if rng.random() < 0.4:
            options[rng.choice(["restart_marker_blocks", "restart_marker_rows"])] = rng.randint(1, 20)
        out = io.BytesIO()
        Image.fromarray(drawn(rng, largest)).save(out, "JPEG", **options)
        name = f"{i}.jpg"
        (folder / name).write_bytes(out.getvalue())
        hashes[name] = hashlib.sha256(Image.open(out).tobytes()).hexdigest()
    json.dump(hashes, sys.stdout)


if __name__ == "__main__":
    main()
