"""Adds to tests/clip/clip_fixtures: DINOv2, EVA-02 and Swin towers, tiny and random, in the layouts of published models.

References: transformers' Dinov2Model, Dinov2WithRegistersModel, SwinModel and BertModel; timm's Eva beside open_clip's text
transformer. As make_clip_fixtures.py, whose helpers these are; an image tower alone has `tokens` and no texts.

Run: python tests/clip/make_tower_fixtures.py [FOLDER ...]   (all of them where none is named)
Needs: what make_clip_fixtures.py needs.
"""

import json
import sys
import tempfile

import torch
from make_clip_fixtures import (BERT_IDS, CLIP_IDS, ONE, OPEN_VISION, SIZES, TEXT, add_gradients, fresh, pixels, randomise, save,
                                save_features, write_open_clip)
from safetensors.torch import load_file
from timm.models.vision_transformer import VisionTransformer
from transformers import BertConfig, BertModel


def saved_names(model):
    """A model's tensors under the names of its files, which state_dict() no longer has."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(f"{folder}/model.safetensors")


def dinov2_parts(registers):
    if registers:
        from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel
        return Dinov2WithRegistersModel, Dinov2WithRegistersConfig, {"num_register_tokens": registers}
    from transformers import Dinov2Config, Dinov2Model
    return Dinov2Model, Dinov2Config, {}


@torch.no_grad()
def dinov2(name, seed, trained_at=16, registers=0):
    """An image tower alone as RAD-DINO's folder has it; its positions are of an image of side `trained_at`."""
    folder, images = fresh(name), pixels(seed + 1)
    Model, Config, more = dinov2_parts(registers)
    sizes = {key: value for key, value in SIZES.items() if key != "intermediate_size"}
    config = Config(**{**sizes, **more, "mlp_ratio": 2, "image_size": trained_at, "patch_size": 8})
    model = randomise(Model(config), seed)
    model.save_pretrained(folder)
    side = images.shape[-1]
    processor = {"image_processor_type": "BitImageProcessor", "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
                 "do_rescale": True, "do_resize": True, "crop_size": {"height": side, "width": side},
                 "size": {"shortest_edge": side}, "resample": 3, "rescale_factor": 1 / 255,
                 "image_mean": [0.5307] * 3, "image_std": [0.2583] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n")
    tokens = model(images).last_hidden_state
    save(folder, images, {"image": model(images).pooler_output, "tokens": tokens})
    layer = model.encoder.layer[0].attention
    query = layer.q_proj if hasattr(layer, "q_proj") else layer.attention.query
    add_gradients(folder, (lambda: model(images).pooler_output, query.weight), None)


class HubDinov2(VisionTransformer):
    """DINOv2 as its authors wrote it, by timm's blocks: registers after CLS and its position, positions resampled by a factor."""

    def __init__(self, trained_at, registers, offset):
        super().__init__(img_size=trained_at, patch_size=8, embed_dim=64, depth=1, num_heads=1, mlp_ratio=2, num_classes=0,
                         init_values=1.0)
        self.offset = offset
        self.mask_token = torch.nn.Parameter(torch.zeros(1, 64))
        if registers:
            self.register_tokens = torch.nn.Parameter(torch.zeros(1, registers, 64))

    def positions(self, grid):
        patches, side = self.pos_embed[:, 1:], int((self.pos_embed.shape[1] - 1) ** 0.5)
        if grid == side:
            return self.pos_embed
        to = {"scale_factor": (grid + self.offset) / side} if self.offset else {"size": (grid, grid)}
        resampled = torch.nn.functional.interpolate(patches.reshape(1, side, side, -1).permute(0, 3, 1, 2), mode="bicubic",
                                                    antialias=not self.offset, **to)
        return torch.cat([self.pos_embed[:, :1], resampled.permute(0, 2, 3, 1).flatten(1, 2)], 1)

    def forward(self, images):
        patches = self.patch_embed.proj(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), patches], 1) + self.positions(images.shape[-1] // 8)
        if hasattr(self, "register_tokens"):
            tokens = torch.cat([tokens[:, :1], self.register_tokens.expand(len(images), -1, -1), tokens[:, 1:]], 1)
        return self.norm(self.blocks(tokens))


@torch.no_grad()
def hub_dinov2(name, seed, registers, offset):
    """Its checkpoint, without a configuration; positions of 64 pixels, asked at 40, of 48 pixels as HF's processor has 224 of 256."""
    folder, images = fresh(name), torch.randn(2, 3, 40, 40, generator=torch.Generator().manual_seed(seed + 1))
    processor = {"image_processor_type": "BitImageProcessor", "do_center_crop": True, "crop_size": {"height": 40, "width": 40},
                 "size": {"shortest_edge": 48}, "resample": 3, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n")
    model = randomise(HubDinov2(64, registers, offset), seed)
    torch.save(model.state_dict(), folder / "dinov2_vitb14_pretrain.pth")
    tokens = model(images)
    save(folder, images, {"image": tokens[:, 0], "tokens": tokens})
    add_gradients(folder, (lambda: model(images)[:, 0], model.blocks[0].attn.qkv.weight), None)


@torch.no_grad()
def eva_clip(name, seed):
    """open_clip's EVA02-B-16: timm's Eva with its projection as classifier, open_clip's text transformer."""
    from open_clip.model import CustomTextCLIP
    from timm.models.eva import Eva

    folder, images = fresh(name), pixels(seed + 1)
    text = {"context_length": 10, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1, "mlp_ratio": 2.0}
    model = CustomTextCLIP(8, {**OPEN_VISION, "layers": 1}, text)
    model.visual = torch.nn.Module()
    # The arguments of eva02_base_patch16_clip_224 but for its sizes.
    model.visual.trunk = Eva(img_size=16, patch_size=8, embed_dim=16, depth=2, num_heads=2, num_classes=8, qkv_fused=False,
                             mlp_ratio=4 * 2 / 3, swiglu_mlp=True, scale_mlp=True, scale_attn_inner=True, use_rot_pos_emb=True,
                             ref_feat_shape=(16, 16), global_pool="token")
    randomise(model, seed)
    tower = {"image_size": 16, "timm_model_name": "eva02_base_patch16_clip_224", "timm_model_pretrained": False,
             "timm_pool": "token", "timm_proj": None, "head_width": 8}
    write_open_clip(folder, {"embed_dim": 8, "vision_cfg": tower, "text_cfg": text, "custom_text": True}, model.state_dict())
    save_features(folder, images, CLIP_IDS, model.visual.trunk(images), model.text(CLIP_IDS), model.logit_scale)
    add_gradients(folder, (lambda: model.visual.trunk(images), model.visual.trunk.blocks[0].attn.q_proj.weight),
                  (lambda: model.text(CLIP_IDS), model.text.transformer.resblocks[0].attn.in_proj_weight))


def small_swin():
    """Two stages: four windows and shifted ones, then one window, as the last stage of Swin-T at 224 pixels is one."""
    from transformers import SwinConfig, SwinModel

    return SwinModel(SwinConfig(image_size=16, patch_size=4, embed_dim=8, depths=[2, 2], num_heads=[2, 4], window_size=2,
                                mlp_ratio=4.0))


def swin_query(model):
    return model.encoder.layers[0].blocks[0].attention.q_proj.weight


class TimmSwin(torch.nn.Module):
    """open_clip's TimmModel over timm's Swin: read at the mean of its tokens, projected."""

    def __init__(self):
        from timm.models.swin_transformer import SwinTransformer

        super().__init__()
        # The arguments of swin_tiny_patch4_window7_224 but for its sizes.
        self.trunk = SwinTransformer(img_size=16, patch_size=4, embed_dim=8, depths=(2, 2), num_heads=(2, 4), window_size=2,
                                     num_classes=0)
        self.head = torch.nn.Sequential()
        self.head.proj = torch.nn.Linear(16, 8, bias=False)

    def forward(self, images):
        return self.head.proj(self.trunk(images))


@torch.no_grad()
def open_clip_swin(name, seed):
    """open_clip's swin_base_patch4_window7_224."""
    import open_clip

    folder, images = fresh(name), pixels(seed + 1)
    text = {"context_length": 10, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1, "mlp_ratio": 2.0}
    model = open_clip.CLIP(8, OPEN_VISION, text)
    model.visual = TimmSwin()
    randomise(model, seed)
    tower = {"image_size": 16, "timm_model_name": "swin_base_patch4_window7_224", "timm_model_pretrained": False, "timm_pool": "",
             "timm_proj": "linear"}
    write_open_clip(folder, {"embed_dim": 8, "vision_cfg": tower, "text_cfg": text}, model.state_dict())
    save_features(folder, images, CLIP_IDS, model.encode_image(images), model.encode_text(CLIP_IDS), model.logit_scale)
    add_gradients(folder, (lambda: model.visual(images), model.visual.trunk.layers[0].blocks[0].attn.qkv.weight), None)


@torch.no_grad()
def pair_swin(name, seed, is_file):
    """transformers' pair of a Swin and a BERT, as a file of its own, or as version 5 names it in memory."""
    from transformers import VisionTextDualEncoderConfig, VisionTextDualEncoderModel

    folder, images = fresh(name), pixels(seed + 1)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(small_swin().config, BertConfig(**{**TEXT, **ONE}), projection_dim=8)
    model = randomise(VisionTextDualEncoderModel(config), seed)
    model.save_pretrained(folder)
    if not is_file:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    mask = (BERT_IDS != 0).long()
    image = model.visual_projection(model.vision_model(images).pooler_output)
    text = model.text_projection(model.text_model(BERT_IDS, attention_mask=mask).pooler_output)
    save_features(folder, images, BERT_IDS, image, text, model.logit_scale)


class MedClipText(torch.nn.Module):
    """What MedCLIP reads a report at: the mean over all tokens of layers 1, 2 and the last, projected without a bias."""

    def __init__(self):
        super().__init__()
        self.model = BertModel(BertConfig(**{**TEXT, "num_hidden_layers": 3, "num_attention_heads": 1}))
        self.projection_head = torch.nn.Linear(16, 8, bias=False)

    def forward(self, ids):
        states = self.model(ids, output_hidden_states=True).hidden_states
        return self.projection_head((states[1] + states[2] + states[-1]).div(3).mean(1))


@torch.no_grad()
def medclip_swin(name, seed):
    """MedCLIP's vision transformer variant, names as its pytorch_model.bin has them; no configuration comes with it."""
    folder, images = fresh(name), pixels(seed + 1)
    model = torch.nn.Module()
    model.vision_model = torch.nn.Module()
    model.vision_model.model = small_swin()
    model.vision_model.projection_head = torch.nn.Linear(16, 8, bias=False)
    model.text_model = MedClipText()
    model.logit_scale = torch.nn.Parameter(torch.zeros([]))
    randomise(model, seed)
    swin, head = model.vision_model.model, model.vision_model.projection_head
    named = swin.state_dict() if name.endswith("_5") else saved_names(swin)
    state = {f"vision_model.model.{key}": value for key, value in named.items()}
    state |= {f"text_model.model.{key}": value for key, value in saved_names(model.text_model.model).items()}
    state |= {"vision_model.projection_head.weight": head.weight.data, "logit_scale": model.logit_scale.data,
              "text_model.projection_head.weight": model.text_model.projection_head.weight.data,
              "text_model.model.embeddings.position_ids": torch.arange(10)[None]}  # a buffer of transformers before 4.31
    torch.save(state, folder / "pytorch_model.bin")
    # Unpadded texts, one by one: MedCLIP counts pads, whose number depends on what else is asked in the same breath.
    text = torch.cat([model.text_model(ids[ids != 0][None]) for ids in BERT_IDS])
    save_features(folder, images, BERT_IDS, head(swin(images).pooler_output), text, model.logit_scale)
    add_gradients(folder, (lambda: head(swin(images).pooler_output), swin_query(swin)), None)


class CxrClipText(torch.nn.Module):
    """CXR-CLIP's Bio_ClinicalBERT, read at a text's last token."""

    def __init__(self):
        super().__init__()
        self.text_encoder = BertModel(BertConfig(**{**TEXT, **ONE, "num_attention_heads": 1}), add_pooling_layer=False)

    def forward(self, ids):
        mask = (ids != 0).long()
        tokens = self.text_encoder(ids, attention_mask=mask).last_hidden_state
        return tokens[torch.arange(len(ids)), mask.sum(1) - 1]


class LinearHead(torch.nn.Module):
    """CXR-CLIP's projection of one layer."""

    def __init__(self):
        super().__init__()
        self.projection = torch.nn.Linear(16, 8)

    def forward(self, x):
        return self.projection(x)


class MlpHead(LinearHead):
    """Its projection of two: the second beside a shortcut, a LayerNorm behind both."""

    def __init__(self):
        super().__init__()
        self.fc, self.layer_norm = torch.nn.Linear(8, 8), torch.nn.LayerNorm(8)

    def forward(self, x):
        first = self.projection(x)
        return self.layer_norm(self.fc(torch.nn.functional.gelu(first)) + first)


@torch.no_grad()
def cxr_clip_swin(name, seed, Head=LinearHead, kind="linear"):
    """CXR-CLIP with Swin-T, in its training checkpoint beside its configuration; it reads the first token of the last stage."""
    folder, images = fresh(name), pixels(seed + 1)
    model = torch.nn.Module()
    model.image_encoder = torch.nn.Module()
    model.image_encoder.image_encoder = small_swin()
    model.text_encoder = CxrClipText()
    for tower in ("image", "text"):
        setattr(model, f"{tower}_projection", Head())
    model.logit_scale = torch.nn.Parameter(torch.zeros([]))
    randomise(model, seed)
    swin = model.image_encoder.image_encoder
    state = {key: value for key, value in model.state_dict().items() if ".image_encoder." not in key and ".text_encoder." not in key}
    state |= {f"image_encoder.image_encoder.{key}": value for key, value in saved_names(swin).items()}
    state |= {f"text_encoder.text_encoder.{key}": value for key, value in saved_names(model.text_encoder.text_encoder).items()}
    config = {"base": {"image_size": 16, "text_max_length": 10},
              "model": {"name": "clip_custom", "temperature": 0.07, "text_encoder": {"pooling": "eos"},
                        "image_encoder": {"model_type": "swin"}, "projection_head": {"name": kind, "proj_dim": 8}}}
    torch.save({"model": state, "config": config, "epoch": 3}, folder / "swint_mcc.tar")

    def image():
        return model.image_projection(swin(images).last_hidden_state[:, 0])

    text = model.text_projection(model.text_encoder(BERT_IDS))
    save_features(folder, images, BERT_IDS, image(), text, model.logit_scale)
    add_gradients(folder, (image, swin_query(swin)), None)


FIXTURES = {
    "rad_dino": lambda name: dinov2(name, 500),
    "dinov2_resampled": lambda name: dinov2(name, 510, trained_at=24),
    "dinov2_registers": lambda name: dinov2(name, 520, trained_at=32, registers=3),
    "dinov2_hub": lambda name: hub_dinov2(name, 590, 0, 0.1),
    "dinov2_hub_registers": lambda name: hub_dinov2(name, 600, 4, 0.0),
    "eva_clip": lambda name: eva_clip(name, 530),
    "cxr_clip_swin": lambda name: cxr_clip_swin(name, 550),
    "cxr_clip_mlp": lambda name: cxr_clip_swin(name, 560, MlpHead, "mlp"),
    "medclip_swin": lambda name: medclip_swin(name, 540),
    "medclip_swin_5": lambda name: medclip_swin(name, 540),
    "open_clip_swin": lambda name: open_clip_swin(name, 570),
    "pair_swin": lambda name: pair_swin(name, 580, True),
    "pair_swin_5": lambda name: pair_swin(name, 580, False),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[1:] or FIXTURES:
        FIXTURES[chosen](chosen)
