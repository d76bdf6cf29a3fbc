"""References to source by symbol: where a class or function of an installed package stands, found by syntax alone.

    timm.models.resnet                                        a module
    timm.models.resnet:BasicBlock.forward                     a class, function, method, or a name that is assigned
    timm.models.resnet:ResNet.__init__ def                    of a function only what is called: decorators and signature
    timm.models.resnet:ResNet.forward_head if self.drop_rate  in it, the one statement (or entry of a dict) that begins so
    timm.models.resnet:BasicBlock.forward x = self.conv2 ... x = self.bn2    from one statement to another

A line number is right for one version; a symbol outlives most. No package is imported: files are found as the import system
would find them and read with `ast`, so it takes milliseconds, and works on versions that would not import here. Names that
are re-exported or inherited are followed to where they are written.
"""

import ast
import difflib
import hashlib
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dlfs.studies import ROOT
from utils.errors import DLFSError, UsageError

INSTALL = 'pip install -c constraints.txt -e ".[models]"'
Function = ast.FunctionDef | ast.AsyncFunctionDef
Span = tuple[int, int]  # the first and the last line, counted from 1


class Missing(DLFSError):
    """The module or the symbol is not there."""


class PackageMissing(Missing):
    """The package is not installed."""


@dataclass(frozen=True, order=True)
class Reference:
    """A module, a symbol in it ("" for the module itself), and which part of it ("" for all)."""

    module: str
    symbol: str = ""
    part: str = ""

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """The reference that is written so, or with the module's path, package/module.py; UsageError where it is none."""
        module, colon, symbol = text.strip().partition(":")
        module = module.removesuffix(".py").replace("/", ".")
        match = re.fullmatch(r"(\w+(?:\.\w+)*)(?::(\w+(?:\.\w+)*)(?:\s+(\S.*))?)?", module + colon + symbol)
        if not match:
            raise UsageError(
                f"{text.strip()!r} is no reference: package.module:Class.method, then if need be how a statement begins"
            )
        return cls(*(group or "" for group in match.groups()))

    def __str__(self) -> str:
        return f"{self.module}:{self.symbol} {self.part}".rstrip(" :")

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]

    @property
    def is_ours(self) -> bool:
        """Whether it points into this project, whose files change with their guides and are not locked."""
        return (ROOT / self.package).is_dir()


@dataclass(frozen=True)
class Excerpt:
    """The lines of source that a reference means."""

    file: Path
    path: str  # the file's, from the folder that holds the package: timm/models/resnet.py
    version: str
    span: Span
    source: str  # dedented
    docstrings: tuple[Span, ...] = ()  # the lines in it that are docstrings

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]


# ------------------------------------------------------------------------------------------------- Where packages are


class Environment:
    """The folders in which packages are looked for: this Python's, or those of another."""

    def __init__(self, folders: Sequence[str] | None = None):
        self.is_this = folders is None
        self.folders = [Path(folder) for folder in (sys.path if folders is None else folders) if folder]

    @classmethod
    def at(cls, path: Path) -> "Environment":
        """Of another Python: its executable, its environment's folder, a site-packages, or a checkout that holds the package."""
        if path.is_file():
            try:
                ask = [str(path), "-I", "-c", "import sys; print(*sys.path, sep='\\n')"]
                answer = subprocess.run(ask, capture_output=True, text=True, timeout=30, check=True).stdout
            except (OSError, subprocess.SubprocessError) as error:
                raise UsageError(f"{path} does not run as a Python: {error}") from None
            return cls(answer.split("\n"))
        if not path.is_dir():
            raise UsageError(f"{path}: there is no such file or folder. Give a Python, or a folder that holds packages")
        inside = [*path.glob("lib/python*/site-packages"), *path.glob("Lib/site-packages")]
        return cls([str(folder) for folder in inside or [path]])

    def module_file(self, module: str) -> tuple[Path, Path]:
        """The file of a module, and the folder that holds its package; Missing where there is none."""
        package, *rest = module.split(".")
        for folder in self.holding(package):
            stem = folder.joinpath(package, *rest)
            for file in (stem / "__init__.py", stem.with_name(stem.name + ".py")):
                if file.is_file():
                    return file, folder
            if (folder / package / "__init__.py").is_file() or (folder / package).with_suffix(".py").is_file():
                raise Missing(f"{package} {self.version(package)} has no module {module}")
        if (ROOT / package).is_dir():
            raise Missing(f"there is no {module.replace('.', '/')}.py")
        if not self.is_this:
            raise PackageMissing(f"there is no {package} in {', '.join(map(str, self.folders))}")
        raise PackageMissing(f"{package} is not installed: {INSTALL}")

    def holding(self, package: str) -> Iterator[Path]:
        """The folders that may hold a package, in the order in which an import would look into them."""
        yield ROOT
        yield from self.folders
        if self.is_this:  # an editable install may be known to the import system alone
            try:
                spec = importlib.util.find_spec(package)
            except (ImportError, ValueError):
                spec = None
            for location in (spec and spec.submodule_search_locations) or ():
                yield Path(location).parent

    def version(self, package: str) -> str:
        """The version that is installed, without its local part such as +cpu; "" where no metadata tells."""
        folders = sys.path if self.is_this else [str(folder) for folder in self.folders]
        found = next(iter(importlib.metadata.distributions(name=package, path=folders)), None)
        return found.version.partition("+")[0] if found else ""

    # ------------------------------------------------------------------------------------------- Where a symbol stands

    def find(self, reference: Reference) -> Excerpt:
        """The source that a reference means; Missing with the nearest name where there is none."""
        if reference.symbol:
            module, node = self.locate(reference.module, tuple(reference.symbol.split(".")))
        else:
            module, node = reference.module, None
        file, folder = self.module_file(module)
        lines = read(file).splitlines()
        first, last = span = extent(node) if node else (1, len(lines))
        if reference.part and node:
            first, last = span = part_of(node, reference, read(file))
        source = textwrap.dedent("\n".join(lines[first - 1 : last]))
        package = module.partition(".")[0]
        docs = tuple(docstrings(node, span)) if node else ()
        return Excerpt(file, file.relative_to(folder).as_posix(), self.version(package), span, source, docs)

    def locate(self, module: str, names: tuple[str, ...], seen: frozenset = frozenset()) -> tuple[str, ast.stmt]:
        """The module and the node that define a dotted name, through imports and base classes."""
        if (module, names) in seen:
            raise Missing(f"{module} only imports {'.'.join(names)} from itself")
        seen |= {(module, names)}
        file, _ = self.module_file(module)
        body = parse(file).body
        name, rest = names[0], names[1:]
        node = definition(body, name)
        if isinstance(node, ast.Import | ast.ImportFrom):
            return self.follow(module, file, node, name, rest, seen)
        if node is None:
            return self.through_stars(module, file, body, names, seen)
        for name in rest:
            inner = definition(node.body, name) if isinstance(node, Function | ast.ClassDef) else None
            if inner is None and isinstance(node, ast.ClassDef):
                return self.inherited(module, node, name, seen)
            if inner is None:
                raise Missing(f"{module}:{getattr(node, 'name', name)} has no {name}")
            node = inner
        return module, node

    def follow(self, module: str, file: Path, node: ast.stmt, name: str, rest: tuple[str, ...], seen: frozenset):
        """Where an import statement leads."""
        assert isinstance(node, ast.Import | ast.ImportFrom)
        alias = next(alias for alias in node.names if bound_name(alias) == name)
        if isinstance(node, ast.Import):
            return self.in_module(alias.name if alias.asname else name, rest, seen)
        origin = absolute(module, file, node)
        if self.has(origin, alias.name, seen):
            return self.locate(origin, (alias.name, *rest), seen)
        return self.in_module(f"{origin}.{alias.name}", rest, seen)  # from package import module

    def has(self, module: str, name: str, seen: frozenset) -> bool:
        """Whether a module defines or imports a name."""
        try:
            self.locate(module, (name,), seen)
        except Missing:
            return False
        return True

    def in_module(self, module: str, names: tuple[str, ...], seen: frozenset) -> tuple[str, ast.stmt]:
        """A dotted name in a module, of which the first parts may be modules too."""
        if not names:
            raise Missing(f"{module} is a module: leave out the colon")
        try:
            return self.locate(module, names, seen)
        except Missing:
            if len(names) > 1:
                return self.in_module(f"{module}.{names[0]}", names[1:], seen)
            raise

    def through_stars(self, module: str, file: Path, body: list[ast.stmt], names: tuple[str, ...], seen: frozenset):
        """A name that only a `from … import *` can bring in."""
        for statement in statements(body):
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                origin = absolute(module, file, statement)
                if self.has(origin, names[0], seen):
                    return self.locate(origin, names, seen)
        raise Missing(f"{module} has no {names[0]}{nearest(names[0], bound_names(body))}")

    def inherited(self, module: str, owner: ast.ClassDef, name: str, seen: frozenset) -> tuple[str, ast.stmt]:
        """A method that a class has from one of its bases."""
        for base in owner.bases:
            dotted = ast.unparse(base.value if isinstance(base, ast.Subscript) else base)
            try:
                return self.locate(module, (*dotted.split("."), name), seen)
            except Missing:
                continue
        raise Missing(f"{module}:{owner.name} has no {name}{nearest(name, bound_names(owner.body))}")


# ------------------------------------------------------------------------------------------------------------- Syntax


@cache
def read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@cache
def parse(file: Path) -> ast.Module:
    return ast.parse(read(file), str(file))


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of one scope, those under if, try and with among them; what runs only otherwise (else, except) last."""
    later: list[ast.stmt] = []
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from statements(node.body)
            later += getattr(node, "orelse", [])
            for handler in getattr(node, "handlers", []):
                later += handler.body
    if later:
        yield from statements(later)


def bound_name(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def binds(node: ast.stmt) -> list[str]:
    """The names that a statement gives a meaning."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [bound_name(alias) for alias in names]
    return []


def bound_names(body: list[ast.stmt]) -> list[str]:
    return [name for node in statements(body) for name in binds(node)]


def definition(body: list[ast.stmt], name: str) -> ast.stmt | None:
    """The statement of a scope that defines a name; of several the first that is neither an overload nor a setter."""
    return next((node for node in statements(body) if name in binds(node) and not is_secondary(node)), None)


def is_secondary(node: ast.stmt) -> bool:
    """Whether this is an overload, or the setter or deleter of a property: a function of the same name says more."""
    decorators = [ast.unparse(decorator) for decorator in getattr(node, "decorator_list", [])]
    return any(decorator.rpartition(".")[2] in ("overload", "setter", "deleter") for decorator in decorators)


def absolute(module: str, file: Path, node: ast.ImportFrom) -> str:
    """The module that a `from … import` names, relative or not."""
    if not node.level:
        return node.module or ""
    parents = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    parents = parents[: len(parents) - node.level + 1]
    return ".".join([*parents, node.module] if node.module else parents)


def extent(node: ast.AST) -> Span:
    """The lines of a node, decorators included."""
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)]), node.end_lineno  # type: ignore[attr-defined]


def docstrings(node: ast.AST, span: Span) -> Iterator[Span]:
    """The lines within a span that are docstrings of a node or of what is in it."""
    for inner in ast.walk(node):
        if isinstance(inner, Function | ast.ClassDef) and ast.get_docstring(inner, clean=False) is not None:
            first, last = extent(inner.body[0])
            if span[0] <= first and last <= span[1]:
                yield first, last


def part_of(node: ast.stmt, reference: Reference, source: str) -> Span:
    """The lines of the statements that a reference's part names."""
    if reference.part == "def" and isinstance(node, Function):
        return extent(node)[0], max(extent(node.body[0])[0] - 1, node.lineno)
    begin, _, end = reference.part.partition(" ... ")
    first = statement_that_begins(node, begin, reference, source)
    return (first[0], statement_that_begins(node, end, reference, source)[1]) if end else first


def statement_that_begins(node: ast.stmt, words: str, reference: Reference, source: str) -> Span:
    """The one statement, least deep, whose text begins so; Missing for none, UsageError for several."""
    wanted = squeezed(words)
    lines = source.splitlines()
    level: list[ast.AST] = list(children(node))
    while level:
        found = []
        for inner in level:
            first, last = extent(inner)
            text = squeezed("\n".join([lines[first - 1][column(inner) :], *lines[first:last]]))
            if text.startswith(wanted):
                found.append((first, last))
        if len(found) > 1:
            raise UsageError(f"{reference}: {len(found)} statements begin so: name more of the one that is meant")
        if found:
            return found[0]
        level = [deeper for inner in level for deeper in children(inner)]
    raise Missing(f"no statement of {reference.module}:{reference.symbol} begins with {words!r}")


def children(node: ast.AST) -> Iterator[ast.AST]:
    """The statements one level down; of a statement that holds a dict, its entries, as keys that reach to their values' end."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, ast.Dict):
            for key, value in zip(child.keys, child.values):
                if key is not None:
                    yield ast.Expr(value, lineno=key.lineno, col_offset=key.col_offset, end_lineno=value.end_lineno)
        else:
            yield from children(child)


def code_of(source: str) -> str:
    """What a piece of source does: its syntax without comments, docstrings and annotations; the source itself if it is no whole."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        if isinstance(node, Function):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.dump(tree)


def column(node: ast.AST) -> int:
    return 0 if getattr(node, "decorator_list", []) else node.col_offset  # type: ignore[attr-defined]


def squeezed(text: str) -> str:
    return "".join(text.split())


def nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f". Did you mean {close[0]}?" if close else ""
