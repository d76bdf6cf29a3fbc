"""Step 52 · GPU.

New: nothing in the model: arrays of CuPy in place of NumPy's, and `get_array_module(x)`, which says whose x is.
Why: CuPy has NumPy's names and computes on the GPU. A function that asks x for its module runs on both. Moving costs time, so the model
moves once, and each batch as it is loaded; two arrays in different places cannot be added.
In the engine: framework/backend.py, the one file that knows of CuPy.
"""

import sys

import numpy as np

import dezero
import dezero.functions as F
from dezero import cuda
from dezero.datasets import Digits
from dezero.models import MLP
from dezero.optimizers import SGD


def get_array_module(x):
    x = getattr(x, "data", x) if isinstance(x, dezero.Variable) else x
    return np if isinstance(x, np.ndarray) else sys.modules[type(x).__module__.partition(".")[0]]


def standardized(x):
    """An example of code that runs in both places."""
    xp = get_array_module(x)
    return (x - xp.mean(x, axis=0)) / (xp.std(x, axis=0) + 1e-8)


def first_losses(gpu, steps=5):
    np.random.seed(0)
    loader = dezero.DataLoader(Digits(), 100)
    model = MLP((50, 10), activation=F.relu)
    optimizer = SGD(0.1).setup(model)
    model(np.zeros((1, 64), np.float32))  # makes the weights, from NumPy's random numbers
    if gpu:
        loader.to_gpu()
        model.to_gpu()
    losses = []
    for x, t in loader:
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss.data))
        if len(losses) == steps:
            break
    model.to_cpu()
    assert all(isinstance(p.data, np.ndarray) for p in model.params())
    return losses


if __name__ == "__main__":
    x = np.random.default_rng(0).standard_normal((5, 3))
    assert get_array_module(x) is get_array_module(dezero.Variable(x)) is cuda.get_array_module(x) is np
    assert np.allclose(standardized(x).mean(axis=0), 0) and cuda.as_numpy(dezero.Variable(x)) is x
    on_cpu = first_losses(gpu=False)
    print("five losses on the CPU:", *(f"{loss:.4f}" for loss in on_cpu))
    if cuda.gpu_enable:
        on_gpu = first_losses(gpu=True)
        print("on the GPU:            ", *(f"{loss:.4f}" for loss in on_gpu))
        assert np.allclose(on_cpu, on_gpu, rtol=1e-4)
    else:
        try:
            cuda.as_cupy(x)
            raise AssertionError("an array went to a GPU that is not there")
        except RuntimeError as error:
            print("no GPU here:", error)
