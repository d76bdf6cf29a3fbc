"""Changing the spatial size: pad with constants, reflections, copies or around; interpolate to another size."""

import functools
import itertools
import math

import numpy as np

from ..precision import listed
from ..tensor import Tensor
from .define import op
from .gather import index_select
from .pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, mix
from .windows import per_dimension

__all__ = []

# --- padding ----------------------------------------------------------------------------------------------------------


def _pad(x, *, pads, value):
    """x with (before, after) elements of this value added to each dimension; negative numbers take elements away."""
    size = tuple([n + before + after for n, (before, after) in zip(x.shape, pads)])
    y = np.full_like(x, value, shape=size)
    inside = tuple([slice(max(before, 0), n - max(after, 0)) for n, (before, after) in zip(size, pads)])
    kept = tuple([slice(max(-before, 0), n - max(-after, 0)) for n, (before, after) in zip(x.shape, pads)])
    y[inside] = x[kept]
    return y


pad_constant = op(
    "pad", _pad, lambda g, pads: pad_constant(g, pads=tuple([(-before, -after) for before, after in pads]), value=0)
)

_SOURCES = {  # for padded positions i = −before … n − 1 + after, which element is there
    "reflect": lambda i, n: n - 1 - abs(n - 1 - abs(i)),
    "replicate": lambda i, n: min(max(i, 0), n - 1),
    "circular": lambda i, n: i % n,
}


def pad(input, pad, mode="constant", value=None):
    """The input with elements added at the ends of its last dimensions: pad = (left, right, top, bottom, …), the last dimension first.

    mode "constant": `value`, 0 by default, for any number of dimensions. "reflect": mirrored at the outermost element, which is not repeated;
    "replicate": the outermost element; "circular": from the other end; for the last one, two or three of (N, C, …) or (C, …).
    Negative numbers take elements away. RuntimeError where pad has an odd length, or is too long for the dimension.
    """
    return _padded(input, [int(p) for p in pad], mode, value)


def _padded(input, numbers, mode, value):
    dims = len(numbers) // 2
    if len(numbers) % 2 or dims > input.ndim:
        raise RuntimeError(
            f"pad: {tuple(numbers)} must be pairs for at most the {input.ndim} dimensions of {tuple(input.shape)}"
        )
    pairs = [tuple(numbers[2 * i : 2 * i + 2]) for i in range(dims)][::-1]  # in the order of the dimensions
    size = input.array.shape[input.ndim - dims :]
    if any(n + before + after < 0 for n, (before, after) in zip(size, pairs)):
        raise RuntimeError(f"pad: {tuple(numbers)} takes away more than there is of {tuple(input.shape)}")
    if mode == "constant":
        return pad_constant(
            input, pads=((0, 0),) * (input.ndim - dims) + tuple(pairs), value=0 if value is None else value
        )
    if mode not in _SOURCES:
        raise NotImplementedError(
            f'pad: mode={mode!r} is not supported; "constant", "reflect", "replicate" and "circular" are'
        )
    if value is not None and value != 0:
        raise RuntimeError(f'pad: mode="{mode}" takes no value, got {value}')
    if dims not in (1, 2, 3) or input.ndim not in (dims + 1, dims + 2):
        raise NotImplementedError(
            f'pad: mode="{mode}" pads the last 1, 2 or 3 dimensions of (C, …) or (N, C, …), got {dims} for {tuple(input.shape)}'
        )
    if mode == "circular" and min(numbers, default=0) < 0:  # what is left after taking away is what goes around
        input = _padded(input, [min(p, 0) for p in numbers], "constant", 0)
        return _padded(input, [max(p, 0) for p in numbers], mode, None)
    most = {"reflect": 1, "circular": 0}.get(mode)
    for n, pair in zip(size, pairs):
        if n == 0 and max(pair) > 0 or most is not None and max(pair) > n - most:
            raise RuntimeError(
                f'pad: mode="{mode}" can add at most {n - (most or 0)} to a dimension of {n}, got {tuple(numbers)}'
            )
    for dim, (n, (before, after)) in enumerate(zip(size, pairs), start=-dims):
        if before or after:
            source = [_SOURCES[mode](i, n) for i in range(-before, n + after)]
            input = index_select(input, dim, Tensor(np.array(source, np.int64, like=input.array)))
    return input


# --- interpolation ----------------------------------------------------------------------------------------------------


def _scaled(out, scale, offset, dtype):
    """The input positions of the outputs, computed in the input's dtype as PyTorch does, which decides ties."""
    number = np.dtype(dtype).type
    return (np.arange(out, dtype=dtype) + number(offset)) * number(scale) - number(offset)


@functools.lru_cache(maxsize=64)
def nearest_places(n, out, scale, exact, dtype):
    """For each output the input element: ⌊i · scale⌋, or for "nearest-exact" ⌊(i + ½) · scale⌋."""
    positions = (np.arange(out, dtype=dtype) + np.dtype(dtype).type(0.5 if exact else 0)) * np.dtype(dtype).type(scale)
    return np.minimum(np.floor(positions).astype(np.int64), n - 1)


@functools.lru_cache(maxsize=64)
def weights_of(mode, n, out, scale, align_corners, dtype):
    """The matrix (out, n) that interpolates along one dimension.

    Output i lies at x = (i + ½) · scale − ½, or with align_corners, where first and last elements stay in place, at x = i · (n − 1)/(out − 1).
    linear: between the two neighbours. cubic: from the four around, by the kernel with a = −¾ (Keys 1981, "Cubic convolution interpolation").
    Neighbours beyond the edge are the edge.
    """
    number = np.dtype(dtype).type
    if align_corners:
        x = np.arange(out, dtype=dtype) * number((n - 1) / (out - 1) if out > 1 else 0)
    else:
        x = _scaled(out, scale, 0.5, dtype)
    if mode == "linear":
        x = np.maximum(x, 0)
        offsets, kernel = (0, 1), lambda d: 1 - d
    else:
        offsets, kernel = (-1, 0, 1, 2), _cubic
    first = np.floor(x)
    weights = np.zeros((out, n))
    for offset in offsets:
        source = np.clip(first + offset, 0, n - 1).astype(np.int64)
        np.add.at(weights, (np.arange(out), source), kernel(np.abs(x - first - offset)))
    return weights


def _cubic(d, a=-0.75):
    """The weight of an element at distance d ≤ 2."""
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((d - 5) * d + 8) * d * a - 4 * a
    return np.where(d <= 1, near, far)


_MODES = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}  # how many spatial dimensions each needs
_AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


@listed
def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    """The input (N, C, *spatial) at another spatial size: `size`, or ⌊input size · scale_factor⌋; each one number, or one per dimension.

    mode: "nearest", "nearest-exact", "linear" (1 spatial dimension), "bilinear", "bicubic" (2), "trilinear" (3), or "area", the adaptive
    mean. Positions come from scale_factor where it is given, from the sizes otherwise or with recompute_scale_factor.
    A matrix per dimension does it, so an infinite or NaN element spreads along its row and column.
    """
    dims = input.ndim - 2
    if antialias:
        raise NotImplementedError("interpolate: antialias=True is not supported; leave it out")
    if dims not in (1, 2, 3):
        raise NotImplementedError(
            f"interpolate: the input must be (N, C, …) with 1, 2 or 3 spatial dimensions, got {tuple(input.shape)}"
        )
    if mode not in ("nearest", "nearest-exact", "area", *_MODES) or _MODES.get(mode, dims) != dims:
        raise NotImplementedError(
            f"interpolate: mode={mode!r} does not apply to {dims} spatial dimensions, input {tuple(input.shape)}"
        )
    if align_corners is not None and mode not in _MODES:
        raise ValueError(f"interpolate: align_corners belongs to {', '.join(_MODES)}, not to mode={mode!r}")
    if mode in _MODES and not input.is_floating_point():
        raise NotImplementedError(
            f"interpolate: mode={mode!r} of {input.dtype} is not supported; convert to a floating dtype with .float()"
        )
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give one of size and scale_factor")
    old = input.array.shape[2:]
    if size is not None:
        new, factors = per_dimension("interpolate", "size", size, dims, 1), None
    else:
        factors = tuple(scale_factor) if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * dims
        if len(factors) != dims:
            raise ValueError(f"interpolate: scale_factor must be one number or {dims}, got {scale_factor!r}")
        new = tuple([math.floor(n * factor) for n, factor in zip(old, factors)])
        if min(new) < 1:
            raise RuntimeError(f"interpolate: scale_factor {scale_factor} leaves nothing of {tuple(input.shape)}")
    if mode == "area":
        return _AREA[dims](input, new)
    kept = factors is not None and not recompute_scale_factor
    for dim, (n, out) in enumerate(zip(old, new)):
        scale = 1 / factors[dim] if kept else n / out
        if mode in _MODES:
            input = mix(
                input,
                dim - dims,
                weights_of("cubic" if mode == "bicubic" else "linear", n, out, scale, bool(align_corners), input.dtype),
            )
        else:
            places = nearest_places(n, out, scale, mode == "nearest-exact", input.dtype)
            input = index_select(input, dim - dims, Tensor(np.array(places, like=input.array)))
    return input


# --- channels as pixels -----------------------------------------------------------------------------------------------


# --- values at given places -------------------------------------------------------------------------------------------


def affine_grid(theta, size, align_corners=None):
    """The places that grid_sample is to read for an affine map: theta (N, d, d + 1) and size (N, C, …) → (N, …, d), d = 2 or 3.

    −1 and 1 are the edges of the input's space; with align_corners the centres of its outermost elements.
    """
    spatial = tuple(size)[2:]
    d = len(spatial)
    if d not in (2, 3) or tuple(theta.shape) != (size[0], d, d + 1):
        raise ValueError(
            f"affine_grid: theta {tuple(theta.shape)} must be (N, d, d + 1) for the size {tuple(size)} = (N, C, …)"
        )
    steps = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in spatial]
    if not align_corners:
        steps = [x * ((n - 1) / n) for x, n in zip(steps, spatial)]
    axes = np.meshgrid(*steps, indexing="ij")[::-1]  # x, the last dimension, comes first
    places = np.stack([*axes, np.ones(spatial)], axis=-1).reshape(-1, d + 1).astype(theta.dtype)
    return (Tensor(np.asarray(places, like=theta.array)) @ theta.mT).reshape(size[0], *spatial, d)


@listed
def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """The input (N, C, …) read at the places of the grid (N, …, d), x, the last dimension's, first: (N, C, …); d = 2 or 3.

    −1 and 1 are the edges of the input's space; with align_corners the centres of its outermost elements. mode "bilinear": between the 2^d
    neighbours; "nearest". Beyond the edges there is 0 (padding_mode "zeros"), the edge ("border"), or the mirror image ("reflection").
    Differentiable by both (Jaderberg et al. 2015, "Spatial Transformer Networks"). mode "bicubic" is not supported.
    """
    spatial, d = input.shape[2:], input.ndim - 2
    if mode not in ("bilinear", "nearest") or padding_mode not in ("zeros", "border", "reflection"):
        raise NotImplementedError(f"grid_sample: mode={mode!r} with padding_mode={padding_mode!r} is not supported")
    if d not in (2, 3) or grid.ndim != d + 2 or grid.shape[-1] != d or grid.shape[0] != input.shape[0]:
        raise RuntimeError(
            f"grid_sample: the input {tuple(input.shape)} must be (N, C, …), the grid {tuple(grid.shape)} (N, …, {d}) with d = 2 or 3"
        )
    places = [_place(grid[..., d - 1 - k], n, padding_mode, align_corners) for k, n in enumerate(spatial)]  # d × (N, …)
    firsts = [np.floor(x.array) if mode == "bilinear" else np.rint(x.array) for x in places]
    flat, result = input.flatten(2), None  # (N, C, Π n)
    for corner in itertools.product((0, 1) if mode == "bilinear" else (0,), repeat=d):
        index, inside, weight = 0, 1, 1
        for x, first, step, n in zip(places, firsts, corner, spatial):
            at = first + step
            inside = inside * ((at >= 0) & (at < n))
            index = index * n + np.clip(at, 0, n - 1).astype(np.int64)
            part = x - Tensor(first)
            weight = weight * (part * 0 + 1 if mode == "nearest" else part if step else 1 - part)
        weight = weight * Tensor(inside.astype(input.dtype))
        index = Tensor(index.reshape(len(index), 1, -1)).expand(-1, input.shape[1], -1)
        term = flat.gather(2, index) * weight.reshape(len(weight), 1, -1)
        result = term if result is None else result + term
    return result.reshape(*input.shape[:2], *grid.shape[1:-1])


def _place(x, n, padding_mode, align_corners):
    """Coordinates from −1 to 1 as positions among n elements, from 0 to n − 1 where there is no other element beyond."""
    x = (x + 1) * ((n - 1) / 2) if align_corners else ((x + 1) * n - 1) / 2
    if padding_mode == "reflection":
        low, span = (0, n - 1) if align_corners else (-0.5, n)
        x = (x - low).abs()
        times = np.floor(x.array / max(span, 1))  # how often it is mirrored
        x = x - Tensor(times * span)
        odd = times % 2
        x = x * Tensor(1 - 2 * odd) + Tensor(odd * span + low)
    return x if padding_mode == "zeros" else x.clamp(0, n - 1)


# --- between channels and space ---------------------------------------------------------------------------------------


def pixel_shuffle(input, upscale_factor):
    """(…, C r², H, W) as (…, C, H r, W r): every r² channels become the r × r pixels of one (Shi et al. 2016, arXiv:1609.05158)."""
    r, (*batch, channels, height, width) = upscale_factor, input.shape if input.ndim > 2 else (-1, -1, -1)
    if input.ndim < 3 or r < 1 or channels % (r * r):
        raise RuntimeError(f"pixel_shuffle: {tuple(input.shape)} needs (…, C r², H, W) with r = {r}")
    x = input.reshape(*batch, channels // (r * r), r, r, height, width)
    n = len(batch)
    return x.permute(*range(n + 1), n + 3, n + 1, n + 4, n + 2).reshape(
        *batch, channels // (r * r), height * r, width * r
    )


def pixel_unshuffle(input, downscale_factor):
    """(…, C, H r, W r) as (…, C r², H, W): the reverse of pixel_shuffle."""
    r, (*batch, channels, height, width) = downscale_factor, input.shape if input.ndim > 2 else (-1, -1, -1)
    if input.ndim < 3 or r < 1 or height % r or width % r:
        raise RuntimeError(f"pixel_unshuffle: {tuple(input.shape)} needs (…, C, H r, W r) with r = {r}")
    x = input.reshape(*batch, channels, height // r, r, width // r, r)
    n = len(batch)
    return x.permute(*range(n + 1), n + 2, n + 4, n + 1, n + 3).reshape(
        *batch, channels * r * r, height // r, width // r
    )


@listed
def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """x / (k + alpha · mean of x² over `size` neighbouring channels)^beta (Krizhevsky et al. 2012); input (N, C, …)."""
    if input.ndim < 3:
        raise ValueError(f"local_response_norm: the input must be (N, C, …) with space, got {tuple(input.shape)}")
    squares = pad(input * input, (0, 0) * (input.ndim - 2) + (size // 2, (size - 1) // 2))
    channels = input.shape[1]
    total = squares.narrow(1, 0, channels)
    for shift in range(1, size):
        total = total + squares.narrow(1, shift, channels)
    return input / (total * (alpha / size) + k) ** beta
