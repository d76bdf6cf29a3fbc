"""Autocast: every row of the op table computes in the dtypes that PyTorch's autocast gives it, and to float16's precision the same values."""

import threading
import types
import warnings

import numpy as np
import pytest
import torch

import framework
from framework import Tensor, nn, precision
from framework.autograd import autocast_mode, autocast_state
from framework.ops.define import OPS
from framework.torch_names import torch_import
from framework.utils.checkpoint import checkpoint
from tests.engine import compare
from tests.engine.table import families, table

pytestmark = pytest.mark.filterwarnings("ignore")

F16 = framework.float16
HALF = lambda T: T.autocast("cpu", dtype=T.float16)

# Where PyTorch's dtype on a CPU is an accident of how it is built, or the same values come in another dtype.
OTHER = {
    "einsum i,j->ij": "a product without a sum is no matrix product there",
    "einsum ij,k->i": "as above",
    "einsum ij,ij->ij": "as above",
    "linalg.pinv": "the last of its steps is a product there",
    "nn.functional.max_pool3d indices": "listed without indices alone",
    "nn.functional.local_response_norm even": "pads in another way",
    "nn.functional.pad reflect": "float16 is padded in float32 there: the same values",
    "nn.functional.pad replicate": "as above",
    "lstm layers": "packed sequences are not cast there, others are",
    "det empty": "NumPy has no determinant in float16",
}


def outcome(T, entry, dtype, make):
    """The row under autocast: its outputs and the gradients of its inputs; or None where it is refused."""
    xs = make(entry, "float32")
    if dtype == "float16":
        xs = [x.detach().half().requires_grad_(x.requires_grad) if x.is_floating_point() else x for x in xs]
    try:
        with HALF(T):
            outputs = entry.function(T, *xs)
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        return None
    return [y for y in compare.flat(outputs) if isinstance(y, (Tensor, torch.Tensor))]


@pytest.mark.parametrize("family", [family.__name__.removeprefix("tests.engine.rows_") for family in families()])
def test_the_dtypes_are_pytorchs(family):
    rows = importlib_rows(family)
    wrong, compared = [], 0
    for entry in rows:
        if any(entry.name.startswith(name) for name in OTHER):
            continue
        for dtype in ("float32", "float16"):
            theirs = outcome(torch, entry, dtype, compare.torch_inputs)
            if theirs is None:  # float16 that PyTorch has no kernel for
                continue
            ours = outcome(framework, entry, dtype, compare.engine_inputs)
            kinds = [None if side is None else [compare.dtype_of(y) for y in side] for side in (ours, theirs)]
            compared += 1
            if kinds[0] != kinds[1]:
                wrong.append(f"{entry.name} of {dtype}: {kinds[0]}, PyTorch {kinds[1]}")
            elif entry.values and not all(map(alike, ours, theirs)):
                wrong.append(f"{entry.name} of {dtype}: other values")
    assert not wrong, "\n".join(wrong)
    assert compared >= len(rows)


def importlib_rows(family):
    return next(each.ROWS for each in families() if each.__name__.endswith(f"rows_{family}"))


def alike(ours, theirs, bound=0.02):
    a, b = (compare.array_of(y).astype(np.float64) for y in (ours, theirs))
    scale = np.abs(b[np.isfinite(b)]).max(initial=1e-3)
    return a.shape == b.shape and np.allclose(a, b, rtol=bound, atol=bound * scale, equal_nan=True)


# What PyTorch 2.11 gives under torch.autocast("cuda") on an H200, of float32 and of float16: recorded there, as the tests need no GPU.
ON_CUDA = {
    "32 32": """exp expm1 log log1p log2 log10 reciprocal rsqrt sinh cosh tan acos asin square sum prod norm logsumexp cumsum cumprod
        softmax log_softmax nn.functional.softplus nn.functional.mse_loss nn.functional.l1_loss nn.functional.smooth_l1_loss
        nn.functional.huber_loss nn.functional.binary_cross_entropy_with_logits nn.functional.kl_div nn.functional.soft_margin_loss
        nn.functional.poisson_nll_loss nn.functional.hinge_embedding_loss pow cosine_similarity nn.functional.pairwise_distance
        nn.functional.interpolate nn.functional.layer_norm nn.functional.group_norm nn.functional.local_response_norm
        nn.functional.normalize nn.functional.gaussian_nll_loss nn.functional.cross_entropy nn.functional.nll_loss trace
        nn.functional.cosine_embedding_loss nn.functional.margin_ranking_loss nn.functional.triplet_margin_loss linalg.vector_norm
        nn.functional.bilinear""",
    "32 16": """sqrt tanh atan acosh asinh atanh sigmoid erf erfc exp2 mean var std nansum amax logit nn.functional.gelu
        nn.functional.silu nn.functional.elu nn.functional.logsigmoid nn.functional.mish nn.functional.hardswish
        nn.functional.softsign nn.functional.celu add atan2 dot outer xlogy logaddexp fmod nn.functional.batch_norm
        nn.functional.instance_norm nn.functional.rms_norm tensordot kron""",
    "16 16": """matmul mm bmm mv einsum nn.functional.linear nn.functional.conv2d nn.functional.conv_transpose1d prelu
        nn.functional.scaled_dot_product_attention lstm gru rnn_tanh""",
}  # fmt: skip
BILINEAR = {"nn.functional.bilinear"}  # of float16 with weights in float32


@pytest.mark.parametrize("kinds", ON_CUDA)
def test_the_dtypes_on_a_gpu_are_pytorchs(kinds, monkeypatch):
    monkeypatch.setitem(precision.LISTS, "cpu", precision.LISTS["cuda"])
    first = {}
    for _, entry in table():
        if any(given.grad for given in entry.inputs):  # the first of floating-point numbers
            first.setdefault(entry.public, entry)
    wrong = []
    for name in ON_CUDA[kinds].split():
        for dtype, kind in zip(("float32", "float16"), kinds.split()):
            if name in BILINEAR and dtype == "float16":
                continue
            outputs = outcome(framework, first[name], dtype, compare.engine_inputs)
            found = outputs and compare.dtype_of(outputs[0])
            if found != f"float{kind}":
                wrong.append(f"{name} of {dtype}: {found}, PyTorch float{kind}")
    assert not wrong, "\n".join(wrong)
    with HALF(framework), pytest.raises(RuntimeError, match="binary_cross_entropy: unsafe under autocast"):
        nn.functional.binary_cross_entropy(framework.ones(2), framework.ones(2))


def test_every_listed_name_is_an_op_or_a_marked_function():
    marked = {"mix"}
    for module in (thing for thing in vars(framework.ops).values() if isinstance(thing, types.ModuleType)):
        for name, thing in vars(module).items():
            if isinstance(thing, types.FunctionType) and thing.__code__ is framework.ops.norm.layer_norm.__code__:
                marked.add(name)
    for device, lists in precision.LISTS.items():
        assert not set(lists) - set(OPS) - marked, device
    assert not precision.WIDE - set(OPS)


# --- the block --------------------------------------------------------------------------------------------------------


def both(function):
    """What the function says of PyTorch and of the engine."""
    return function(torch), function(framework)


def test_blocks_nest_and_switch_off():
    def story(T):
        a, b = T.ones(2, 2), T.ones(2, 2)
        dtypes, states = [], []

        def look():
            dtypes.append(str((a @ b).dtype).removeprefix("torch."))
            states.append((T.is_autocast_enabled("cpu"), T.is_autocast_enabled("cuda")))

        look()
        with HALF(T):
            look()
            with T.autocast("cpu", enabled=False):
                look()
                with HALF(T):
                    look()
                with T.autocast("cuda", enabled=False):
                    look()
            look()
            try:
                with T.autocast("cpu", enabled=False):
                    raise KeyError
            except KeyError:
                look()

        @HALF(T)
        def decorated():
            look()

        decorated()
        look()
        return dtypes, states

    theirs, ours = both(story)
    assert ours == theirs
    block = HALF(framework)
    with block, block:  # one object within itself, of which PyTorch's never ends
        assert framework.is_autocast_enabled("cpu")
    assert not framework.is_autocast_enabled("cpu") and autocast_mode.on == 0


def test_float64_integers_and_other_devices_are_left_alone():
    with HALF(framework):
        x = framework.ones(2, 2)
        assert (x.double() @ x.double()).dtype == framework.float64
        assert (x.long() @ x.long()).dtype == framework.int64
        with pytest.raises(RuntimeError, match="matmul: dtypes float16 and float64 differ"):
            x @ x.double()
        assert (x.half() + x).dtype == framework.float32


def test_another_thread_is_not_in_the_block():
    seen = []
    x = framework.ones(2, 2)
    with HALF(framework):
        thread = threading.Thread(target=lambda: seen.append((x @ x).dtype))
        thread.start()
        thread.join()
        seen.append((x @ x).dtype)
    assert seen == [framework.float32, F16]


def casts(tensor):
    """The nodes that turn the leaf into float16, as seen from a result's graph."""
    found, stack = set(), [tensor.grad_fn]
    while stack:
        node = stack.pop()
        if getattr(node, "op", None) is not None:
            if node.op.name == "cast":
                found.add(node)
            stack.extend(edge for edge in node.edges if edge is not None)
    return found


def test_a_weight_is_cast_once_in_a_block():
    w, x = framework.ones(2, 2, requires_grad=True), framework.ones(2, 2)
    with HALF(framework):
        y = (x @ w) + (x @ w)
        assert len(casts(y)) == 1 and list(autocast_state.cache) == [w]
        y.sum().backward()  # in the block, as many do: the graph behind the kept cast is gone now
        (x @ w).sum().backward()
        np.testing.assert_array_equal(w.grad.array, 3 * 2 * np.ones((2, 2)))
        with framework.no_grad():
            w += 1  # the kept cast is of the old value
        assert (x @ w)[0, 0].item() == 4
    assert not autocast_state.cache
    with framework.autocast("cpu", F16, cache_enabled=False):
        assert len(casts((x @ w) + (x @ w))) == 2
    with HALF(framework):
        with framework.no_grad():
            x @ w
        assert len(casts(x @ w)) == 1  # what was cast without a graph does not serve with one


def test_gradients_come_in_the_dtype_of_each_tensor():
    """And they are PyTorch's, though it rounds in other places."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in ((8, 16), (12, 16), (12,), (3, 12))]

    def gradients(T, tensors):
        x, w1, b1, w2 = tensors
        with HALF(T):
            h = T.relu(T.nn.functional.linear(x, w1, b1))
            loss = T.nn.functional.cross_entropy(h @ w2.T, T.tensor([0, 1, 2, 0, 1, 2, 0, 1]))
        loss.backward()
        return [str(loss.dtype).removeprefix("torch."), *[compare.array_of(t.grad) for t in tensors]]

    ours = gradients(framework, [Tensor(a.copy(), True) for a in arrays])
    theirs = gradients(torch, [torch.from_numpy(a.copy()).requires_grad_() for a in arrays])
    assert ours[0] == theirs[0] == "float32"
    for a, b in zip(ours[1:], theirs[1:]):
        assert a.dtype == b.dtype == np.float32
        np.testing.assert_allclose(a, b, atol=3e-3 * np.abs(b).max())


def test_backward_in_a_block_computes_as_forward_did():
    w = framework.randn(3, 3, dtype=framework.float32, requires_grad=True)
    y = (w @ w).sum()  # in float32
    with HALF(framework):
        (g,) = framework.autograd.grad(y, [w], create_graph=True)
    assert g.dtype == framework.float32 and not casts(g.sum())


def test_a_recomputed_block_is_computed_as_it_was():
    w, x = framework.randn(4, 4, requires_grad=True), framework.randn(3, 4)
    seen = []

    def block(x):
        y = x @ w
        seen.append(y.dtype)
        return y.tanh()

    with HALF(framework):
        plain = block(x).float().sum()
        again = checkpoint(block, x, use_reentrant=False).float().sum()
    (expected,) = framework.autograd.grad(plain, [w])
    again.backward()
    assert seen == [F16, F16, F16]
    np.testing.assert_array_equal(w.grad.array, expected.array)


def test_functions_of_ones_own_are_as_in_pytorch():
    def story(T):
        seen = []

        def note(*tensors):
            seen.append(([str(t.dtype).removeprefix("torch.") for t in tensors], T.is_autocast_enabled("cpu")))

        def made(**options):
            class Product(T.autograd.Function):
                @staticmethod
                @T.amp.custom_fwd(device_type="cpu", **options)
                def forward(ctx, a, b):
                    ctx.save_for_backward(a, b)
                    note(a, b)
                    return a @ b

                @staticmethod
                @T.amp.custom_bwd(device_type="cpu")
                def backward(ctx, g):
                    a, b = ctx.saved_tensors
                    result = g @ b.mT, a.mT @ g
                    note(g, *result)
                    return result

            return Product

        for options in ({}, {"cast_inputs": T.float32}, {"cast_inputs": T.float16}):
            for dtype in (T.float32, T.float16):
                a, b = (T.ones(2, 2, dtype=dtype).requires_grad_() for _ in range(2))
                with HALF(T):
                    y = made(**options).apply(a, b)
                note(y)
                y.sum().backward()
                note(a.grad, b.grad)
        return seen

    torch_names = torch_import("torch", ())
    assert story(torch_names) == story(torch)


def test_what_there_is_not_is_refused_by_name():
    for call in (
        lambda: framework.autocast("cpu"),
        lambda: framework.autocast("cpu", "bfloat16"),
    ):
        with pytest.raises(NotImplementedError, match="bfloat16.*dtype=torch.float16"):
            call()
    with pytest.raises(AttributeError, match="bfloat16.*float16"):
        torch_import("torch", ()).autocast("cpu", dtype=torch_import("torch", ()).bfloat16)
    with framework.autocast("cpu", enabled=False):  # where nothing is asked for, nothing is refused
        pass
    with pytest.raises(RuntimeError, match="unsupported device_type 'tpu'"):
        framework.autocast("tpu")
    with pytest.raises(ValueError, match="must be a string"):
        framework.autocast(F16)
    with pytest.warns(UserWarning, match="float16 is"), framework.autocast("cpu", framework.float64):
        assert not framework.is_autocast_enabled("cpu")


@pytest.mark.skipif(framework.backend.cuda_is_available(), reason="there is a GPU")
def test_without_a_gpu_its_blocks_and_scalers_do_nothing_and_say_so():
    T = torch_import("torch", ())
    x = framework.ones(2, 2)
    for make in (lambda: T.autocast("cuda"), lambda: T.cuda.amp.autocast(), lambda: T.amp.autocast("cuda", T.float16)):
        with pytest.warns(UserWarning, match="no CUDA device"):
            block = make()
        with block:
            assert (x @ x).dtype == framework.float32
    for make in (T.amp.GradScaler, T.cuda.amp.GradScaler):
        with pytest.warns(UserWarning, match="no CUDA device"):
            assert not make().is_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with T.cpu.amp.autocast(dtype=T.float16):
            assert (x @ x).dtype == F16
        assert not T.cuda.amp.autocast(enabled=False).enabled
    assert T.get_autocast_dtype("cuda") == F16 and not T.cuda.is_bf16_supported()
    assert T.amp.is_autocast_available("cpu") and not T.amp.is_autocast_available("tpu")


# --- float16 on a CPU -------------------------------------------------------------------------------------------------


def test_a_product_of_float16_is_the_product_in_float32_rounded():
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(shape).astype(np.float16) for shape in ((5, 300), (300, 7)))
    wide = a.astype(np.float32) @ b.astype(np.float32)
    y = Tensor(a, True) @ Tensor(b, True)
    np.testing.assert_array_equal(y.array, wide.astype(np.float16))
    g = rng.standard_normal((5, 7)).astype(np.float16)
    x = Tensor(a, True)
    (x @ Tensor(b)).backward(Tensor(g))
    np.testing.assert_array_equal(x.grad.array, (g.astype(np.float32) @ b.T.astype(np.float32)).astype(np.float16))


def test_sums_in_float16_do_not_overflow_within():
    x = framework.randn(64, 3, 40, 40).half() * 3
    y = nn.functional.batch_norm(x, None, None, framework.ones(3), framework.zeros(3), training=True)
    assert y.dtype == F16
    assert abs(y.float().std().item() - 1) < 1e-3
    assert x.float().square().sum().item() > 65504  # which a float16 cannot hold
    mean = framework.full((70000,), 1.0, dtype=F16).mean()
    assert mean.item() == 1
