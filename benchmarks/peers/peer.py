"""What every peer is to the worker that runs it: forward(), gradients() and step(), each of which returns the loss; and its memory.

A step is one of plain SGD at the class's `lr`. Sides that are also trained (accuracy.py) have use(batch) and logits(x).
"""

import gc
import tracemalloc

from benchmarks.sizes import LR

__all__ = ["LR", "NumPyPeer", "Tape", "two_steps"]


def two_steps(peer):
    """What a peer's memory is measured over: what the first step leaves is there in the second."""
    for _ in range(2):
        peer.step()
        peer.clear()


class NumPyPeer:
    """A peer whose arrays are NumPy's, which reports every one of them to tracemalloc."""

    @classmethod
    def use_threads(cls, count):
        """NumPy's products have as many threads as the environment says; there is nothing else to set."""

    @classmethod
    def memory(cls, make):
        """The most bytes of arrays alive at once in two steps, with the weights and the batch, which make() makes anew."""
        make().step()  # what is imported late
        tracemalloc.start()
        peer = make()
        peer.step()
        peer.clear()
        gc.collect()  # what making it has left
        tracemalloc.reset_peak()
        two_steps(peer)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak


class Tape:
    """A peer that records what is done to its parameters: `loss()` makes the graph, `loss.backward()` fills each `grad`."""

    lr = LR

    def forward(self):
        return self.number(self.loss())

    def gradients(self):
        self.clear()
        loss = self.loss()
        self.backward(loss)
        return self.number(loss)

    def backward(self, loss):
        loss.backward()

    def step(self):
        value = self.gradients()
        self.update()
        return value
