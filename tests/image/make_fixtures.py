"""Writes tests/image/fixtures: small images in many modes and sizes, and what Pillow and torchvision make of them.

    python tests/image/make_fixtures.py            (needs pillow, numpy; torchvision is used when it can be imported)

Per image: SHA-256 of the decoded samples as Pillow's `open` sees them, of `convert("RGB")`, and of the uint8 stage of
open_clip's transform (Resize, CenterCrop, convert to RGB) for evaluation and training, in open_clip's order (resize first)
and in ACE-LoRA's (`Image.open(path).convert("RGB")` first). Two cases keep their float32 result (after ToTensor, Normalize).

torchvision's integer arithmetic, where it is not installed (torchvision/transforms/functional.py, 0.29.2):
  _compute_resized_output_size: new_short, new_long = size, int(size * long / short)
  center_crop: crop_top = int(round((image_height - crop_height) / 2.0)), crop_left likewise
"""

import hashlib
import io
import json
import pathlib
import platform

import numpy as np
import PIL
from PIL import Image, features

OUT = pathlib.Path(__file__).parent / "fixtures"
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
SEED = 20260717

try:
    import torchvision
    from torchvision.transforms import InterpolationMode, functional

    TORCHVISION = torchvision.__version__
except Exception:  # not installed, or built for another torch
    TORCHVISION = None


def resize(image, size):
    """torchvision's resize of a PIL image: an int is the shorter side, a pair is (h, w)."""
    w, h = image.size
    if isinstance(size, int):
        short, long = (w, h) if w <= h else (h, w)
        new_short, new_long = size, int(size * long / short)
        new = (new_short, new_long) if w <= h else (new_long, new_short)
    else:
        new = (size[1], size[0])
    out = image if new == image.size else image.resize(new, Image.Resampling.BICUBIC)
    if TORCHVISION and max(new) < 20000:
        theirs = functional.resize(image, [size] if isinstance(size, int) else size, InterpolationMode.BICUBIC)
        assert theirs.size == out.size and theirs.tobytes() == out.tobytes()
    return out


def center_crop(image, size):
    w, h = image.size
    top, left = int(round((h - size) / 2.0)), int(round((w - size) / 2.0))
    out = image.crop((left, top, left + size, top + size))
    if TORCHVISION:
        assert functional.center_crop(image, [size, size]).tobytes() == out.tobytes()
    return out


def evaluation(image, size):
    return center_crop(resize(image, size), size).convert("RGB")


def training(image, size):
    return resize(image, (size, size)).convert("RGB")


def longest(image, size):
    """open_clip's ResizeKeepRatio(longest=1) and CenterCropOrPad with fill 0, but that the padding comes after convert("RGB")."""
    w, h = image.size
    ratio = max(h / size, w / size)
    new = (max(1, round(w / ratio)), max(1, round(h / ratio)))
    out = image if new == image.size else image.resize(new, Image.Resampling.BICUBIC)
    corner = ((size - new[0]) // 2, (size - new[1]) // 2)
    padded = Image.new("RGB", (size, size), 0)
    padded.paste(out.convert("RGB"), corner)
    if image.mode != "P":  # there index 0 is its palette's first colour, whichever that is
        before = Image.new(out.mode, (size, size), 0)
        before.paste(out, corner)
        assert before.convert("RGB").tobytes() == padded.tobytes()
    return padded


def sha(data):
    return hashlib.sha256(data).hexdigest()


def scene(rng, w, h, channels):
    """Smooth waves, a hard edge and noise: overshoot, clipping and rounding all happen."""
    y, x = np.mgrid[0:h, 0:w]
    planes = [127 + 90 * np.sin(x / (5 + c) + y / 11) + 60 * (x * 3 > y * 4 + 3 * c) for c in range(channels)]
    noisy = np.stack(planes, -1) + rng.normal(0, 10, (h, w, channels))
    return noisy.clip(0, 255).astype(np.uint8)


def make(rng, mode, w, h):
    if mode == "I;16":
        return Image.fromarray((scene(rng, w, h, 1)[..., 0].astype(np.uint16) * 257 + rng.integers(0, 99, (h, w))).clip(0, 65535).astype(np.uint16))
    if mode == "I;16 low":  # around 255, where Pillow's clip and its two-byte overshoot show
        return Image.fromarray((scene(rng, w, h, 1)[..., 0].astype(np.uint16) * 2))
    if mode == "1":
        return Image.fromarray(scene(rng, w, h, 1)[..., 0]).convert("1")
    if mode == "P":
        return Image.fromarray(scene(rng, w, h, 3)).quantize(61)
    if mode == "P2":
        return Image.fromarray(scene(rng, w, h, 3)).quantize(4)
    bands = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}[mode]
    data = scene(rng, w, h, bands)
    if mode in ("LA", "RGBA"):
        data[..., -1][rng.random((h, w)) < 0.2] = 0
        data[..., -1][rng.random((h, w)) < 0.2] = 255
    return Image.fromarray(data[..., 0] if bands == 1 else data, mode if bands != 2 else None)


# name, mode, width, height, format, save options, target size
CASES = [
    ("grey_down", "L", 150, 131, "png", {}, 32),
    ("grey_up", "L", 19, 23, "png", {}, 64),
    ("grey_same", "L", 32, 32, "png", {}, 32),
    ("grey_same_height", "L", 51, 32, "png", {}, 32),
    ("grey_odd", "L", 101, 77, "png", {}, 33),
    ("grey_halves", "L", 47, 32, "png", {}, 32),
    ("grey_halves_odd", "L", 32, 45, "png", {}, 32),
    ("grey_wide", "L", 400, 9, "png", {}, 32),
    ("grey_tall", "L", 7, 311, "png", {}, 32),
    ("grey_1xn", "L", 1, 97, "png", {}, 16),
    ("grey_nx1", "L", 97, 1, "png", {}, 16),
    ("grey_1x1", "L", 1, 1, "png", {}, 8),
    ("grey_224", "L", 90, 110, "png", {}, 224),
    ("rgb_down", "RGB", 90, 71, "png", {}, 32),
    ("rgb_up", "RGB", 17, 30, "png", {}, 48),
    ("rgb_odd", "RGB", 63, 41, "png", {}, 37),
    ("rgb_wide", "RGB", 211, 5, "png", {}, 24),
    ("palette_down", "P", 90, 71, "png", {}, 32),
    ("palette_up", "P", 21, 34, "png", {}, 48),
    ("palette_2bit", "P2", 45, 38, "png", {"bits": 2}, 32),
    ("palette_transparent", "P", 33, 38, "png", {"transparency": bytes(range(0, 244, 4))}, 32),
    ("palette_same", "P", 32, 32, "png", {}, 32),
    ("onebit_down", "1", 91, 70, "png", {}, 32),
    ("onebit_up", "1", 13, 17, "png", {}, 32),
    ("rgba_down", "RGBA", 70, 81, "png", {}, 32),
    ("rgba_up", "RGBA", 15, 18, "png", {}, 40),
    ("rgba_same", "RGBA", 24, 24, "png", {}, 24),
    ("la_down", "LA", 71, 60, "png", {}, 32),
    ("la_up", "LA", 15, 22, "png", {}, 40),
    ("grey16_down", "I;16", 75, 64, "png", {}, 32),
    ("grey16_up", "I;16", 15, 18, "png", {}, 40),
    ("grey16_low", "I;16 low", 55, 44, "png", {}, 32),
    ("grey_jpeg", "L", 140, 121, "jpeg", {"quality": 90}, 32),
    ("grey_jpeg_progressive", "L", 141, 120, "jpeg", {"quality": 70, "progressive": True}, 48),
    ("jpeg_444", "RGB", 93, 85, "jpeg", {"quality": 90, "subsampling": "4:4:4"}, 32),
    ("jpeg_422", "RGB", 95, 83, "jpeg", {"quality": 80, "subsampling": "4:2:2"}, 32),
    ("jpeg_420", "RGB", 97, 81, "jpeg", {"quality": 75, "subsampling": "4:2:0"}, 32),
    ("jpeg_420_progressive", "RGB", 61, 87, "jpeg", {"quality": 85, "subsampling": "4:2:0", "progressive": True}, 48),
    ("jpeg_restart", "RGB", 77, 49, "jpeg", {"quality": 85, "restart_marker_blocks": 2}, 32),
    ("jpeg_rgb_kept", "RGB", 53, 49, "jpeg", {"quality": 85, "keep_rgb": True}, 32),
    ("jpeg_exif_rotated", "RGB", 60, 40, "jpeg", {"quality": 85, "exif": "orientation 6"}, 32),
]
KEEP_FLOATS = {"grey_1x1", "rgba_up"}


def exif_bytes():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def png_chunk(kind, body):
    import struct, zlib
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def adam7(samples, depth, colour):
    """An interlaced PNG by hand (Pillow cannot write one), filters 0 to 4 in turn."""
    import struct, zlib
    h, w = samples.shape[:2]
    per = 1 if samples.ndim == 2 else samples.shape[2]
    raw = bytearray()
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        sub = samples[y0::dy, x0::dx]
        if sub.size == 0:
            continue
        rows = sub.reshape(sub.shape[0], -1)
        previous = None
        for r, row in enumerate(rows):
            if depth == 16:
                line = row.astype(">u2").tobytes()
            elif depth == 8:
                line = row.astype(np.uint8).tobytes()
            else:
                bits = ((row[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8).reshape(-1)
                line = np.packbits(bits).tobytes()
            step = max(1, per * depth // 8)
            kind = r % 5
            up = previous or bytes(len(line))
            left = bytes(step) + line[: len(line) - step] if len(line) > step else bytes(len(line))
            corner = bytes(step) + up[: len(line) - step] if len(line) > step else bytes(len(line))
            def paeth(a, b, c):
                p = a + b - c
                pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
                return a if pa <= pb and pa <= pc else b if pb <= pc else c
            predictor = {0: lambda i: 0, 1: lambda i: left[i], 2: lambda i: up[i], 3: lambda i: (left[i] + up[i]) // 2, 4: lambda i: paeth(left[i], up[i], corner[i])}[kind]
            raw += bytes([kind]) + bytes((line[i] - predictor(i)) & 255 for i in range(len(line)))
            previous = line
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, 1))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", zlib.compress(bytes(raw), 9)) + png_chunk(b"IEND", b"")


def plain(samples, depth, colour):
    """A non-interlaced PNG of a kind Pillow does not write (grey of 2 and 4 bits, colour of 16)."""
    import struct, zlib
    h, w = samples.shape[:2]
    raw = bytearray()
    for row in samples.reshape(h, -1):
        raw.append(0)
        if depth == 16:
            raw += row.astype(">u2").tobytes()
        else:
            bits = ((row[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8).reshape(-1)
            raw += np.packbits(bits).tobytes()
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", zlib.compress(bytes(raw), 9)) + png_chunk(b"IEND", b"")


def record(name, data, target):
    image = Image.open(io.BytesIO(data))
    image.load()
    rgb = image.convert("RGB")
    native = np.asarray(image)
    if image.mode == "1":
        native = native.astype(np.uint8) * 255
    if name == "la_16bit":  # Pillow opens it as RGBA, the grey repeated
        native = native[..., [0, 3]]
    if image.mode == "P":
        native = np.asarray(rgb)
    entry = {
        "mode": image.mode,
        "width": image.width,
        "height": image.height,
        "size": target,
        "native": sha(np.ascontiguousarray(native).tobytes()),
        "rgb": sha(rgb.tobytes()),
        "eval": sha(evaluation(image, target).tobytes()),
        "longest": sha(longest(image, target).tobytes()),
        "train": sha(training(image, target).tobytes()),
        "evalRgbFirst": sha(evaluation(rgb, target).tobytes()),
        "trainRgbFirst": sha(training(rgb, target).tobytes()),
        "bilinear": sha(rgb.resize((target, target + 3), Image.Resampling.BILINEAR).tobytes()),
    }
    if name in KEEP_FLOATS:
        pixels = np.asarray(evaluation(image, target), np.float32) / np.float32(255)
        (OUT / f"{name}.f32").write_bytes(((pixels - MEAN) / STD).astype("<f4").tobytes())
    return entry


def main():
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    rng = np.random.default_rng(SEED)
    expected = {}
    for name, mode, w, h, kind, options, target in CASES:
        image = make(rng, mode, w, h)
        options = dict(options)
        if "exif" in options:
            options["exif"] = exif_bytes()
        if kind == "png":
            options.setdefault("optimize", True)
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        file = f"{name}.{'png' if kind == 'png' else 'jpg'}"
        (OUT / file).write_bytes(buffer.getvalue())
        expected[file] = record(name, buffer.getvalue(), target)
    by_hand = {
        "grey_2bit": plain(rng.integers(0, 4, (13, 21)), 2, 0),
        "grey_4bit": plain(rng.integers(0, 16, (13, 21)), 4, 0),
        "rgb_16bit": plain(rng.integers(0, 65536, (13, 11, 3)), 16, 2),
        "rgba_16bit": plain(rng.integers(0, 65536, (13, 11, 4)), 16, 6),
        "la_16bit": plain(rng.integers(0, 65536, (13, 11, 2)), 16, 4),
        "interlaced_1bit": adam7(rng.integers(0, 2, (19, 27)), 1, 0),
        "interlaced_4bit": adam7(rng.integers(0, 16, (19, 27)), 4, 0),
        "interlaced_grey": adam7(rng.integers(0, 256, (31, 25)), 8, 0),
        "interlaced_rgb": adam7(rng.integers(0, 256, (18, 23, 3)), 8, 2),
        "interlaced_16bit": adam7(rng.integers(0, 65536, (18, 23)), 16, 0),
        "interlaced_1x1": adam7(rng.integers(0, 256, (1, 1, 4)), 8, 6),
        "interlaced_3x2": adam7(rng.integers(0, 256, (2, 3, 3)), 8, 2),
    }
    for name, data in by_hand.items():
        (OUT / f"{name}.png").write_bytes(data)
        expected[f"{name}.png"] = record(name, data, 16)
    buffer = io.BytesIO()
    Image.fromarray(scene(rng, 16, 16, 3)).convert("CMYK").save(buffer, "jpeg")
    (OUT / "refused_cmyk.jpg").write_bytes(buffer.getvalue())
    card = {
        "made by": "tests/image/make_fixtures.py",
        "seed": SEED,
        "python": platform.python_version(),
        "pillow": PIL.__version__,
        "numpy": np.__version__,
        "libjpeg-turbo": features.version("libjpeg_turbo"),
        "torchvision (asserted equal to the formulas)": TORCHVISION or "not installed",
        "content": "synthetic waves, edges and noise; no patient data",
    }
    (OUT / "expected.json").write_text(json.dumps({"card": card, "images": expected}, indent=2) + "\n")
    total = sum(path.stat().st_size for path in OUT.iterdir())
    print(f"{len(expected)} images, {total} bytes, torchvision {TORCHVISION}")


if __name__ == "__main__":
    main()
