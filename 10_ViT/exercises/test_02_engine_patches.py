import numpy as np
import torch

import framework
import framework.nn as nn
from dlfs.grading import expect

ORDER = "patches row by row; in a patch channel by channel, then row by row: reshape to (B, C, gh, P, gw, P), permute, reshape"


def images(B=2, C=3, H=4, W=6):
    return np.random.default_rng(H).standard_normal((B, C, H, W))


def test_the_patches(exercise):
    x = images()
    expected = [
        [x[b, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].ravel() for i in range(2) for j in range(3)] for b in range(2)
    ]
    expect(exercise.patchify(framework.tensor(x), 2), np.array(expected), "patchify(images (2, 3, 4, 6), P=2)", ORDER)


def test_the_linear_layer_is_the_convolution(exercise):
    conv = nn.Conv2d(3, 5, 2, stride=2)
    linear = exercise.to_linear(conv)
    assert isinstance(linear, nn.Linear), f"to_linear gave a {type(linear).__name__}, expected an nn.Linear"
    x = images().astype(np.float32)
    patches = [
        [x[b, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].ravel() for i in range(2) for j in range(3)] for b in range(2)
    ]
    expected = conv(framework.tensor(x)).flatten(2).transpose(1, 2)
    usually = "weight (D, C, P, P) laid out is (D, C·P·P), in the order of the patches; and the bias comes along"
    got = linear(framework.tensor(np.array(patches)))
    expect(got, expected, "to_linear(Conv2d(3, 5, 2, stride=2))(patches (2, 6, 12))", usually, 1e-5)


def by_torch(table, old, new):
    picture = table[1:].reshape(1, *old, -1).permute(0, 3, 1, 2)
    picture = torch.nn.functional.interpolate(picture, size=new, mode="bilinear", align_corners=False)
    return torch.cat([table[:1], picture[0].flatten(1).T])


def test_positions_of_another_size(exercise):
    table = np.random.default_rng(1).standard_normal((1 + 6, 4))
    for new in ((2, 3), (4, 6), (5, 2)):
        usually = "row 0, the class token's, stays; the others are a picture (gh, gw) with D CHANNELS, bilinear, align_corners=False"
        got = exercise.resized(framework.tensor(table), (2, 3), new)
        expect(got, by_torch(torch.tensor(table), (2, 3), new), f"resized(table (7, 4), (2, 3), {new})", usually)


def made_of(exercise):
    """An Embedding for 2 × 3 patches, in float64, and its weights as tensors of PyTorch."""
    rng = np.random.default_rng(2)
    made = exercise.Embedding((2, 3), 2, 3, 4).to(framework.float64)
    weights = {}
    for name, parameter in made.named_parameters():
        value = rng.standard_normal(tuple(parameter.shape))
        with framework.no_grad():
            parameter.copy_(framework.tensor(value))
        weights[name] = torch.from_numpy(value).requires_grad_()
    return made, weights


def test_the_tokens_and_the_gradients(exercise):
    for H, W in ((4, 6), (8, 10)):
        made, p = made_of(exercise)
        x = images(H=H, W=W)
        conv = torch.nn.functional.conv2d(
            torch.tensor(x), p["proj.weight"].reshape(4, 3, 2, 2), p["proj.bias"], stride=2
        )
        tokens = torch.cat([p["cls_token"].expand(2, 1, 4), conv.flatten(2).transpose(1, 2)], dim=1)
        expected = tokens + by_torch(p["pos_embed"], (2, 3), (H // 2, W // 2))
        called = f"Embedding(grid (2, 3), P=2, C=3, D=4)(images (2, 3, {H}, {W}))"
        got = made(framework.tensor(x))
        usually = "the class token comes first, and positions are added to ALL tokens, for the grid (H / P, W / P) of these images"
        expect(got, expected, called, usually)
        dy = np.random.default_rng(3).standard_normal(tuple(expected.shape))
        (got * framework.tensor(dy)).sum().backward()
        (expected * torch.from_numpy(dy)).sum().backward()
        for name, parameter in made.named_parameters():
            assert parameter.grad is not None, (
                f"no gradient reaches {name} through {called}: stay in the engine's tensors"
            )
            expect(
                parameter.grad,
                p[name].grad,
                f"the gradient of {name} through {called}",
                "the class token and the table are shared by all images: gradients add up",
                1e-9,
            )
