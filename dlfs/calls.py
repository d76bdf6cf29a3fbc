"""The calls of one forward pass, as they happen in a production package: traced, never typed.

Beside a guide, calls.py says what is traced: a function a trace, which returns a small model and its inputs, and the name of
a method if it is not forward. In a guide the tree of the function `timm` stands between two marks, and
`dlfs read NN --calls` writes it there:

    <!-- calls timm -->
    <!-- /calls -->

A line is a function of the package that the model comes from through which tensors go, or the forward of a torch.nn layer;
with the module's name in the model, and the shape of what it returned.
"""

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from dlfs.studies import ROOT
from utils.errors import DLFSError

WIDEST = 118  # columns of a tree, which fits on a page of `dlfs read`
LONG = 34  # characters of the shapes that came back, in a tree that is too wide
MARKED = re.compile(r"(<!-- calls (\w+) -->\n).*?(<!-- /calls -->)", re.DOTALL)


@dataclass
class Call:
    """One call of a function: where it is written, the name of its module in the model, what came back, what it called."""

    function: str
    module: str
    name: str = ""
    returned: str = ""
    calls: list["Call"] = field(default_factory=list)
    takes_tensors: bool = False

    def outline(self) -> tuple:
        """The functions called beneath, without names and shapes: what two blocks of one kind have in common."""
        return self.function, tuple(call.outline() for call in self.calls)


def traced(model: Any, inputs: tuple, method: str = "forward") -> Call:
    """The tree of calls of model(*inputs), or of another method, in evaluation mode and without gradients."""
    import torch

    package = type(model).__module__.partition(".")[0]
    names = {id(module): name for name, module in model.named_modules()}
    root, found = Call("", ""), []
    call_it = model if method == "forward" else getattr(model, method)
    stack: list[Call | None] = []  # a call for each frame that is shown, None for each that is not

    def innermost() -> Call:
        return next((call for call in reversed(stack) if call), root)

    def on_event(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            call = shown(frame, package, names)
            if call:
                innermost().calls.append(call)
                if frame.f_locals.get("self") is model and frame.f_code.co_name == method:
                    found.append(call)
            stack.append(call)
        elif event == "return" and stack:
            call = stack.pop()
            if call:
                call.returned = shapes(argument)
                matters = call.returned or call.takes_tensors or call.calls
                if isinstance(argument, bool) or not matters:  # questions and bookkeeping
                    innermost().calls.remove(call)

    model.eval()
    with torch.no_grad():
        call_it(*inputs)  # once before: what is done only the first time is no part of it
        previous = sys.getprofile()
        sys.setprofile(on_event)
        try:
            call_it(*inputs)
        finally:
            sys.setprofile(previous)
    return found[0]


def shown(frame: FrameType, package: str, names: dict[int, str]) -> Call | None:
    """The call that a frame is, if it belongs into the tree: the package's own functions and the layers of torch.nn."""
    module, function = frame.f_globals.get("__name__", ""), frame.f_code.co_qualname
    short = function.rpartition(".")[2]
    if "<" in function or (short.startswith("__") and short.endswith("__")):
        return None  # wrappers, comprehensions, what Python itself calls
    in_package = module.partition(".")[0] == package
    if not in_package and not (module.startswith("torch.nn.modules.") and short == "forward"):
        return None
    owner = frame.f_locals.get("self")
    if owner is not None and "." in function:  # the class that was made, not the base that wrote the method
        function = f"{type(owner).__name__}.{short}" if not in_package else function
    arguments = frame.f_code.co_varnames[: frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount]
    takes_tensors = any(hasattr(frame.f_locals.get(name), "grad_fn") for name in arguments)
    return Call(function, module, names.get(id(owner), "") if short == "forward" else "", takes_tensors=takes_tensors)


def shapes(value: Any) -> str:
    """The shapes of a tensor, or of the tensors in what a model returns."""
    if hasattr(value, "shape"):
        return str(tuple(value.shape))
    if isinstance(value, dict):
        return ", ".join(f"{name} {shapes(inner)}" for name, inner in value.items() if shapes(inner))
    if isinstance(value, tuple | list):
        return ", ".join(text for text in map(shapes, value) if text)
    return ""


class Row(NamedTuple):
    """A line of the tree."""

    function: str
    name: str  # the module's in the model
    own: str  # of that what the name in a line above does not say already
    returned: str
    file: str  # the Python module, where it is not the first line's


def drawn(call: Call) -> str:
    """The tree as text, a call a line; a block that calls what the one before it called is not written out again.

    A tree that would be wider than a page has only each module's own name, for a function without one the file that it is in,
    and of many shapes the first.
    """
    rows = list(rows_of(call, 0))
    lines = aligned([(row.function, row.name, row.returned, row.file) for row in rows])
    if max(map(len, lines)) > WIDEST:
        files = [f"({row.file.rpartition('.')[2]})" if row.file else "" for row in rows]
        lines = aligned([(row.function, row.own or file, first_of(row.returned)) for row, file in zip(rows, files)])
    return "\n".join(lines)


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Lines of the rows, cell below cell; the first, which has its module before it, runs on into the second column if that is free."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    if not rows[0][1] and rows[1:]:
        widths[0] = max(len(function) for function, *_ in rows[1:])
        widths[1] = max(widths[1], len(rows[0][0]) - widths[0] - 2)
    lines = []
    for function, name, *others in rows:
        names = f"{function:{widths[0]}}  {name:{widths[1]}}" if name else f"{function:{widths[0] + 2 + widths[1]}}"
        lines.append("  ".join([names, *(f"{cell:{width}}" for cell, width in zip(others, widths[2:]))]).rstrip())
    return lines


def first_of(shapes: str) -> str:
    """What was returned, if it is long only its first tensor."""
    first, several, _ = shapes.partition("), ")
    return f"{first}), …" if several and len(shapes) > LONG else shapes


def rows_of(call: Call, depth: int, home: str = "", above: str = "") -> Iterator[Row]:
    """The line of a call, and those of the calls in it."""

    def row(call: Call, depth: int, above: str, suffix: str = "") -> Row:
        elsewhere = depth and call.module != home and not call.module.startswith("torch.nn.")
        function = "  " * depth + call.function if depth else f"{call.module}:{call.function}"
        own = call.name.removeprefix(f"{above}.")
        return Row(function + suffix, call.name, own, returned(call), call.module if elsewhere and not suffix else "")

    yield row(call, depth, above)
    home, above = home or call.module, call.name or above
    previous: Call | None = None
    for inner in call.calls:
        if previous and inner.calls and inner.outline() == previous.outline():
            yield row(inner, depth + 1, above, ", as above")
        else:
            yield from rows_of(inner, depth + 1, home, above)
        previous = inner


def returned(call: Call) -> str:
    return f"→ {call.returned}" if call.returned else ""


def traces(folder: Path) -> dict[str, Any]:
    """The functions of a folder's calls.py: {name: function that returns (model, inputs)}."""
    file = folder / "calls.py"
    if not file.exists():
        raise DLFSError(f"there is no {file.relative_to(ROOT)}, which says what is traced")
    module = importlib.import_module(".".join((folder.parent.name, folder.name, "calls")))
    return {
        name: f for name, f in vars(module).items() if callable(f) and getattr(f, "__module__", "") == module.__name__
    }


def renewed(text: str, functions: dict[str, Any]) -> str:
    """A guide's text with every marked tree made anew."""

    def tree(match: re.Match) -> str:
        if match[2] not in functions:
            raise DLFSError(f"calls.py has no function {match[2]!r}. It has {', '.join(functions)}")
        return f"{match[1]}```text\n{drawn(traced(*functions[match[2]]()))}\n```\n{match[3]}"

    return MARKED.sub(tree, text)
