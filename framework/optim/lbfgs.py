"""L-BFGS: Newton's method with the inverse Hessian guessed from the last steps (Nocedal & Wright 2006, algorithm 7.5)."""

import math
from typing import Any, NamedTuple

import numpy as np

from ..autograd import enable_grad, no_grad
from ..backend import array_module
from ..tensor import Tensor
from .optimizer import Optimizer


class LBFGS(Optimizer):
    """Many iterations within one step(closure), each of length lr, or with line_search_fn="strong_wolfe" as long as is good (torch.optim.LBFGS).

    step calls the closure again and again: it clears the gradients, computes the loss, calls backward and returns the loss. All
    parameters form one group; what is kept from step to step is the state of the first.
    """

    def __init__(
        self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9, history_size=100,
        line_search_fn=None, *, maximize=False,
    ):  # fmt: skip
        if line_search_fn not in (None, "strong_wolfe"):
            raise RuntimeError(f'LBFGS: line_search_fn must be "strong_wolfe" or None, got {line_search_fn!r}')
        defaults = dict(lr=lr, max_iter=max_iter, max_eval=max_iter * 5 // 4 if max_eval is None else max_eval)
        defaults |= dict(tolerance_grad=tolerance_grad, tolerance_change=tolerance_change, history_size=history_size)
        super().__init__(params, defaults | dict(line_search_fn=line_search_fn, maximize=maximize))
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS: all parameters must be in one group")
        self._params = self.param_groups[0]["params"]

    def _adopt(self, param, number, key, value):
        if isinstance(value, (list, tuple)):
            return [self._adopt(param, number, key, entry) for entry in value]
        return value if value is None or isinstance(value, (int, float)) else self._copied(param, number, key, value)

    def _gradient(self):
        parts = [np.zeros_like(p.array) if p.grad is None else p.grad.array for p in self._params]
        flat = array_module(parts[0]).concatenate([part.reshape(-1) for part in parts])
        return -flat if self.param_groups[0]["maximize"] else flat

    def _move(self, length, direction):
        start = 0
        for param in self._params:
            count = param.array.size
            param.array += length * direction[start : start + count].reshape(param.array.shape)
            param.cell()[0] += 1
            start += count

    def _evaluate(self, closure):
        """What the closure returns, the loss to minimize as a number, and its gradient."""
        self.state[self._params[0]]["func_evals"] += 1
        with enable_grad():
            result = closure()
        return result, -float(result) if self.param_groups[0]["maximize"] else float(result), self._gradient()

    def _try(self, closure, length, direction):
        """The Point at this length; the parameters stay where they are."""
        kept = [param.array.copy() for param in self._params]
        self._move(length, direction)
        _, loss, g = self._evaluate(closure)
        for param, array in zip(self._params, kept, strict=True):
            param.array[...] = array
        return Point(length, loss, g, g @ direction)

    def _direction(self, g, state):
        """−H g, with H the inverse Hessian that the last steps s and changes y of the gradient suggest: the two-loop recursion."""
        if state["n_iter"] == 1:
            state |= dict(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return -g
        ys, ss, ro = state["old_dirs"], state["old_stps"], state["ro"]  # y, s and 1 / y·s
        y, s = g - state["prev_flat_grad"].array, state["d"].array * state["t"]
        if y @ s > 1e-10:
            if len(ys) == self.param_groups[0]["history_size"]:
                del ys[0], ss[0], ro[0]
            ys.append(Tensor(y)), ss.append(Tensor(s)), ro.append(Tensor(1 / (y @ s)))
            state["H_diag"] = Tensor((y @ s) / (y @ y))
        al = state.setdefault("al", [None] * self.param_groups[0]["history_size"])
        q = -g
        for i in reversed(range(len(ys))):
            al[i] = Tensor((ss[i].array @ q) * ro[i].array)
            q = q - al[i].array * ys[i].array
        q = q * (state["H_diag"].array if ys else 1)
        for i in range(len(ys)):
            q = q + (al[i].array - (ys[i].array @ q) * ro[i].array) * ss[i].array
        return q

    def step(self, closure):
        """Up to max_iter iterations; returns the loss before the first."""
        group, state = self.param_groups[0], self.state[self._params[0]]
        lr, smallest, flat = float(group["lr"]), group["tolerance_change"], group["tolerance_grad"]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        already = state["func_evals"]
        self._opt_called = True
        with no_grad():
            first, loss, g = self._evaluate(closure)
            if np.abs(g).max() <= flat:
                return first
            for iteration in range(1, group["max_iter"] + 1):
                state["n_iter"] += 1
                direction, before = self._direction(g, state), loss
                length = lr if state["n_iter"] > 1 else min(1.0, 1.0 / float(np.abs(g).sum())) * lr
                state |= dict(d=Tensor(direction), t=length, prev_flat_grad=Tensor(g), prev_loss=loss)
                slope = g @ direction
                if slope > -smallest:
                    break
                if group["line_search_fn"]:
                    most = group["max_eval"] - (state["func_evals"] - already)
                    start = Point(0, loss, g, slope)
                    try_length = lambda length, direction=direction: self._try(closure, length, direction)
                    length, loss, g, _ = strong_wolfe(
                        try_length, start, length, smallest / np.abs(direction).max(), most
                    )
                    state["t"] = length
                    self._move(length, direction)
                else:
                    self._move(length, direction)
                    if iteration < group["max_iter"]:
                        _, loss, g = self._evaluate(closure)
                if state["func_evals"] - already >= group["max_eval"] or np.abs(g).max() <= flat:
                    break
                if np.abs(direction * length).max() <= smallest or abs(loss - before) < smallest:
                    break
        return first


class Point(NamedTuple):
    """A point on the line that is searched: how far along it, and there the loss, its gradient, and its slope along the line."""

    length: Any
    loss: float
    gradient: Any
    slope: Any


def strong_wolfe(evaluate, start, length, narrowest, most, c1=1e-4, c2=0.9):
    """A Point where the loss has fallen enough, by c1, and become flat enough, by c2 (Nocedal & Wright 2006, algorithms 3.5 and 3.6).

    evaluate: length → Point. start: the Point at length 0. length: the first one to try. Gives up, with the lowest point, when the bracket
    is smaller than `narrowest`, or after `most` evaluations beyond the first.
    """

    def is_high(point):
        return point.loss > start.loss + c1 * point.length * start.slope

    def is_flat(point):
        return abs(point.slope) <= -c2 * start.slope

    def lower():
        return 0 if bracket[0].loss <= bracket[1].loss else 1

    before, new, count = start, evaluate(length), 0
    while count < most:  # longer and longer, until a good point lies between the last two
        if is_high(new) or (count > 1 and new.loss >= before.loss):
            break
        if is_flat(new):
            return new
        if new.slope >= 0:
            break
        least, greatest = new.length + 0.01 * (new.length - before.length), new.length * 10
        before, new, count = new, evaluate(cubic_minimum(before, new, least, greatest)), count + 1
    else:
        before = start
    bracket, is_stuck = [before, new], False
    low = lower()
    while count < most:  # shorter and shorter brackets
        first, last = sorted(point.length for point in bracket)
        if last - first < narrowest:
            break
        length, margin = cubic_minimum(*bracket, first, last), 0.1 * (last - first)
        is_near = min(last - length, length - first) < margin
        if is_near and (is_stuck or not first < length < last):  # near the edge again: inwards
            length, is_near = last - margin if last - length < length - first else first + margin, False
        is_stuck = is_near
        new, count = evaluate(length), count + 1
        if is_high(new) or new.loss >= bracket[low].loss:
            bracket[1 - low] = new
            low = lower()
            continue
        if is_flat(new):
            return new
        if new.slope * (bracket[1 - low].length - bracket[low].length) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = new
    return bracket[low]


def cubic_minimum(a, b, least, greatest):
    """Where the cubic with the losses and slopes of two Points is smallest (equation 3.59), within bounds; their middle where it has no minimum."""
    if a.length > b.length:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (least + greatest) / 2
    d2 = math.sqrt(square)
    length = b.length - (b.length - a.length) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(length, least), greatest)
