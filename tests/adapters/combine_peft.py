"""Adapters that PEFT's add_weighted_adapter makes of two others, for combine_test.ts.

Run: python tests/adapters/combine_peft.py FOLDER
FOLDER/cases.json: {"width", "alpha", "rslora", "cases": [{"name", "combination", "weights", "density"}]}; FOLDER/inputs.safetensors:
"<adapter>.<module>.A" and ".B". Writes FOLDER/outputs.safetensors: "<case>.<module>.A", ".B" and ".delta".
"""

import json
import pathlib
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
folder = pathlib.Path(sys.argv[1])
given = json.loads((folder / "cases.json").read_text())
inputs = load_file(folder / "inputs.safetensors")
modules = sorted({name.split(".")[1] for name in inputs})


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for module in modules:
            setattr(self, module, torch.nn.Linear(given["width"], given["width"]))


adapters = sorted({name.split(".")[0] for name in inputs})
model = None
for adapter in adapters:
    mine = [module for module in modules if f"{adapter}.{module}.A" in inputs]
    rank = inputs[f"{adapter}.{mine[0]}.A"].shape[0]
    config = LoraConfig(r=rank, lora_alpha=given["alpha"], use_rslora=given["rslora"], target_modules=mine, lora_dropout=0.0)
    if model is None:
        model = get_peft_model(Model(), config, adapter_name=adapter)
    else:
        model.add_adapter(adapter, config)
    for module in mine:
        layer = getattr(model.base_model.model, module)
        layer.lora_A[adapter].weight.data = inputs[f"{adapter}.{module}.A"]
        layer.lora_B[adapter].weight.data = inputs[f"{adapter}.{module}.B"]

out = {}
for i, case in enumerate(given["cases"]):
    name = f"case{i}"
    model.base_model.add_weighted_adapter(
        case["adapters"],
        case["weights"],
        name,
        combination_type=case["combination"],
        density=case.get("density"),
    )
    for module in modules:
        layer = getattr(model.base_model.model, module)
        a, b = layer.lora_A[name].weight.data, layer.lora_B[name].weight.data
        out[f"{name}.{module}.A"], out[f"{name}.{module}.B"] = a.contiguous(), b.contiguous()
        out[f"{name}.{module}.delta"] = layer.get_delta_weight(name).detach().contiguous()
save_file(out, folder / "outputs.safetensors")
