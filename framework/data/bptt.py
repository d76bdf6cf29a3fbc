"""Long sequences cut for truncated backpropagation through time (Williams & Peng 1990; Mikolov 2010, section 2)."""

import math

import numpy as np

from ..tensor import Tensor


class BPTTDataLoader:
    """A stream of tokens as batch_size parallel streams, read window by window.

    tokens: a sequence of N integers. The stream is cut into batch_size equal parts, side by side; a tail that would make them
    unequal is left out. Each step gives (x, y), int64 tensors of shape (T, batch_size), or (batch_size, T) with
    batch_first: x are the next T = bptt tokens of every part, y those one further on. Row b of one window goes on where row b of
    the last one ended, so the caller carries the recurrent state from window to window (detached), and starts each epoch with a new one.
    The last window is shorter where the parts are no multiple of bptt, unless drop_last.

    `state_dict()` and `load_state_dict()` hold the place, as DataLoader's do.
    """

    def __init__(self, tokens, batch_size, bptt, batch_first=False, drop_last=False):
        tokens = np.asarray(tokens.array if isinstance(tokens, Tensor) else tokens)
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
            raise ValueError(
                f"BPTTDataLoader: tokens should be integers in one dimension, got {tokens.dtype} of shape {tokens.shape}"
            )
        if batch_size < 1 or bptt < 1:
            raise ValueError(f"BPTTDataLoader: batch_size and bptt should be positive, got {batch_size} and {bptt}")
        if len(tokens) < 2 * batch_size:
            raise ValueError(
                f"BPTTDataLoader: {len(tokens)} tokens are too few for {batch_size} streams of at least two"
            )
        length = len(tokens) // batch_size
        self.streams = tokens[: length * batch_size].reshape(batch_size, length).astype(np.int64)  # (B, L)
        self.batch_size, self.bptt, self.batch_first, self.drop_last = batch_size, bptt, batch_first, drop_last
        self._epoch, self._windows = 0, 0
        self._resuming = False

    def __len__(self):
        steps = self.streams.shape[1] - 1  # the last token is only a target
        return steps // self.bptt if self.drop_last else math.ceil(steps / self.bptt)

    def __iter__(self):
        if not self._resuming:
            if self._windows:  # the last epoch was left before its end
                self._epoch += 1
            self._windows = 0
        self._resuming = False
        return self._rest(self._epoch)

    def _rest(self, epoch):
        for window in range(self._windows, len(self)):
            start = window * self.bptt
            end = min(start + self.bptt, self.streams.shape[1] - 1)
            x, y = self.streams[:, start:end], self.streams[:, start + 1 : end + 1]  # (B, T)
            self._windows = window + 1
            yield tuple(Tensor(np.ascontiguousarray(a if self.batch_first else a.T)) for a in (x, y))
        self._epoch, self._windows = epoch + 1, 0

    def state_dict(self):
        return {"epoch": self._epoch, "batches": self._windows}

    def load_state_dict(self, state):
        if not isinstance(state, dict) or set(state) != {"epoch", "batches"}:
            raise ValueError("BPTTDataLoader.load_state_dict: expected the entries batches, epoch")
        if not 0 <= state["batches"] <= len(self):
            raise ValueError(
                f"BPTTDataLoader.load_state_dict: saved after {state['batches']} windows, this loader has {len(self)}"
            )
        self._epoch, self._windows = state["epoch"], state["batches"]
        self._resuming = True
