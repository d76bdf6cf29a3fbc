"""Checks that many ops share: dimensions counted from either end, sizes given one by one or as one tuple."""

import operator


def dim_of(name, dim, ndim):
    """The dimension counted from the front; IndexError where there is none such. A 0-d tensor counts as having one."""
    try:
        dim = operator.index(dim)
    except TypeError:
        raise TypeError(f"{name}: dim must be an int, not {type(dim).__name__} {dim!r}") from None
    count = ndim or 1
    if not -count <= dim < count:
        raise IndexError(
            f"{name}: dim {dim} is out of range for {ndim} dimensions; it must be in [{-count}, {count - 1}]"
        )
    return dim + count if dim < 0 else dim


def dims_of(name, dim, ndim):
    """Several dimensions, or one, as a tuple counted from the front; RuntimeError where one is given twice."""
    dims = tuple([dim_of(name, d, ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))])
    if len(set(dims)) != len(dims):
        raise RuntimeError(f"{name}: a dimension appears twice in dim={tuple(dim)}")
    return dims


def sizes_of(name, sizes):
    """Sizes given one by one, f(2, 3), or as one tuple, f((2, 3)), as a tuple of ints."""
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = sizes[0]
    try:
        return tuple([operator.index(size) for size in sizes])
    except TypeError:
        raise TypeError(f"{name}: sizes must be ints, not {sizes!r}") from None
