"""Step 53 · Saving and loading.

New: `flatten_params`, names such as l0/W for all parameters of a model; and an .npz file of them.
Why: what is worth keeping of a trained model is its arrays. The program is kept elsewhere, so the file needs names and arrays and
nothing that runs: no pickle, which executes what it reads.
In the engine: framework/serialization.py, which also reads and writes PyTorch's files and safetensors.
"""

import tempfile
from pathlib import Path

import numpy as np

import dezero.functions as F
from dezero import Layer
from dezero.models import MLP


def flatten_params(layer, parent=""):
    named = {}
    for name, value in vars(layer).items():
        if name in layer._params:
            named |= flatten_params(value, f"{parent}{name}/") if isinstance(value, Layer) else {parent + name: value}
    return named


def save_weights(model, path):
    np.savez_compressed(path, **{name: param.data for name, param in flatten_params(model).items()})


def load_weights(model, path):
    with np.load(path) as arrays:
        for name, param in flatten_params(model).items():
            param.data = arrays[name]


def new_model(seed):
    np.random.seed(seed)
    return MLP((10, 3), activation=F.relu)


if __name__ == "__main__":
    x = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    trained = new_model(0)
    y = trained(x).data
    print("names:", *flatten_params(trained))
    with tempfile.TemporaryDirectory() as folder:
        ours, package = Path(folder) / "ours.npz", Path(folder) / "package.npz"
        save_weights(trained, ours)
        trained.save_weights(package)
        print(f"a file of {ours.stat().st_size:,} bytes for {sum(p.size for p in trained.params())} numbers")
        for path in (ours, package):  # each reads what the other wrote
            a, b = new_model(1), new_model(2)
            assert not np.array_equal(a(x).data, y)
            load_weights(a, path)
            b.load_weights(path)
            assert np.array_equal(a(x).data, y) and np.array_equal(b(x).data, y)
    print("another model gives the same output with them")
