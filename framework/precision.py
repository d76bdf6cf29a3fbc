"""In which precision an op computes: autocast's lists, its mode, and float16 on a CPU.

Every op looks at `mode.on`, one attribute, before it begins; while an `amp.autocast` block is open, the op's inputs pass through
`cast_inputs`, which looks its name up in the lists. The casts are ops of their own, recorded like any other: gradients come back in
each tensor's own dtype. A function made of several ops is listed by its own name, and marked `@listed`: its inputs are cast once, and
within it nothing is.

NumPy's product of float16 matrices is hundreds of times slower than that of float32, and sums in float16 lose digits and overflow.
So the ops in WIDE compute in float32 what they get, and hand out, in float16: what a GPU's tensor cores do, too.
"""

import functools

import numpy as np

from .autograd import autocast_mode as mode
from .autograd import autocast_state as local
from .autograd import autocasting
from .backend import device_of, float16, float32, float64
from .tensor import Tensor, ndarray

_PRODUCTS = """matmul linear einsum conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d addmm baddbmm prelu
    scaled_dot_product_attention lstm rnn_tanh rnn_relu rnn_tanh_cell rnn_relu_cell"""
_LOSSES = """mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy_with_logits kl_div kl_div_log nll_loss cross_entropy
    soft_margin_loss poisson_nll_loss hinge_embedding_loss cosine_embedding_loss margin_ranking_loss triplet_margin_loss"""
# What PyTorch's lists say (torch/csrc/../autocast_mode.h, "CUDA Ops that can autocast" in its documentation, and the CPU's).
#   half: computed in the autocast's dtype. full: in float32. widest: in the widest dtype of the inputs. own: inputs and inner ops are
#   left alone. refused: an error. An op that is in none takes its inputs as they come.
_LISTS = {
    "cuda": {
        "half": _PRODUCTS + " gru gru_cell lstm_cell",
        "full": _LOSSES + """ exp expm1 log log1p log2 log10 reciprocal rsqrt square pow sinh cosh tan acos asin sum prod norm logsumexp
            cumsum cumprod softmax log_softmax softplus layer_norm group_norm cosine_similarity pairwise_distance cdist interpolate""",
        "widest": "bilinear dot tensordot grid_sample",
        "own": "mix mish nansum rms_norm",
        "refused": "binary_cross_entropy",
    },
    "cpu": {
        "half": _PRODUCTS,
        "full": _LOSSES + """ binary_cross_entropy prod trace cdist avg_pool3d max_pool3d adaptive_avg_pool3d local_response_norm
            inv solve cholesky qr lstsq grid_sample""",
        "own": "bilinear dot mv mix",
    },
}  # fmt: skip
LISTS = {device: {name: kind for kind, names in lists.items() for name in names.split()} for device, lists in _LISTS.items()}  # fmt: skip

WIDE = frozenset(
    """matmul linear einsum conv conv_input conv_weight scaled_dot_product_attention rnn lstm gru standardize softmax log_softmax
    logsumexp cross_entropy sum mean var std norm cumsum avg_pool avg_pool_input gelu gelu_tanh silu softplus logsigmoid elu celu
    huber_loss""".split()
)


def _tensors(value):
    """The tensors in arguments: in lists, tuples and dicts, too."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))


def _mapped(value, function):
    """The same arguments with function(tensor) for each tensor."""
    if isinstance(value, Tensor):
        return function(value)
    if value.__class__ in (list, tuple):
        return value.__class__([_mapped(part, function) for part in value])
    return {key: _mapped(part, function) for key, part in value.items()} if value.__class__ is dict else value


def _device(arguments):
    """The type of device that the arguments' first tensor is on."""
    first = next(_tensors(arguments), None)
    return "cpu" if first is None or first.array.__class__ is ndarray else device_of(first.array).type


def cast_inputs(name, inputs):
    """The inputs of the op `name` in the dtypes that the open autocast block asks for."""
    device = _device(inputs)
    kind = LISTS[device].get(name)
    if kind is None or local.dtypes[device] is None:
        return inputs
    return _cast(name, kind, device, inputs)


def _cast(name, kind, device, arguments):
    if kind == "refused":
        raise RuntimeError(
            f"{name}: unsafe under autocast, its logarithms need float32: give logits to binary_cross_entropy_with_logits, "
            "or compute it within autocast(..., enabled=False)"
        )
    if kind == "own":
        return arguments
    target = local.dtypes[device] if kind == "half" else float32
    if kind == "widest" and not any(x.array.dtype == float32 for x in _tensors(arguments)):
        target = local.dtypes[device]
    cast = _mapped(arguments, lambda x: _as(x, target, device))
    if kind == "half":
        dtypes = {x.array.dtype for x in _tensors(cast) if x.array.dtype.kind == "f"}
        if len(dtypes) > 1:
            raise RuntimeError(
                f"{name}: dtypes {' and '.join(sorted(map(str, dtypes)))} differ; autocast leaves float64 as it is"
            )
    return cast


def _as(x, dtype, device):
    """x in the dtype; float64, integers and what is on another device stay as they are. A weight is cast once in a block."""
    source = x.array.dtype
    if source == dtype or source.kind != "f" or source == float64 or _device((x,)) != device:
        return x
    if source != float32 or not local.caches or not x.needs_grad or not x.is_leaf:
        return x.to(dtype)
    known = local.cache.get(x)
    if known is not None:
        cast, array, written = known
        if array is x.array and written == x._version and cast.needs_grad and cast.node.edges is not None:
            return cast
    cast = x.to(dtype)
    if cast.needs_grad:
        local.cache[x] = cast, x.array, x._version
    return cast


def listed(function):
    """Decorator: autocast knows this function by name. Its inputs are cast on entering; within it no op casts any more."""
    name = function.__name__

    @functools.wraps(function)
    def call(*args, **kwargs):
        if not mode.on:
            return function(*args, **kwargs)
        device = _device((args, kwargs))
        kind = LISTS[device].get(name)
        if kind is None or local.dtypes[device] is None:
            return function(*args, **kwargs)
        args, kwargs = _cast(name, kind, device, (args, kwargs))
        with autocasting({**local.dtypes, device: None}):
            return function(*args, **kwargs)

    return call


# --- float16, computed in float32 -------------------------------------------------------------------------------------


def widened(value):
    """Arrays of float16 as float32, in tuples and lists, too; the rest as it is."""
    if value.__class__ in (tuple, list):
        return value.__class__([widened(part) for part in value])
    return value.astype(float32) if getattr(value, "dtype", None) == float16 and hasattr(value, "astype") else value


def narrowed(value, dtype=float16):
    """What was computed in float32 as float16."""
    if value.__class__ in (tuple, list):
        return value.__class__([narrowed(part, dtype) for part in value])
    return value.astype(dtype) if getattr(value, "dtype", None) == float32 else value


def is_wide(name, array):
    """Whether the op computes this array, of float16, in float32: on a GPU products are left to the library, which does so by itself."""
    return array.__class__ is np.ndarray or name == "standardize"
