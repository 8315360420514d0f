"""Writes tests/image/area.json: small images of seeded noise, OpenCV's INTER_AREA of them, and the squares that GLoRIA and MGCA cut.

A square is what their code makes of a grey image: the longer side to 256 (sides truncated), black beside the other, the middle 224;
of it the SHA-256 is kept.

Run: python tests/image/make_area_fixtures.py
Needs: numpy, opencv-python-headless.
"""

import base64
import hashlib
import json
import pathlib

import cv2
import numpy

SIZES = [(20, 20, 10, 10), (30, 20, 10, 10), (37, 23, 17, 11), (40, 30, 13, 29), (50, 9, 50, 4), (8, 6, 16, 11), (5, 7, 15, 7)]
SQUARES = [(300, 411), (512, 384), (700, 301), (256, 255), (1000, 257), (120, 90)]


def noise(width, height, seed):
    """Any number of a linear congruential generator that the test makes again."""
    out, state = numpy.empty(width * height, numpy.uint8), seed
    for i in range(width * height):
        state = (state * 1664525 + 1013904223) % 2 ** 32
        out[i] = state >> 24
    return out.reshape(height, width)


def square(image):
    height, width = image.shape
    ratio = 256 / float(max(width, height))
    size = (256, int(height * ratio)) if width > height else (int(width * ratio), 256)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    out = numpy.zeros((256, 256), numpy.uint8)
    top, left = (256 - small.shape[0]) // 2, (256 - small.shape[1]) // 2
    out[top:top + small.shape[0], left:left + small.shape[1]] = small
    return out[16:240, 16:240]


cases = [{"from": [w, h], "to": [W, H], "seed": i + 1, "data": base64.b64encode(
    cv2.resize(noise(w, h, i + 1), (W, H), interpolation=cv2.INTER_AREA).tobytes()).decode()} for i, (w, h, W, H) in enumerate(SIZES)]
squares = [{"from": [w, h], "seed": 100 + i, "sum": int(square(noise(w, h, 100 + i)).astype(int).sum()),
            "sha256": hashlib.sha256(square(noise(w, h, 100 + i)).tobytes()).hexdigest()} for i, (w, h) in enumerate(SQUARES)]
record = {"what": "seeded noise resized by OpenCV; no patient data", "opencv": cv2.__version__, "cases": cases, "squares": squares}
(pathlib.Path(__file__).parent / "area.json").write_text(json.dumps(record, indent=1) + "\n")
