"""L-BFGS: Newton's method with the inverse Hessian guessed from the last steps (Nocedal & Wright 2006, algorithm 7.5)."""

import numpy as np

from ..autograd import enable_grad, no_grad
from ..backend import array_module
from .optimizer import Optimizer


class LBFGS(Optimizer):
    """Many iterations within one step(closure), each with the step length lr (torch.optim.LBFGS).

    step calls the closure again and again: it clears the gradients, computes the loss, calls backward and returns the loss. All
    parameters form one group. The search along the line, line_search_fn="strong_wolfe", is not supported.
    """

    def __init__(
        self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9, history_size=100,
        line_search_fn=None, *, maximize=False,
    ):  # fmt: skip
        if line_search_fn is not None:
            raise NotImplementedError(
                f"LBFGS: line_search_fn={line_search_fn!r} is not supported; leave it out and choose lr"
            )
        defaults = dict(lr=lr, max_iter=max_iter, max_eval=max_iter * 5 // 4 if max_eval is None else max_eval)
        defaults |= dict(tolerance_grad=tolerance_grad, tolerance_change=tolerance_change, history_size=history_size)
        super().__init__(params, defaults | dict(line_search_fn=line_search_fn, maximize=maximize))
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS: all parameters must be in one group")
        self._params = self.param_groups[0]["params"]
        self._steps, self._changes, self._last = (
            [],
            [],
            None,
        )  # s and y of the last steps; the last direction, length and gradient

    def state_dict(self):
        raise NotImplementedError("LBFGS: state_dict is not supported; begin again with a new optimizer")

    def load_state_dict(self, state_dict):
        raise NotImplementedError("LBFGS: load_state_dict is not supported; begin again with a new optimizer")

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
        with enable_grad():
            loss = closure()
        return loss, -float(loss) if self.param_groups[0]["maximize"] else float(loss)

    def _direction(self, g):
        """−H g, with H the inverse Hessian that the last steps suggest: the two-loop recursion."""
        if self._last is None:
            return -g
        direction, length, before = self._last
        y, s = g - before, direction * length
        if y @ s > 1e-10:
            self._changes, self._steps = [*self._changes, y], [*self._steps, s]
            if len(self._steps) > self.param_groups[0]["history_size"]:
                self._changes, self._steps = self._changes[1:], self._steps[1:]
        q, weights = -g, []
        for s, y in zip(self._steps[::-1], self._changes[::-1], strict=True):
            weights.append((s @ q) / (y @ s))
            q = q - weights[-1] * y
        if self._steps:
            y, s = self._changes[-1], self._steps[-1]
            q = q * ((y @ s) / (y @ y))
        for s, y, weight in zip(self._steps, self._changes, weights[::-1], strict=True):
            q = q + (weight - (y @ q) / (y @ s)) * s
        return q

    def step(self, closure):
        """Up to max_iter iterations; returns the loss before the first."""
        group = self.param_groups[0]
        lr, smallest = float(group["lr"]), group["tolerance_change"]
        self._opt_called = True
        first, loss = self._evaluate(closure)
        with no_grad():
            g, evaluations = self._gradient(), 1
            if np.abs(g).max() <= group["tolerance_grad"]:
                return first
            for iteration in range(1, group["max_iter"] + 1):
                direction = self._direction(g)
                length = min(1.0, 1.0 / float(np.abs(g).sum())) * lr if self._last is None else lr
                slope, before = float(g @ direction), loss
                self._last = (direction, length, g)
                if slope > -smallest:
                    break
                self._move(length, direction)
                if iteration == group["max_iter"]:
                    break
                _, loss = self._evaluate(closure)
                g, evaluations = self._gradient(), evaluations + 1
                if evaluations >= group["max_eval"] or np.abs(g).max() <= group["tolerance_grad"]:
                    break
                if np.abs(direction * length).max() <= smallest or abs(loss - before) < smallest:
                    break
        return first
