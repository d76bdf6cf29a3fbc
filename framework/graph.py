"""The graph behind a tensor, made visible: as DOT, as Mermaid, as a picture, and in numbers.

    picture = Graph(loss, names=dict(model.named_parameters()))
    print(picture.mermaid())               # or .dot(), or .folded().dot()
    picture.render("graph.svg")

Boxes are ops with the shape, dtype and size of their output; rounded and shaded boxes are leaves (parameters, inputs). Arrows run the way
the values did; gradients run against them.

The graph holds little to begin with: recording makes no node for what needs no gradient, for a constant, or for a cast or a reshape that
changes nothing. `count()` says how much that spares.
"""

import dataclasses
import pathlib

from .anomaly import watched
from .autograd import Node
from .ops.define import Binary, Unary
from .tensor import Tensor


@dataclasses.dataclass
class Box:
    """One box of the picture: an op, or a leaf (a tensor that was given: a parameter or an input)."""

    label: str
    shape: tuple
    dtype: str
    leaf: bool = False
    elementwise: bool = False
    saved: int = 0  # bytes that this op keeps for backward and no box before it does

    @property
    def nbytes(self):
        size = 1
        for n in self.shape:
            size *= n
        return size * self.dtype.itemsize

    def lines(self):
        return self.label, f"{self.dtype} {tuple(self.shape)}".replace(",)", ")"), readable_bytes(self.nbytes)


def readable_bytes(count):
    """A number of bytes for people: 812 B, 3.1 KiB, 4.0 MiB."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def arrays_in(values):
    """Every array in nested tuples and lists."""
    for value in values or ():
        if isinstance(value, (tuple, list)):
            yield from arrays_in(value)
        elif hasattr(value, "nbytes") and hasattr(value, "dtype"):
            yield value


def _memory(array):
    """What holds the array's memory, so that two views of one buffer count once."""
    while getattr(array, "base", None) is not None and hasattr(array.base, "nbytes"):
        array = array.base
    return array


class Graph:
    """The boxes and arrows behind a tensor. `names` (name → tensor) labels leaves; `output` labels the tensor itself."""

    def __init__(self, tensor, names=None, output="output"):
        if tensor.node is None:
            raise ValueError(
                "Graph: the tensor has no graph: it is a leaf, it was computed under no_grad(), or from constants"
            )
        self.boxes, self.arrows = [], []
        known = {id(leaf): name for name, leaf in (names or {}).items()}
        counted = {id(_memory(leaf.array)) for leaf in (names or {}).values()}
        number, unnamed, stack = {}, 0, [tensor.node]
        found = []
        while stack:
            edge = stack.pop()
            if edge is None or id(edge) in number:
                continue
            number[id(edge)] = None
            found.append(edge)
            if isinstance(edge, Node):
                if edge.edges is None:
                    raise ValueError(
                        f"Graph: the graph at {edge.name()} was freed by backward; draw it before, or use retain_graph=True"
                    )
                stack.extend(edge.edges)
        leaves = [edge for edge in found if isinstance(edge, Tensor)]
        nodes = sorted((edge for edge in found if isinstance(edge, Node)), key=lambda node: node.order)
        for leaf in leaves:
            unnamed += id(leaf) not in known
            label = known.get(id(leaf)) or (f"input {unnamed}" if names else f"leaf {unnamed}")
            number[id(leaf)] = self._add(Box(label, leaf.array.shape, leaf.array.dtype, leaf=True))
            counted.add(id(_memory(leaf.array)))
        for node in nodes:
            saved = 0
            for array in arrays_in(node.saved):
                memory = _memory(array)
                if id(memory) not in counted:
                    counted.add(id(memory))
                    saved += memory.nbytes
            box = Box(
                node.op.name, node.shape, node.dtype, elementwise=isinstance(node.op, (Unary, Binary)), saved=saved
            )
            number[id(node)] = self._add(box)
            self.arrows.extend((number[id(edge)], number[id(node)]) for edge in node.edges if edge is not None)
        self.output = number[id(tensor.node)]
        self.boxes[self.output].label += f" → {output}" if output else ""

    def _add(self, box):
        self.boxes.append(box)
        return len(self.boxes) - 1

    @property
    def saved_bytes(self):
        """Bytes that the graph keeps for backward beyond the leaves themselves."""
        return sum(box.saved for box in self.boxes)

    @property
    def op_count(self):
        return sum(not box.leaf for box in self.boxes)

    def folded(self):
        """The same graph with each chain of elementwise ops, where one feeds only the next, drawn as one box."""
        consumers = [[b for a, b in self.arrows if a == i] for i in range(len(self.boxes))]
        joined = {}  # a box → the box of which it becomes a part
        for i in range(len(self.boxes) - 1, -1, -1):
            box = self.boxes[i]
            if box.elementwise and len(set(consumers[i])) == 1 and self.boxes[consumers[i][0]].elementwise:
                joined[i] = joined.get(consumers[i][0], consumers[i][0])
        result = object.__new__(Graph)
        keep = [i for i in range(len(self.boxes)) if i not in joined]
        place = {old: new for new, old in enumerate(keep)}
        result.boxes = [dataclasses.replace(self.boxes[i]) for i in keep]
        for i in sorted(joined, reverse=True):
            last = result.boxes[place[joined[i]]]
            last.label = f"{self.boxes[i].label} · {last.label}"
            last.saved += self.boxes[i].saved
        end = {i: place[joined.get(i, i)] for i in range(len(self.boxes))}
        result.arrows = list(dict.fromkeys((end[a], end[b]) for a, b in self.arrows if end[a] != end[b]))
        result.output = end[self.output]
        return result

    def dot(self):
        """The graph in Graphviz's language."""
        lines = ["digraph {", '  rankdir=TB; node [shape=box, fontname="Helvetica", fontsize=10];']
        for i, box in enumerate(self.boxes):
            look = ', style="rounded,filled", fillcolor="#e8e8e8"' if box.leaf else ""
            text = "\\n".join(line.replace('"', r"\"") for line in box.lines())
            lines.append(f'  n{i} [label="{text}"{look}];')
        lines.extend(f"  n{a} -> n{b};" for a, b in self.arrows)
        return "\n".join([*lines, "}"]) + "\n"

    def mermaid(self):
        """The graph in Mermaid's language, which GitHub draws in a ```mermaid block."""
        lines = ["flowchart TB"]
        for i, box in enumerate(self.boxes):
            text = "<br/>".join(box.lines()).replace('"', "'")
            lines.append(f'  n{i}("{text}"):::leaf' if box.leaf else f'  n{i}["{text}"]')
        lines.extend(f"  n{a} --> n{b}" for a, b in self.arrows)
        return "\n".join([*lines, "  classDef leaf fill:#e8e8e8,stroke:#555"]) + "\n"

    def render(self, path):
        """Draw the graph into an .svg, .png or .pdf file with matplotlib.

        Where matplotlib is missing the DOT text is written beside it instead, and RuntimeError names the command that draws it.
        """
        path = pathlib.Path(path)
        try:
            from matplotlib.figure import Figure
        except ImportError:
            text = path.with_suffix(".dot")
            text.write_text(self.dot())
            raise RuntimeError(
                f"render: matplotlib is not installed, so {text} was written instead; draw it with `dot -T{path.suffix[1:]} {text} -o {path}`, "
                "or install matplotlib (pip install matplotlib)"
            ) from None
        places, routes = self._layout()
        columns, height = [x for x, _ in places.values()], max(y for _, y in places.values()) + 1
        figure = Figure(figsize=(2.3 * (max(columns) - min(columns) + 1), 0.95 * height), layout="constrained")
        axes = figure.subplots()
        axes.set_axis_off()
        for route in routes:
            points = [places[item] for item in route]
            xs = [x for x, _ in points]
            ys = [-points[0][1] - 0.3, *(-y for _, y in points[1:-1]), -points[-1][1] + 0.3]
            axes.plot(xs[:-1], ys[:-1], color="#444444", lw=0.9)
            arrow = {"arrowstyle": "-|>", "color": "#444444", "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (xs[-1], ys[-1]), (xs[-2], ys[-2]), arrowprops=arrow)
        for i, box in enumerate(self.boxes):
            face, style = ("#e8e8e8", "round,pad=0.35,rounding_size=0.6") if box.leaf else ("white", "square,pad=0.35")
            x, y = places[i]
            axes.text(
                x,
                -y,
                "\n".join(box.lines()),
                ha="center",
                va="center",
                fontsize=8,
                bbox={"boxstyle": style, "fc": face, "ec": "#333333", "lw": 0.9},
            )
        axes.set_xlim(min(columns) - 0.5, max(columns) + 0.5)
        axes.set_ylim(-height + 0.5, 0.5)
        figure.savefig(path, dpi=150)
        return path

    def _layout(self):
        """Places and routes of a layered drawing: {item: (column, row)}, and per arrow the items that it passes.

        A box stands below all that it comes from, a leaf just above its first use. An arrow over several rows gets a bend in each of them,
        an item (arrow, row), so that it goes around the boxes there. Columns are the mean of the neighbours', in sweeps down and up
        (Sugiyama et al. 1981).
        """
        row = {}
        for i in range(len(self.boxes)):
            row[i] = 1 + max((row[a] for a, b in self.arrows if b == i), default=-1)
        for i, box in enumerate(self.boxes):
            uses = [row[b] for a, b in self.arrows if a == i]
            if box.leaf and uses:
                row[i] = min(uses) - 1
        lowest = min(row.values())
        row = {i: r - lowest for i, r in row.items()}
        routes = []
        for a, b in self.arrows:
            bends = [((a, b), r) for r in range(row[a] + 1, row[b])]
            row.update({bend: bend[1] for bend in bends})
            routes.append([a, *bends, b])
        near = {item: [] for item in row}
        for route in routes:
            for upper, lower in zip(route, route[1:], strict=False):
                near[upper].append(lower)
                near[lower].append(upper)
        rows = [[item for item in row if row[item] == r] for r in range(max(row.values()) + 1)]
        width = {item: 1.0 if isinstance(item, int) else 0.5 for item in row}
        column = dict.fromkeys(row, 0.0)
        for sweep in range(12):
            for members in rows if sweep % 2 == 0 else rows[::-1]:
                wish = {item: sum(column[other] for other in near[item]) / max(len(near[item]), 1) for item in members}
                members.sort(key=wish.get)
                x, offsets = 0.0, {}
                for item in members:
                    offsets[item] = x + width[item] / 2
                    x += width[item]
                shift = sum(wish[item] - offsets[item] for item in members) / len(members)
                column.update({item: offset + shift for item, offset in offsets.items()})
        return {item: (column[item], row[item]) for item in row}, routes


@dataclasses.dataclass
class Count:
    """What a computation would have recorded if everything were kept, and what it did record."""

    ops_run: int
    bytes_touched: int
    nodes: int
    bytes_saved: int
    folded_boxes: int

    def __str__(self):
        return (
            f"every op kept with its inputs and output: {self.ops_run} nodes, {readable_bytes(self.bytes_touched)}\n"
            f"recorded:                                 {self.nodes} nodes, {readable_bytes(self.bytes_saved)}\n"
            f"with elementwise chains folded:           {self.folded_boxes} boxes"
        )


def count(function, names=None):
    """Run function() → tensor and compare the graph it records with one that kept every op, its inputs and its output."""
    memories, runs = {}, 0

    def around(op, phase, original):
        def counted(*args, **kwargs):
            nonlocal runs
            result = original(*args, **kwargs)
            if phase == "forward":
                runs += 1
                for array in arrays_in((args, result)):
                    memory = _memory(array)
                    memories[id(memory)] = memory  # held, so that no id is used twice
            return result

        return counted

    with watched(around):
        tensor = function()
    given = {id(_memory(leaf.array)) for leaf in (names or {}).values()}
    touched = sum(memory.nbytes for key, memory in memories.items() if key not in given)
    graph = Graph(tensor, names)
    return Count(runs, touched, graph.op_count, graph.saved_bytes, graph.folded().op_count)
