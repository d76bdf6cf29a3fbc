"""Rows of indexing, assignment, gather and scatter, masks."""

import numpy as np

from tests.engine.table import boolean, constant, fails, given, integer, real, row

ROWS, FAILS = [], []
ALL = slice(None)

# --- x[index], and x[index] = value: (name, index made from the tensors i, j and the masks that follow x) ---

MASK = given(np.array([[True, False, True], [False, True, True]]))
MASK3 = given(np.arange(24).reshape(2, 3, 4) % 3 == 1)
EVERY = given(np.ones((3, 4), bool))
I, NEGATIVE, TABLE = given([1, 0]), given([-1, 0, -1]), given([[1, 1], [0, 2]])
INDICES = [
    ("0", lambda: 0), ("-1", lambda: -1), ("a slice", lambda: slice(1, None)),
    ("steps", lambda: (ALL, slice(None, None, 2), slice(3, 0))), ("None", lambda: None), ("...", lambda: ...), ("()", lambda: ()),
    ("... 0", lambda: (..., 0)), ("0 ... None 1", lambda: (0, ..., None, 1)), ("three ints", lambda: (1, 2, 3)),
    ("a slice past the end", lambda: slice(-9, 9)), ("an empty slice", lambda: (ALL, slice(2, 1))),
    ("a NumPy integer", lambda: np.int64(1)), ("True", lambda: True), ("False", lambda: False), (": True", lambda: (ALL, True)),
    ("a list", lambda: [1, 0, 1]), ("lists", lambda: ([0, 1], [2, 2])), ("a list of lists", lambda: [[0, 1], [1, 0]]),
    ("an empty list", lambda: []), ("a list of bools", lambda: [True, False]), ("a list with a slice", lambda: [slice(0, 1), 1]),
    ("a range", lambda: range(2)), ("an array", lambda: np.array([1, 0])), ("a tensor", lambda i: i, I),
    ("a 0-d tensor", lambda i: i, given(1)), ("a 0-d tensor in a slice", lambda i: slice(i, None), given(1)),
    ("a 0-d bool", lambda i: i, given(True)), ("int32", lambda i: i, given([1, 0], "int32")),
    ("uint8 as a mask", lambda i: i, given([1, 0], "uint8")), ("repeated", lambda i: i, given([1, 1, 0, 1])),
    ("negative", lambda i: (ALL, i), NEGATIVE), ("a table", lambda i: (ALL, i), TABLE), ("0 : i", lambda i: (0, ALL, i), I),
    ("i : i", lambda i: (i, ALL, i), I), (": i 0", lambda i: (ALL, i, 0), I), ("i None i", lambda i: (i, None, i), I),
    ("None ... i None", lambda i: (None, ..., i, None), I), ("0-d : i", lambda k, i: (k, ALL, i), given(1), I),
    ("i :, a slice", lambda i: (slice(0, 1), i, slice(1, 3)), TABLE),
    ("broadcast", lambda i, j: (i, j), given([[0], [1]]), given([[0, 2, 2]])),
    ("broadcast apart", lambda i, j: (i, ALL, j), given([[0], [1]]), given([[0, 3, 3]])), ("True i", lambda i: (True, i), I),
    ("a mask", lambda m: m, MASK), ("a full mask", lambda m: m, MASK3), (": mask", lambda m: (ALL, m), EVERY),
    ("mask 1", lambda m: (m, 1), MASK), ("mask i", lambda m, i: (m, i), MASK, given([0])),
    ("mask of nothing", lambda m: m, given(np.zeros((2, 3), bool))),
]  # fmt: skip
for name, index, *tensors in INDICES:
    read = lambda T, x, *tensors, index=index: x[index(*tensors)]

    def write(T, x, *tensors, index=index):
        y = x.clone()
        y[index(*tensors)] = 3.5
        return y

    def write_tensor(T, x, value, *tensors, index=index):
        y = x.clone()
        y[index(*tensors)] = value
        return y

    ROWS += [row(f"Tensor.__getitem__ {name}", read, real(2, 3, 4), *tensors)]
    if "uint8" in name:  # PyTorch reads with such a mask, and no longer writes
        continue
    ROWS += [row(f"Tensor.__setitem__ {name}", write, real(2, 3, 4), *tensors)]
    if name not in (
        "repeated",
        "negative",
        "a table",
        "a list",
        "broadcast",
        "broadcast apart",
        "False",
        "i :, a slice",
    ):  # one value for each place
        ROWS += [row(f"Tensor.__setitem__ {name} by a tensor", write_tensor, real(2, 3, 4), real(), *tensors)]


def assigned(index, dtype=None):
    def function(T, x, value):
        y = x.clone()
        y[index] = value if dtype is None else value.to(getattr(T, dtype))
        return y

    return function


ROWS += [
    row("Tensor.__getitem__ of a vector", lambda T, x: x[2], real(4)),
    row("Tensor.__getitem__ 0-d ...", lambda T, x: x[...], real()),
    row("Tensor.__getitem__ 0-d None", lambda T, x: x[None], real()),
    row("Tensor.__getitem__ of integers", lambda T, x, i: x[i, 1], integer(3, 4), given([2, 0])),
    row("Tensor.__getitem__ of an empty tensor", lambda T, x: x[:, 1:], real(0, 3)),
    row("Tensor.__getitem__ : i : j", lambda T, x, i: x[:, i, :, i], real(2, 2, 3, 2), given([1, 0, 1])),
    row("Tensor.__setitem__ : i : j", assigned((ALL, [1, 0], ALL, [1, 1])), real(2, 2, 3, 2), real(2, 2, 3)),
    row("Tensor.__getitem__ in a loop", lambda T, x: sum(x[:, t].tanh() * x[:, t - 1] for t in range(4)), real(2, 4)),
    row("Tensor.__getitem__ the same thrice", lambda T, x: x[0] * x[0] + x[0], real(2, 3)),
    row(
        "Tensor.__getitem__ long rows",
        lambda T, x, i: x[i].square().mean(),
        real(3, 300),
        given([2, 0, 2]),
        numerical=False,
    ),
    row(
        "Tensor.__getitem__ long rows, two indices",
        lambda T, x, i: x[i, i].square().mean(),
        real(2, 2, 300),
        given([1, 0, 1]),
        numerical=False,
    ),
    row("Tensor.__setitem__ rows", assigned((ALL, 1)), real(2, 3, 4), real(2, 4)),
    row("Tensor.__setitem__ broadcast", assigned(0), real(2, 3, 4), real(4)),
    row("Tensor.__setitem__ leading ones", assigned(0), real(2, 3, 4), real(1, 1, 3, 4)),
    row("Tensor.__setitem__ one number", assigned(1), real(2, 3), real(1)),
    row("Tensor.__setitem__ lists", assigned(([0, 1], [2, 0])), real(2, 3, 4), real(2, 4)),
    row("Tensor.__setitem__ a vector apart", assigned((ALL, [0, 2], 1)), real(2, 3, 4), real(2, 2)),
    row("Tensor.__setitem__ another dtype", assigned(0, "float64"), real(2, 3), real(3)),
    row("Tensor.__setitem__ integers truncate", assigned(0), integer(2, 3), constant(3)),
    row("Tensor.__setitem__ by its own part", lambda T, x: assigned(0)(T, x, x[1] * 2), real(2, 3)),
    row("Tensor.__setitem__ into a constant", lambda T, c, x: assigned((ALL, 1))(T, c, x), constant(2, 3), real(2)),
]


def filled_in_a_loop(T, x):
    y = T.zeros(4, 3, dtype=x.dtype)
    for t in range(4):
        y[t] = (y[t - 1] + x[t]).tanh() if t else x[t]
    return y


ROWS += [row("Tensor.__setitem__ in a loop", filled_in_a_loop, real(4, 3), foreign=False)]
FAILS += [
    fails("Tensor.__getitem__ past the end", lambda T, x: x[5], real(2, 3), match=r"5 is out of bounds.*\(2, 3\)"),
    fails(
        "Tensor.__getitem__ tensor past the end",
        lambda T, x, i: x[i],
        real(2, 3),
        given([0, 2]),
        match=r"2 is out of bounds.*\(2, 3\)",
    ),
    fails("Tensor.__getitem__ too many", lambda T, x: x[0, 0, 0], real(2, 3), match=r"\(2, 3\)"),
    fails(
        "Tensor.__getitem__ too many with a tensor",
        lambda T, x, i: x[i, 0, 0],
        real(2, 3),
        I,
        match=r"3 indices into the 2 dimensions",
    ),
    fails("Tensor.__getitem__ 0-d", lambda T, x: x[0], real(), match="0-dimensional"),
    fails("Tensor.__getitem__ backwards", lambda T, x: x[::-1], real(3), match="greater than zero.*flip"),
    fails("Tensor.__getitem__ float", lambda T, x: x[1.0], real(3), match="float"),
    fails("Tensor.__getitem__ float tensor", lambda T, x, i: x[i], real(3), constant(2), match="float32"),
    fails(
        "Tensor.__getitem__ mask",
        lambda T, x, m: x[m],
        real(2, 3),
        boolean(3, 2),
        match=r"mask of shape \(3, 2\).*\(2, 3\)",
    ),
    fails(
        "Tensor.__getitem__ no broadcast", lambda T, x, i, j: x[i, j], real(2, 3), I, NEGATIVE, match=r"\(2,\) \(3,\)"
    ),
    fails(
        "Tensor.__setitem__ shape",
        assigned(0),
        constant(2, 3),
        constant(2),
        match=r"\(2,\) does not fit into the place, of shape \(3,\)",
    ),
    fails(
        "Tensor.__setitem__ shape, list",
        assigned([0, 1]),
        constant(2, 3),
        constant(2),
        match=r"\(2,\) does not fit into the place, of shape \(2, 3\)",
    ),
    fails(
        "Tensor.__setitem__ count",
        lambda T, x, m, v: assigned(m)(T, x, v),
        constant(2, 3),
        MASK,
        constant(9),
        match=r"\(9,\) does not fit into the place, of shape \(4,\)",
    ),
    fails(
        "Tensor.__setitem__ dtype",
        lambda T, x, i, v: assigned(i)(T, x, v),
        constant(2, 3),
        I,
        integer(3),
        match="int64 values into a float32",
    ),
    fails("Tensor.__setitem__ list", lambda T, x: assigned(0)(T, x, [1.0, 2.0, 3.0]), constant(2, 3), match="list"),
    fails("Tensor.__setitem__ leaf", lambda T, x: x.__setitem__(0, 1.0), real(2, 3), match="leaf"),
    fails(
        "Tensor.__setitem__ view",
        lambda T, x: (lambda base: base[0].__setitem__(0, 1.0))(x * 1),
        real(2, 3),
        match="view",
        raises=RuntimeError,
    ),
]

# --- along one dimension ---

ALONG = {  # index and src shapes for an input of (3, 4)
    0: (given([[0, 2, 1, 1], [0, 0, 1, 2]]), real(2, 4)),
    1: (given([[3, 3, 0], [1, 0, 2], [2, 2, 2]]), real(3, 3)),
    -1: (given([[3], [1], [0]]), real(3, 1)),
}
for dim, (index, src) in ALONG.items():
    ROWS += [
        row(f"gather {dim}", lambda T, x, i, d=dim: T.gather(x, d, i), real(3, 4), index),
        row(f"Tensor.gather {dim}", lambda T, x, i, d=dim: x.gather(d, i), real(3, 4), index),
        row(f"scatter_add {dim}", lambda T, x, i, s, d=dim: T.scatter_add(x, d, i, s), real(3, 4), index, src),
        row(f"Tensor.scatter_add {dim}", lambda T, x, i, s, d=dim: x.scatter_add(d, i, s), real(3, 4), index, src),
        row(
            f"Tensor.scatter_add_ {dim}",
            lambda T, x, i, s, d=dim: x.clone().scatter_add_(d, i, s),
            real(3, 4),
            index,
            src,
        ),
        row(
            f"scatter add {dim}",
            lambda T, x, i, s, d=dim: T.scatter(x.detach(), d, i, s.detach(), reduce="add"),
            constant(3, 4),
            index,
            src,
        ),
        row(f"scatter number {dim}", lambda T, x, i, d=dim: T.scatter(x, d, i, 2.5), real(3, 4), index),
        row(f"scatter value {dim}", lambda T, x, i, d=dim: T.scatter(x, d, i, value=2.5), real(3, 4), index),
        row(f"Tensor.scatter_ number {dim}", lambda T, x, i, d=dim: x.clone().scatter_(d, i, 2.5), real(3, 4), index),
        row(
            f"take_along_dim {dim}",
            lambda T, x, i, d=dim: T.take_along_dim(x, i[:1] if d == 0 else i, d),
            real(3, 4),
            index,
        ),
    ]
ONCE = given([[2, 0, 1], [1, 3, 0], [3, 2, 1]])
ROWS += [
    row("scatter", lambda T, x, i, s: T.scatter(x, 1, i, s), real(3, 4), ONCE, real(3, 3)),
    row("scatter a larger src", lambda T, x, i, s: T.scatter(x, 1, i, s), real(3, 4), ONCE, constant(4, 4)),
    row("scatter_add a larger src", lambda T, x, i, s: T.scatter_add(x, 1, i, s), real(3, 4), ONCE, constant(4, 4)),
    row("Tensor.scatter", lambda T, x, i, s: x.scatter(1, i, s), real(3, 4), ONCE, real(3, 3)),
    row("Tensor.scatter_", lambda T, x, i, s: x.clone().scatter_(1, i, s), real(3, 4), ONCE, real(3, 3)),
    row("Tensor.scatter_ one-hot", lambda T, x, i: T.zeros_like(x).scatter_(1, i, 1), constant(3, 4), ONCE),
    row("gather int32", lambda T, x, i: T.gather(x, 1, i), constant(3, 4), integer(3, 2, low=0, high=4, dtype="int32")),
    row("gather empty index", lambda T, x, i: T.gather(x, 1, i), real(3, 4), integer(3, 0)),
    row("gather 0-d", lambda T, x, i: T.gather(x, 0, i), real(), given(0)),
    row("gather vector", lambda T, x, i: T.gather(x, 0, i), real(4), given([3, 3, 0, 1, 3])),
    row("gather three dimensions", lambda T, x, i: T.gather(x, 1, i), real(2, 3, 4), integer(2, 5, 3, low=0, high=3)),
    row(
        "take_along_dim broadcast",
        lambda T, x, i: T.take_along_dim(x, i, 1),
        real(2, 3, 4),
        integer(1, 5, 4, low=0, high=3),
    ),
    row(
        "take_along_dim broadcast input",
        lambda T, x, i: T.take_along_dim(x, i, 1),
        real(1, 3, 4),
        integer(2, 5, 1, low=0, high=3),
    ),
    row("take_along_dim flat", lambda T, x, i: T.take_along_dim(x, i), real(2, 3), given([5, 0, 0])),
    row("Tensor.take_along_dim", lambda T, x, i: x.take_along_dim(i, dim=1), real(2, 3), given([[2], [0]])),
    row("take", lambda T, x, i: T.take(x, i), real(2, 3), given([[5, 0], [-1, 0]])),
    row("Tensor.take", lambda T, x, i: x.take(i), real(2, 3), given([5, 0])),
]
FAILS += [
    fails(
        "gather past the end",
        lambda T, x, i: T.gather(x, 1, i),
        real(3, 4),
        given([[0, 4]]),
        match="indices from 0 to 4.*size 4",
    ),
    fails(
        "gather negative", lambda T, x, i: T.gather(x, 1, i), real(3, 4), given([[0, -1]]), match="indices from -1 to 0"
    ),
    fails(
        "gather large",
        lambda T, x, i: T.gather(x, 1, i),
        real(3, 4),
        integer(4, 2, low=0, high=4),
        match="larger than the input",
    ),
    fails(
        "gather rank", lambda T, x, i: T.gather(x, 1, i), real(3, 4), given([0, 1]), match="same number of dimensions"
    ),
    fails(
        "gather dtype",
        lambda T, x, i: T.gather(x, 1, i),
        real(3, 4),
        constant(3, 4),
        match="float32",
        raises=RuntimeError,
    ),
    fails("gather dim", lambda T, x, i: T.gather(x, 2, i), real(3, 4), ONCE, match="dim 2 is out of range"),
    fails(
        "scatter dtype",
        lambda T, x, i, s: T.scatter(x, 1, i, s),
        real(3, 4),
        ONCE,
        integer(3, 3),
        match="int64 values into a float32",
    ),
    fails(
        "scatter src",
        lambda T, x, i, s: T.scatter(x, 1, i, s),
        real(3, 4),
        ONCE,
        real(3, 2),
        match=r"larger than src \(3, 2\)",
    ),
    fails(
        "scatter reduce",
        lambda T, x, i, s: T.scatter(x, 1, i, s, reduce="multiply"),
        constant(3, 4),
        ONCE,
        constant(3, 3),
        match="multiply",
        raises=NotImplementedError,
    ),
    fails(
        "take_along_dim",
        lambda T, x, i: T.take_along_dim(x, i, 1),
        real(3, 4),
        given([[9]]),
        match="out of bounds",
        raises=RuntimeError,
    ),
]

# --- slices ---

ROWS += [
    row("select", lambda T, x: T.select(x, 1, 2), real(2, 3, 4)),
    row("select from the end", lambda T, x: T.select(x, -1, -1), real(2, 3, 4)),
    row("Tensor.select", lambda T, x: x.select(0, 1), real(2, 3)),
    row("index_select", lambda T, x, i: T.index_select(x, 1, i), real(2, 3, 4), given([2, 0, 2])),
    row("index_select 0", lambda T, x, i: T.index_select(x, 0, i), real(3, 4), given([2, 0, 2])),
    row("index_select 0-d index", lambda T, x, i: T.index_select(x, -1, i), real(3, 4), given(2)),
    row("Tensor.index_select", lambda T, x, i: x.index_select(0, i), real(3, 4), given([2, 0], "int32")),
    row("index_add", lambda T, x, i, s: T.index_add(x, 0, i, s), real(3, 4), given([2, 0, 2]), real(3, 4)),
    row(
        "index_add alpha",
        lambda T, x, i, s: T.index_add(x, 1, i, s, alpha=0.5),
        real(2, 3, 4),
        given([2, 2]),
        real(2, 2, 4),
    ),
    row("Tensor.index_add", lambda T, x, i, s: x.index_add(-1, i, s), real(3, 4), given([3, 3]), real(3, 2)),
    row("Tensor.index_add_", lambda T, x, i, s: x.clone().index_add_(0, i, s), real(3, 4), given([2, 2]), real(2, 4)),
    row("index_copy", lambda T, x, i, s: T.index_copy(x, 1, i, s), real(3, 4), given([2, 0]), real(3, 2)),
    row("Tensor.index_copy", lambda T, x, i, s: x.index_copy(0, i, s), real(3, 4), given([2, 0]), real(2, 4)),
    row("Tensor.index_copy_", lambda T, x, i, s: x.clone().index_copy_(0, i, s), real(3, 4), given([2, 0]), real(2, 4)),
    row("index_fill", lambda T, x, i: T.index_fill(x, 1, i, 7.0), real(3, 4), given([2, 0])),
    row("index_fill by a tensor", lambda T, x, i, v: T.index_fill(x, 1, i, v), real(3, 4), given([2, 0]), real()),
    row("Tensor.index_fill", lambda T, x, i: x.index_fill(0, i, 7.0), real(3, 4), given([2, 0])),
    row("Tensor.index_fill_", lambda T, x, i: x.clone().index_fill_(0, i, 7.0), real(3, 4), given([2, 0])),
    row(
        "index_put", lambda T, x, i, j, v: T.index_put(x, (i, j), v), real(3, 4), given([2, 0]), given([1, 1]), real(2)
    ),
    row(
        "index_put accumulate",
        lambda T, x, i, j, v: T.index_put(x, (i, j), v, accumulate=True),
        real(3, 4),
        given([2, 2]),
        given([1, 1]),
        real(2),
    ),
    row(
        "index_put accumulate broadcast",
        lambda T, x, i, v: T.index_put(x, (i,), v, accumulate=True),
        real(3, 4),
        given([2, 0, 2]),
        real(4),
    ),
    row("index_put mask", lambda T, x, m, v: T.index_put(x, (m,), v, accumulate=True), real(2, 3), MASK, real()),
    row("Tensor.index_put", lambda T, x, i, v: x.index_put((i,), v), real(3, 4), given([2, 0]), real(4)),
    row("Tensor.index_put_", lambda T, x, i, v: x.clone().index_put_((i,), v), real(3, 4), given([2, 0]), real(2, 4)),
]
FAILS += [
    fails("select", lambda T, x: T.select(x, 0, 3), real(2, 3), match="3 is out of bounds"),
    fails("index_select", lambda T, x, i: T.index_select(x, 0, i), real(3, 4), given([3]), match="indices from 3 to 3"),
    fails("index_select table", lambda T, x, i: T.index_select(x, 0, i), real(3, 4), given([[1]]), match="vector"),
    fails(
        "index_add",
        lambda T, x, i, s: T.index_add(x, 0, i, s),
        real(3, 4),
        given([1, 0]),
        real(3, 4),
        match=r"\(3, 4\), but 2 slices .* have \(2, 4\)",
        raises=RuntimeError,
    ),
]

# --- masks ---

ROWS += [
    row("masked_fill", lambda T, x, m: T.masked_fill(x, m, -1.5), real(2, 3), MASK),
    row(
        "masked_fill by infinity", lambda T, x, m: T.masked_fill(x, m, float("-inf")), real(2, 3), MASK, numerical=False
    ),
    row("masked_fill by a tensor", lambda T, x, m, v: T.masked_fill(x, m, v), real(2, 3), MASK, real()),
    row("masked_fill broadcast", lambda T, x, m: T.masked_fill(x, m, 0), real(4, 1, 3), MASK),
    row("masked_fill of integers", lambda T, x, m: T.masked_fill(x, m, 1.7), integer(2, 3), MASK),
    row("masked_fill 0-d", lambda T, x, m: T.masked_fill(x, m, 1.0), real(), given(True)),
    row("Tensor.masked_fill", lambda T, x, m: x.masked_fill(m, -1.5), real(2, 3), MASK),
    row("Tensor.masked_fill_", lambda T, x, m: x.clone().masked_fill_(m, -1.5), real(2, 3), MASK),
    row(
        "Tensor.masked_fill_ broadcast",
        lambda T, x, m: x.clone().masked_fill_(m, -1.5),
        real(2, 3),
        given([True, False, True]),
    ),
    row("masked_select", lambda T, x, m: T.masked_select(x, m), real(2, 3), MASK),
    row("masked_select broadcast", lambda T, x, m: T.masked_select(x, m), real(4, 1, 3), MASK),
    row("Tensor.masked_select", lambda T, x, m: x.masked_select(m), real(3), MASK),
    row("masked_scatter", lambda T, x, m, s: T.masked_scatter(x, m, s), real(2, 3), MASK, real(5)),
    row(
        "Tensor.masked_scatter",
        lambda T, x, m, s: x.masked_scatter(m, s),
        real(2, 3),
        given([True, False, True]),
        real(2, 3),
    ),
    row("Tensor.masked_scatter_", lambda T, x, m, s: x.clone().masked_scatter_(m, s), real(2, 3), MASK, real(4)),
    row("nonzero", lambda T, x: T.nonzero(x), given([[0.0, 1.5, 0.0], [2.0, 0.0, -1.0]])),
    row("nonzero as a tuple", lambda T, x: T.nonzero(x, as_tuple=True), MASK),
    row("nonzero 0-d", lambda T, x: T.nonzero(x), given(3.0)),
    row("nonzero 0-d zero", lambda T, x: T.nonzero(x), given(0)),
    row("nonzero 0-d as a tuple", lambda T, x: T.nonzero(x, as_tuple=True), given(3.0)),
    row("nonzero of nothing", lambda T, x: T.nonzero(x), integer(0, 3)),
    row("Tensor.nonzero", lambda T, x: x.nonzero(), MASK),
    row("argwhere", lambda T, x: T.argwhere(x), MASK),
    row("Tensor.argwhere", lambda T, x: x.argwhere(), MASK),
]
FAILS += [
    fails(
        "masked_fill",
        lambda T, x, m: T.masked_fill(x, m, 0.0),
        real(2, 3),
        integer(2, 3),
        match="boolean tensor, not int64",
    ),
    fails(
        "masked_fill value",
        lambda T, x, m, v: T.masked_fill(x, m, v),
        real(2, 3),
        MASK,
        real(3),
        match=r"0-d tensor, not \(3,\)",
    ),
    fails("masked_fill shape", lambda T, x, m: T.masked_fill(x, m, 0.0), real(2, 4), MASK, match="do not broadcast"),
    fails("Tensor.masked_fill_", lambda T, x, m: x.masked_fill_(m, 0.0), constant(3), MASK, match="in place"),
    fails(
        "masked_scatter",
        lambda T, x, m, s: T.masked_scatter(x, m, s),
        real(2, 3),
        MASK,
        real(3),
        match="4 places.*only 3",
        raises=RuntimeError,
    ),
]

# --- class numbers ---

WORDS = given([[0, 2, 2], [4, 0, 1]])
ROWS += [
    row("nn.functional.one_hot", lambda T, i: T.nn.functional.one_hot(i), WORDS),
    row("nn.functional.one_hot classes", lambda T, i: T.nn.functional.one_hot(i, 7), WORDS),
    row("nn.functional.one_hot of nothing", lambda T, i: T.nn.functional.one_hot(i, num_classes=3), integer(0)),
    row("nn.functional.one_hot 0-d", lambda T, i: T.nn.functional.one_hot(i, num_classes=3), given(1)),
]
FAILS += [
    fails(
        "nn.functional.one_hot",
        lambda T, i: T.nn.functional.one_hot(i, 4),
        WORDS,
        match="from 0 to 4 do not fit into 4",
    ),
    fails("nn.functional.one_hot dtype", lambda T, i: T.nn.functional.one_hot(i), constant(3), match="int64"),
    fails("nn.functional.one_hot empty", lambda T, i: T.nn.functional.one_hot(i), integer(0), match="num_classes"),
]
