"""What `dlfs pictures 10 RUN` draws of a trained Vision Transformer: where it looks, how it knows places, what its patches are compared with."""

import math
from functools import partial

import numpy as np

from utils.data_loaders import Split, class_names
from utils.training_utils import outputs_of
from utils.visualization import GREY, as_pixels, confusion_matrix, image_rows, new_figure

from .study import training_batch


def attention_weights(level, inputs):
    """The weights (L, B, h, T, T) of every head for images (B, C, H, W), from the level's own layers."""
    model, take, found = level.model, level.library, []
    level.train(False)
    with take.no_grad():
        tokens = model.patch_embed(level.tensor(inputs))  # (B, N, D)
        cls_token = model.cls_token.expand(len(inputs), -1, -1)
        h = take.cat([cls_token, tokens], dim=1) + model.pos_embed  # (B, T, D)
        for block in model.blocks:
            q, k, _ = block.attn.split_heads(block.attn.qkv(block.norm1(h)))  # (B, h, T, d) each
            scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])  # (B, h, T, T)
            found.append(take.softmax(scores, dim=-1).numpy())
            h = block(h)
    return np.array(found)


def attention_rollout(weights):
    """How much of each token's start is in each token at the end (B, T, T): Abnar & Zuidema 2020; theory.md's eq. 32.

    weights (L, B, h, T, T): the heads' mean, and half for the way past the attention; then one block after the other.
    """
    mixed = (weights.mean(axis=2) + np.eye(weights.shape[-1])) / 2  # (L, B, T, T)
    rollout = mixed[0]
    for block in mixed[1:]:
        rollout = block @ rollout
    return rollout


def one_of_each_class(level, data):
    """The first test image of each class that the model gets right: x (B, C, H, W), y (B,), and the inputs made of them."""
    taken = predictions(level, Split(data.test.x[:1000], data.test.y[:1000]))
    y = data.test.y[: len(taken)]
    first = [np.flatnonzero((y == k) & (taken == k)) for k in range(10)]
    chosen = np.array([indices[0] for indices in first if len(indices)])
    x, y = data.test.x[chosen], data.test.y[chosen]
    (inputs,), _ = training_batch(level.model.config, x, y, None)
    return x, y, inputs


def rollout(level, data):
    """A test image of each class, and how much each patch has to do with the class token at the end."""
    x, y, inputs = one_of_each_class(level, data)
    n = level.model.config.grid_size
    of_patches = attention_rollout(attention_weights(level, inputs))[:, 0, 1:].reshape(len(x), n, n)
    of_patches /= of_patches.max(axis=(1, 2), keepdims=True)
    captions = [[class_names(data)[k] for k in y], [""] * len(y)]
    rows = [("image", [as_pixels(image) for image in x]), ("roll-out", list(of_patches))]
    return image_rows("Which patches the class token is made of: white is most", rows, captions)


def heads(level, data):
    """Where the class token looks in one test image: a row for each block, a column for each head; above, how much not at itself."""
    x, y, inputs = one_of_each_class(level, data)
    n = level.model.config.grid_size
    weights = attention_weights(level, inputs[:1])[:, 0, :, 0, 1:]  # (L, h, N)
    rows = [("image", [as_pixels(x[0])])]
    rows += [(f"block {i}", [head.reshape(n, n) for head in block]) for i, block in enumerate(weights)]
    captions = [[class_names(data)[y[0]]] + [""] * (len(weights[0]) - 1)]
    captions += [[f"{100 * head.sum():.0f} %" for head in block] for block in weights]
    return image_rows("Where the class token looks, by head", rows, captions)


def positions(level, data):
    """How alike the position embeddings of two patches are: in each square the cosine of one with all (the paper's figure 7)."""
    n = level.model.config.grid_size
    P = level.state()["pos_embed"][0, 1:]  # (N, D)
    P = P - P.mean(axis=0)  # what all have in common says nothing of the place
    P = P / np.linalg.norm(P, axis=1, keepdims=True)
    cosines = (P @ P.T).reshape(n, n, n, n)
    figure = new_figure(0.85 * n + 1.2, 0.85 * n + 0.6, "How alike the places' embeddings are")
    grid = figure.subplots(n, n, squeeze=False)
    for (i, j), axes in np.ndenumerate(grid):
        image = axes.imshow(cosines[i, j], cmap=GREY, vmin=-1, vmax=1, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set(visible=True, color="0.5", linewidth=0.6)  # a white square in a corner needs an edge
    for i in range(n):
        grid[i][0].set_ylabel(f"row {i}", rotation=0, ha="right", va="center")
        grid[0][i].set_title(f"column {i}", fontsize=8)
    figure.colorbar(image, ax=grid, label="cosine", shrink=0.6)
    return figure


def filters(level, data):
    """What patches are compared with: the first principal components of the patch embedding's kernels (the paper's figure 7)."""
    kernels = level.state()["patch_embed.proj.weight"]  # (D, C, P, P)
    _, _, components = np.linalg.svd(kernels.reshape(len(kernels), -1), full_matrices=False)
    shown = components[:28].reshape(-1, *kernels.shape[1:])  # (…, C, P, P)
    if len(shown[0]) == 1:
        images = list(shown[:, 0])
        return image_rows("Principal components of the patch filters", [("", images[i : i + 14]) for i in range(0, len(images), 14)], signed=True)  # fmt: skip
    low, high = (reduce(axis=(1, 2, 3), keepdims=True) for reduce in (shown.min, shown.max))
    images = list(((shown - low) / (high - low)).transpose(0, 2, 3, 1))
    return image_rows("Principal components of the patch filters", [("", images[i : i + 14]) for i in range(0, len(images), 14)])  # fmt: skip


def predictions(level, split):
    """The class (N,) that each example of a split is taken for."""
    return outputs_of(level, split, partial(training_batch, level.model.config)).argmax(axis=1)


def confusion(level, data):
    taken = predictions(level, data.test)
    right = 100 * (taken == data.test.y).mean()
    return confusion_matrix(f"{right:.1f} % of the test images are right", data.test.y, taken, class_names(data))


DRAWINGS = {"rollout": rollout, "heads": heads, "positions": positions, "filters": filters, "confusion": confusion}
PICTURES = {
    "digits": {
        name: DRAWINGS[name] for name in ("rollout", "heads", "positions", "confusion")
    },  # 2 x 2 pixels say little
    "cifar10": DRAWINGS,
    "cifar10-full": DRAWINGS,
}
