"""A run's checkpoint: one file with all that decides how it goes on, replaced whole or not at all (serialization.save).

What it holds is plain values and tensors; of either library, by the names of the objects' own state dicts.
"""

import contextlib
import random
import sys

import numpy as np

from . import backend
from .serialization import UnreadableFile, load, save
from .tensor import Tensor

__all__ = [
    "UnreadableFile",
    "copied",
    "generator_state",
    "loading",
    "random_state",
    "read",
    "resumable",
    "set_random_state",
    "write",
]

FORMAT = "dlfs checkpoint 1"


def write(path, content):
    """Put the content, a dict, at the path: to a temporary file, flushed to the disk, renamed."""
    save(_map({"format": FORMAT, **content}, _plain), path)


def read(path, library=None):
    """What `write` wrote; tensors are the library's (the engine's where it is not torch).

    UnreadableFile for a file that is damaged, another program's, or of another version; FileNotFoundError where there is none.
    """
    content = load(path)
    if not isinstance(content, dict) or "format" not in content:
        held = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise UnreadableFile(path, f"no checkpoint of a training run: it holds {held or 'nothing'}")
    if content["format"] != FORMAT:
        raise UnreadableFile(path, f"a checkpoint of the format {content['format']!r}; this version reads {FORMAT!r}")
    del content["format"]
    return _map(content, library.from_numpy) if _is_torch(library) else content


def copied(state):
    """A copy of a state dict: its tensors and arrays no longer change with the model's."""
    return _map(state, lambda value: value.copy() if isinstance(value, np.ndarray) else value.detach().clone())


def _plain(value):
    """PyTorch's tensor as an array; the rest as it is."""
    if isinstance(value, (Tensor, np.ndarray)):
        return value
    value = value.detach().cpu()
    return (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()


def _map(value, function):
    """The same dicts, lists and tuples, with every tensor and array in them replaced by function(it)."""
    if isinstance(value, dict):
        return {key: _map(item, function) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_map(item, function) for item in value)
    return function(value) if isinstance(value, np.ndarray) or hasattr(value, "detach") else value


# --- random state -----------------------------------------------------------------------------------------------------


def _is_torch(library):
    return library is not None and library is sys.modules.get("torch")


def generator_state(library):
    """The state of the generator that the library's own random ops draw from: cheap enough for every step."""
    if not _is_torch(library):
        return {"engine": backend.default_generator.get_state()}
    state = {"torch": library.get_rng_state().numpy().tobytes().hex()}
    if library.cuda.is_available() and library.cuda.is_initialized():
        state["cuda"] = [each.numpy().tobytes().hex() for each in library.cuda.get_rng_state_all()]
    return state


def random_state(library=None):
    """The state of every global generator, as plain values: the engine's, NumPy's, Python's, and torch's where it is the library."""
    numpy = np.random.get_state(legacy=False)
    numpy["state"] = {**numpy["state"], "key": numpy["state"]["key"].tolist()}
    state = {"engine": backend.default_generator.get_state(), "numpy": numpy, "python": random.getstate()}
    return state | generator_state(library)


def set_random_state(state):
    """Put every generator back that a state of random_state or generator_state names; torch's where torch is loaded."""
    if "engine" in state:
        backend.default_generator.set_state(state["engine"])
    if "numpy" in state:
        numpy = state["numpy"]
        key = np.array(numpy["state"]["key"], np.uint32)
        np.random.set_state({**numpy, "state": {**numpy["state"], "key": key}})
    if "python" in state:
        random.setstate(state["python"])
    torch = sys.modules.get("torch")
    if torch is None:
        return

    def tensor(text):
        return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)

    if "torch" in state:
        torch.set_rng_state(tensor(state["torch"]))
    if "cuda" in state and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all([tensor(each) for each in state["cuda"]])


class Replayed:
    """Any iterable of batches that can be iterated again, as a loader whose position can be saved.

    A position is the random state in which the epoch began, and how many batches it has given: to go on, the epoch is begun
    again in that state and its first batches are passed over. Loaders with state_dict and load_state_dict know a shorter way.
    """

    def __init__(self, batches, library):
        self.batches, self.library = batches, library
        self.began, self.given, self._resuming = None, 0, False

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        if self._resuming:
            self._resuming = False
            present = random_state(self.library)
            set_random_state(self.began)
            rest = iter(self.batches)
            for _ in range(self.given):
                next(rest)
            set_random_state(present)
        else:
            self.began, self.given = random_state(self.library), 0
            rest = iter(self.batches)
        return self._rest(rest)

    def _rest(self, batches):
        for batch in batches:
            self.given += 1
            yield batch
        self.began = None  # the epoch is over

    def state_dict(self):
        return {"began": self.began, "given": self.given}

    def load_state_dict(self, state):
        if not isinstance(state, dict) or set(state) != {"began", "given"}:
            raise ValueError("the saved position is another kind of loader's")
        self.began, self.given = state["began"], state["given"]
        self._resuming = self.began is not None


def resumable(loader, library):
    """The loader itself, if it can save its position; else `Replayed` around it."""
    return loader if hasattr(loader, "load_state_dict") else Replayed(loader, library)


@contextlib.contextmanager
def loading(path):
    """Within it, what an object says of a state that is not its own becomes an UnreadableFile that names the file."""
    try:
        yield
    except UnreadableFile:
        raise
    except (ValueError, TypeError, LookupError, RuntimeError, AttributeError) as error:
        raise UnreadableFile(path, f"a checkpoint of another run: {error}") from error
