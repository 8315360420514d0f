"""Writes tests/image/dicom_fixtures: small synthetic DICOM files, their true pixels' SHA-256 and what a viewer shows.

    python tests/image/make_dicom_fixtures.py      (needs numpy, scipy, pillow, pydicom, pyjpegls)

The pixels are known before they are written, so every lossless case is exact by construction. The files are assembled
byte by byte here; pydicom only computes the modality and VOI transforms (PS3.3 C.11) of the expected display. JPEG-LS
streams come from CharLS (pyjpegls), JPEG 2000 from OpenJPEG (Pillow), lossless JPEG from the encoder below (T.81, annex H).
"""

import hashlib
import io
import json
import pathlib
import platform
import struct
import zlib

import jpeg_ls
import numpy as np
import PIL
import pydicom
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence

OUT = pathlib.Path(__file__).parent / "dicom_fixtures"
SEED = 20260718
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UC", "UN", "UR", "UT"}
UIDS = {
    "implicit": "1.2.840.10008.1.2", "explicit": "1.2.840.10008.1.2.1", "big": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99", "rle": "1.2.840.10008.1.2.5", "jpeg": "1.2.840.10008.1.2.4.50", "extended": "1.2.840.10008.1.2.4.51",
    "lossless": "1.2.840.10008.1.2.4.57", "jpegls": "1.2.840.10008.1.2.4.80", "nearls": "1.2.840.10008.1.2.4.81",
    "j2k": "1.2.840.10008.1.2.4.90", "mpeg": "1.2.840.10008.1.2.4.100", "htj2k": "1.2.840.10008.1.2.4.201",
}


def element(tag, vr, value, syntax="explicit", undefined=False):
    big, implicit = syntax == "big", syntax == "implicit"
    order = ">" if big else "<"
    if len(value) % 2 and not undefined:
        value += b"\0" if vr in ("UI", "OB", "OW", "UN") else b" "
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    length = 0xFFFFFFFF if undefined else len(value)
    if implicit:
        return head + struct.pack("<I", length) + value
    if vr in LONG:
        return head + vr.encode() + b"\0\0" + struct.pack(order + "I", length) + value
    return head + vr.encode() + struct.pack(order + "H", length) + value


def us(value, syntax):
    return struct.pack((">" if syntax == "big" else "<") + "H", value & 0xFFFF)


def item(body, undefined=False):
    if undefined:
        return struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + body + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body


SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def encapsulate(*fragments, table=b""):
    body = item(table)
    for fragment in fragments:
        body += item(fragment + b"\0" * (len(fragment) % 2))
    return body + SEQUENCE_END


def build(syntax, fields, pixels, extra=(), encapsulated=False, preamble=True, meta=True, pixel_vr="OW"):
    """fields: tag -> (vr, bytes); the elements come out in order of their tags."""
    plain = {"deflated": "explicit"}.get(syntax, syntax if syntax in ("implicit", "big") else "explicit")
    body = b"".join(element(tag, vr, value, plain) for tag, (vr, value) in sorted([*fields.items(), *extra]) if vr != "raw")
    body += element(0x7FE00010, "OB" if encapsulated else pixel_vr, pixels, plain, undefined=encapsulated)
    if syntax == "deflated":
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = deflate.compress(body) + deflate.flush()
        body += b"\0" * (len(body) % 2)
    if not meta:
        return body
    uid = element(0x00020010, "UI", UIDS[syntax].encode())
    head = element(0x00020000, "UL", struct.pack("<I", len(uid))) + uid
    return (b"\0" * 128 + b"DICM" if preamble else b"") + head + body


def module(array, syntax="explicit", stored=None, signed=False, photometric="MONOCHROME2", **more):
    """The image pixel module of an array."""
    allocated = array.dtype.itemsize * 8
    stored = stored or allocated
    plain = syntax if syntax in ("implicit", "big") else "explicit"
    fields = {
        0x00080016: ("UI", b"1.2.840.10008.5.1.4.1.1.1.1"),
        0x00280002: ("US", us(array.shape[2] if array.ndim == 3 else 1, plain)),
        0x00280004: ("CS", photometric.encode()),
        0x00280010: ("US", us(array.shape[0], plain)),
        0x00280011: ("US", us(array.shape[1], plain)),
        0x00280100: ("US", us(allocated, plain)),
        0x00280101: ("US", us(stored, plain)),
        0x00280102: ("US", us(stored - 1, plain)),
        0x00280103: ("US", us(int(signed), plain)),
    }
    if array.ndim == 3:
        fields[0x00280006] = ("US", us(more.get("planar", 0), plain))
    names = {"center": 0x00281050, "width": 0x00281051, "intercept": 0x00281052, "slope": 0x00281053}
    for name, tag in names.items():
        if name in more:
            fields[tag] = ("DS", str(more[name]).encode())
    if "shape" in more:
        fields[0x00281056] = ("CS", more["shape"].encode())
    return fields


def segment(code, body):
    return bytes([255, code]) + struct.pack(">H", len(body) + 2) + body


def entropy(bits):
    """(size, value) pairs to entropy-coded bytes, stuffed; None is a restart marker."""
    data, buffer, count, marker = bytearray(), 0, 0, 0

    def flush():
        nonlocal buffer, count
        if count:
            emit((buffer << (8 - count) | (1 << (8 - count)) - 1) & 255)
        buffer = count = 0

    def emit(byte):
        data.append(byte)
        if byte == 255:
            data.append(0)

    for entry in bits:
        if entry is None:
            flush()
            data += bytes([255, 0xD0 + marker])
            marker = (marker + 1) & 7
            continue
        size, value = entry
        buffer, count = buffer << size | value, count + size
        while count >= 8:
            emit(buffer >> (count - 8) & 255)
            count -= 8
        buffer &= (1 << count) - 1
    flush()
    return bytes(data)


def lossless_jpeg(array, precision, predictor, shift=0, restart_lines=0):
    """T.81 annex H with one flat Huffman table (17 categories, 5 bits each)."""
    h, w = array.shape[:2]
    planes = array.reshape(h, w, -1).astype(np.int64) >> shift
    n = planes.shape[2]
    bits = []
    for y in range(h):
        restarted = restart_lines and y and y % restart_lines == 0
        if restarted:
            bits.append(None)
        for x in range(w):
            for c in range(n):
                left = planes[y, x - 1, c] if x else 0
                up = planes[y - 1, x, c] if y else 0
                corner = planes[y - 1, x - 1, c] if x and y else 0
                if y == 0 or restarted:
                    guess = left if x else 1 << (precision - shift - 1)
                elif x == 0:
                    guess = up
                else:
                    guess = [0, left, up, corner, left + up - corner, left + ((up - corner) >> 1), up + ((left - corner) >> 1), (left + up) >> 1][predictor]
                difference = int(planes[y, x, c] - guess) & 0xFFFF
                difference -= 65536 if difference > 32768 else 0
                size = 16 if difference == 32768 else abs(difference).bit_length()
                bits.append((5, size))
                if 0 < size < 16:
                    bits.append((size, difference if difference > 0 else difference + (1 << size) - 1))
    data = entropy(bits)
    frame = struct.pack(">BHHB", precision, h, w, n) + b"".join(bytes([c + 1, 0x11, 0]) for c in range(n))
    table = bytes([0]) + bytes([0, 0, 0, 0, 17] + [0] * 11) + bytes(range(17))
    scan = bytes([n]) + b"".join(bytes([c + 1, 0]) for c in range(n)) + bytes([predictor, 0, shift])
    restart = segment(0xDD, struct.pack(">H", restart_lines * w)) if restart_lines else b""
    return b"\xff\xd8" + segment(0xC3, frame) + segment(0xC4, table) + restart + segment(0xDA, scan) + bytes(data) + b"\xff\xd9"


ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i // 8 if (i // 8 + i % 8) % 2 else i % 8)))


def extended_jpeg(rng, h, w, restart=0):
    """A 12-bit sequential JPEG (process 4) of random coefficients, and its pixels by a float inverse transform (scipy)."""
    from scipy.fft import idctn

    quantisation = rng.integers(1, 30, 64)  # zigzag order
    across, down = -(-w // 8), -(-h // 8)
    pixels = np.zeros((down * 8, across * 8))
    bits, previous = [], 0

    def put(value, prefix):
        size = abs(value).bit_length()
        bits.append((8, prefix << 4 | size))
        if size:
            bits.append((size, value if value > 0 else value + (1 << size) - 1))

    for n in range(across * down):
        if restart and n and n % restart == 0:
            bits.append(None)
            previous = 0
        zigzag = np.zeros(64, np.int64)
        zigzag[0] = rng.integers(-4000, 4000) // quantisation[0]
        places = rng.choice(np.arange(1, 64), rng.integers(0, 9), replace=False)
        zigzag[places] = rng.integers(-400, 400, len(places)) // quantisation[places]
        put(int(zigzag[0]) - previous, 0)
        previous = int(zigzag[0])
        run = 0
        last = max([k for k in range(1, 64) if zigzag[k]], default=0)
        for k in range(1, last + 1):
            if zigzag[k] == 0:
                run += 1
                continue
            while run > 15:
                bits.append((8, 0xF0))
                run -= 16
            put(int(zigzag[k]), run)
            run = 0
        if last < 63:
            bits.append((8, 0))
        block = np.zeros(64)
        block[ZIGZAG] = zigzag * quantisation
        y, x = n // across * 8, n % across * 8
        pixels[y : y + 8, x : x + 8] = idctn(block.reshape(8, 8), norm="ortho")
    # One flat table of 8 bits: symbol s has code s (255 is not used: a code of ones only is forbidden).
    counts = bytes([0] * 7 + [255] + [0] * 8)
    tables = b"".join(bytes([kind]) + counts + bytes(range(255)) for kind in (0x00, 0x10))
    frame = struct.pack(">BHHB", 12, h, w, 1) + bytes([1, 0x11, 0])
    data = b"\xff\xd8" + segment(0xDB, bytes([0x10]) + b"".join(struct.pack(">H", q) for q in quantisation))
    data += segment(0xC1, frame) + segment(0xC4, tables)
    data += segment(0xDD, struct.pack(">H", restart)) if restart else b""
    data += segment(0xDA, bytes([1, 1, 0, 0, 63, 0])) + entropy(bits) + b"\xff\xd9"
    return data, (np.floor(pixels + 2048.5)).clip(0, 4095)[:h, :w].astype(np.uint16)


def rle(array):
    """PS3.5 annex G; runs of 2 or more are packed."""
    planes = []
    samples = array.reshape(array.shape[0] * array.shape[1], -1)
    for c in range(samples.shape[1]):
        raw = samples[:, c].astype(samples.dtype.newbyteorder(">")).tobytes()
        size = samples.dtype.itemsize
        planes += [raw[k::size] for k in range(size)]
    segments = []
    for plane in planes:
        out, i = bytearray(), 0
        while i < len(plane):
            run = 1
            while i + run < len(plane) and run < 128 and plane[i + run] == plane[i]:
                run += 1
            if run > 1:
                out += bytes([257 - run, plane[i]])
                i += run
            else:
                j = i + 1
                while j < len(plane) and j - i < 128 and (j + 1 >= len(plane) or plane[j] != plane[j + 1]):
                    j += 1
                out += bytes([j - i - 1]) + plane[i:j]
                i = j
        segments.append(bytes(out) + b"\0" * (len(out) % 2))
    offsets, at = [], 64
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(offsets))) + b"".join(segments)


def jpeg2000(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG2000", irreversible=False, no_jp2=True)
    return buffer.getvalue()


def jpeg2000_as(array, depth):
    """A reversible stream of 16 bits (8 of bytes) relabelled in SIZ: `depth` is Ssiz, the sign bit and bits - 1.

    The encoder takes half its range away and the decoder adds half of the range that SIZ states (none when signed)."""
    depth_was = array.dtype.itemsize * 8 - 1
    added = 0 if depth & 0x80 else 1 << (depth & 0x7F)
    stream = bytearray(jpeg2000((array.astype(np.int64) - added + (1 << depth_was)).astype(f"u{array.dtype.itemsize}")))
    at = stream.index(b"\xff\x51") + 40
    assert stream[at] == depth_was
    stream[at] = depth
    return bytes(stream)


def silent_rgb_jpeg(array):
    """Baseline JPEG whose components stay RGB and which says so nowhere: no JFIF, no Adobe, names 0, 1, 2."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG", quality=95, keep_rgb=True)
    stream, at, out = buffer.getvalue(), 2, b"\xff\xd8"
    while True:
        code, length = stream[at + 1], struct.unpack(">H", stream[at + 2 : at + 4])[0]
        part = bytearray(stream[at : at + 2 + length])
        if code in (0xC0, 0xDA):
            first, step = (10, 3) if code == 0xC0 else (5, 2)
            for c in range(3):
                part[first + step * c] = c
        out += b"" if code in (0xE0, 0xEE) else bytes(part)
        at += 2 + length
        if code == 0xDA:
            return buffer.getvalue(), out + stream[at:]


def picture(rng, h, w, top, dtype):
    y, x = np.mgrid[0:h, 0:w]
    wave = (np.sin(x / 7) + np.cos(y / 5) + 2) / 4 * top * 0.9 + rng.normal(0, top * 0.02, (h, w))
    return wave.clip(0, top).astype(dtype)


def shown(array, signed, stored, photometric="MONOCHROME2", **display):
    """What pydicom's transforms give, brought to 0..255 and rounded half up."""
    if array.ndim == 3:
        return None
    d = Dataset()
    d.BitsStored, d.BitsAllocated, d.PixelRepresentation = stored, array.dtype.itemsize * 8, int(signed)
    d.PhotometricInterpretation = photometric
    if "slope" in display or "intercept" in display:
        d.RescaleSlope, d.RescaleIntercept = display.get("slope", 1), display.get("intercept", 0)
    values = apply_modality_lut(array, d).astype(np.float64)
    if "center" in display:
        d.WindowCenter, d.WindowWidth = display["center"], display["width"]
        d.VOILUTFunction = display.get("shape", "LINEAR")
        low, high = (-(2 ** (stored - 1)), 2 ** (stored - 1) - 1) if signed else (0, 2**stored - 1)
        low, high = (v * display.get("slope", 1) + display.get("intercept", 0) for v in (low, high))
        grey = (apply_voi_lut(apply_modality_lut(array, d), d).astype(np.float64) - low) / (high - low) * 255
    elif "lut" in display:
        first, bits, entries = display["lut"]
        table = Dataset()
        table.LUTDescriptor, table.LUTData = [len(entries), first, bits], list(entries)
        d.VOILUTSequence = Sequence([table])
        grey = apply_voi_lut(array, d).astype(np.float64) / (2**bits - 1) * 255
    elif array.dtype == np.uint8 and stored == 8 and "slope" not in display:
        grey = array.astype(np.float64)
    else:
        grey = (values - values.min()) / (values.max() - values.min()) * 255
    grey = np.floor(grey + 0.5).clip(0, 255).astype(np.uint8)
    return 255 - grey if photometric == "MONOCHROME1" else grey


def main():
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    rng = np.random.default_rng(SEED)
    g8 = picture(rng, 21, 27, 255, np.uint8)
    g12 = picture(rng, 22, 19, 4095, np.uint16)
    g16 = picture(rng, 18, 23, 65535, np.uint16)
    s16 = (picture(rng, 20, 24, 3000, np.int16) - 1000).astype(np.int16)
    s12 = (picture(rng, 16, 18, 4000, np.int16) - 2000).astype(np.int16)
    rgb = np.stack([picture(rng, 15, 17, 255, np.uint8) for _ in range(3)], -1)
    expected, refused = {}, {}

    def keep(name, data, array, lossy=False, signed=False, stored=None, photometric="MONOCHROME2", **display):
        (OUT / f"{name}.dcm").write_bytes(data)
        little = array.astype(array.dtype.newbyteorder("<"))
        grey = None if lossy else shown(display.get("dirty", array), signed, stored or array.dtype.itemsize * 8, photometric, **{k: v for k, v in display.items() if k != "dirty"})
        expected[f"{name}.dcm"] = {
            "rows": array.shape[0], "columns": array.shape[1],
            "pixels": None if lossy else hashlib.sha256(little.tobytes()).hexdigest(),
            "display": None if grey is None else hashlib.sha256(grey.tobytes()).hexdigest(),
        }

    def simple(name, syntax, array, pixels=None, encapsulated=False, lossy=False, signed=False, stored=None, photometric="MONOCHROME2", build_options=None, extra=(), **display):
        raw = array.astype(array.dtype.newbyteorder(">" if syntax == "big" else "<")).tobytes() if pixels is None else pixels
        fields = module(array, syntax, stored, signed, photometric, **{k: v for k, v in display.items() if k != "lut"})
        keep(name, build(syntax, fields, raw, extra, encapsulated, **(build_options or {})), array, lossy, signed, stored, photometric, **{k: v for k, v in display.items() if k != "planar"})

    simple("explicit_8", "explicit", g8, build_options={"pixel_vr": "OB"})
    simple("implicit_12_window", "implicit", g12, stored=12, center=2000, width=1500)
    simple("mono1_12_window", "explicit", g12, stored=12, photometric="MONOCHROME1", center=1800.5, width=2000)
    simple("signed_rescale_window", "explicit", s16, signed=True, slope=2, intercept=-24, center=500, width=3001)
    simple("signed_rescale_auto", "implicit", s16, signed=True, slope=0.5, intercept=-1024)
    simple("window_exact", "explicit", g12, stored=12, center=2000, width=1500, shape="LINEAR_EXACT")
    simple("window_sigmoid", "explicit", g12, stored=12, center=2000, width=900, shape="SIGMOID")
    simple("unsigned_16_auto", "explicit", g16)
    simple("mono1_8", "explicit", g8, photometric="MONOCHROME1")
    simple("big_16", "big", g16)
    swapped = g8.tobytes() + b"\0"
    swapped = bytes(b for i in range(0, len(swapped), 2) for b in (swapped[i + 1], swapped[i]))
    simple("big_8_words", "big", g8, swapped)
    simple("deflated_12", "deflated", g12, stored=12)
    simple("no_preamble", "explicit", g12, stored=12, build_options={"preamble": False})
    simple("no_meta_explicit", "explicit", g12, stored=12, build_options={"meta": False})
    simple("no_meta_implicit", "implicit", g12, stored=12, build_options={"meta": False})
    simple("no_meta_big", "big", g12, stored=12, build_options={"meta": False})
    simple("rgb", "explicit", rgb, photometric="RGB")
    simple("rgb_planar", "explicit", rgb, rgb.transpose(2, 0, 1).tobytes(), photometric="RGB", planar=1)
    # Garbage above the stored bits, as overlays leave it: kept in the hash, not shown.
    dirty = g12 | (rng.integers(0, 16, g12.shape) << 12).astype(np.uint16)
    fields = module(dirty, stored=12, center=2000, width=1500)
    keep("high_bits", build("explicit", fields, dirty.tobytes()), dirty, stored=12, dirty=g12, center=2000, width=1500)
    nested = item(element(0x00080100, "SH", b"X") + element(0x00081140, "SQ", item(b"", True) + SEQUENCE_END, undefined=True), True)
    simple("nested_sequences", "explicit", g8, extra=[(0x00081110, ("SQ", nested))])
    undefined = element(0x00081110, "SQ", nested + SEQUENCE_END, undefined=True)
    data = build("explicit", module(g8), g8.tobytes())
    at = data.index(element(0x00280002, "US", us(1, "explicit")))
    keep("undefined_sequence", data[:at] + undefined + data[at:], g8)
    un = element(0x00091010, "UN", item(element(0x00080100, "SH", b"X", "implicit")) + SEQUENCE_END, undefined=True)
    keep("undefined_unknown", data[:at] + un + data[at:], g8)
    lut = [int(v) for v in (np.linspace(0, 1, 256) ** 2 * 4095)]
    sequence = item(element(0x00283002, "US", struct.pack("<HHH", 256, 0, 12)) + element(0x00283006, "US", struct.pack("<256H", *lut)))
    simple("voi_lut", "explicit", g8, extra=[(0x00283010, ("SQ", sequence))], lut=(0, 12, lut))

    simple("rle_8", "rle", g8, encapsulate(rle(g8)), True)
    simple("rle_16", "rle", g16, encapsulate(rle(g16), table=struct.pack("<I", 0)), True)
    simple("rle_rgb", "rle", rgb, encapsulate(rle(rgb)), True, photometric="RGB")
    simple("jpegls_8", "jpegls", g8, encapsulate(bytes(jpeg_ls.encode_array(g8))), True)
    simple("jpegls_16", "jpegls", g16, encapsulate(bytes(jpeg_ls.encode_array(g16))), True)
    simple("jpegls_12", "jpegls", g12, encapsulate(bytes(jpeg_ls.encode_array(g12))), True, stored=12)
    simple("jpegls_signed", "jpegls", s16, encapsulate(bytes(jpeg_ls.encode_array(s16.view(np.uint16)))), True, signed=True)
    simple("jpegls_rgb", "jpegls", rgb, encapsulate(bytes(jpeg_ls.encode_array(rgb, interleave_mode=2))), True, photometric="RGB")
    near = bytes(jpeg_ls.encode_array(g8, lossy_error=3))
    simple("jpegls_near", "nearls", np.asarray(jpeg_ls.decode(np.frombuffer(near, np.uint8))).reshape(g8.shape), encapsulate(near), True)
    for predictor in range(1, 8):
        simple(f"lossless_sv{predictor}", "lossless", g16, encapsulate(lossless_jpeg(g16, 16, predictor)), True)
    simple("lossless_8", "lossless", g8, encapsulate(lossless_jpeg(g8, 8, 1)), True)
    simple("lossless_12_restart", "lossless", g12, encapsulate(lossless_jpeg(g12, 12, 6, restart_lines=3)), True, stored=12)
    simple("lossless_shift", "lossless", g12 >> 2 << 2, encapsulate(lossless_jpeg(g12, 12, 4, shift=2)), True, stored=12)
    simple("lossless_rgb", "lossless", rgb, encapsulate(lossless_jpeg(rgb, 8, 1)), True, photometric="RGB")
    stream = lossless_jpeg(g16, 16, 7)
    half = len(stream) // 4 * 2
    simple("lossless_fragments", "lossless", g16, encapsulate(stream[:half], stream[half:], table=struct.pack("<I", 0)), True)
    simple("j2k_8", "j2k", g8, encapsulate(jpeg2000(g8)), True)
    simple("j2k_16", "j2k", g16, encapsulate(jpeg2000(g16)), True)
    simple("j2k_rgb", "j2k", rgb, encapsulate(jpeg2000(rgb)), True, photometric="YBR_RCT")
    buffer = io.BytesIO()
    Image.fromarray(g8).save(buffer, "JPEG", quality=95)
    simple("jpeg_8", "jpeg", np.asarray(Image.open(buffer)), encapsulate(buffer.getvalue()), True)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=95)
    simple("jpeg_ybr", "jpeg", np.asarray(Image.open(buffer)), encapsulate(buffer.getvalue()), True, photometric="YBR_FULL_422")

    simple("jpegls_signed_12", "jpegls", s12, encapsulate(bytes(jpeg_ls.encode_array(s12.view(np.uint16) & 4095))), True, signed=True, stored=12)
    simple("lossless_signed_12", "lossless", s12, encapsulate(lossless_jpeg(s12.view(np.uint16) & 4095, 12, 1)), True, signed=True, stored=12)
    s8 = (g8.astype(np.int16) - 128).astype(np.int8)
    simple("j2k_signed_8", "j2k", s8, encapsulate(jpeg2000_as(s8, 0x87)), True, signed=True)
    simple("j2k_signed_16", "j2k", s16, encapsulate(jpeg2000_as(s16, 0x8F)), True, signed=True)
    wrapped = s12.view(np.uint16) & 8191
    simple("j2k_sign_unstated", "j2k", s12, encapsulate(jpeg2000_as(wrapped, 12)), True, signed=True, stored=13)
    rgb16 = np.stack([g16, g16[::-1], g16.T.copy().reshape(g16.shape)], -1)
    simple("rgb_16", "explicit", rgb16, photometric="RGB")
    simple("rgb_16_planar_big", "big", rgb16, rgb16.transpose(2, 0, 1).astype(">u2").tobytes(), photometric="RGB", planar=1)
    simple("rle_rgb_16", "rle", rgb16, encapsulate(rle(rgb16)), True, photometric="RGB")
    adobe, silent = silent_rgb_jpeg(rgb)
    kept = np.asarray(Image.open(io.BytesIO(adobe)))
    simple("jpeg_rgb", "jpeg", kept, encapsulate(adobe), True, photometric="RGB")
    simple("jpeg_rgb_silent", "jpeg", kept, encapsulate(silent), True, photometric="RGB")

    for name, restart in (("extended_12", 0), ("extended_12_restart", 2)):
        stream, near = extended_jpeg(rng, 21, 30, restart)
        simple(name, "extended", near, encapsulate(stream), True, lossy=True, stored=12)
        (OUT / f"{name}.u16").write_bytes(near.astype("<u2").tobytes())

    def refuse(name, why, data):
        (OUT / f"refused_{name}.dcm").write_bytes(data)
        refused[f"refused_{name}.dcm"] = why

    base = module(g8)
    change = lambda **tags: {**base, **{int(k[1:], 16): v for k, v in tags.items()}}
    raw = g8.tobytes()
    refuse("frames", "multi-frame images are not read: it has 2 frames", build("explicit", change(t00280008=("IS", b"2")), raw + raw))
    refuse("palette", 'photometric interpretation "PALETTE COLOR" is not read', build("explicit", change(t00280004=("CS", b"PALETTE COLOR")), raw))
    refuse("allocated_32", "bits allocated must be 8 or 16: it says 32", build("explicit", change(t00280100=("US", us(32, "explicit"))), raw))
    refuse("mpeg", "transfer syntax \\"1.2.840.10008.1.2.4.100\\" is not read", build("mpeg", base, encapsulate(b"\0\0"), encapsulated=True))
    refuse("htj2k", "transfer syntax \\"1.2.840.10008.1.2.4.201\\" is not read", build("htj2k", base, encapsulate(b"\0\0"), encapsulated=True))
    refuse("ybr_422", 'photometric interpretation "YBR_FULL_422" are not read', build("explicit", {**module(rgb), 0x00280004: ("CS", b"YBR_FULL_422")}, rgb.tobytes()))
    refuse("no_pixels", "it has no pixel data", build("explicit", base, raw)[: -len(raw) - 13])
    refuse("jpeg_rgb_or_ybr", "photometric interpretation is RGB, its JPEG stream says YCbCr", build("jpeg", module(rgb, photometric="RGB"), encapsulate(buffer.getvalue()), encapsulated=True))
    refuse("jpeg_ybr_or_rgb", "photometric interpretation is YBR_FULL, its JPEG stream says RGB", build("jpeg", module(rgb, photometric="YBR_FULL"), encapsulate(adobe), encapsulated=True))
    refuse("j2k_other_size", "its compressed stream 23 x 18 x 1", build("j2k", module(g8.astype(np.uint16)), encapsulate(jpeg2000(g16)), encapsulated=True))

    card = {
        "made by": "tests/image/make_dicom_fixtures.py", "seed": SEED, "python": platform.python_version(),
        "numpy": np.__version__, "pillow": PIL.__version__, "pydicom": pydicom.__version__, "pyjpegls": jpeg_ls.__version__,
        "content": "synthetic waves and noise; no patient data",
    }
    (OUT / "expected.json").write_text(json.dumps({"card": card, "images": expected, "refused": refused}, indent=2) + "\n")
    print(len(expected), "images", len(refused), "refused", sum(p.stat().st_size for p in OUT.iterdir()), "bytes")


if __name__ == "__main__":
    main()
