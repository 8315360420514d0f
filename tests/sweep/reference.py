"""Reads files with the usual Python packages: one line of JSON a file, the SHA-256 of what it holds or why it is not read.

Standard input: a JSON list of {"path", "kind", ...}. What a digest is made of stands in digest.ts as well.
Needs: pillow, pydicom, numpy, safetensors, torch.
"""

import csv
import gzip
import hashlib
import io
import json
import sys
import warnings

import numpy
import pydicom
import safetensors
import torch
from PIL import Image

warnings.simplefilter("ignore")
Image.MAX_IMAGE_PIXELS = None


def digest(label, data):
    return hashlib.sha256(label.encode() + b"\n" + data).hexdigest()


def image(path, **_):
    with Image.open(path) as opened:
        opened.load()
        channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}[opened.mode]
        return digest(f"{opened.width} {opened.height} {channels}", opened.tobytes())


def dicom(path, **_):
    pixels = pydicom.dcmread(path, force=True).pixel_array
    return digest(f"{pixels.shape[1]} {pixels.shape[0]}", pixels.astype(pixels.dtype.newbyteorder("<")).tobytes())


def tensors(named):
    lines, data = [], []
    for name in sorted(named):
        value = named[name].contiguous()
        lines.append(f"{name} {list(value.shape)}".replace(" ", ""))
        data.append(value.flatten().view(torch.uint8).numpy().tobytes() if value.numel() else b"")
    return digest("\n".join(lines), b"".join(data))


def safe(path, **_):
    with safetensors.safe_open(path, "pt") as file:
        return tensors({name: file.get_tensor(name) for name in file.keys()})


def leaves(value, path=""):
    if isinstance(value, torch.Tensor):
        yield path or "tensor", value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from leaves(item, f"{path}.{i}" if path else str(i))


def archive(path, **_):
    return tensors(dict(leaves(torch.load(path, weights_only=True))))


def array(path, **_):
    value = numpy.load(path)
    return digest(str(list(value.shape)).replace(" ", ""), value.astype("<f8").tobytes())


def arrays(path, name, **_):
    with numpy.load(path) as file:
        value = file[name]
    return digest(str(list(value.shape)).replace(" ", ""), value.astype("<f8").tobytes())


def table(path, separator, **_):
    raw = open(path, "rb").read()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    csv.field_size_limit(1 << 30)
    text = io.StringIO(raw.decode("utf-8-sig"), newline="")
    rows = [row for row in csv.reader(text, delimiter=separator, strict=True) if row]
    return digest("csv", json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode())


KINDS = {"png": image, "jpeg": image, "tiff": image, "webp": image, "dicom": dicom, "safetensors": safe, "torch": archive, "npy": array, "npz": arrays, "csv": table}
for item in json.load(sys.stdin):
    try:
        print(json.dumps({"digest": KINDS[item["kind"]](**{k: v for k, v in item.items() if k != "kind"})}))
    except BaseException as error:  # a panic of Rust's is no Exception
        print(json.dumps({"refused": f"{type(error).__name__}: {error}"[:200]}))
    sys.stdout.flush()
