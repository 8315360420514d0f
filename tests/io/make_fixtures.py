"""Writes the PyTorch and safetensors files under tests/io/fixtures with the libraries themselves, and what they hold as JSON.

Run: python3 tests/io/make_fixtures.py   (needs torch, numpy, safetensors; versions are recorded in expected.json)
"""

import json
import pathlib
import zipfile
from collections import OrderedDict

import safetensors
import safetensors.torch
import torch

HERE = pathlib.Path(__file__).parent / "fixtures"
HERE.mkdir(exist_ok=True)
torch.manual_seed(7)
DTYPES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}
expected = {"versions": {"torch": torch.__version__, "safetensors": safetensors.__version__}, "files": {}}


def flat(tree, path=""):
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        name = f"{path}.{key}" if path else str(key)
        if torch.is_tensor(value):
            yield name, value
        elif isinstance(value, (dict, list, tuple)):
            yield from flat(value, name)


def record(file, tree):
    expected["files"][file] = {
        name: {"dtype": DTYPES[t.dtype], "shape": list(t.shape), "values": t.detach().float().reshape(-1).tolist()}
        for name, t in flat(tree)
    }


def save(file, tree, **options):
    torch.save(tree, HERE / file, **options)
    record(file, tree)


values = torch.tensor([0.0, 1.0, 2.0, 3.0, 100.0])
dtypes = {DTYPES[d]: values.to(d) for d in DTYPES}
dtypes["f16_edges"] = torch.tensor([6e-8, 65504, -0.1, 6.1e-5], dtype=torch.float16)
dtypes["bf16_edges"] = torch.tensor([3.0e38, -1e-40, 0.1], dtype=torch.bfloat16)
save("dtypes.pt", dtypes)

base = torch.arange(24.0)
grid = base.reshape(4, 6)
save("strided.pt", {
    "whole": base, "transposed": grid.t(), "column": grid[:, 2], "steps": grid[1:4:2, ::3], "tail": base[20:],
    "permuted": base.reshape(2, 3, 4).permute(2, 0, 1), "repeated": base[5:6].expand(3), "ones": base[:4].reshape(1, 4, 1).transpose(0, 2),
    "halves": torch.arange(12, dtype=torch.float16).reshape(3, 4).t(), "bytes": torch.arange(6, dtype=torch.uint8).reshape(2, 3).t(),
    "longs": torch.arange(6).reshape(2, 3).t(), "scalar": base[3], "empty": base[:0].reshape(0, 7),
})

model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
nested = OrderedDict(
    state_dict=model.state_dict(),  # carries _metadata, pickled with BUILD
    parameter=torch.nn.Parameter(torch.tensor([1.5, -2.5])),
    tied=[model[0].weight.detach(), model[0].weight.detach()],
    size=torch.Size([3, 2]), pair=(1, "two"), mixed=[1, 2.5, True, None, "é", -7, 2**40, 2**70],
    epoch=9, lr=1e-3, name="run", deep={"a": {"b": {0: torch.tensor(4.0)}}}, empty={},
)
for protocol in (2, 3, 4, 5):
    save(f"nested_p{protocol}.pt", nested, pickle_protocol=protocol)

torch.serialization.set_crc32_options(False)
save("no_checksums.pt", {"a": torch.arange(5.0)})
torch.serialization.set_crc32_options(True)

with zipfile.ZipFile(HERE / "dtypes.pt") as source, zipfile.ZipFile(HERE / "zip64.pt", "w") as target:
    for name in source.namelist():  # zip64 extra fields, as in archives beyond 4 GiB
        with target.open(zipfile.ZipInfo(name), "w", force_zip64=True) as out:
            out.write(source.read(name))
expected["files"]["zip64.pt"] = expected["files"]["dtypes.pt"]

torch.save(torch.arange(3.0), HERE / "single.pt")
expected["files"]["single.pt"] = {"tensor": {"dtype": "F32", "shape": [3], "values": [0.0, 1.0, 2.0]}}

torch.save({"a": torch.arange(3.0)}, HERE / "legacy.pt", _use_new_zipfile_serialization=False)
torch.save(torch.nn.Linear(2, 2), HERE / "module.pt")  # a whole module: asks for its class

safetensors.torch.save_file(dtypes, HERE / "dtypes.safetensors", metadata={"format": "pt"})
expected["files"]["dtypes.safetensors"] = expected["files"]["dtypes.pt"]

(HERE / "expected.json").write_text(json.dumps(expected) + "\n")
print("\n".join(f"{p.name} {p.stat().st_size}" for p in sorted(HERE.iterdir())))
