"""The facts about CLIP: the config, the published sizes, named variants, and what the tools need to run them."""

from dataclasses import dataclass, replace

import numpy as np

from framework.data.transforms import Compose, RandomCrop, RandomHorizontalFlip, RandomResizedCrop
from utils.schedules import warm_up_and_cosine

from .prompts import prompts
from .scores import (
    image_recall_at_1,
    image_recall_at_10,
    normalised,
    one_prompt_accuracy,
    text_recall_at_10,
    zero_shot_accuracy,
)

NAME = "CLIP"
TIER = 4
PREREQUISITES = ("05", "09", "10")
PAPER = "Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision"
MODEL = "CLIP"
LEVELS = {
    "engine": "paper/clip_paper.py",
    "lowlevel": "pytorch_lowlevel/clip_lowlevel.py",
    "paper": "paper/clip_paper.py",
}


@dataclass(frozen=True)
class CLIPConfig:
    """A tower for images, a tower for texts, and one space for both. By default the paper's ViT-B/32.

    image_layers decides which image tower it is: a number of Transformer blocks, the Vision Transformer; or a tuple, the blocks in
    each stage of the modified ResNet.
    """

    embed_dim: int = 512  # E, of the space that images and texts share
    image_size: int = 224
    in_channels: int = 3
    patch_size: int = 32  # P, of the Vision Transformer
    image_layers: int | tuple[int, ...] = 12
    image_width: int = 768  # C of the Vision Transformer; of the ResNet the channels after the stem
    image_heads: int = 12  # of the Vision Transformer's blocks, or of the ResNet's attention pooling
    vocab_size: int = 49408  # V; the last token is <|endoftext|>, and no text is without it
    context_length: int = 77  # the most tokens in a text: the rows of text.positional_embedding
    text_layers: int = 12
    text_width: int = 512
    text_heads: int = 8

    def __post_init__(self):
        if isinstance(self.image_layers, (list, tuple)):
            object.__setattr__(self, "image_layers", tuple(self.image_layers))  # a list, as JSON gives it, is welcome
        stages = self.image_layers if self.is_resnet else (self.image_layers,)
        sizes = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "image_layers"}
        for name, size in [*sizes.items(), *((f"image_layers[{i}]", n) for i, n in enumerate(stages))]:
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"CLIPConfig: {name} is an int of at least 1, got {size!r}")
        pairs = [("text_width", "text_heads")]
        if self.is_resnet:
            if not stages:
                raise ValueError("CLIPConfig: image_layers has a number of blocks for each stage, got none")
            if self.image_width % 2 or self.pooled_width % self.image_heads:
                raise ValueError(
                    f"CLIPConfig: image_width is even, and the {self.pooled_width} channels after the last stage "
                    f"are a multiple of image_heads; got {self.image_width} and {self.image_heads}"
                )
            if self.grid < 1:
                raise ValueError(
                    f"CLIPConfig: images of {self.image_size} are halved away to nothing by {len(stages)} stages"
                )
        else:
            pairs += [("image_width", "image_heads"), ("image_size", "patch_size")]
        for whole, part in pairs:
            if getattr(self, whole) % getattr(self, part):
                raise ValueError(
                    f"CLIPConfig: {whole} is a multiple of {part}, got {getattr(self, whole)} and {getattr(self, part)}"
                )

    @property
    def is_resnet(self):
        """Whether the image tower is the modified ResNet."""
        return isinstance(self.image_layers, tuple)

    @property
    def end_of_text(self):
        """The token at which the text tower's output is read."""
        return self.vocab_size - 1

    @property
    def grid(self):
        """The features of an image are grid x grid: patches, or what the ResNet's strides leave."""
        if not self.is_resnet:
            return self.image_size // self.patch_size
        return (self.image_size + 1) // 2 // 2 // 2 ** (len(self.image_layers) - 1)

    @property
    def pooled_width(self):
        """The channels after the ResNet's last stage: the inputs of its attention pooling."""
        return 4 * self.image_width * 2 ** (len(self.image_layers) - 1)

    def stage(self, i):
        """(in_channels, channels, stride) of each bottleneck of the ResNet's stage i, counted from 1."""
        channels = self.image_width * 2 ** (i - 1)
        first = (self.image_width, channels, 1) if i == 1 else (2 * channels, channels, 2)
        return [first] + [(4 * channels, channels, 1)] * (self.image_layers[i - 1] - 1)

    @property
    def shapes(self):
        """The shape of each parameter, in the order of the layers."""
        shapes = {}

        def linear(name, fan_out, fan_in):
            shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (fan_out, fan_in), (fan_out,)

        def norm(name, C):
            shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (C,)

        def conv_and_bn(conv, bn, fan_out, fan_in, kernel):
            shapes[f"{conv}.weight"] = (fan_out, fan_in, kernel, kernel)
            norm(bn, fan_out)

        def blocks(tower, layers, C):
            for i in range(layers):
                norm(f"{tower}.h.{i}.ln_1", C)
                for layer in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    linear(f"{tower}.h.{i}.attn.{layer}", C, C)
                norm(f"{tower}.h.{i}.ln_2", C)
                linear(f"{tower}.h.{i}.mlp.fc", 4 * C, C)
                linear(f"{tower}.h.{i}.mlp.proj", C, 4 * C)

        E, C, T = self.embed_dim, self.image_width, self.text_width
        shapes["logit_scale"] = ()
        if self.is_resnet:
            for i, (fan_in, fan_out) in enumerate(((self.in_channels, C // 2), (C // 2, C // 2), (C // 2, C)), start=1):
                conv_and_bn(f"visual.conv{i}", f"visual.bn{i}", fan_out, fan_in, 3)
            for i in range(1, len(self.image_layers) + 1):
                for j, (in_channels, channels, stride) in enumerate(self.stage(i)):
                    name, widths = f"visual.layer{i}.{j}", (in_channels, channels, channels, 4 * channels)
                    for k, kernel in enumerate((1, 3, 1), start=1):
                        conv_and_bn(f"{name}.conv{k}", f"{name}.bn{k}", widths[k], widths[k - 1], kernel)
                    if stride > 1 or in_channels != 4 * channels:
                        conv_and_bn(f"{name}.downsample.0", f"{name}.downsample.1", 4 * channels, in_channels, 1)
            C = self.pooled_width
            shapes["visual.attnpool.positional_embedding"] = (self.grid**2 + 1, C)
            for layer, fan_out in (("q_proj", C), ("k_proj", C), ("v_proj", C), ("c_proj", E)):
                linear(f"visual.attnpool.{layer}", fan_out, C)
        else:
            shapes["visual.class_embedding"] = (C,)
            shapes["visual.positional_embedding"] = (self.grid**2 + 1, C)
            shapes["visual.conv1.weight"] = (C, self.in_channels, self.patch_size, self.patch_size)
            norm("visual.ln_pre", C)
            blocks("visual", self.image_layers, C)
            norm("visual.ln_post", C)
            shapes["visual.proj.weight"] = (E, C)
        shapes["text.positional_embedding"] = (self.context_length, T)
        shapes["text.token_embedding.weight"] = (self.vocab_size, T)
        blocks("text", self.text_layers, T)
        norm("text.ln_final", T)
        shapes["text.proj.weight"] = (E, T)
        return shapes

    def initial_std(self, name, shape):
        """The standard deviation that a matrix, a kernel or an embedding is drawn with, as the authors' code has it."""
        if name == "text.token_embedding.weight":
            return 0.02
        if name == "text.positional_embedding":
            return 0.01
        if len(shape) == 4:  # of PyTorch's own way for convolutions, uniform in ±1/√(fan in)
            return (3 * shape[1] * shape[2] * shape[3]) ** -0.5
        if name.endswith("mlp.fc.weight"):
            return (2 * shape[1]) ** -0.5
        if name.endswith(("attn.out_proj.weight", "mlp.proj.weight")):  # what writes to the residual stream
            layers = self.text_layers if name.startswith("text.") else self.image_layers
            return (2 * layers * shape[0]) ** -0.5
        return shape[-1] ** -0.5

    def check_images(self, x):
        """Refuse an x that is not a floating-point (B, C, image_size, image_size)."""
        shape, expected = tuple(x.shape), (self.in_channels, self.image_size, self.image_size)
        if len(shape) != 4 or shape[1:] != expected or not shape[0]:
            raise ValueError(f"CLIP: expected images (B, {', '.join(map(str, expected))}), at least one, got {shape}")
        if "float" not in str(x.dtype):
            raise TypeError(f"CLIP: expected floating-point images, got {dtype_name(x)}; pixels 0..255 become x / 255")

    def check_text(self, text):
        """Refuse texts that are not int64 (B, T), too long, outside the vocabulary, or without the token that ends them."""
        shape = tuple(text.shape)
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"CLIP: expected texts (B, T), at least one token, got {shape}")
        if dtype_name(text) != "int64":
            raise TypeError(f"CLIP: expected texts of int64, got {dtype_name(text)}")
        if shape[1] > self.context_length:
            raise ValueError(f"CLIP: expected at most {self.context_length} tokens (context_length), got {shape[1]}")
        if str(text.device) != "cpu":
            return  # to look at the tokens would make the CPU wait for the device at every step
        lowest, highest = int(text.min()), int(text.max())
        if lowest < 0 or highest >= self.vocab_size:
            raise ValueError(f"CLIP: expected tokens in 0..{self.vocab_size - 1}, got {lowest}..{highest}")
        last = text.amax(dim=1)  # (B,)
        if int(last.min()) < self.end_of_text:
            first = int(last.argmin())
            raise ValueError(f"CLIP: text {first} has no end: the token {self.end_of_text}, at which it is read")

    def check_pairs(self, x, text):
        """Refuse to train on images and texts that are not pairs."""
        if len(x) != len(text):
            raise ValueError(f"CLIP.loss: expected a text for each image, got {len(x)} images and {len(text)} texts")


def dtype_name(array):
    return str(array.dtype).removeprefix("torch.")


# Models whose weights OpenAI published.
VIT, RESNET = CLIPConfig(), CLIPConfig(embed_dim=1024, image_layers=(3, 4, 6, 3), image_width=64, image_heads=32)
PUBLISHED = {
    "vit-b-32": VIT,
    "vit-b-16": replace(VIT, patch_size=16),
    "vit-l-14": replace(
        VIT, embed_dim=768, patch_size=14, image_layers=24, image_width=1024, image_heads=16, text_width=768, text_heads=12
    ),
    "rn50": RESNET,
    "rn101": replace(RESNET, embed_dim=512, image_layers=(3, 4, 23, 3)),
    "rn50x4": replace(
        RESNET, embed_dim=640, image_size=288, image_layers=(4, 6, 10, 6), image_width=80, image_heads=40,
        text_width=640, text_heads=10,
    ),
}  # fmt: skip


# ------------------------------------------------------------------------------------------- What the tools need

TINY_TEXT = dict(vocab_size=29, context_length=9, text_layers=2, text_width=8, text_heads=2)
TINY_VIT = CLIPConfig(
    embed_dim=6, image_size=12, patch_size=4, image_layers=2, image_width=12, image_heads=3, **TINY_TEXT
)
TINY_RESNET = CLIPConfig(embed_dim=6, image_size=33, image_layers=(1, 2, 1), image_width=8, image_heads=2, **TINY_TEXT)

# What `dlfs compare 12` runs, each in float64 at every level. 33 pixels are 17, 8, 4, 2: odd where they are halved.
VARIANTS = {
    "vit-tiny": TINY_VIT,
    "vit-tiny-one-head": replace(TINY_VIT, image_heads=1, text_heads=1, in_channels=1),
    "resnet-tiny": TINY_RESNET,
    "resnet-tiny-deep": replace(TINY_RESNET, image_size=64, image_layers=(1, 1, 1, 1)),
}

# A key's bias adds the same q · b to every score of a row, which the softmax takes away again (theory.md, section 5).
ZERO_GRADIENTS = (
    *(f"{tower}.h.{i}.attn.k_proj.bias" for tower in ("visual", "text") for i in range(2)),
    "visual.attnpool.k_proj.bias",
)
LOUD = 1.5  # the matrices start large: five times as large, and ten steps carry rounding errors beyond any bound
TWIN = "production_twin"  # transformers' CLIPModel; with the ResNet, timm's for the images beside it


def example_batch(config, rng):
    """One batch for `compare`: images, and a text of another length for each, behind whose end there is anything but an end."""
    x = rng.standard_normal((5, config.in_channels, config.image_size, config.image_size))  # (B, C, H, W)
    text = rng.integers(0, config.vocab_size - 1, (5, config.context_length - 1))  # (B, T)
    text[np.arange(5), [2, 7, 4, 1, 6]] = config.end_of_text
    return (x, text), ()


def labelled_batch(data):
    """training_batch of a set with labels: each image's caption is generated, its class in a template drawn at random."""

    def training_batch(config, x, y, rng):  # (B, C, H, W), (B,)
        return (normalised(x), prompts(data).captions(y, rng)), ()

    return training_batch


def captioned_batch(config, x, y, rng):  # (B, C, H, W), (B, K, T)
    """training_batch of a set with captions: one of each image's, drawn at random."""
    return (normalised(x), y[np.arange(len(y)), rng.integers(y.shape[1], size=len(y))]), ()


def image_to_text_accuracy(outputs):
    """The share of images whose own text is the nearest of the batch's."""
    return float((outputs[0].argmax(axis=1) == np.arange(len(outputs[0]))).mean())


def is_matrix(name, parameter):
    """What weight decay acts on: matrices, kernels and embeddings, not gains, biases and the temperature."""
    return parameter.ndim >= 2


# β, ε and weight decay as in the paper's appendix for Vision Transformers; rates, sizes and epochs are ours.
ADAMW = dict(
    optimizer="adamw", optimizer_options=dict(betas=(0.9, 0.98), eps=1e-6, weight_decay=0.2, decays=is_matrix),
    schedule=warm_up_and_cosine(20), clip=1.0,
)  # fmt: skip
ZERO_SHOT = {"accuracy": zero_shot_accuracy, "one_prompt_accuracy": one_prompt_accuracy}
RETRIEVAL = {
    "image_recall_at_1": image_recall_at_1, "image_recall_at_10": image_recall_at_10, "text_recall_at_10": text_recall_at_10
}  # fmt: skip
CROP_AND_FLIP = Compose([RandomCrop(32, padding=4), RandomHorizontalFlip()])
ZOOM_AND_FLIP = Compose([RandomResizedCrop(64, scale=(0.5, 1.0)), RandomHorizontalFlip()])

SMALL_TEXT = dict(context_length=16, text_layers=2, text_width=64, text_heads=4)
SMALL_RESNET = dict(embed_dim=64, image_layers=(1, 1, 1), image_width=32, image_heads=8)
SMALL_VIT = dict(embed_dim=64, patch_size=4, image_layers=4, image_width=128, image_heads=4)
CAPTION_TEXT = dict(vocab_size=2000, context_length=32, text_layers=3, text_width=128, text_heads=4)

# What `dlfs train 12 --data …` does; the captions of digits and cifar10 are generated (prompts.py), those of flickr8k real.
# The loss depends on how many texts an image is told from: to validate and test, batches are as large as to train.
RECIPES = {
    "digits": dict(
        config=CLIPConfig(
            embed_dim=32, image_size=8, in_channels=1, patch_size=2, image_layers=2, image_width=64, image_heads=4,
            vocab_size=589, **SMALL_TEXT,
        ),
        epochs=12, batch_size=64, evaluation_batch_size=64, lr=2e-3, training_batch=labelled_batch("digits"), metrics={},
        final_metrics=ZERO_SHOT, **ADAMW,
    ),
    "cifar10": dict(
        config=CLIPConfig(image_size=32, vocab_size=596, **SMALL_RESNET, **SMALL_TEXT),
        epochs=6, batch_size=128, evaluation_batch_size=128, lr=2e-3, training_batch=labelled_batch("cifar10"),
        augment=CROP_AND_FLIP.batch, metrics={}, final_metrics=ZERO_SHOT, **ADAMW,
    ),
    "cifar10-vit": dict(
        data="cifar10", config=CLIPConfig(image_size=32, vocab_size=596, **SMALL_VIT, **SMALL_TEXT),
        epochs=8, batch_size=128, evaluation_batch_size=128, lr=1e-3, training_batch=labelled_batch("cifar10"),
        augment=CROP_AND_FLIP.batch, metrics={}, final_metrics=ZERO_SHOT, **ADAMW,
    ),
    "flickr8k": dict(
        config=CLIPConfig(image_size=64, **CAPTION_TEXT, **SMALL_RESNET | {"embed_dim": 128, "image_layers": (1, 1, 1, 1)}),
        epochs=30, batch_size=100, evaluation_batch_size=100, lr=1e-3, training_batch=captioned_batch,
        augment=ZOOM_AND_FLIP.batch, metrics={"image_to_text_accuracy": image_to_text_accuracy},
        final_metrics=RETRIEVAL, **ADAMW,
    ),
    # For a GPU, and for all of Flickr8k.
    "flickr8k-gpu": dict(
        data="flickr8k",
        config=CLIPConfig(
            embed_dim=256, image_size=64, patch_size=8, image_layers=12, image_width=384, image_heads=6,
            **CAPTION_TEXT | {"text_layers": 6, "text_width": 256},
        ),
        epochs=100, batch_size=512, evaluation_batch_size=512, lr=5e-4, training_batch=captioned_batch,
        augment=ZOOM_AND_FLIP.batch, metrics={"image_to_text_accuracy": image_to_text_accuracy},
        final_metrics=RETRIEVAL, **ADAMW,
    ),
}  # fmt: skip
