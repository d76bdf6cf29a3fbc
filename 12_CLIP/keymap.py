"""The production twins, and the names and layouts of their checkpoints and of OpenAI's own.

ours                            transformers' CLIPModel (398 keys for ViT-B/32)     OpenAI's CLIP (302 keys for ViT-B/32)
logit_scale                     logit_scale                                         logit_scale
visual.class_embedding          vision_model.embeddings.class_embedding             visual.class_embedding
visual.positional_embedding     vision_model.embeddings.position_embedding.weight   visual.positional_embedding
visual.conv1.weight             vision_model.embeddings.patch_embedding.weight      visual.conv1.weight
visual.ln_pre                   vision_model.pre_layrnorm: misspelt for ever        visual.ln_pre
visual.h.0.ln_1, ln_2           vision_model.encoder.layers.0.layer_norm1, 2        visual.transformer.resblocks.0.ln_1, ln_2
visual.h.0.attn.{q,k,v}_proj    ….self_attn.{q,k,v}_proj                            ….attn.in_proj_weight, _bias: one below the other
visual.h.0.attn.out_proj        ….self_attn.out_proj                                ….attn.out_proj
visual.h.0.mlp.fc, proj         ….mlp.fc1, fc2                                      ….mlp.c_fc, c_proj
visual.ln_post                  vision_model.post_layernorm                         visual.ln_post
visual.proj.weight              visual_projection.weight                            visual.proj, transposed: it computes x W
text.token_embedding.weight     text_model.embeddings.token_embedding.weight        token_embedding.weight
text.positional_embedding       text_model.embeddings.position_embedding.weight     positional_embedding
text.h.0…                       text_model.encoder.layers.0…                        transformer.resblocks.0…
text.ln_final                   text_model.final_layer_norm                         ln_final
text.proj.weight                text_projection.weight                              text_projection, transposed

The modified ResNet has OpenAI's names (visual.layer1.0.conv1 …, visual.attnpool …); transformers has none. timm has it: its twin is put
together from timm's image tower, whose names are told apart below, and transformers' text tower.
"""

import re

import numpy as np

# ------------------------------------------------------------------------------------------- transformers, and timm

BLOCK = (
    ("ln_1", "layer_norm1"),
    ("ln_2", "layer_norm2"),
    ("attn", "self_attn"),
    ("mlp.fc", "mlp.fc1"),
    ("mlp.proj", "mlp.fc2"),
)
TOWERS = (
    ("visual.class_embedding", "vision_model.embeddings.class_embedding"),
    ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
    ("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"),
    ("visual.ln_pre", "vision_model.pre_layrnorm"),
    ("visual.h", "vision_model.encoder.layers"),
    ("visual.ln_post", "vision_model.post_layernorm"),
    ("visual.proj.weight", "visual_projection.weight"),
    ("text.token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
    ("text.positional_embedding", "text_model.embeddings.position_embedding.weight"),
    ("text.h", "text_model.encoder.layers"),
    ("text.ln_final", "text_model.final_layer_norm"),
    ("text.proj.weight", "text_projection.weight"),
)
TIMM_BOTTLENECK = {"1": "conv1_1x1", "2": "conv2_kxk", "3": "conv3_1x1"}
TIMM_POOL = (
    ("positional_embedding", "pos_embed"),
    ("q_proj", "q"),
    ("k_proj", "k"),
    ("v_proj", "v"),
    ("c_proj", "proj"),
)

# What a checkpoint may hold beside the parameters, and need not: `dlfs convert` says so of each.
SKIPPED = {
    r"(text_model|vision_model)\.embeddings\.position_ids": "0, 1, 2, …, which are computed",
    r"input_resolution|context_length|vocab_size": "a number of the config",
}


def renamed(name, pairs):
    """The name with its beginning, a whole word or several, as the first pair that has it says."""
    for old, new in pairs:
        if name == old or name.startswith(f"{old}."):
            return new + name.removeprefix(old)
    return name


def to_twin(state):
    """A state dict of ours in the names of the twin."""
    resnet = "visual.attnpool.positional_embedding" in state
    return {
        (timm_name(name) if resnet and name.startswith("visual.") else transformers_name(name)): array
        for name, array in state.items()
    }


def transformers_name(name):
    if match := re.fullmatch(r"((?:visual|text)\.h\.\d+)\.(.+)", name):
        name = f"{match[1]}.{renamed(match[2], BLOCK)}"
    return renamed(name, TOWERS)


def timm_name(name):
    """visual.layer1.0.conv1.weight -> visual.stages.0.0.conv1_1x1.conv.weight, and so on."""
    if match := re.fullmatch(r"visual\.layer(\d)\.(\d+)\.(conv|bn)(\d)\.(.+)", name):
        stage, block, kind, number, rest = match.groups()
        return f"visual.stages.{int(stage) - 1}.{block}.{TIMM_BOTTLENECK[number]}.{kind}.{rest}"
    if match := re.fullmatch(r"visual\.layer(\d)\.(\d+)\.downsample\.(\d)\.(.+)", name):
        stage, block, number, rest = match.groups()
        return f"visual.stages.{int(stage) - 1}.{block}.shortcut.conv.{('conv', 'bn')[int(number)]}.{rest}"
    if match := re.fullmatch(r"visual\.(conv|bn)(\d)\.(.+)", name):
        return f"visual.stem.conv{match[2]}.{match[1]}.{match[3]}"
    return f"visual.head.{renamed(name.removeprefix('visual.attnpool.'), TIMM_POOL)}"


def from_twin(state):
    """A state dict of the twin, or gradients by its names, as ours. What it does not know keeps its name."""
    ours = {}
    for name, array in state.items():
        name = renamed(name, [pair[::-1] for pair in TOWERS])
        if match := re.fullmatch(r"((?:visual|text)\.h\.\d+)\.(.+)", name):
            name = f"{match[1]}.{renamed(match[2], [pair[::-1] for pair in BLOCK])}"
        ours[our_resnet_name(name)] = array
    return ours


def our_resnet_name(name):
    """timm_name, backwards."""
    if match := re.fullmatch(r"visual\.stages\.(\d)\.(\d+)\.conv(\d)_\w+\.(conv|bn)\.(.+)", name):
        stage, block, number, kind, rest = match.groups()
        return f"visual.layer{int(stage) + 1}.{block}.{kind}{number}.{rest}"
    if match := re.fullmatch(r"visual\.stages\.(\d)\.(\d+)\.shortcut\.conv\.(conv|bn)\.(.+)", name):
        stage, block, kind, rest = match.groups()
        return f"visual.layer{int(stage) + 1}.{block}.downsample.{('conv', 'bn').index(kind)}.{rest}"
    if match := re.fullmatch(r"visual\.stem\.conv(\d)\.(conv|bn)\.(.+)", name):
        return f"visual.{match[2]}{match[1]}.{match[3]}"
    if name.startswith("visual.head."):
        return f"visual.attnpool.{renamed(name.removeprefix('visual.head.'), [pair[::-1] for pair in TIMM_POOL])}"
    return name


def production_twin(config):
    """transformers' CLIPModel for a config; with a ResNet, timm's image tower and transformers' text tower."""
    return resnet_twin(config) if config.is_resnet else vit_twin(config)


def text_config(config):
    import transformers

    return transformers.CLIPTextConfig(
        vocab_size=config.vocab_size, hidden_size=config.text_width, intermediate_size=4 * config.text_width,
        num_hidden_layers=config.text_layers, num_attention_heads=config.text_heads,
        max_position_embeddings=config.context_length, projection_dim=config.embed_dim, hidden_act="quick_gelu",
        bos_token_id=None, eos_token_id=config.end_of_text, pad_token_id=None,
    )  # fmt: skip


def vit_twin(config):
    import transformers

    class Twin(transformers.CLIPModel):
        def forward(self, x, text):
            return super().forward(pixel_values=x, input_ids=text).logits_per_image

        def loss(self, x, text):
            return super().forward(pixel_values=x, input_ids=text, return_loss=True).loss

    image_config = transformers.CLIPVisionConfig(
        hidden_size=config.image_width, intermediate_size=4 * config.image_width, num_hidden_layers=config.image_layers,
        num_attention_heads=config.image_heads, num_channels=config.in_channels, image_size=config.image_size,
        patch_size=config.patch_size, projection_dim=config.embed_dim, hidden_act="quick_gelu",
    )  # fmt: skip
    return Twin(
        transformers.CLIPConfig(
            text_config=text_config(config).to_dict(),
            vision_config=image_config.to_dict(),
            projection_dim=config.embed_dim,
        )
    )


def resnet_twin(config):
    import timm.layers
    import timm.models.byobnet as byobnet
    import torch
    import transformers
    from transformers.models.clip.modeling_clip import image_text_contrastive_loss

    class Twin(torch.nn.Module):
        def __init__(self):
            super().__init__()
            C = config.image_width
            blocks = tuple(
                byobnet.ByoBlockCfg(type="bottle", d=depth, c=4 * C * 2**i, s=1 if i == 0 else 2, br=0.25)
                for i, depth in enumerate(config.image_layers)
            )
            self.visual = byobnet.ByobNet(
                byobnet.ByoModelCfg(
                    blocks=blocks, stem_chs=(C // 2, C // 2, C), stem_type="", stem_pool="avg2", downsample="avg",
                    aa_layer="avg", head_type="classifier",
                ),
                in_chans=config.in_channels,
            )  # fmt: skip
            self.visual.head = timm.layers.AttentionPool2d(
                config.pooled_width, feat_size=config.grid, out_features=config.embed_dim, num_heads=config.image_heads,
                qkv_separate=True,
            )  # fmt: skip
            self.text_model = transformers.CLIPTextModel(text_config(config))
            self.text_projection = torch.nn.Linear(config.text_width, config.embed_dim, bias=False)
            self.logit_scale = torch.nn.Parameter(torch.tensor(2.6592))

        def forward(self, x, text):
            image = self.visual(x)
            caption = self.text_projection(self.text_model(input_ids=text).pooler_output)
            image, caption = (torch.nn.functional.normalize(features, dim=1) for features in (image, caption))
            return self.logit_scale.exp() * image @ caption.T

        def loss(self, x, text):
            return image_text_contrastive_loss(self(x, text))

    return Twin()


# ------------------------------------------------------------------------------------------------------- OpenAI

OPENAI_BLOCK = (("mlp.fc", "mlp.c_fc"), ("mlp.proj", "mlp.c_proj"))
OPENAI = (
    ("visual.h", "visual.transformer.resblocks"),
    ("text.h", "transformer.resblocks"),
    ("text.token_embedding", "token_embedding"),
    ("text.positional_embedding", "positional_embedding"),
    ("text.ln_final", "ln_final"),
    ("text.proj.weight", "text_projection"),
    ("visual.proj.weight", "visual.proj"),
)
QKV = ("q_proj", "k_proj", "v_proj")


def from_openai(state):
    """A state dict of OpenAI's CLIP, or of OpenCLIP's, which has its names, as ours."""
    ours = {}
    for name, array in state.items():
        if match := re.fullmatch(r"((?:visual\.)?transformer\.resblocks\.\d+\.attn)\.in_proj_(weight|bias)", name):
            attn = renamed(match[1], [pair[::-1] for pair in OPENAI])
            ours |= {f"{attn}.{each}.{match[2]}": part for each, part in zip(QKV, np.split(array, 3))}
            continue
        if name in ("visual.proj", "text_projection"):
            array = array.T
        name = renamed(name, [pair[::-1] for pair in OPENAI])
        if match := re.fullmatch(r"((?:visual|text)\.h\.\d+)\.(.+)", name):
            name = f"{match[1]}.{renamed(match[2], [pair[::-1] for pair in OPENAI_BLOCK])}"
        ours[name] = array
    return ours


LAYOUTS = {"OpenAI's": from_openai}  # beside ours and the twin's
