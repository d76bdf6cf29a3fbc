"""Step 34 · Higher derivatives of the sine.

New: `Sin` and `Cos`, each of which names the other in backward; derivatives of any order.
Why: sin → cos → −sin → −cos → sin: after four derivatives one is back. Two functions with a derivative are enough for all orders.
In the engine: the rows `sin` and `cos` in framework/ops/elementwise.py.
"""

import numpy as np
from picture import plot

import dezero.functions as F
from dezero import Function, Variable


class Sin(Function):
    def forward(self, x):
        return np.sin(x)

    def backward(self, gy):
        return gy * Cos()(self.inputs[0])


class Cos(Function):
    def forward(self, x):
        return np.cos(x)

    def backward(self, gy):
        return gy * -Sin()(self.inputs[0])


def derivatives(f, places, order):
    x = Variable(places)
    y = f(x)
    found = [y.data]
    for _ in range(order):
        x.cleargrad()
        y.backward(create_graph=True)
        y = x.grad
        found.append(y.data)
    return found


def draw(axes, places, curves):
    names = "sin x", "its first derivative", "its second derivative", "its third derivative"
    for name, curve, style in zip(names, curves, ("-", "--", "-.", ":")):
        axes.plot(places, curve, style, label=name)
    axes.set(xlabel="x", title="The sine, differentiated three times", ylim=(-1.1, 1.9))
    axes.legend(ncols=2, loc="upper center")


if __name__ == "__main__":
    places = np.linspace(-7, 7, 200)
    ours, package = derivatives(Sin(), places, 4), derivatives(F.sin, places, 4)
    for order, (curve, other) in enumerate(zip(ours, package)):
        print(f"order {order} at −7: {curve[0]:+.6f}")
        assert np.allclose(curve, other)
    for curve, exact in zip(ours, (np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin)):
        assert np.allclose(curve, exact(places))
    plot("sine_derivatives.png", lambda axes: draw(axes, places, ours))
