"""Files written for PyTorch, run on the engine: `load("model.py").Model(…)`.

The file is executed as it stands. In it, and in nothing else, `import torch` means the engine: its globals hold a `__builtins__`
of their own, whose `__import__` looks torch's names up in torch_names.py. A function keeps the builtins of the module that it
was defined in, so an import that it makes later means the engine too. The real torch is not touched, nor is who uses it.
"""

import ast
import builtins
import contextlib
import importlib.util
import itertools
import os
import sys
import sysconfig
import types
from pathlib import Path

from .torch_names import torch_import

__all__ = ["load"]

_numbers = itertools.count(1)
_SHARED_FOLDERS = {
    Path(__file__).resolve().parents[1],
    *(Path(sysconfig.get_path(lib)).resolve() for lib in ("purelib", "platlib")),
}


def load(path_or_module):
    """Execute a file written for PyTorch on the engine; return it as a fresh module object.

    path_or_module: a path, the dotted name of a module ("02_MLP.paper.mlp_paper"), or a module. Files of the same repository
    that need torch themselves come along, loaded on the engine in their turn; every other import means what it always means.
    Raises FileNotFoundError or ModuleNotFoundError for what is not there, ImportError for a part of torch that the engine lacks.
    """
    return _Session().load(_find(path_or_module))


def _find(source):
    """The file that is meant."""
    if isinstance(source, types.ModuleType):
        if not (getattr(source, "__file__", None) or "").endswith(".py"):
            raise ModuleNotFoundError(f"drop_in.load: {source!r} has no .py file")
        return Path(source.__file__).resolve()
    path = Path(source)
    if path.suffix == ".py" or path.is_file():
        if not path.is_file():
            raise FileNotFoundError(f"drop_in.load: there is no file {path}")
        return path.resolve()
    name = os.fspath(source)
    try:
        spec = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError) as error:
        raise ModuleNotFoundError(f"drop_in.load: {name!r} is neither a file nor a module: {error}") from None
    if spec is None or not (spec.origin or "").endswith(".py"):
        raise ModuleNotFoundError(f"drop_in.load: {name!r} is neither a file nor a module with a .py file")
    return Path(spec.origin).resolve()


class _Source:
    """A file, and its place among the packages: `root` is the folder that holds its top package, `package` the dotted name."""

    def __init__(self, path):
        self.path = path
        folders = [folder for folder in (Path(entry or ".").resolve() for entry in sys.path) if folder in path.parents]
        if folders:
            self.root = max(folders, key=lambda folder: len(folder.parts))
        else:
            self.root = path.parent
            while (self.root / "__init__.py").is_file():
                self.root = self.root.parent
        parts = path.relative_to(self.root).with_suffix("").parts
        self.package = ".".join(parts[:-1])
        self.name = self.package if parts[-1] == "__init__" else ".".join(parts)

    def sibling(self, name, level):
        """The file of this file's own package, or beside it, that an import names; None for an import of something else.

        A folder of many projects (the installed packages; this one, where tools stand beside the models) is no repository of its
        own: there only the file's own package counts.
        """
        if level:
            folder = self.path.parents[level - 1]
        elif (
            not self.package
            or name.partition(".")[0] == self.package.partition(".")[0]
            or self.root not in _SHARED_FOLDERS
        ):
            folder = self.root
        else:
            return None
        target = folder.joinpath(*name.split(".")) if name else folder
        for path in (target / "__init__.py", target.with_name(f"{target.name}.py")):
            if path.is_file() and path != self.path:
                return path
        return None

    def imports(self):
        """(module, level, names) of every import statement in the file, in functions too."""
        for node in ast.walk(ast.parse(self.path.read_bytes(), str(self.path))):
            if isinstance(node, ast.Import):
                yield from ((alias.name, 0, ()) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or "", node.level, tuple(alias.name for alias in node.names)

    def needs_torch(self, seen=()):
        """Whether the file imports torch, or a sibling that does."""
        if self.path in seen:
            return False
        seen = {*seen, self.path}
        for name, level, parts in self.imports():
            if level == 0 and name.partition(".")[0] == "torch":
                return True
            names = [name, *(f"{name}.{part}" if name else part for part in parts)]
            siblings = (self.sibling(each, level) for each in names)
            if any(path is not None and _Source(path).needs_torch(seen) for path in siblings):
                return True
        return False


class _Session:
    """One `load`: the files that it brought along, each executed once."""

    def __init__(self):
        self.modules = {}  # path → module
        self.needing = {}  # path → whether it needs torch

    def load(self, path):
        if path in self.modules:
            return self.modules[path]
        source = _Source(path)
        name = f"{source.name}@framework{next(_numbers)}"  # a name of its own, under which pickle and dataclasses find the module
        module = types.ModuleType(name)
        module.__file__, module.__package__ = str(path), source.package
        module.__builtins__ = {**vars(builtins), "__import__": _Importer(self, source)}
        self.modules[path] = sys.modules[name] = module
        try:
            exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), module.__dict__)
        except BaseException:
            del self.modules[path], sys.modules[name]
            raise
        return module

    def needs_torch(self, path):
        if path not in self.needing:
            self.needing[path] = _Source(path).needs_torch()
        return self.needing[path]


class _Importer:
    """The `__import__` of one file."""

    def __init__(self, session, source):
        self.session, self.source = session, source

    def __call__(self, name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0 and name.partition(".")[0] == "torch":
            return torch_import(name, fromlist)
        module = self._on_engine(name, level, fromlist or ())
        if module is None:
            return self._ordinary(name, locals, fromlist, level)
        if fromlist:
            return module
        for part in reversed(name.split(".")[1:]):  # `import a.b` gives a, and the caller reads a.b
            module = types.SimpleNamespace(**{part: module})
        return module

    def _on_engine(self, name, level, fromlist):
        """The sibling that is meant, loaded on the engine; None where no torch is needed for it."""
        parts = {
            part: self.source.sibling(f"{name}.{part}" if name else part, level) for part in fromlist if part != "*"
        }
        parts = {part: path for part, path in parts.items() if path is not None and self.session.needs_torch(path)}
        path = self.source.sibling(name, level)
        if path is not None and self.session.needs_torch(path):
            module = self.session.load(path)
        elif parts:
            module = types.ModuleType(
                name
            )  # a package of which files alone are needed, with whatever else is asked of it
            for part in set(fromlist) - set(parts):
                setattr(module, part, getattr(self._ordinary(name, None, (part,), level), part))
        else:
            return None
        for part, path in parts.items():
            if not hasattr(module, part):
                setattr(module, part, self.session.load(path))
        return module

    def _ordinary(self, name, locals, fromlist, level):
        """Python's own import; a relative one in a file of no package finds the file beside it."""
        package = self.source.package
        if level and not package:
            return self._beside(name, fromlist, level)
        with _on_path(self.source.root):
            return builtins.__import__(name, {"__package__": package, "__name__": package}, locals, fromlist, level)

    def _beside(self, name, fromlist, level):
        def load(name):
            path = self.source.sibling(name, level)
            if path is None:
                raise ImportError(
                    f"{self.source.path}: there is no file for the relative import of {'.' * level}{name}"
                )
            return self.session.load(path)

        return load(name) if name else types.SimpleNamespace(**{part: load(part) for part in fromlist})


@contextlib.contextmanager
def _on_path(folder):
    """The folder among those that imports search, for as long as the block runs."""
    known = any(Path(entry or ".").resolve() == folder for entry in sys.path)
    if not known:
        sys.path.append(str(folder))
    try:
        yield
    finally:
        if not known:
            sys.path.remove(str(folder))
