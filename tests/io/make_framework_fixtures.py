"""Writes checkpoints as training frameworks leave them under tests/io/fixtures: configurations and NumPy values beside the
tensors (framework_p2.pt, framework_p4.pt), a TorchScript program (script.pt), and both kinds of shards.

Run: python3 tests/io/make_framework_fixtures.py   (needs torch, numpy, omegaconf, safetensors)
"""

import argparse
import collections
import datetime
import json
import pathlib

import numpy
import omegaconf
import safetensors.torch
import torch

HERE = pathlib.Path(__file__).parent / "fixtures"
weight = torch.arange(6.0).reshape(2, 3)

checkpoint = {
    "state_dict": {"module.weight": weight, "module.bias": weight[0]},
    "hyper_parameters": omegaconf.OmegaConf.create({"lr": 1e-4, "sizes": [1, 2], "name": "${lr}", "inner": {"deep": None}}),
    "args": argparse.Namespace(lr=1e-4, out=pathlib.PurePosixPath("runs/1")),
    "epoch": numpy.int64(3), "best": numpy.float64(0.75), "half": numpy.float32(0.5), "done": numpy.bool_(True),
    "big": numpy.array(7, dtype=">i4")[()], "byte": numpy.uint8(200),
    "history": numpy.arange(4), "states": {"numpy": ("MT19937", numpy.arange(3, dtype=numpy.uint32), 2), "bytes": b"ab"},
    "optimizer": {"state": collections.defaultdict(dict, {0: {"step": torch.tensor(5.0)}})},
    "milestones": collections.Counter([3, 3]), "callbacks": {omegaconf.DictConfig: {"best": 1}},
    "seen": {1, 2}, "frozen": frozenset([1]), "when": datetime.date(2024, 1, 2), "device": torch.device("cpu"),
    "queue": collections.deque([1]), "dtype": torch.float32, "lr": 0.1,
}
for protocol in (2, 4):
    torch.save(checkpoint, HERE / f"framework_p{protocol}.pt", pickle_protocol=protocol)


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)
        self.sizes = [4, 5]

    def forward(self, x):
        return torch.relu(self.fc(x)) * self.sizes[0] + torch.tensor([0.5, 1.5])  # a constant of its own


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.Sequential(Block(), torch.nn.ReLU())
        self.scale = torch.nn.Parameter(torch.tensor(2.0))
        self.register_buffer("resolution", torch.tensor(224))

    def forward(self, x):
        return self.blocks(x) * self.scale


model = Model().half()
with torch.no_grad():
    model.blocks[0].fc.weight.copy_(weight)
    model.blocks[0].fc.bias.copy_(torch.tensor([0.25, -1.0]))
torch.jit.save(torch.jit.script(model), HERE / "script.pt")

names = [f"part-0000{i}-of-00002" for i in (1, 2)]
for name, part in zip(names, ({"weight": weight}, {"bias": weight[1]})):
    safetensors.torch.save_file({key: value.contiguous() for key, value in part.items()}, HERE / f"{name}.safetensors")
    torch.save(part, HERE / f"{name}.bin")
for ending in ("safetensors", "bin"):
    index = {"metadata": {"total_size": 36}, "weight_map": {"weight": f"{names[0]}.{ending}", "bias": f"{names[1]}.{ending}"}}
    (HERE / f"part.{ending}.index.json").write_text(json.dumps(index) + "\n")
