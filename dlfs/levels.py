"""Every level behind one face: NumPy arrays in, NumPy arrays out.

A model's files at different levels share their names and their state dict, but one holds arrays, another tensors of the
engine, another PyTorch's. `compare`, `train` and the tests drive them all through the two classes here. As the engine
speaks PyTorch, one class serves both: it is handed the library, `torch` or `framework`.
"""

import contextlib
import importlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from dlfs.recording import recorded_assignments
from dlfs.studies import Study
from utils.errors import DLFSError

Arrays = tuple[np.ndarray, ...]
State = dict[str, np.ndarray]

TITLES = {
    "by-hand": "L1 by hand",
    "engine": "L1 engine (L3 file)",
    "engine-lowlevel": "L1 engine (L2 file)",
    "lowlevel": "L2 low level",
    "paper": "L3 paper",
    "twin": "production twin",
}
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop", "adagrad": "Adagrad"}


@dataclass
class Evaluation:
    """What one batch gives. The outputs are what forward returns, in order."""

    outputs: Arrays
    loss: float
    input_gradient: np.ndarray | None  # None where the first input is not floating-point, such as tokens
    gradients: State


class Level(Protocol):
    """What `compare` and `train` ask of a level. `load_state` adopts the arrays' dtype; every array given out is a copy."""

    title: str  # as tables name it
    model: Any

    def parameter_names(self) -> list[str]: ...
    def state(self) -> State: ...
    def load_state(self, state: State) -> None: ...
    def evaluate(self, inputs: Arrays, targets: Arrays) -> Evaluation: ...
    def predict(self, inputs: Arrays, targets: Arrays) -> tuple[float, Arrays]: ...
    def sgd_step(self, inputs: Arrays, targets: Arrays, lr: float) -> float: ...
    def use_optimizer(self, name: str, lr: float, options: dict[str, Any]) -> None: ...
    def set_lr(self, lr: float) -> None: ...
    def manual_seed(self, seed: int) -> None: ...
    def distribute(self) -> None: ...
    def step(self, inputs: Arrays, targets: Arrays) -> float: ...

    # what the Trainer asks of a model, by PyTorch's names
    optimizer: Any
    scaler: Any  # of the loss, for mixed precision; or None

    def train(self, mode: bool = True) -> None: ...
    def loss(self, inputs: Arrays, targets: Arrays) -> Any: ...  # a scalar with item() and backward()
    def state_dict(self) -> dict[str, Any]: ...  # the model's own arrays or tensors, not copies
    def load_state_dict(self, state: dict[str, Any]) -> None: ...  # into these


# ---------------------------------------------------------------------------------------------------- The two kinds


class HandLevel:
    """A level in NumPy by hand: its model keeps `params`, and its own backward fills `grads`."""

    scaler = None

    def __init__(self, model: Any, title: str = TITLES["by-hand"]):
        self.model, self.title = model, title

    def parameter_names(self) -> list[str]:
        return list(self.model.params)

    def state(self) -> State:
        return {name: np.array(array) for name, array in self.model.state_dict().items()}

    def load_state(self, state: State) -> None:
        self.model.load_state_dict(state)

    def evaluate(self, inputs: Arrays, targets: Arrays) -> Evaluation:
        set_mode(self.model, training=True)
        outputs = as_tuple(self.model.forward(*inputs))
        loss = float(self.model.loss(*inputs, *targets))
        input_gradient = self.model.loss_backward()
        return Evaluation(
            tuple(np.array(output) for output in outputs),
            loss,
            np.array(input_gradient) if inputs[0].dtype.kind == "f" else None,
            {name: np.array(gradient) for name, gradient in self.model.grads.items()},
        )

    def predict(self, inputs: Arrays, targets: Arrays) -> tuple[float, Arrays]:
        set_mode(self.model, training=False)
        return float(self.model.loss(*inputs, *targets)), as_tuple(self.model.forward(*inputs))

    def sgd_step(self, inputs: Arrays, targets: Arrays, lr: float) -> float:
        set_mode(self.model, training=True)
        return float(self.model.train_step(*inputs, *targets, lr=lr))

    def use_optimizer(self, name: str, lr: float, options: dict[str, Any]) -> None:
        import framework

        # Tensor(array) shares the array's memory: a step of the engine's optimizer moves the model's own parameters.
        self.tensors = {name: framework.Tensor(array) for name, array in self.model.params.items()}
        self.optimizer = make_optimizer(framework, name, self.tensors, lr, options)

    def set_lr(self, lr: float) -> None:
        set_lr(self.optimizer, lr)

    def distribute(self) -> None:
        """Nothing: the trainer averages the gradients."""

    def manual_seed(self, seed: int) -> None:
        """Nothing: by hand, whatever is random is an input."""

    def train(self, mode: bool = True) -> None:
        set_mode(self.model, training=mode)

    def loss(self, inputs: Arrays, targets: Arrays) -> "HandLoss":
        return HandLoss(self, float(self.model.loss(*inputs, *targets)))

    def step(self, inputs: Arrays, targets: Arrays) -> float:
        return optimizer_step(self, inputs, targets)

    def state_dict(self) -> dict[str, Any]:
        return self.model.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        copy_state(self.model.state_dict(), state)

    @contextlib.contextmanager
    def detect_anomaly(self) -> Iterator[None]:
        """At its end RuntimeError, if an array that the model's code named within it holds a NaN: with the name of the first."""
        with recorded_assignments(self.model, lambda key, array: bool(np.isnan(array).any())) as found:
            yield
        for (function, name, _), has_nan in found.items():
            if has_nan:
                raise RuntimeError(f"{name} in {function} is the first array that holds a NaN")


class HandLoss:
    """The loss of a model by hand with a tensor's face: backward adds to the gradients of the parameters."""

    def __init__(self, level: HandLevel, value: float, weight: float = 1.0):
        self.level, self.value, self.weight = level, value, weight

    def item(self) -> float:
        return self.value

    def __mul__(self, weight: float) -> "HandLoss":
        return HandLoss(self.level, self.value * weight, self.weight * weight)

    def backward(self) -> None:
        import framework

        self.level.model.loss_backward()
        for name, tensor in self.level.tensors.items():
            gradient = self.level.model.grads[name]
            if self.weight != 1:
                gradient = gradient * self.weight
            tensor.grad = framework.Tensor(gradient if tensor.grad is None else tensor.grad.array + gradient)


def identity(state: State) -> State:
    return state


class TensorLevel:
    """A level with autograd: a dict of leaf tensors in `params`, or an nn.Module; of PyTorch, or of the engine.

    to_model and from_model translate a state dict where the model's own names differ, as a production twin's do.
    """

    def __init__(
        self,
        model: Any,
        library: Any,
        title: str,
        device: str = "cpu",
        to_model: Callable[[State], State] = identity,
        from_model: Callable[[State], State] = identity,
    ):
        self.model, self.library, self.title, self.device = model, library, title, device
        self.to_model, self.from_model = to_model, from_model
        self.channels_last = False
        self.half = self.scaler = None
        self.parallel: Any = None  # DistributedDataParallel around the loss
        if device != "cpu":
            self.load_state(self.state())

    def speed_up(
        self, compile: bool = False, bf16: bool = False, fp16: bool = False, channels_last: bool = False
    ) -> None:
        """Run the model faster by the library's own means, once its weights are loaded.

        compile: as generated code, by torch.compile; on the engine, see use_numba. bf16, fp16: products and convolutions in
        bfloat16 or float16, the weights stay as they are; for float16's sake the trainer scales the loss. channels_last: images and
        kernels lie in memory with the channels innermost, which convolutions like.
        """
        self.channels_last = channels_last
        if bf16 or fp16:
            self.half = self.library.bfloat16 if bf16 else self.library.float16
        if fp16:
            self.scaler = self.library.amp.GradScaler(self.device.partition(":")[0])
        if channels_last:
            for parameter in self.parameters().values():
                parameter.data = self.laid_out(parameter.data)
        if compile and hasattr(self.library, "compile"):  # the engine's loops are the process's, not a model's
            self.library._logging.set_logs(
                dynamo=logging.ERROR
            )  # of where the checks of a batch leave the compiled code
            self.model.forward = self.library.compile(self.model.forward)
            self.model.loss = self.library.compile(self.model.loss)

    def distribute(self) -> None:
        """Average the gradients over all processes by the library's DistributedDataParallel, where the model is a module.

        What has bare tensors or arrays has none; the trainer averages its gradients.
        """
        if hasattr(self.model, "named_parameters"):
            self.parallel = self.library.nn.parallel.DistributedDataParallel(loss_of(self.model, self.library))
            self.no_sync = self.parallel.no_sync

    def laid_out(self, tensor: Any) -> Any:
        return (
            tensor.to(memory_format=self.library.channels_last) if self.channels_last and tensor.ndim == 4 else tensor
        )

    def precision(self) -> Any:
        """The context in which the model runs."""
        if self.half is None:
            return contextlib.nullcontext()
        return self.library.autocast(self.device.partition(":")[0], dtype=self.half)

    def parameters(self) -> dict[str, Any]:
        is_module = hasattr(self.model, "named_parameters")
        return dict(self.model.named_parameters()) if is_module else self.model.params

    def tensor(self, array: np.ndarray) -> Any:
        return self.laid_out(self.library.from_numpy(np.array(array)).to(self.device))

    def tensors(self, arrays: Arrays) -> list[Any]:
        return [self.tensor(array) for array in arrays]

    def parameter_names(self) -> list[str]:
        return list(self.from_model({name: as_array(p) for name, p in self.parameters().items()}))

    def state(self) -> State:
        return self.from_model({name: as_array(tensor) for name, tensor in self.model.state_dict().items()})

    def load_state(self, state: State) -> None:
        tensors = {name: self.tensor(array) for name, array in self.to_model(state).items()}
        if hasattr(self.model, "named_parameters"):
            dtype = next(tensor.dtype for tensor in tensors.values() if tensor.is_floating_point())
            self.model.to(device=self.device, dtype=dtype)
        self.model.load_state_dict(tensors)

    def evaluate(self, inputs: Arrays, targets: Arrays) -> Evaluation:
        set_mode(self.model, training=True)
        for parameter in self.parameters().values():
            parameter.grad = None
        given, wanted = self.tensors(inputs), self.tensors(targets)
        if given[0].is_floating_point():
            given[0].requires_grad_()
        outputs = as_tuple(self.model.forward(*given))
        loss = self.model.loss(*given, *wanted)
        loss.backward()
        gradients = {name: as_array(p.grad) for name, p in self.parameters().items() if p.grad is not None}
        return Evaluation(
            tuple(as_array(output) for output in outputs),
            loss.item(),
            None if given[0].grad is None else as_array(given[0].grad),
            self.from_model(gradients),
        )

    def predict(self, inputs: Arrays, targets: Arrays) -> tuple[float, Arrays]:
        set_mode(self.model, training=False)
        given, wanted = self.tensors(inputs), self.tensors(targets)
        with self.library.no_grad(), self.precision():
            loss = self.model.loss(*given, *wanted).item()
            return loss, tuple(as_array(output) for output in as_tuple(self.model.forward(*given)))

    def sgd_step(self, inputs: Arrays, targets: Arrays, lr: float) -> float:
        set_mode(self.model, training=True)
        if hasattr(self.model, "train_step"):
            return self.model.train_step(*self.tensors(inputs), *self.tensors(targets), lr=lr)
        self.use_optimizer("sgd", lr, {})
        return self.step(inputs, targets)

    def use_optimizer(self, name: str, lr: float, options: dict[str, Any]) -> None:
        self.optimizer = make_optimizer(self.library, name, self.parameters(), lr, options)

    def set_lr(self, lr: float) -> None:
        set_lr(self.optimizer, lr)

    def manual_seed(self, seed: int) -> None:
        self.library.manual_seed(seed)

    def train(self, mode: bool = True) -> None:
        set_mode(self.model, training=mode)

    def loss(self, inputs: Arrays, targets: Arrays) -> Any:
        with self.precision():
            return (self.parallel or self.model.loss)(*self.tensors(inputs), *self.tensors(targets))

    def step(self, inputs: Arrays, targets: Arrays) -> float:
        return optimizer_step(self, inputs, targets)

    def state_dict(self) -> dict[str, Any]:
        return self.model.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if hasattr(self.model, "named_parameters"):
            self.model.load_state_dict(state)
        else:
            copy_state(self.model.state_dict(), state)


def loss_of(model: Any, library: Any) -> Any:
    """A module whose forward is the model's loss: what DistributedDataParallel wraps."""

    class Loss(library.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *batch: Any) -> Any:
            return self.model.loss(*batch)

    return Loss()


def as_array(tensor: Any) -> np.ndarray:
    """A copy of a tensor's values; NumPy has no bfloat16, which becomes float32."""
    tensor = tensor.detach().cpu()
    return np.array((tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy())


def as_tuple(outputs: Any) -> tuple:
    """What forward returned, flat: one output, several, or several inside one another, as an LSTM's (output, (h, c))."""
    if isinstance(outputs, (tuple, list)):
        return tuple(leaf for output in outputs for leaf in as_tuple(output))
    return (outputs,)


def set_mode(model: Any, training: bool) -> None:
    """Training or evaluation mode, for models that know the difference."""
    if hasattr(model, "train"):
        model.train(training)


def make_optimizer(library: Any, name: str, parameters: dict[str, Any], lr: float, options: dict[str, Any]) -> Any:
    """The optimizer of a recipe. Its option decays(name, parameter) says which parameters weight_decay acts on; by default all."""
    optim = importlib.import_module(f"{library.__name__}.optim")
    options = dict(options)
    groups: list[Any] = list(parameters.values())
    if decays := options.pop("decays", None):
        others = [parameter for key, parameter in parameters.items() if not decays(key, parameter)]
        groups = [{"params": [parameter for key, parameter in parameters.items() if decays(key, parameter)]}]
        groups += [{"params": others, "weight_decay": 0.0}]
    return getattr(optim, OPTIMIZERS[name])(groups, lr=lr, **options)


def set_lr(optimizer: Any, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr


def optimizer_step(level: Level, inputs: Arrays, targets: Arrays) -> float:
    """One step of the level's optimizer; returns the loss before it."""
    level.train()
    level.optimizer.zero_grad()
    loss = level.loss(inputs, targets)
    loss.backward()
    level.optimizer.step()
    return loss.item()


def copy_state(own: dict[str, Any], state: dict[str, Any]) -> None:
    """Copy a state dict into a model's own arrays or tensors; RuntimeError that names what is missing, unknown or misshapen."""
    for name in {**own, **state}:
        expected, got = (tuple(d[name].shape) if name in d else None for d in (own, state))
        if expected != got:
            raise RuntimeError(f"{name}: expected shape {expected}, got {got}")
    for name, target in own.items():
        if isinstance(target, np.ndarray):
            target[...] = state[name]
        else:
            target.copy_(state[name].to(target.device))


# ------------------------------------------------------------------------------------------------ Building levels


def build_level(
    study: Study,
    level: str,
    config: Any,
    *,
    dtype: str = "float32",
    device: str = "cpu",
    module: ModuleType | None = None,
) -> Level:
    """One level of a model; its weights are whatever its constructor draws.

    level: by-hand, engine, engine-lowlevel (the L2 file on the engine), lowlevel, paper or twin.
    dtype: the default dtype while the model is built, for the constants it makes itself.
    module: stands in for the level's own module: tests plant a bug in a copy, and see a check fail.
    """
    if level == "twin":
        torch = import_torch()
        try:
            keymap = study.module("keymap.py")
            with default_dtype(torch, dtype):
                model = getattr(keymap, study.fact("TWIN"))(config)
        except ModuleNotFoundError as error:
            missing = str(error.name).partition(".")[0]
            raise DLFSError(
                f"the production twin needs {missing}, which is not installed: "
                'pip install -c constraints.txt -e ".[models]"'
            ) from None
        translate = [getattr(keymap, name, identity) for name in ("to_twin", "from_twin")]
        return TensorLevel(model, torch, TITLES[level], device, *translate)
    file_of = "lowlevel" if level == "engine-lowlevel" else level
    study.require_level(file_of)
    class_name, files = study.model(config)
    file = files[file_of]
    if level == "by-hand":
        if device != "cpu":
            raise DLFSError(f"by-hand is NumPy alone and runs on the CPU; leave out --device {device}")
        return HandLevel(getattr(module or study.module(file), class_name)(config))
    if level.startswith("engine"):
        import framework
        from framework import drop_in

        library: Any = framework
        module = module or drop_in.load(study.folder / file)
    else:
        library = import_torch()
        module = module or study.module(file)
    with default_dtype(library, dtype):
        return TensorLevel(getattr(module, class_name)(config), library, TITLES[level], device)


def level_names(study: Study) -> list[str]:
    """What `compare` compares: every level that is written, each tensor file on both libraries, and the twin."""
    order = ("by-hand", "engine", "engine-lowlevel", "lowlevel", "paper")
    names = [name for name in order if name.removeprefix("engine-") in study.levels]
    return names + (["twin"] if getattr(study.facts, "TWIN", None) else [])


def build_levels(study: Study, config: Any, *, dtype: str = "float64") -> dict[str, Level]:
    """Every level of a config; without the twin, where the libraries have none for this config."""
    levels = {name: build_level(study, name, config, dtype=dtype) for name in level_names(study)}
    return {name: level for name, level in levels.items() if level.model is not None}


def initial_level(study: Study, config: Any, seed: int) -> Level:
    """The level whose weights every other starts from: the paper's file on the engine, after manual_seed(seed)."""
    import framework

    framework.manual_seed(seed)
    return build_level(study, "engine", config)


def import_torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise DLFSError(
            "levels 2 and 3 need PyTorch, which is not installed: "
            'pip install -c constraints.txt -e ".[torch]". Without it: dlfs train with --level by-hand or engine'
        ) from None


@contextlib.contextmanager
def default_dtype(library: Any, dtype: str) -> Iterator[None]:
    previous = library.get_default_dtype()
    library.set_default_dtype(getattr(library, dtype))
    try:
        yield
    finally:
        library.set_default_dtype(previous)
