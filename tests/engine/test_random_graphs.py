"""Random graphs of elementwise, shape and reduction ops: values and gradients as PyTorch's, and no buffer shared by two gradients."""

import itertools

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import framework

# Each step makes one more tensor from those there are; `pick` chooses among them, `n` is a small number to choose variants with.
# Steps bound their results, so that values stay near 1 however deep the graph.
UNARY = [
    lambda T, x, n: x.tanh(), lambda T, x, n: x.sin(), lambda T, x, n: x.sigmoid(), lambda T, x, n: (x * 0.5).exp().tanh(),
    lambda T, x, n: (x * x + 1).log(), lambda T, x, n: (x * x + 1).rsqrt(), lambda T, x, n: -x, lambda T, x, n: x * 0.7 + 0.1,
    lambda T, x, n: x.abs() - 0.2, lambda T, x, n: T.relu(x), lambda T, x, n: x.clamp(-0.8, 0.8), lambda T, x, n: x.erf(),
    lambda T, x, n: x.clone(), lambda T, x, n: T.where(x > 0, x, 0.3 * x),
]  # fmt: skip
SHAPE = [
    lambda T, x, n: x.reshape(-1), lambda T, x, n: x.reshape(x.shape), lambda T, x, n: x.transpose(0, -1) if x.ndim else x,
    lambda T, x, n: x.unsqueeze(n % (x.ndim + 1)), lambda T, x, n: x.squeeze(), lambda T, x, n: x.flip(n % x.ndim) if x.ndim else x,
    lambda T, x, n: x.expand(2, *x.shape), lambda T, x, n: x.roll(1, n % x.ndim) if x.ndim else x, lambda T, x, n: T.cat([x, x * 0.5, x]) if x.ndim else x,
    lambda T, x, n: T.stack([x, x], n % (x.ndim + 1)), lambda T, x, n: x.narrow(0, 0, (x.shape[0] + 1) // 2) if x.ndim else x,
    lambda T, x, n: x.chunk(2)[0] if x.ndim else x, lambda T, x, n: x.repeat(*[1] * (x.ndim - 1), 2) if x.ndim else x, lambda T, x, n: x.flatten(),
    lambda T, x, n: sum(x.unbind(n % x.ndim)) * 0.5 if x.ndim and x.shape[n % x.ndim] else x,
    lambda T, x, n: x.contiguous(), lambda T, x, n: x.T if x.ndim == 2 else x,
    lambda T, x, n: x.tril() if x.ndim >= 2 else x, lambda T, x, n: x.diagonal() if x.ndim >= 2 else x,
    lambda T, x, n: x[..., None], lambda T, x, n: x[0] if x.ndim else x,
]  # fmt: skip
REDUCE = [
    lambda T, x, n: x.mean(n % x.ndim) if x.ndim else x.mean(), lambda T, x, n: x.sum(n % x.ndim, keepdim=True) * 0.3 if x.ndim else x.sum(),
    lambda T, x, n: x.amax(n % x.ndim) if x.ndim else x, lambda T, x, n: x.mean(), lambda T, x, n: x.logsumexp(n % x.ndim) * 0.5 if x.ndim else x,
    lambda T, x, n: x.var(n % x.ndim, correction=0) if x.ndim else x, lambda T, x, n: x.cumsum(n % x.ndim) * 0.3 if x.ndim else x,
    lambda T, x, n: x.max(n % x.ndim).values if x.ndim else x, lambda T, x, n: x.sort(n % x.ndim).values if x.ndim else x, lambda T, x, n: x.norm() * 0.3,
]  # fmt: skip
BINARY = [
    lambda T, a, b: a + b, lambda T, a, b: a - b, lambda T, a, b: a * b, lambda T, a, b: a / (b * b + 1), lambda T, a, b: T.maximum(a, b),
    lambda T, a, b: T.minimum(a, b * 0.9), lambda T, a, b: T.where(a > b, a, b * 0.5), lambda T, a, b: T.lerp(a, b, 0.3),
]  # fmt: skip

LARGEST = 400  # elements: beyond, a step that grows is left out


def run(T, leaves, steps):
    """The tensors that the steps make, and the number that is differentiated: a sum over two of every three, so that gradients meet everywhere."""
    made = list(leaves)
    for kind, which, first, second, n in steps:
        x, y = made[first % len(made)], made[second % len(made)]
        try:
            if kind == "binary":
                np.broadcast_shapes(x.shape, y.shape)
                result = BINARY[which % len(BINARY)](T, x, y)
            else:
                table = {"unary": UNARY, "shape": SHAPE, "reduce": REDUCE}[kind]
                result = table[which % len(table)](T, x, n)
        except ValueError:  # the shapes do not broadcast
            continue
        if result.numel() <= LARGEST and result.ndim <= 5:
            made.append(result)
    parts = [x.sum() if i % 3 else (x * (1 + 0.1 * i)).sum() for i, x in enumerate(reversed(made)) if i % 3 != 2]
    return made, sum(parts)


step = st.tuples(
    st.sampled_from(["unary", "shape", "reduce", "binary", "binary"]),
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(0, 4),
)
shapes = st.lists(st.lists(st.integers(1, 3), max_size=3).map(tuple), min_size=2, max_size=3)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(shapes=shapes, steps=st.lists(step, min_size=3, max_size=14), seed=st.integers(0, 1000))
def test_random_graphs_agree_with_pytorch(shapes, steps, seed):
    numbers = np.random.Generator(np.random.PCG64(seed))
    arrays = [numbers.standard_normal(shape) for shape in shapes]
    ours = [framework.tensor(array, requires_grad=True) for array in arrays]
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
    (made, loss), (expected, their_loss) = run(framework, ours, steps), run(torch, theirs, steps)
    for a, b in zip(made, expected, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-8, 1e-10)
    loss.backward()
    their_loss.backward()
    gradients = []
    for x, y in zip(ours, theirs):
        assert (x.grad is None) == (y.grad is None)
        if x.grad is not None:
            np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), 1e-7, 1e-9)
            gradients.append(x.grad.array)
    values = [tensor.array for tensor in made]
    for a, b in itertools.combinations(gradients, 2):
        assert not np.shares_memory(a, b)
    for a, b in itertools.product(gradients, values):
        assert not np.shares_memory(a, b)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(shapes=shapes, steps=st.lists(step, min_size=2, max_size=7), seed=st.integers(0, 1000))
def test_second_derivatives_of_random_graphs_agree_with_pytorch(shapes, steps, seed):
    numbers = np.random.Generator(np.random.PCG64(seed))
    arrays = [numbers.standard_normal(shape) for shape in shapes]
    found = []
    for T, grad in ((framework, framework.autograd.grad), (torch, torch.autograd.grad)):
        leaves = [T.tensor(array, requires_grad=True) for array in arrays]
        _, loss = run(T, leaves, steps)
        first = grad(loss, leaves, create_graph=True, allow_unused=True)
        total = sum((g * g).sum() for g in first if g is not None)
        second = (
            grad(total, leaves, allow_unused=True)
            if not isinstance(total, int) and total.requires_grad
            else [None] * len(leaves)
        )
        found.append([0.0 if g is None else g.detach().numpy() for g in second])
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, 1e-6, 1e-8)
