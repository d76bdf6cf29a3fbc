"""The sides that run in the project's own environment: the engine, the levels by hand, PyTorch eager and compiled."""

import functools
import importlib
from pathlib import Path

from benchmarks.sizes import LR

from . import models
from .peer import NumPyPeer, Tape, two_steps


class Modules(Tape):
    """A workload as workloads.py writes it, under PyTorch or, through drop_in, on the engine; on a GPU, where `device` names one."""

    device = "cpu"

    def __init__(self, name, parameters, batch):
        workloads = self.workloads()
        self.model = workloads.make(name)
        self.model.load_state_dict({key: workloads.torch.from_numpy(array) for key, array in parameters.items()})
        self.model.to(self.device)
        self.optimizer = workloads.torch.optim.SGD(self.model.parameters(), lr=self.lr)
        self.loss_of = self.compiled(self.model.loss)
        self.use(batch)

    def use(self, batch):
        self.inputs = tuple(tensor.to(self.device) for tensor in self.workloads().tensors(batch))

    def loss(self):
        return self.loss_of(*self.inputs)

    def logits(self, x):
        with self.workloads().torch.no_grad():
            return self.model(*self.workloads().tensors((x,))).numpy()

    @staticmethod
    def compiled(loss):
        return loss

    def number(self, loss):
        return loss.item()

    def clear(self):
        self.optimizer.zero_grad()

    def update(self):
        self.optimizer.step()

    def wait(self):
        """A GPU is told what to do and works on it later: wait until it is done."""
        self.workloads().torch.cuda.synchronize()

    def held(self):
        """The bytes of the weights and the batch."""
        return sum(tensor.nbytes for tensor in (*self.model.state_dict().values(), *self.inputs))


class Engine(Modules, NumPyPeer):
    package = "framework"

    @staticmethod
    @functools.cache
    def workloads():
        from framework import drop_in

        return drop_in.load(Path(__file__).resolve().parents[1] / "workloads.py")

    @classmethod
    def use_threads(cls, count):
        import framework

        framework.set_num_threads(count)

    @classmethod
    def memory(cls, make):
        """As NumPyPeer's; on a GPU, the most bytes that CuPy's memory pool has given out at once."""
        if cls.device == "cpu":
            return super().memory(make)
        import cupy

        class Count(cupy.cuda.MemoryHook):
            name = "bytes that are given out"
            live = peak = 0

            def malloc_postprocess(self, **given):
                self.live += given["mem_size"]
                self.peak = max(self.peak, self.live)

            def free_postprocess(self, **given):
                self.live -= given["mem_size"]

        peer = make()
        peer.step()  # what is compiled late
        peer.clear()
        with Count() as count:
            two_steps(peer)
        return peer.held() + count.peak


class CompiledEngine(Engine):
    """The engine with its norms in numba's loops."""

    @classmethod
    def use_threads(cls, count):
        import framework

        super().use_threads(count)
        framework.compiled.use_numba()


class PyTorch(Modules):
    package = "torch"

    def __init__(self, *given):
        import torch

        torch.backends.cudnn.allow_tf32 = False  # float32 is float32 on every side
        super().__init__(*given)

    @staticmethod
    def workloads():
        from benchmarks import workloads

        return workloads

    @classmethod
    def use_threads(cls, count):
        import torch

        torch.set_num_threads(count)

    @classmethod
    def memory(cls, make):
        """The most bytes of its allocator alive at once in two steps, with the weights and the batch."""
        import torch

        peer = make()
        peer.step()  # what is imported or compiled late
        peer.clear()
        if cls.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()  # weights, batch, and what its libraries work in
            two_steps(peer)
            return peer.held() + torch.cuda.max_memory_allocated() - before
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            two_steps(peer)
        live = peak = 0
        events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
        for event in sorted(events, key=lambda event: event.start_ns()):
            live += event.nbytes()
            peak = max(peak, live)
        return peer.held() + peak


class CompiledPyTorch(PyTorch):
    @staticmethod
    def compiled(loss):
        import torch

        return torch.compile(loss)


def linear_by_hand(parameters):
    study = importlib.import_module("01_Linear_Logistic.study")
    return importlib.import_module("01_Linear_Logistic.numpy.linear_numpy").LinearModel(study.LinearConfig())


def mlp_by_hand(parameters):
    config = importlib.import_module("02_MLP.study").MLPConfig(in_features=784, hidden_sizes=(256,), num_classes=10)
    return importlib.import_module("02_MLP.numpy.mlp_numpy").MLP(config)


def rnn_by_hand(parameters, cell):
    study = importlib.import_module("06_LSTM_GRU.study")
    sizes = {"input_size": parameters["rnn.weight_ih_l0"].shape[1], "hidden_size": parameters["fc.weight"].shape[1]}
    config = study.RNNConfig(cell=cell, output_size=10, readout="last", loss="cross_entropy", **sizes)
    return importlib.import_module("06_LSTM_GRU.numpy.rnn_numpy").RNN(config)


def vae_by_hand(parameters):
    study = importlib.import_module("11_VAE.study")
    return importlib.import_module("11_VAE.numpy.vae_numpy").VAE(study.VAEConfig())


BY_HAND = {
    "softmax": linear_by_hand,
    "mlp": mlp_by_hand,
    "lstm": functools.partial(rnn_by_hand, cell="lstm"),
    "gru": functools.partial(rnn_by_hand, cell="gru"),
    "vae": vae_by_hand,
}


class ByHand(NumPyPeer):
    """The models' own levels by hand, where a workload is the same function."""

    package, lr = "numpy", LR

    def __init__(self, name, parameters, batch):
        if name not in BY_HAND:
            raise models.Missing("—")
        self.model = BY_HAND[name](parameters)
        self.model.load_state_dict(parameters)
        self.batch = [batch[0], None, None, batch[1]] if name in ("lstm", "gru") else batch

    def forward(self):
        return float(self.model.loss(*self.batch))

    def gradients(self):
        loss = self.forward()
        self.model.loss_backward()
        return loss

    def step(self):
        return float(self.model.train_step(*self.batch, lr=self.lr))

    def clear(self):
        self.model.grads.clear()


PEERS = {"engine": Engine, "numba": CompiledEngine, "by hand": ByHand, "pytorch": PyTorch, "compiled": CompiledPyTorch}
