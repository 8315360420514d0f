"""Writes tests/image/still_fixtures: small TIFF and WebP files, and the SHA-256 of what Pillow reads from them.

Run: python tests/image/make_still_fixtures.py   (needs pillow and numpy)
"""

import hashlib
import json
import pathlib

import numpy as np
from PIL import Image

OUT = pathlib.Path(__file__).parent / "still_fixtures"
random = np.random.default_rng(7)
images = {}


def smooth(height, width, channels):
    y, x = np.mgrid[:height, :width]
    planes = [(x * (i + 2) + y * (3 - i) + random.integers(0, 9, (height, width))) % 256 for i in range(channels)]
    pixels = np.stack(planes, -1).astype(np.uint8)
    return Image.fromarray(pixels if channels > 1 else pixels[..., 0])


def put(name, image, **options):
    image.save(OUT / name, **options)
    read = Image.open(OUT / name)
    read.load()
    shown = read.convert("RGB") if read.mode == "P" else read
    channels = 1 if shown.mode.startswith("I;16") else len(shown.getbands())
    data = np.asarray(shown).astype("<u2" if shown.mode.startswith("I;16") else "u1").tobytes()
    images[name] = [shown.width, shown.height, channels, hashlib.sha256(data).hexdigest()]


OUT.mkdir(exist_ok=True)
put("lossless_rgb.webp", smooth(21, 33, 3), lossless=True)
put("lossless_rgba.webp", smooth(19, 27, 4), lossless=True, exact=True)
put("lossy.webp", smooth(24, 40, 3), quality=80)
put("lossy_alpha.webp", smooth(24, 40, 4), quality=80)
grey, colour, alpha = smooth(31, 29, 1), smooth(31, 29, 3), smooth(31, 29, 4)
for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate"):
    put(f"grey_{compression}.tif", grey, compression=compression)
    put(f"rgb_{compression}.tif", colour, compression=compression)
put("rgba.tif", alpha, compression="tiff_lzw")
put("grey16.tif", Image.fromarray(np.asarray(smooth(31, 29, 1)).astype(np.uint16) * 257 + 13), compression="tiff_adobe_deflate")
put("palette.tif", colour.quantize(64), compression="raw")
put("predictor.tif", colour, compression="tiff_lzw", tiffinfo={317: 2})
put("white_is_zero.tif", grey, compression="raw", tiffinfo={262: 0})
put("strips.tif", smooth(300, 64, 1), compression="tiff_lzw", tiffinfo={278: 32})
put("turned.tif", grey, compression="tiff_lzw", tiffinfo={274: 6})  # Pillow 13 reads uncompressed turned ones wrongly
(OUT / "expected.json").write_text(json.dumps({"pillow": Image.__version__, "images": images}, indent=2) + "\n")
for name, image, compression in (("jpeg", colour, "jpeg"), ("packbits", grey, "packbits"), ("onebit", grey.convert("1"), "raw")):
    image.save(OUT / f"refused_{name}.tif", compression=compression)
first, *rest = [smooth(9, 9, 3) for _ in range(2)]
first.save(OUT / "refused_animated.webp", save_all=True, append_images=rest, lossless=True)
