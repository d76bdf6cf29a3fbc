"""Step 45 · Layers together in a model.

New: `Model`, a layer that can draw itself; `MLP`, any number of linear layers.
Why: a layer of layers is a layer, so a model is nothing new: it gets parameters, clearing and saving from `Layer`. `MLP` keeps its
layers in a list, to loop over, *and* as attributes l0, l1, …, by which their parameters are found.
In the engine: `Sequential` and `ModuleList` in framework/nn/containers.py. The model's study is 02_MLP/README.md.
"""

import numpy as np
from picture import save

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Layer, Variable, utils


class Model(Layer):
    def plot(self, *inputs, to_file="model.png"):
        return utils.plot_dot_graph(self.forward(*inputs), to_file=to_file)


class MLP(Model):
    def __init__(self, fc_output_sizes, activation=F.sigmoid):
        super().__init__()
        self.activation = activation
        self.layers = []
        for i, size in enumerate(fc_output_sizes):
            layer = L.Linear(size)
            setattr(self, f"l{i}", layer)
            self.layers.append(layer)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


if __name__ == "__main__":
    x = Variable(np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32), name="x")
    outputs = []
    for family in (MLP, dezero.models.MLP):
        np.random.seed(0)
        model = family((10, 20, 1), activation=F.relu)
        outputs.append(model(x).data)
    assert np.array_equal(*outputs)
    sizes = [p.shape for p in model.params()]
    print("parameters:", *sizes, "together", sum(p.size for p in model.params()))
    assert sizes == [(3, 10), (10,), (10, 20), (20,), (20, 1), (1,)]
    small = MLP((4, 1))
    save("two_layers.png", lambda path: small.plot(x, to_file=path))
