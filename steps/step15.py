"""Step 15 · Complex graphs, in theory.

New: a graph on which step 14 is wrong, and why.
Why: in y = a² + a², a = x², two ways lead back to a. Step 14 takes the function that was put on its list last, goes down to x from
the first way, and comes back to a from the second. It visits a's creator twice, the second time with the sum of both, so x gets
g₁ + (g₁ + g₂) instead of g₁ + g₂.
The rule is: *a function's turn comes when everything that was made from its output has had its own*. Each function gets a
generation, one more than its inputs' greatest; those of the latest generation go first.
In the engine: a Node's `order` counts creations. Who is made from another is newer, so "newest first" is such an order, for free.
"""

import numpy as np
from step01 import Variable
from step14 import add, square


def diamond(x):
    a = square(x)
    return add(square(a), square(a))


def visits(y):
    """The functions in the order in which step 14 visits them."""
    order, functions = [], [y.creator]
    while functions:
        f = functions.pop()
        order.append(f)
        functions += [x.creator for x in f.inputs if x.creator is not None]
    return order


def generation(f):
    return max((generation(x.creator) + 1 for x in f.inputs if x.creator is not None), default=0)


if __name__ == "__main__":
    x = Variable(np.array(2.0))
    y = diamond(x)
    y.backward()
    true = 2 * 4 * 2.0**3  # y = 2x⁴
    print(f"d(2x⁴)/dx at 2 is {true}; step 14 says {x.grad}")
    assert x.grad != true

    order = visits(y)
    print("visited:", *[f"{type(f).__name__} (generation {generation(f)})" for f in order], sep="\n  ")
    assert len(order) == 5 and order[2] is order[4]  # a's creator, twice
    assert [generation(f) for f in order] == [2, 1, 0, 1, 0]  # an order by generation would be 2, 1, 1, 0
