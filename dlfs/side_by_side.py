"""Two files aligned function by function and line by line: what `dlfs diff` shows.

A file is cut into parts: functions and methods by their names, each with the comments above it, and what is assigned between
them. Parts of one name are laid side by side wherever they stand; in them equal lines meet, then lines that resemble each other,
and the rest stands alone.
"""

import ast
from dataclasses import dataclass
from difflib import SequenceMatcher

ALIKE = 0.5  # how much of two lines must be the same for them to be shown as one that was changed

Row = tuple[str | None, str | None]  # a line on the left and one on the right; None where there is none


@dataclass(frozen=True)
class Part:
    """A function or method in both files: its rows, in order. A name ends with … for what stands around functions."""

    name: str
    rows: tuple[Row, ...]

    @property
    def side(self) -> str:
        """Where it is: "left", "right", or "both"."""
        if all(right is None for _, right in self.rows):
            return "left"
        return "right" if all(left is None for left, _ in self.rows) else "both"

    @property
    def is_same(self) -> bool:
        return all(left == right for left, right in self.rows)


def parts(source: str) -> dict[str, list[str]]:
    """The lines of a file by the function that they belong to, in their order; together they are the whole file."""
    lines = source.splitlines()
    starts: list[tuple[int, str]] = [(0, "file …")]

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for before, node in zip([None, *body], body):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
                end = before.end_lineno or 0 if before else 0
                while first > end and (not lines[first - 1].strip() or lines[first - 1].lstrip().startswith("#")):
                    first -= 1
                name = prefix + node.name
                is_class = isinstance(node, ast.ClassDef)
                starts.append((first, f"class {name} …" if is_class else name))
                if is_class:
                    visit(node.body, f"{name}.")
            elif before is not None and isinstance(before, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                target = node.targets[0] if isinstance(node, ast.Assign) else None
                name = target.id if isinstance(target, ast.Name) else f"… after {before.name}"
                starts.append((before.end_lineno or 0, prefix + name))

    visit(ast.parse(source).body, "")
    ends = [start for start, _ in starts[1:]] + [len(lines)]
    found: dict[str, list[str]] = {}
    for (start, name), end in zip(starts, ends):
        found.setdefault(name, []).extend(lines[start:end])
    return found


def merged(left: list[str], right: list[str]) -> list[str]:
    """The names of both files, each once: in the order of the left, what only the right has behind its neighbour there."""
    order = list(left)
    for i, name in enumerate(right):
        if name not in order:
            place = order.index(right[i - 1]) + 1 if i else 0
            order.insert(place, name)
    return order


def rows(left: list[str], right: list[str]) -> list[Row]:
    """The lines of both, each once and in its order, so that what is equal or alike stands in one row."""
    found: list[Row] = []
    for tag, i, i_end, j, j_end in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            found += zip(left[i:i_end], right[j:j_end])
        else:
            found += resembling(left[i:i_end], right[j:j_end])
    return found


def resembling(left: list[str], right: list[str]) -> list[Row]:
    """Rows of lines of which none are equal: the pairs in order whose likeness adds up to most, the others alone."""
    best = [[0.0] * (len(right) + 1) for _ in range(len(left) + 1)]
    likeness = [[likeness_of(a, b) for b in right] for a in left]
    for i in reversed(range(len(left))):
        for j in reversed(range(len(right))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], likeness[i][j] + best[i + 1][j + 1])
    found: list[Row] = []
    i = j = 0
    while i < len(left) and j < len(right):
        if likeness[i][j] and best[i][j] == likeness[i][j] + best[i + 1][j + 1]:
            found.append((left[i], right[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            found.append((left[i], None))
            i += 1
        else:
            found.append((None, right[j]))
            j += 1
    return found + [(a, None) for a in left[i:]] + [(None, b) for b in right[j:]]


def likeness_of(left: str, right: str) -> float:
    """From 0, also for what is less than ALIKE, to 1."""
    if not left.strip() or not right.strip():
        return 0.0
    ratio = SequenceMatcher(None, left.strip(), right.strip(), autojunk=False).ratio()
    return ratio if ratio >= ALIKE else 0.0


def side_by_side(left: str, right: str) -> list[Part]:
    """Two sources, aligned."""
    a, b = parts(left), parts(right)
    return [Part(name, tuple(rows(a.get(name, []), b.get(name, [])))) for name in merged(list(a), list(b))]
