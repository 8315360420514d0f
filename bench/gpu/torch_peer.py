"""The GPU bench's PyTorch side: rows of bench/gpu/row.ts for the same training step and encodings, eager, float32, and TF32
as a second row where the device has it. Runs on CUDA when there is one, else on the CPU.

    python3 bench/gpu/torch_peer.py --out torch.json [--tiny] [--leastSeconds 2] [--samples 5]

Merge the file with `bench/gpu/main.ts --merge torch.json`. The model is bench/peers/torch_peer.py's, which is checked
against the kept reference of tests/parity; its weights are moved to the device here.
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
import torch_peer as peer  # noqa: E402  (another file of the same name: this one runs as __main__)
from config import ModelConfig, TextConfig, VisionConfig  # noqa: E402

TINY = ModelConfig(
    vision=VisionConfig(image_size=16, patch_size=4, width=16, depth=1, heads=2, mlp=32),
    text=TextConfig(40, 10, 12, width=16, depth=1, heads=2, mlp=32, proj_hidden=12),
    embed=8,
    hgnn_hidden=128,
    top_k=5,
)
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def to_device(weights):
    return {k: v.to(DEVICE) for k, v in weights.items()}


def step(config, weights, batch, micro):
    """One training step, whole or in micro-batches with cached features, as lib/train/gradients.ts does it."""
    lora = peer.lora_of(config)
    names = [n for n in peer.trainable_names(weights, replace(lora), True) if not n.endswith((".o.A", ".o.B"))]
    weights = {k: v.clone().requires_grad_(True) if k in names else v for k, v in weights.items()}
    towers = peer.Towers(weights, config, lora, training=True)
    optimizer = torch.optim.AdamW([weights[n] for n in names], lr=1e-4, weight_decay=0.01)
    pixels, ids = (x.to(DEVICE) for x in peer.random_inputs(config, batch))

    def whole():
        optimizer.zero_grad(set_to_none=True)
        peer.info_nce(*peer.features(towers, pixels, ids), weights["scale"]).backward()
        optimizer.step()

    def chunked():
        optimizer.zero_grad(set_to_none=True)
        peer.cached_backward(towers, weights["scale"], pixels.split(micro), ids.split(micro))
        optimizer.step()

    return whole if micro >= batch else chunked


def encode(config, weights, size, kind):
    towers = peer.Towers(weights, config, None)
    pixels, ids = (x.to(DEVICE) for x in peer.random_inputs(config, size))

    def run():
        with torch.no_grad():
            towers.image(pixels) if kind == "image" else towers.text(ids)

    return run


def finish():
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def seconds(body, least, samples):
    """Sorted seconds of a call, one for each sample of at least `least` seconds; the first call is not counted."""

    def timed(calls):
        finish()
        start = time.perf_counter()
        for _ in range(calls):
            body()
        finish()
        return time.perf_counter() - start

    timed(1)
    calls = 1
    while calls < 1 << 16 and timed(calls) < least:
        calls *= 2
    return sorted(timed(calls) / calls for _ in range(samples))


def row(op, implementation, shape, times):
    def ms(x):
        return float(f"{x * 1000:.4g}")

    return {
        "op": op,
        "implementation": implementation,
        "shape": shape,
        "ms": {"median": ms(statistics.median(times)), "min": ms(times[0]), "max": ms(times[-1])},
        "gpuMs": None,
        "work": {"bytes": 0, "flops": 0},
        "floor": {"ms": 0, "ratio": 0},
        "dispatches": 0,
        "error": None,
        "tolerance": 0,
    }


def subjects(tiny):
    if tiny:
        return [("tiny", TINY, 2, [1])]
    return [("BiomedCLIP", peer.SIZES["full"], 64, [16]), ("MINI", peer.SIZES["mini"], 64, [64, 16])]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--leastSeconds", type=float, default=2.0)
    parser.add_argument("--samples", type=int, default=5)
    args = parser.parse_args()
    modes = [("pytorch-float32", False)] + ([("pytorch-tf32", True)] if DEVICE.type == "cuda" else [])
    rows = []
    for name, config, batch, micros in subjects(args.tiny):
        weights = to_device(peer.random_weights(config, 1))
        for implementation, tf32 in modes:
            torch.backends.cuda.matmul.allow_tf32 = tf32
            torch.backends.cudnn.allow_tf32 = tf32
            works = [
                (f"{kind} encoding", f"{name}, {min(batch, micros[0])} at a time", encode(config, weights, min(batch, micros[0]), kind))
                for kind in ("image", "text")
            ]
            works += [("training step", f"{name}, {batch} pairs, {m} at a time", step(config, weights, batch, m)) for m in micros]
            for op, shape, work in works:
                times = seconds(work, args.leastSeconds, args.samples)
                rows.append(row(op, implementation, shape, times))
                print(f"{op:20} {implementation:18} {shape:36} {rows[-1]['ms']}", flush=True)
    device = torch.cuda.get_device_name() if DEVICE.type == "cuda" else "cpu"
    result = {"device": device, "torch": torch.__version__, "rows": rows}
    Path(args.out).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
