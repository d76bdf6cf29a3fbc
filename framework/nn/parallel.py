"""torch.nn.parallel: a module that trains in several processes at once."""

from ..autograd import is_grad_enabled
from ..distributed import Reducer, broadcast
from .containers import DataParallel
from .module import Module

__all__ = ["DataParallel", "DistributedDataParallel"]


class DistributedDataParallel(Module):
    """The module, whose gradients backward leaves averaged over all processes; call this instead of it.

    On wrapping, every process gets the first one's weights and buffers; with broadcast_buffers, the buffers again before the forward
    that follows a step's. Each process is to compute the mean loss of its own, equally many, examples. Gradients travel in buckets of
    bucket_cap_mb while backward goes on. RuntimeError where a parameter took no part in the last backward, as then the others wait.
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0, broadcast_buffers=True, bucket_cap_mb=25):
        super().__init__()
        self.module, self.broadcast_buffers = module, broadcast_buffers
        self._buffers_moved = (
            True  # whether the last forward belonged to a step: as PyTorch has it, buffers are shared before the next
        )
        self._names = {param: name for name, param in module.named_parameters() if param.requires_grad}
        if not self._names:
            raise RuntimeError(
                "DistributedDataParallel: no parameter of the module requires grad; there is nothing to average"
            )
        object.__setattr__(self, "_reducer", Reducer(self._names, bucket_cap_mb << 20, on_all=self._finish))
        self._share_buffers()

    def _finish(self):
        self._reducer.finish()

    def _share_buffers(self):
        for buffer in self.module.buffers():
            broadcast(buffer)

    def forward(self, *inputs, **kwargs):
        """The module's forward."""
        averages = self._reducer.is_on and is_grad_enabled()
        if averages:
            late = [self._names[param] for param in self._reducer.missing()]
            if late:
                raise RuntimeError(
                    "DistributedDataParallel: expected to have finished reduction in the prior iteration: no gradient came for "
                    f"{', '.join(late)}; every parameter must take part in the loss, or have requires_grad=False"
                )
        if self.broadcast_buffers and self._buffers_moved:
            self._share_buffers()
        self._buffers_moved = averages
        return self.module(*inputs, **kwargs)

    def no_sync(self):
        """Within it gradients are not averaged but add up, for the next backward outside to average."""
        return self._reducer.no_sync()
