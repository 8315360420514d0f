"""The bench's Python side of decoding: Pillow, and pydicom with pylibjpeg, driven by JSON lines over stdin and stdout.

Requests: {"do": "make", "jpeg", "folder"} writes a film as DICOM of 12 bits, raw and by GDCM in three transfer syntaxes, and
answers their paths; {"do": "setup", "id", "work": {"path"}, "threads"}, {"do": "run", "id"} and {"do": "drop", "id"} as in
torch_peer.py: a run reads, decodes, converts to RGB and resizes to 224 pixels, and answers its processor time. Each answer is
one JSON line.

JPEG needs pillow alone. DICOM also needs pydicom, pylibjpeg with its plugins pylibjpeg-libjpeg and pylibjpeg-openjpeg, and
python-gdcm, which writes the films. Nothing installs them: without one, "make" answers which to install.
"""

import json
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

DICOM_PACKAGES = ["pydicom", "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "python-gdcm"]
SYNTAXES = {
    "JPEG 2000": "JPEG2000Lossless",
    "JPEG-LS": "JPEGLSLossless",
    "lossless JPEG": "JPEGLosslessProcess14_1",
}
SIDE = 224


def version_of(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def make(jpeg, folder):
    missing = [package for package in DICOM_PACKAGES if version_of(package) is None]
    if missing:
        raise ImportError(f"{sys.executable} -m pip install {' '.join(missing)}")
    import gdcm
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    grey = np.asarray(Image.open(jpeg)).astype(np.uint16)
    values = grey * 16 + np.random.default_rng(1).integers(0, 16, grey.shape, dtype=np.uint16)
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.Modality, data.PhotometricInterpretation, data.SamplesPerPixel = "DX", "MONOCHROME2", 1
    data.Rows, data.Columns = grey.shape
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.WindowCenter, data.WindowWidth = 2048, 4096
    data.PixelData = values.tobytes()
    paths = {"raw": str(Path(folder) / "raw.dcm")}
    data.save_as(paths["raw"], enforce_file_format=True)
    for name, syntax in SYNTAXES.items():
        reader = gdcm.ImageReader()
        reader.SetFileName(paths["raw"])
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
        change.SetInput(reader.GetImage())
        assert change.Change(), name
        writer = gdcm.ImageWriter()
        paths[name] = str(Path(folder) / f"{name}.dcm")
        writer.SetFileName(paths[name])
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write(), name
    return paths


def square(path):
    if path.endswith(".jpg"):
        return np.asarray(Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    from pydicom import dcmread
    from pydicom.pixels import apply_voi_lut, pixel_array

    data = dcmread(path)
    compressed = data.file_meta.TransferSyntaxUID.is_compressed
    values = pixel_array(data, **({"decoding_plugin": "pylibjpeg"} if compressed else {}))
    shown = apply_voi_lut(values, data)
    low, high = shown.min(), shown.max()
    grey = ((shown - low) / max(1, high - low) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(grey).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))


work = {}


def answer(request):
    if request["do"] == "make":
        return make(request["jpeg"], request["folder"])
    if request["do"] == "setup":
        work[request["id"]] = request["work"]["path"]
    if request["do"] == "run":
        began = time.process_time()
        square(work[request["id"]])
        return {"seconds": time.process_time() - began}
    if request["do"] == "drop":
        del work[request["id"]]
    return {}


versions = {package: version_of(package) for package in DICOM_PACKAGES}
print(json.dumps({"pillow": PIL.__version__, **{k: v for k, v in versions.items() if v is not None}}), flush=True)
for line in sys.stdin:
    try:
        print(json.dumps(answer(json.loads(line))), flush=True)
    except Exception as error:  # the other side tells it
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
