"""Files written for PyTorch, run on the engine: `load("model.py").Model(…)`.

The file is executed as it stands. In it, and in nothing else, `import torch` means the engine: its globals hold a `__builtins__`
of their own whose `__import__` looks torch's names up here. Functions keep the builtins of the module that they were defined
in, so an import that one of them makes later means the engine too. The real torch, imported elsewhere, is not touched.
"""

import builtins
import importlib
import importlib.util
import itertools
import os
import sys
import types
from pathlib import Path

from .absent import message

__all__ = ["load"]

_numbers = itertools.count(1)


def load(path_or_module):
    """Execute a file written for PyTorch on the engine; return it as a fresh module object.

    path_or_module: a path, the dotted name of a module ("02_MLP.paper.mlp_paper"), or a module. Relative imports work where the
    file's package can be found: from sys.path, or by its __init__.py. Files of the same package that import torch are loaded
    on the engine with it; all other imports mean what they always mean.
    Raises FileNotFoundError or ModuleNotFoundError for what is not there, ImportError for a part of torch that the engine lacks.
    """
    return _Session().load(_find(path_or_module))


def _find(source):
    if isinstance(source, types.ModuleType):
        return Path(source.__file__).resolve()
    path = Path(source)
    if path.suffix == ".py" or path.is_file():
        if not path.is_file():
            raise FileNotFoundError(f"drop_in.load: there is no file {path}")
        return path.resolve()
    name = os.fspath(source)
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"drop_in.load: {name!r} is neither a file nor a module: {error}") from None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise ModuleNotFoundError(f"drop_in.load: {name!r} is neither a file nor a module with a .py file")
    return Path(spec.origin).resolve()


def _place(path):
    """The folder that its imports start from, and the file's dotted name there: ("/work", "pkg.part.module")."""
    folders = [folder for folder in (Path(entry or ".").resolve() for entry in sys.path) if folder in path.parents]
    if folders:
        root = max(folders, key=lambda folder: len(folder.parts))
    else:
        root = path.parent
        while (root / "__init__.py").is_file():
            root = root.parent
    parts = path.relative_to(root).with_suffix("").parts
    return root, ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class _Session:
    """One `load`: the files that came along with it, each executed once."""

    def __init__(self):
        self.modules = {}  # path → module

    def load(self, path):
        if path in self.modules:
            return self.modules[path]
        root, name = _place(path)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        module = types.ModuleType(
            f"{name}@framework{next(_numbers)}"
        )  # a name of its own: pickle and dataclasses look it up
        module.__file__ = str(path)
        module.__package__ = package or None
        module.__builtins__ = {**vars(builtins), "__import__": _Importer(self, root, package, path)}
        self.modules[path] = sys.modules[module.__name__] = module
        try:
            exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
        except BaseException:
            del self.modules[path], sys.modules[module.__name__]
            raise
        return module


class _Importer:
    """The `__import__` of one file."""

    def __init__(self, session, root, package, path):
        self.session, self.root, self.package, self.path = session, root, package, path

    def __call__(self, name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0 and name.partition(".")[0] == "torch":
            return _torch_import(name, fromlist)
        return builtins.__import__(
            name, {"__package__": self.package, "__name__": self.package}, locals, fromlist, level
        )


# --- torch's names ----------------------------------------------------------------------------------------------------


def _torch_import(name, fromlist):
    module = _torch(name)
    if not fromlist:
        return _torch("torch")
    for part in fromlist:
        if part != "*" and not hasattr(module, part):
            raise ImportError(f"from {name} import {part}: {message(name, part, dir(module))}")
    return module


def _torch(name):
    """The engine's module that stands for torch's module of this name."""
    module = TORCH
    for part in name.split(".")[1:]:
        try:
            module = getattr(module, part)
        except AttributeError:
            raise ImportError(f"import {name}: {message('torch', part, dir(module))}") from None
    return module


class _Namespace(types.ModuleType):
    """A module of torch's that the engine keeps elsewhere: attributes come from its parts, then from the engine's module."""

    def __init__(self, name, source, **parts):
        super().__init__(name)
        self.__dict__.update(parts, _source=source)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        source = importlib.import_module(self._source)
        try:
            return getattr(source, name)
        except AttributeError:
            pass
        try:
            return importlib.import_module(f"{self._source}.{name}")
        except ModuleNotFoundError:
            raise AttributeError(message(self.__name__, name, dir(self))) from None

    def __dir__(self):
        return sorted({*vars(self), *dir(importlib.import_module(self._source))})


TORCH = _Namespace("torch", "framework")
