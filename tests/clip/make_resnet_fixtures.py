"""Writes the folders of tests/clip/clip_fixtures whose image tower is a ResNet, and MGCA's ViT: tiny random models under the
names and with the arithmetic of their releases, and the features they give.

References: open_clip's ModifiedResNet, transformers' ResNetModel (its names made torchvision's; checked against timm's resnet50),
transformers' BertModel, timm's VisionTransformer; what the models' own code does beyond these (poolings, projections, enlargement)
is written here again from their descriptions.

Run: python tests/clip/make_resnet_fixtures.py [FOLDER ...]   (all of them where none is named)
Needs: as make_clip_fixtures.py, whose card names the versions.
"""

import json
import sys

import torch
from torch import nn

import make_clip_fixtures as base
from make_clip_fixtures import BERT_IDS, BertConfig, fresh, half, randomise, save_features, save_file, load_file
import open_clip
import timm
from open_clip.modified_resnet import ModifiedResNet
from timm.models.vision_transformer import VisionTransformer
from transformers import BertModel, ResNetConfig, ResNetModel

STAGES = [1, 2, 1, 1]
STEM = 2  # so that the last stage has 64 channels
WIDTH = 32 * STEM
BERT = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 1, "vocab_size": 64, "max_position_embeddings": 10}


def randomise_norms(model, seed):
    """Gains near 1, statistics unlike a fresh layer's; convolutions that keep the size of what goes through them."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = torch.randn(module.weight.shape, generator=generator) * (2 / module.weight[0].numel()) ** 0.5
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            shape = module.running_mean.shape
            module.running_mean.copy_(0.2 * torch.randn(shape, generator=generator))
            module.running_var.copy_(1 + torch.rand(shape, generator=generator))
            if module.affine:
                module.weight.data = 1 + 0.2 * torch.randn(shape, generator=generator)
                module.bias.data = 0.2 * torch.randn(shape, generator=generator)
            module.num_batches_tracked.fill_(7)
    return model.eval()


def images_of(seed, side=28, count=1):
    """Small images, whose pixels the tests repeat to the tower's size."""
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def repeated(images, size):
    factor = size // images.shape[-1]
    return images.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


# --- torchvision's ResNet, as transformers has it ----------------------------------------------------------------------


def torchvision_name(name):
    """torchvision's name of a tensor of transformers' ResNetModel."""
    parts = name.split(".")
    norm = parts[-2] == "normalization"
    if parts[0] == "embedder":
        return f"{'bn1' if norm else 'conv1'}.{parts[-1]}"
    before = f"layer{int(parts[2]) + 1}.{parts[4]}."
    if parts[5] == "shortcut":
        return f"{before}downsample.{int(norm)}.{parts[-1]}"
    return f"{before}{'bn' if norm else 'conv'}{int(parts[6]) + 1}.{parts[-1]}"


def resnet(stem=STEM, stages=STAGES):
    widths = [4 * stem * 2 ** i for i in range(4)]
    return ResNetModel(ResNetConfig(embedding_size=stem, hidden_sizes=widths, depths=list(stages), layer_type="bottleneck"))


def torchvision_state(model):
    return {torchvision_name(key): value for key, value in model.state_dict().items()}


@torch.no_grad()
def check_names():
    """timm's resnet50 under torchvision's names, and transformers', are one."""
    theirs, ours = timm.create_model("resnet50", num_classes=0).eval(), resnet(64, [3, 4, 6, 3]).eval()
    randomise_norms(theirs, 1)
    state = theirs.state_dict()
    ours.load_state_dict({key: state[torchvision_name(key)] for key in ours.state_dict()})
    images = torch.randn(1, 3, 75, 75, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(ours(images).pooler_output.flatten(1), theirs(images), rtol=1e-4, atol=1e-4)


class Resnet(nn.Module):
    """transformers' ResNet whose state dict has torchvision's names."""

    def __init__(self):
        super().__init__()
        self.own = resnet()

    def forward(self, images):
        return self.own(images).pooler_output.flatten(1)


def named(model, prefixes):
    """The state dict of a model with its ResNet under torchvision's names: `prefixes` says where its parts stand."""
    out = {}
    for key, value in model.state_dict().items():
        found = next((p for p in prefixes if key.startswith(p + ".own.")), None)
        out[f"{prefixes[found]}{torchvision_name(key[len(found) + 5:])}" if found else key] = value
    return out


# --- text ---------------------------------------------------------------------------------------------------------------


def bert(layers=1):
    return BertModel(BertConfig(**{**BERT, "num_hidden_layers": layers}))


def states_of(model, ids, mask=None):
    mask = (ids != 0).long() if mask is None else mask
    return model(input_ids=ids, attention_mask=mask, output_hidden_states=True)


IDS = BERT_IDS[:2]


class NormedHead(nn.Module):
    """MGCA's projection."""

    def __init__(self, width, hidden=24, embedding=8):
        super().__init__()
        self.head = nn.Sequential(nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, embedding),
                                  nn.BatchNorm1d(embedding, affine=False))

    def forward(self, x):
        return self.head(x)


def enlarged(images):
    return nn.Upsample(size=(299, 299), mode="bilinear", align_corners=True)(images)


# --- OpenAI's ResNet -----------------------------------------------------------------------------------------------------

RN_VISION = {"image_size": 64, "layers": STAGES, "width": STEM, "head_width": 32}
RN_TEXT = {"context_length": 10, "vocab_size": 64, "width": 24, "heads": 3, "layers": 1}


def add_tower_gradients(folder, features, pixels, weights):
    """Gradients of half the squared features by the pixels and by some weights."""
    path = folder / "expected.safetensors"
    tensors = load_file(path)
    with torch.enable_grad():
        pixels.requires_grad_(True)
        grads = torch.autograd.grad(features(pixels).square().sum() / 2, [pixels, *weights.values()])
    tensors["gradient.pixels"] = grads[0].permute(0, 2, 3, 1).contiguous()
    for name, gradient in zip(weights, grads[1:]):
        tensors[f"gradient.{name}"] = gradient.contiguous()
    save_file(tensors, path)


@torch.no_grad()
def open_clip_resnet(name, seed):
    folder, images = fresh(name), torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed + 1))
    model = randomise_norms(randomise(open_clip.CLIP(8, RN_VISION, RN_TEXT, quick_gelu=True), seed), seed)
    cfg = {"embed_dim": 8, "quick_gelu": True, "vision_cfg": RN_VISION, "text_cfg": RN_TEXT}
    base.write_open_clip(folder, cfg, model.state_dict())
    ids = base.CLIP_IDS
    save_features(folder, images, ids, model.encode_image(images), model.encode_text(ids), model.logit_scale)
    visual = model.visual
    add_tower_gradients(folder, visual, images, {"stem": visual.conv1.weight, "head": visual.attnpool.c_proj.weight,
                                                 "query": visual.attnpool.q_proj.weight, "norm": visual.layer2[0].bn2.weight})


@torch.no_grad()
def openai_resnet(name, seed):
    """OpenAI's state dict in half precision, with the three sizes its files have."""
    folder, images = fresh(name), torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed + 1))
    text = {**RN_TEXT, "width": 16, "heads": 1}
    model = randomise_norms(randomise(open_clip.CLIP(8, {**RN_VISION, "head_width": 64}, text, quick_gelu=True), seed), seed)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.copy_(value.half().float())
    ids = base.CLIP_IDS
    save_features(folder, images, ids, model.encode_image(images), model.encode_text(ids), model.logit_scale)
    state = {key: value.half() if value.is_floating_point() else value for key, value in model.state_dict().items()}
    state |= {"input_resolution": torch.tensor(64), "context_length": torch.tensor(10), "vocab_size": torch.tensor(64)}
    torch.save(state, folder / "RN50.pt")


# --- the models ----------------------------------------------------------------------------------------------------------


class Gloria(nn.Module):
    def __init__(self):
        super().__init__()
        self.text_encoder = nn.Module()
        self.text_encoder.model = bert(5)
        self.img_encoder = nn.Module()
        self.img_encoder.model = Resnet()
        self.img_encoder.global_embedder = nn.Linear(WIDTH, 16)
        self.img_encoder.local_embedder = nn.Conv2d(WIDTH // 2, 16, 1, bias=False)


PIECES = {17, 33}  # entries that continue a word


def gloria_words(embeddings, ids):
    """Word embeddings `[N, D]` of one text: pieces summed, up to [SEP], zeros behind."""
    words, inside = [], False
    for embedding, token in zip(embeddings, ids.tolist()):
        if token in PIECES:
            words[-1] = words[-1] + embedding
        else:
            words.append(embedding)
        if token == 3:
            break
    words += [torch.zeros_like(words[0])] * (len(ids) - len(words))
    return torch.stack(words)


# Prompts whose letters are as many as, or more than, their words with [SEP]: what is beyond is zeros, which are compared too.
GLORIA_PROMPTS = ["abc d", "g abcp", "[e f"]
GLORIA_IDS = torch.tensor([[2, 14, 17, 60, 3, 0, 0, 0, 0, 0], [2, 20, 14, 17, 33, 3, 0, 0, 0, 0], [2, 9, 8, 3, 0, 0, 0, 0, 0, 0]])
GLORIA_VOCABULARY = {0: "[PAD]", 1: "[UNK]", 2: "[CLS]", 3: "[SEP]", 14: "ab", 20: "g", 17: "##c", 60: "d", 9: "e", 8: "f", 33: "##p"}


def gloria_local(places, words, letters):
    """Similarities `[images, texts]` of maps `[B, D, P]` and words `[T, N, D]`: the greatest of a text's words, CLS left out."""
    out = []
    for own, count in zip(words, letters):
        query = own[1 : count + 1].expand(len(places), -1, -1)
        shares = (places.transpose(1, 2) @ query.transpose(1, 2)).softmax(2)  # at each place over the words
        seen = (4 * shares.transpose(1, 2)).softmax(2) @ places.transpose(1, 2)
        cosine = (query * seen).sum(2) / (query.norm(dim=2) * seen.norm(dim=2)).clamp(min=1e-8)
        out.append((5 * cosine).max(1).values)
    return torch.stack(out, 1)


def third_stage(resnet, images):
    return resnet.own(images, output_hidden_states=True).hidden_states[3]


@torch.no_grad()
def gloria(name, seed):
    folder, images = fresh(name), images_of(seed + 1)
    model = randomise_norms(randomise(Gloria(), seed), seed)
    summed = torch.stack(states_of(model.text_encoder.model, IDS).hidden_states[-4:]).sum(0)
    text = torch.stack([gloria_words(*pair) for pair in zip(summed, IDS)]).mean(1)
    image = model.img_encoder.global_embedder(model.img_encoder.model(enlarged(repeated(images, 224))))
    save_features(folder, images, IDS, image, text, torch.tensor(10.0).log())
    add_local(folder, model, images)
    state = {f"gloria.{key}": value for key, value in named(model, {"img_encoder.model": "img_encoder.model."}).items()}
    import omegaconf
    torch.save({"epoch": 20, "global_step": 100, "pytorch-lightning_version": "1.1.4", "state_dict": state,
                "hyper_parameters": omegaconf.OmegaConf.create({"model": {"text": {"last_n_layers": 4}}})},
               folder / "chexpert_resnet50.ckpt")


def add_local(folder, model, images):
    """The local similarities of two images with the prompts, and the mean of these and the global ones."""
    images = torch.cat([images, images.flip(3)])
    asked = enlarged(repeated(images, 224))
    summed = torch.stack(states_of(model.text_encoder.model, GLORIA_IDS).hidden_states[-4:]).sum(0)
    words = torch.stack([gloria_words(*pair) for pair in zip(summed, GLORIA_IDS)])
    places = model.img_encoder.local_embedder(third_stage(model.img_encoder.model, asked)).flatten(2)
    local = gloria_local(places, words, [len(text.replace("[", "")) for text in GLORIA_PROMPTS])
    unit = nn.functional.normalize
    cosine = unit(model.img_encoder.global_embedder(model.img_encoder.model(asked)), dim=1) @ unit(words.mean(1), dim=1).T
    path = folder / "expected.safetensors"
    extra = {"local.pixels": images.permute(0, 2, 3, 1), "local.scores": local, "local.both": (local + cosine) / 2}
    save_file({**load_file(path), **{key: value.contiguous() for key, value in extra.items()}}, path)
    (folder / "prompts.json").write_text(json.dumps({"prompts": GLORIA_PROMPTS, "vocabulary": GLORIA_VOCABULARY}, indent=1) + "\n")


class Mgca(nn.Module):
    def __init__(self, tower, width, local):
        super().__init__()
        self.img_encoder_q = nn.Module()
        self.img_encoder_q.model = tower
        self.img_encoder_q.global_embed, self.img_encoder_q.local_embed = NormedHead(width), NormedHead(local)
        self.text_encoder_q = nn.Module()
        self.text_encoder_q.model = bert(2)
        self.text_encoder_q.model.pooler = None
        self.text_encoder_q.global_embed, self.text_encoder_q.local_embed = NormedHead(16), NormedHead(16)
        self.word_local_atten_layer = nn.MultiheadAttention(8, 1, batch_first=True)
        self.prototype_layer = nn.Linear(8, 5, bias=False)


def save_mgca(folder, images, model, image, kind):
    text = model.text_encoder_q.global_embed(states_of(model.text_encoder_q.model, IDS).last_hidden_state[:, 0])
    save_features(folder, images, IDS, model.img_encoder_q.global_embed(image), text, torch.tensor(1 / 0.05).log())
    state = named(model, {"img_encoder_q.model": "img_encoder_q.model."})
    torch.save({"epoch": 3, "state_dict": state, "hyper_parameters": {"img_encoder": kind, "emb_dim": 8, "softmax_temperature": 0.05}},
               folder / f"{kind}.ckpt")


@torch.no_grad()
def mgca_resnet(name, seed):
    folder, images = fresh(name), images_of(seed + 1)
    model = randomise_norms(randomise(Mgca(Resnet(), WIDTH, WIDTH // 2), seed), seed)
    save_mgca(folder, images, model, model.img_encoder_q.model(enlarged(repeated(images, 224))), "resnet_50")


@torch.no_grad()
def mgca_vit(name, seed):
    folder, images = fresh(name), images_of(seed + 1, 16, 2)
    tower = VisionTransformer(img_size=16, patch_size=8, embed_dim=16, depth=2, num_heads=1, mlp_ratio=4, num_classes=0,
                              global_pool="token")
    model = randomise_norms(randomise(Mgca(tower, 16, 16), seed), seed)
    save_mgca(folder, images, model, tower.forward_features(images)[:, 0], "vit_base")


class CxrClip(nn.Module):
    def __init__(self):
        super().__init__()
        self.image_encoder, self.text_encoder = nn.Module(), nn.Module()
        self.image_encoder.resnet, self.text_encoder.text_encoder = Resnet(), bert()
        self.image_projection, self.text_projection = nn.Module(), nn.Module()
        self.image_projection.projection, self.text_projection.projection = nn.Linear(WIDTH, 8), nn.Linear(16, 8)
        self.logit_scale = nn.Parameter(torch.zeros([]))


@torch.no_grad()
def cxr_clip(name, seed):
    folder, images = fresh(name), images_of(seed + 1, 64, 2)
    model = randomise_norms(randomise(CxrClip(), seed), seed)
    last = (IDS != 0).sum(1) - 1
    tokens = states_of(model.text_encoder.text_encoder, IDS).last_hidden_state
    text = model.text_projection.projection(tokens[torch.arange(len(IDS)), last])
    tower = lambda x: model.image_projection.projection(model.image_encoder.resnet(x))  # noqa: E731
    save_features(folder, images, IDS, tower(images), text, model.logit_scale)
    own = model.image_encoder.resnet.own
    add_tower_gradients(folder, tower, images, {"stem": own.embedder.embedder.convolution.weight,
                                                "head": model.image_projection.projection.weight,
                                                "norm": own.encoder.stages[1].layers[0].layer[1].normalization.weight})
    encoder = {"source": "torchvision", "name": "resnet", "pretrained": True}
    words = {"source": "huggingface", "name": "emilyalsentzer/Bio_ClinicalBERT", "pooling": "eos", "mlm_head": True}
    config = {"base": {"image_size": 64, "text_max_length": 10},
              "model": {"name": "clip_custom", "temperature": 0.07, "image_encoder": encoder, "text_encoder": words,
                        "projection_head": {"name": "linear", "dropout": 0.1, "proj_dim": 8}}}
    torch.save({"model": named(model, {"image_encoder.resnet": "image_encoder.resnet."}), "optimizer": {"state": {}, "param_groups": []},
                "scheduler": {"last_epoch": 3}, "config": config, "epoch": 15, "train_loss": 0.5}, folder / "r50_mcc.tar")


class Convirt(nn.Module):
    def __init__(self):
        super().__init__()
        self.bert_model, self.res_features = bert(), Resnet()
        self.bert_l1, self.bert_l2 = nn.Linear(16, 16), nn.Linear(16, 8)
        self.res_l1, self.res_l2 = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 8)


def listed(name):
    """The name of torchvision's part in a list of the network's children."""
    first, _, rest = name.partition(".")
    place = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}[first]
    return f"{place}.{rest}"


@torch.no_grad()
def convirt(name, seed):
    folder, images = fresh(name), images_of(seed + 1)
    model = randomise_norms(randomise(Convirt(), seed), seed)
    mask = (IDS != 0).float().unsqueeze(2)
    mean = (states_of(model.bert_model, IDS).last_hidden_state * mask).sum(1) / mask.sum(1)
    text = model.bert_l2(torch.relu(model.bert_l1(mean)))
    image = model.res_l2(torch.relu(model.res_l1(model.res_features(repeated(images, 224)))))
    save_features(folder, images, IDS, image, text, torch.tensor(10.0).log())
    state = named(model, {"res_features": "res_features."})
    torch.save({f"res_features.{listed(key[13:])}" if key.startswith("res_features.") else key: value for key, value in state.items()},
               folder / "model.pth")


class PmcClip(nn.Module):
    def __init__(self, heads):
        super().__init__()
        self.visual = ModifiedResNet(STAGES, 16, heads, image_size=64, width=STEM)
        self.text_encoder = bert()
        self.text_projection = nn.Parameter(torch.zeros(16, 16))
        self.logit_scale = nn.Parameter(torch.zeros([]))
        self.ln_final, self.positional_embedding = nn.LayerNorm(16), nn.Parameter(torch.zeros(10, 16))
        self.img_special_token = nn.Parameter(torch.zeros(1, 1, 16))


@torch.no_grad()
def pmc_clip(name, seed, parts):
    """The training checkpoint, or the towers in three files as they were given beside it."""
    folder, images = fresh(name), torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed + 1))
    model = randomise_norms(randomise(PmcClip(8 if parts else 1), seed), seed)
    states = states_of(model.text_encoder, IDS, torch.ones_like(IDS))  # without a mask, pads are seen
    read = states.pooler_output if parts else states.last_hidden_state[:, 0]
    scale = torch.tensor(4.4292) if parts else model.logit_scale
    save_features(folder, images, IDS, model.visual(images), read @ model.text_projection, scale)
    if parts:
        torch.save(model.visual.state_dict(), folder / "image_encoder(resnet50).pth")
        torch.save(model.text_encoder.state_dict(), folder / "text_encoder.pth")
        torch.save(model.text_projection.data, folder / "text_projection_layer.pth")
        return
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save({"epoch": 77, "name": "run", "state_dict": state, "optimizer": {"state": {}, "param_groups": []}},
               folder / "checkpoint.pt")


class MedClip(nn.Module):
    def __init__(self):
        super().__init__()
        self.vision_model, self.text_model = nn.Module(), nn.Module()
        self.vision_model.model = Resnet()
        self.vision_model.fc = nn.Linear(WIDTH, 8, bias=False)
        self.text_model.model, self.text_model.projection_head = bert(3), nn.Linear(16, 8, bias=False)
        self.logit_scale = nn.Parameter(torch.zeros([]))


@torch.no_grad()
def medclip_resnet(name, seed):
    """MedCLIP's ResNet variant; each text alone, as its code counts the pads of what is asked in the same breath."""
    folder, images = fresh(name), images_of(seed + 1)
    model = randomise_norms(randomise(MedClip(), seed), seed)
    states = [states_of(model.text_model.model, ids[ids != 0][None]).hidden_states for ids in IDS]
    text = torch.cat([torch.stack([own[1], own[2], own[-1]]).mean(0).mean(1) for own in states])
    image = model.vision_model.fc(model.vision_model.model(repeated(images, 224)))
    save_features(folder, images, IDS, image, model.text_model.projection_head(text), model.logit_scale)
    add_padded(folder, model, image)
    state = named(model, {"vision_model.model": "vision_model.model."})
    state["vision_model.model.fc.weight"] = state.pop("vision_model.fc.weight")
    torch.save(state, folder / "pytorch_model.bin")


MEDCLIP_PROMPTS = {"pneumonia": ["no finding", "edema of no finding or pneumonia", "pneumonia"], "edema": ["edema", "no edema"]}
MEDCLIP_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "pneumonia", "no", "finding", "edema", "of", "or"]


def add_padded(folder, model, image):
    """The scores of its PromptClassifier, by mean and by maximum: a class's prompts padded to the longest of them, pads in the mean."""
    unit = nn.functional.normalize
    scores = {"mean": [], "max": []}
    for prompts in MEDCLIP_PROMPTS.values():
        rows = [[2, *(MEDCLIP_WORDS.index(word) for word in prompt.split()), 3] for prompt in prompts]
        ids = torch.tensor([row + [0] * (max(map(len, rows)) - len(row)) for row in rows])
        states = states_of(model.text_model.model, ids).hidden_states
        text = model.text_model.projection_head(torch.stack([states[1], states[2], states[-1]]).mean(0).mean(1))
        logits = unit(image, dim=1) @ unit(text, dim=1).T * model.logit_scale.exp()
        scores["mean"].append(logits.mean(1))
        scores["max"].append(logits.max(1).values)
    path = folder / "expected.safetensors"
    extra = {f"padded.{name}": torch.stack(values, 1).contiguous() for name, values in scores.items()}
    save_file({**load_file(path), **extra}, path)
    (folder / "prompts.json").write_text(json.dumps({"prompts": MEDCLIP_PROMPTS, "vocabulary": dict(enumerate(MEDCLIP_WORDS))}, indent=1) + "\n")


FIXTURES = {
    "open_clip_resnet": lambda name: open_clip_resnet(name, 300),
    "openai_resnet": lambda name: openai_resnet(name, 310),
    "gloria": lambda name: gloria(name, 320),
    "mgca_resnet": lambda name: mgca_resnet(name, 330),
    "mgca_vit": lambda name: mgca_vit(name, 340),
    "cxr_clip": lambda name: cxr_clip(name, 350),
    "convirt": lambda name: convirt(name, 360),
    "medclip_resnet": lambda name: medclip_resnet(name, 390),
    "pmc_clip": lambda name: pmc_clip(name, 370, False),
    "pmc_clip_parts": lambda name: pmc_clip(name, 380, True),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    check_names()
    for chosen in sys.argv[1:] or FIXTURES:
        FIXTURES[chosen](chosen)
