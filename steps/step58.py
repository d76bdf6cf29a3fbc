"""Step 58 · A well-known CNN: VGG16.

New: thirteen convolutions in five blocks and three linear layers, after Simonyan & Zisserman 2015.
Why: its idea is that small kernels, stacked, see as much as large ones, with fewer weights and more bends between: two of 3 × 3 see 5 × 5.
In the engine: 04_VGG/README.md is the study of it, at four levels and with the published weights' names.
The linear layers hold nine tenths of the weights. Here they are made small, so that the step is quick.
"""

import numpy as np

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero.models import VGG16, Model

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, number of convolutions


class VGG(Model):
    """VGG16, its convolutions `thinner` times and its linear layers of the given sizes."""

    def __init__(self, thinner=1, fc=(4096, 4096, 1000)):
        super().__init__()
        for block, (channels, count) in enumerate(BLOCKS, 1):
            for i in range(1, count + 1):
                setattr(self, f"conv{block}_{i}", L.Conv2d(channels // thinner, kernel_size=3, pad=1))
        self.fc6, self.fc7, self.fc8 = (L.Linear(size) for size in fc)

    def forward(self, x):
        for block, (_, count) in enumerate(BLOCKS, 1):
            for i in range(1, count + 1):
                x = F.relu(getattr(self, f"conv{block}_{i}")(x))
            x = F.pooling(x, 2, 2)
        x = F.flatten(x)
        x = F.dropout(F.relu(self.fc6(x)))
        x = F.dropout(F.relu(self.fc7(x)))
        return self.fc8(x)


def parameters(image_size=224, channels=3):
    """The numbers of weights and biases of the convolutions, and of the linear layers, by the sizes alone."""
    convolutions = 0
    for out, count in BLOCKS:
        for _ in range(count):
            convolutions += 9 * channels * out + out
            channels = out
    sizes = (channels * (image_size // 32) ** 2, 4096, 4096, 1000)
    return convolutions, sum(a * b + b for a, b in zip(sizes, sizes[1:]))


if __name__ == "__main__":
    convolutions, linear = parameters()
    print(f"VGG16: {convolutions:,} in convolutions + {linear:,} in linear layers = {convolutions + linear:,}")
    assert convolutions + linear == 138_357_544  # as published

    np.random.seed(0)
    model, x = VGG(thinner=16, fc=(32, 32, 10)), np.random.randn(2, 3, 32, 32).astype(np.float32)
    F.softmax_cross_entropy(model(x), np.array([1, 2])).backward()
    assert [name for name in vars(model) if name in model._params] == [n for n in vars(VGG16()) if n in model._params]
    assert all(p.grad is not None and p.dtype == np.float32 for p in model.params())
    with dezero.test_mode():
        y = model(x)
        assert np.array_equal(y.data, model(x).data)
    print(f"a small one: {x.shape} → {y.shape}, {sum(p.size for p in model.params()):,} parameters")
    seen = 1
    for _ in range(2):
        seen += 2  # each 3 × 3 sees one pixel further on every side
    print(f"two 3 × 3 kernels see {seen} × {seen} with {2 * 9} weights, one 5 × 5 has 25")
