"""Step 36 · Double backprop.

New: a gradient used inside a larger formula, which is then differentiated: z = (dy/dx)³ + y.
Why: higher derivatives are not only for Newton. A loss may contain a gradient, as a penalty on how steep the network is
(WGAN-GP, Gulrajani et al. 2017) does, and training it goes backward through a backward. It costs nothing new.
In the engine: `gradgradcheck` in framework/gradcheck.py checks every op for it.
"""

import numpy as np

import dezero.functions as F
from dezero import Variable
from dezero.models import MLP
from dezero.optimizers import SGD


def penalty(model, x):
    """The mean of |d model(x) / dx|²."""
    x = Variable(x)
    F.sum(model(x)).backward(create_graph=True)
    gx = x.grad
    model.cleargrads()  # what went to the weights on the way is not wanted
    return F.sum(gx**2) / len(x)


if __name__ == "__main__":
    x = Variable(np.array(2.0))
    y = x**2
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    z = gx**3 + y  # (2x)³ + x²
    z.backward()
    print("dz/dx at 2:", x.grad, "= 24x² + 2x")
    assert x.grad.data == 24 * 4 + 4

    np.random.seed(0)
    model, data = MLP((10, 1), activation=F.tanh), np.random.randn(20, 3)
    optimizer = SGD(lr=0.1).setup(model)
    steepness = []
    for _ in range(20):
        loss = penalty(model, data)
        steepness.append(float(loss.data))
        loss.backward()
        optimizer.update()
    print(f"a network's mean squared slope, while trained to be flat: {steepness[0]:.4f} → {steepness[-1]:.4f}")
    assert steepness[-1] < steepness[0] / 2
