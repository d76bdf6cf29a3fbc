"""Step 10 · Tests.

New: `gradient_check`, and tests for what there is so far.
Why: a wrong derivative does not crash, it learns badly, and that may take weeks to notice. So each derivative is compared with
differences, which know nothing of it. And a check that cannot fail is no check: here it is shown a wrong derivative, too.
In the engine: tests/engine/table.py holds such a row for every op, to the second derivative, and against PyTorch.
"""

import numpy as np
from step01 import Variable
from step02 import Square
from step04 import numerical_diff
from step09 import exp, square


def gradient_check(f, data):
    x = Variable(data)
    f(x).backward()
    return np.allclose(x.grad, numerical_diff(f, Variable(data)))


class Wrong(Square):
    def backward(self, gy):
        return self.input.data * gy  # the 2 is missing


def test_forward():
    assert square(Variable(np.array(3.0))).data == 9


def test_backward():
    x = Variable(np.array(3.0))
    square(x).backward()
    assert x.grad == 6


def test_gradients():
    rng = np.random.default_rng(0)
    for f in (square, exp, lambda x: square(exp(square(x)))):
        assert gradient_check(f, rng.random(1)) and gradient_check(f, rng.random((2, 3)))


def test_the_check_itself():
    assert not gradient_check(Wrong(), np.array(3.0))


if __name__ == "__main__":
    for test in (test_forward, test_backward, test_gradients, test_the_check_itself):
        test()
        print("✓", test.__name__.removeprefix("test_").replace("_", " "))
