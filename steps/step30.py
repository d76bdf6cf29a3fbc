"""Step 30 · Higher derivatives, preparing.

New: a look at what step 22 computes with in backward, and what is missing.
Why: step 22's `backward` works on arrays. They have no creator, so the gradient is a bare number: correct, and the end of the road.
To differentiate it, *it* must be a variable with a graph of its own.
In the engine: `walk(…, create_graph)` in framework/autograd.py runs the same backward lines on arrays, fast, or on Tensors, recorded.
"""

import numpy as np
import step22

import dezero

if __name__ == "__main__":
    x = step22.Variable(np.array(2.0))
    y = x**3
    y.backward()
    print(
        f"step 22: x.grad is {x.grad!r}, of {type(x.grad).__name__}; its creator: {getattr(x.grad, 'creator', 'it has no such thing')}"
    )
    assert x.grad == 12 and not hasattr(x.grad, "creator")

    x = dezero.Variable(np.array(2.0))
    y = x**3
    y.backward()
    print(f"dezero:  x.grad is {x.grad}; its creator: {x.grad.creator}, as nobody asked for one")
    assert x.grad.creator is None

    x.cleargrad()
    y.backward(create_graph=True)
    print(f"         x.grad is {x.grad}; its creator: {x.grad.creator.name}, with create_graph=True")
    assert x.grad.creator is not None
