"""Adapters of PEFT with ranks and alphas of their own in some layers of both encoders, and PEFT's own merge of each, for merge_test.ts.

Run: python tests/adapters/make_peft_fixtures.py
Reads the tiny checkpoints of tests/clip/clip_fixtures. Writes peft_fixtures/<name>/: adapter_config.json and
adapter_model.safetensors by save_pretrained(), and merged.safetensors, the adapted modules' weights after merge_and_unload().
PEFT is given the attention's linear layers alone, under the checkpoint's own paths: it merges by module, whatever the model
computes around it.
"""

import json
import pathlib
import shutil

import peft
import torch
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
CHECKPOINTS = HERE.parent / "clip" / "clip_fixtures"

CASES = {
    # transformers' names; some layers, alpha / r
    "hf_clip": {
        "weights": "hf_clip/model.safetensors",
        "config": dict(
            r=2,
            lora_alpha=3,
            target_modules=r".*(vision_model\.encoder\.layers\.1|text_model\.encoder\.layers\.[01])\.self_attn\.(q|v|out)_proj",
            rank_pattern={r"text_model.encoder.layers.0.self_attn.q_proj": 4, r".*vision_model.*\.v_proj": 1},
            alpha_pattern={r"vision_model.encoder.layers.1.self_attn.v_proj": 5, "out_proj": 1},
        ),
    },
    # open_clip's names with timm's fused q, k and v; alpha / sqrt(r)
    "biomed_clip_old": {
        "weights": "biomed_clip_old/open_clip_pytorch_model.bin",
        "config": dict(
            r=2,
            lora_alpha=3,
            use_rslora=True,
            target_modules=["attn.qkv", "attn.proj", "attention.self.query", "attention.output.dense"],
            rank_pattern={"attn.qkv": 5, r"layer.\d+.attention.self.query": 3},
            alpha_pattern={r"attn\.(qkv|proj)": 2},
        ),
    },
}


def skeleton(state):
    """The linear layers of the attention, each at its path."""
    root = torch.nn.Module()
    for name, weight in state.items():
        if not ("attn" in name or "attention" in name) or not name.endswith(".weight") or weight.dim() != 2:
            continue
        *path, last = name.removesuffix(".weight").split(".")
        parent = root
        for part in path:
            if not hasattr(parent, part):
                parent.add_module(part, torch.nn.Module())
            parent = getattr(parent, part)
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        layer.weight.data = weight.float()
        parent.add_module(last, layer)
    return root


def write(name, seed):
    case, folder = CASES[name], HERE / "peft_fixtures" / name
    shutil.rmtree(folder, ignore_errors=True)
    path = CHECKPOINTS / case["weights"]
    state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    model = peft.get_peft_model(skeleton(state), peft.LoraConfig(**case["config"]))
    generator = torch.Generator().manual_seed(seed)
    for key, parameter in sorted(model.named_parameters()):
        if "lora_" in key:
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    adapted = sorted({key.split(".lora_")[0].removeprefix("base_model.model.") for key, _ in model.named_parameters() if "lora_" in key})
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    merged = model.merge_and_unload().state_dict()
    save_file({f"{module}.weight": merged[f"{module}.weight"].contiguous() for module in adapted}, folder / "merged.safetensors")
    print(name, adapted)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for index, name in enumerate(CASES):
        write(name, 10 * (index + 1))
    card = {
        "what": "random adapters of PEFT and its merges of them, made by ../make_peft_fixtures.py; no trained weights, no patient data",
        "versions": {"peft": peft.__version__, "torch": torch.__version__},
        "seeds": "10, 20 for the matrices in the order of the script's table",
    }
    (HERE / "peft_fixtures" / "card.json").write_text(json.dumps(card, indent=2) + "\n")
