"""Pixels that transformers makes of an image by the preprocessor_config.json of folders.

Run: python tests/clip/processor_pixels.py IMAGE FOLDER [FOLDER ...]
The pixels go to FOLDER/pixels.safetensors.
"""

import sys
from pathlib import Path

from PIL import Image
from safetensors.numpy import save_file
from transformers import AutoImageProcessor

image = Image.open(sys.argv[1])
for folder in map(Path, sys.argv[2:]):
    processor = AutoImageProcessor.from_pretrained(folder, use_fast=False)
    pixels = processor(image, return_tensors="np")["pixel_values"][0]
    save_file({"pixels": pixels.copy()}, folder / "pixels.safetensors")
