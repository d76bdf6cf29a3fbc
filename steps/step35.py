"""Step 35 · The graphs of tanh's derivatives.

New: `Tanh`, whose derivative 1 − y² is written with its *output*.
Why: y is there already, so no hyperbolic function is computed in backward. And the picture shows what higher orders cost: every product
in a derivative gives two at the next order, so graphs grow by a factor each time.
In the engine: `tanh` names y in its derivative, and so only y is kept (framework/ops/elementwise.py).
"""

import numpy as np
from picture import save

import dezero.functions as F
from dezero import Function, Variable
from dezero.utils import get_dot_graph, plot_dot_graph


class Tanh(Function):
    def forward(self, x):
        return np.tanh(x)

    def backward(self, gy):
        y = self.outputs[0]()
        return gy * (1 - y * y)


def differentiated(f, order):
    """(x, the derivative of this order at 1), with its graph."""
    x = Variable(np.array(1.0), "x")
    y = f(x)
    for _ in range(order):
        x.cleargrad()
        y.backward(create_graph=True)
        y = x.grad
    x.cleargrad()
    y.name = f"gx{order}"
    return x, y


if __name__ == "__main__":
    sizes = []
    print("order  value at 1   functions in the graph")
    for order in range(7):
        value = differentiated(Tanh(), order)[1]
        sizes.append(get_dot_graph(value).count("lightblue"))
        print(f"{order:5}  {value.data:+10.5f}   {sizes[-1]}")
        assert np.isclose(value.data, differentiated(F.tanh, order)[1].data)
    assert all(later > 1.5 * earlier for earlier, later in zip(sizes[1:], sizes[2:]))
    x, second = differentiated(F.tanh, 2)
    save("tanh_second_derivative.png", lambda path: plot_dot_graph(second, to_file=path))
