"""Many processes, one training: torch.distributed's names, and the averaging of gradients.

    torchrun --nproc-per-node 2 train.py

starts two processes that differ in `get_rank()` alone. Each computes the gradient of its share of a batch; the average over all, weighted
by their examples, is the gradient of the whole batch, and so all make the same step. PyTorch's package carries the numbers, by gloo on
CPUs and nccl on GPUs. It is the one thing of PyTorch's that the engine uses, and it is imported when a process group is asked for.

A tensor's memory is lent to PyTorch, not copied; what it receives is there when the call returns.
"""

import contextlib
import enum
import importlib.util
import os
import sys
import weakref

import numpy as np

from . import backend
from .tensor import Tensor

__all__ = [
    "ReduceOp", "Reducer", "World", "all_gather_object", "all_reduce", "barrier", "broadcast", "broadcast_object_list", "destroy_process_group",
    "get_rank", "get_world_size", "init_process_group", "is_available", "is_initialized", "is_torchelastic_launched", "launched", "world",
]  # fmt: skip


class ReduceOp(enum.Enum):
    """What all_reduce does with the processes' values."""

    SUM, PRODUCT, MIN, MAX, AVG = range(5)


VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # what torchrun tells each process


def _torch():
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise RuntimeError(
            "distributed: PyTorch's package carries the numbers, and it is not installed: pip install torch"
        ) from None


def _package():
    """torch.distributed; RuntimeError where there is no process group."""
    if not is_initialized():
        raise RuntimeError(
            "distributed: there is no process group; call init_process_group() in a program started by torchrun"
        )
    return sys.modules["torch"].distributed


def is_available():
    """Whether PyTorch's package is there."""
    return importlib.util.find_spec("torch") is not None and _torch().distributed.is_available()


def is_initialized():
    """Whether there is a process group. Does not import PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized()


def is_torchelastic_launched():
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def init_process_group(backend=None, **options):
    """Meet the other processes; waits for all of them. backend: "gloo", for CPUs, the default; or "nccl", for GPUs. options: PyTorch's."""
    _torch().distributed.init_process_group(backend or "gloo", **options)


def destroy_process_group():
    """Part from the other processes."""
    _package().destroy_process_group()


def get_rank():
    """This process's number, from 0 on."""
    return _package().get_rank()


def get_world_size():
    """How many processes there are."""
    return _package().get_world_size()


def barrier():
    """Wait until all processes are here."""
    _package().barrier()


def as_torch(value):
    """A PyTorch tensor in the memory of a Tensor or array; PyTorch's own as it is."""
    array = value.array if isinstance(value, Tensor) else value
    if isinstance(array, np.ndarray):
        return _torch().from_numpy(array)
    return array.detach() if hasattr(array, "detach") else _torch().from_dlpack(array)


def all_reduce(tensor, op=None):
    """The sum over all processes, in place; op: another ReduceOp, ours or torch.distributed's."""
    package = _package()
    op = getattr(package.ReduceOp, op.name) if isinstance(op, ReduceOp) else op
    package.all_reduce(as_torch(tensor), package.ReduceOp.SUM if op is None else op)


def broadcast(tensor, src=0):
    """The values of process `src`, in place."""
    _package().broadcast(as_torch(tensor), src)


def all_gather_object(object_list, obj):
    """Fill the list with every process's object, in the order of their ranks."""
    _package().all_gather_object(object_list, obj)


def broadcast_object_list(object_list, src=0):
    """Replace the list's objects by those of process `src`."""
    _package().broadcast_object_list(object_list, src)


# --- who is there -----------------------------------------------------------------------------------------------------


class World:
    """All processes that train together, as one of them sees them; by default it is alone, and every method returns what it was given.

    rank: its number, from 0 on; size: how many there are; local_rank: its number on its machine, which is that of its GPU.
    restarts: how often torchrun has started them anew.
    """

    def __init__(self, rank=0, size=1):
        self.rank, self.size = rank, size
        self.local_rank = int(os.environ.get("LOCAL_RANK", 0)) if size > 1 else 0
        self.restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))

    @property
    def is_first(self):
        """Whether this is the process that writes."""
        return self.rank == 0

    def sum(self, values):
        """The sums over all processes of some numbers, in float64."""
        if self.size == 1:
            return values
        torch = _torch()
        where = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
        sums = torch.tensor(values, dtype=torch.float64, device=where)
        torch.distributed.all_reduce(sums)
        return sums.tolist()

    def first(self, value):
        """The first process's value: anything that pickle takes."""
        if self.size > 1:
            box = [value]
            broadcast_object_list(box)
            (value,) = box
        return value

    def gather(self, value):
        """Every process's value, in the order of their ranks."""
        values = [value]
        if self.size > 1:
            values = [None] * self.size
            all_gather_object(values, value)
        return values

    def share(self, state):
        """Give the tensors and arrays of a state dict the first process's values, in place."""
        if self.size > 1:
            for value in state.values():
                broadcast(value)


def world():
    """The processes of the group; this one alone where there is none."""
    return World(get_rank(), get_world_size()) if is_initialized() else World()


@contextlib.contextmanager
def launched(device="cpu"):
    """Within it, in a process that torchrun started, there is a process group, of nccl for device "cuda"; elsewhere nothing is done. Gives the World."""
    missing = [name for name in VARIABLES if name not in os.environ]
    if is_initialized() or not is_torchelastic_launched():
        yield world()
        return
    if missing:
        raise RuntimeError(f"distributed: {', '.join(missing)} not in the environment; start with torchrun")
    on_gpu = str(device).startswith("cuda")
    if on_gpu:
        _torch().cuda.set_device(int(os.environ["LOCAL_RANK"]))
        with contextlib.suppress(RuntimeError):  # where there is no CuPy, nobody asks for it
            backend.cupy().cuda.Device(int(os.environ["LOCAL_RANK"])).use()
    init_process_group("nccl" if on_gpu else "gloo", **_meeting_place())
    yield world()
    destroy_process_group()  # after an error there is nobody to part from: torchrun ends the others


def _meeting_place():
    """The store in which the processes find one another. torchrun keeps one for all its restarts, in which the dead ones' addresses still
    stand; so each life of a machine's processes has its own keys. On several machines torchrun counts restarts on each by itself."""
    if os.environ.get("LOCAL_WORLD_SIZE") != os.environ["WORLD_SIZE"]:
        return {}
    package = _torch().distributed
    store, rank, size = next(package.rendezvous("env://"))
    prefix = f"life {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
    return {"store": package.PrefixStore(prefix, store), "rank": rank, "world_size": size}


# --- gradients --------------------------------------------------------------------------------------------------------


class _Bucket:
    """Parameters whose gradients travel together, one behind the other in `flat`; behind them, for each whether it has a gradient."""

    def __init__(self, parameters):
        self.parameters, self.waiting, self.flat, self.work = parameters, set(parameters), None, None


class Reducer:
    """Averages the gradients of parameters over all processes, in buckets, which travel while backward goes on.

    Backward finds the last layer's gradients first. So the buckets hold the parameters from the last to the first, each is sent when all
    its gradients are there, and when backward ends only the last one is still on its way (Li et al. 2020, arXiv:2006.15704).
    `finish` sends what was not sent, a parameter without a gradient as zeros, waits, and puts the averages into `.grad`.

    parameters: the engine's or PyTorch's, on every process the same in the same order; each gets the first process's values. Those
    without autograd, whose `.grad` is set by hand, are all sent by `finish`.
    on_all: called when the last bucket has been sent by backward itself.
    """

    def __init__(self, parameters, bucket_bytes=25 << 20, first_bucket_bytes=1 << 20, on_all=None):
        self.parameters, self.on_all = list(parameters), on_all
        self.size, self.is_on = get_world_size(), True
        self.buckets, self.bucket_of, self.sent = [], {}, 0
        for param in self.parameters:
            broadcast(param)
        left, kind = 0, None
        for param in reversed(self.parameters):
            flat = as_torch(param)
            if flat.nbytes > left or (flat.dtype, flat.device) != kind:
                left, kind = bucket_bytes if self.buckets else first_bucket_bytes, (flat.dtype, flat.device)
                self.buckets.append(_Bucket([]))
            left -= flat.nbytes
            self.buckets[-1].parameters.append(param)
            self.bucket_of[param] = self.buckets[-1]
        self._reset()
        reducer = weakref.ref(self)  # the hooks must not keep it, which keeps the parameters, which keep the hooks

        def ready(param):
            if reducer() is not None:
                reducer()._ready(param)

        for param in self.parameters:
            if param.requires_grad:
                param.register_post_accumulate_grad_hook(ready)

    def _reset(self):
        self.sent = 0
        for bucket in self.buckets:
            bucket.waiting, bucket.work = set(bucket.parameters), None

    def missing(self):
        """The parameters for whose gradients the last backward still waits; none before it has begun, and after `finish`."""
        waiting = [param for param in self.parameters if param in self.bucket_of[param].waiting]
        return waiting if len(waiting) < len(self.parameters) else []

    @contextlib.contextmanager
    def no_sync(self):
        """Within it gradients only add up, to be averaged with those of the next backward outside."""
        before, self.is_on = self.is_on, False
        try:
            yield
        finally:
            self.is_on = before

    def _ready(self, param):
        """A parameter has its gradient: send all buckets that are full, in their order, which is every process's."""
        if not self.is_on:
            return
        self.bucket_of[param].waiting.discard(param)
        while self.sent < len(self.buckets) and not self.buckets[self.sent].waiting:
            self._send()
        if self.sent == len(self.buckets) and self.on_all:
            self.on_all()

    def _send(self):
        bucket, torch = self.buckets[self.sent], _torch()
        self.sent += 1
        first = as_torch(bucket.parameters[0])
        if bucket.flat is None:
            count = sum(as_torch(param).numel() + 1 for param in bucket.parameters)
            bucket.flat = torch.empty(count, dtype=first.dtype, device=first.device)
        bucket.flat.zero_()
        for param, place, present in self._places(bucket):
            if param.grad is not None:
                torch.div(_strided(param.grad), self.size, out=place)
                present.fill_(1)
        bucket.work = torch.distributed.all_reduce(bucket.flat, async_op=True)

    @staticmethod
    def _places(bucket):
        """Of each parameter the part of `flat` for its gradient, in its shape, and the one that says whether it has one."""
        start, presence = 0, len(bucket.flat) - len(bucket.parameters)
        for i, param in enumerate(bucket.parameters):
            shape = tuple(param.shape)
            count = int(np.prod(shape, dtype=np.int64))
            yield param, bucket.flat[start : start + count].reshape(shape), bucket.flat[presence + i]
            start += count

    def finish(self):
        """All gradients as their averages. A parameter that has none in any process keeps None."""
        while self.sent < len(self.buckets):
            self._send()
        for bucket in self.buckets:
            bucket.work.wait()
            for param, place, present in self._places(bucket):
                if param.grad is not None:
                    _strided(param.grad).copy_(place)
                elif present.item():
                    param.grad = (
                        place.clone()
                        if not isinstance(param, Tensor)
                        else Tensor(_as_array(place.clone(), param.array))
                    )
        self._reset()


def _strided(grad):
    """The gradient as PyTorch's tensor; its steps in memory must be positive, which they are in all that backward makes but views."""
    if isinstance(grad, Tensor) and any(step < 0 for step in grad.array.strides):
        grad.array = grad.array.copy()
    return as_torch(grad)


def _as_array(tensor, like):
    """PyTorch's tensor as an array of the kind that a parameter has."""
    return tensor.numpy() if isinstance(like, np.ndarray) else backend.array_module(like).from_dlpack(tensor)
