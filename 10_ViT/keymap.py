"""The production twin: timm's VisionTransformer, whose names are ours.

cls_token, pos_embed, patch_embed.proj.weight, blocks.0.attn.qkv.weight … head.bias: a state dict of either loads into the other as it is.
"""


def timm_vit(config):
    """timm's VisionTransformer for a config, with the same forward and loss."""
    import torch.nn.functional as F
    from timm.models.vision_transformer import VisionTransformer

    class Twin(VisionTransformer):
        def loss(self, x, targets):
            return F.cross_entropy(self(x), targets)

    return Twin(
        img_size=config.image_size,
        patch_size=config.patch_size,
        in_chans=config.in_channels,
        num_classes=config.num_classes,
        embed_dim=config.embed_dim,
        depth=config.depth,
        num_heads=config.num_heads,
        mlp_ratio=config.mlp_ratio,
        pos_drop_rate=config.dropout,
        proj_drop_rate=config.dropout,
    )
