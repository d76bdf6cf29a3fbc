"""einsum: sums of products, written by the names of the dimensions."""

import functools
import math
import operator

from ..tensor import Tensor
from .define import op
from .linalg import same_dtype

__all__ = ["einsum"]

_ALL = slice(None)

# --- two tensors ------------------------------------------------------------------------------------------------------


def _contract(x, other, *, a, b, out):
    """x, other → result on arrays: a, b and out name their dimensions, each once, and what is not in two of the three does not occur.

    As one product of matrices (batch…, left, sum) @ (batch…, sum, right).
    """
    batch = [i for i in a if i in b and i in out]
    summed = [i for i in a if i in b and i not in out]
    left = [i for i in a if i not in b]
    right = [i for i in b if i not in a]
    size = dict(zip(a + b, x.shape + other.shape, strict=True))

    def arranged(array, names, rows, columns):
        array = array.transpose([names.index(i) for i in (*batch, *rows, *columns)])
        sizes = [math.prod(size[i] for i in group) for group in (rows, columns)]
        return array.reshape([size[i] for i in batch] + sizes)

    y = arranged(x, a, left, summed) @ arranged(other, b, summed, right)
    found = [*batch, *left, *right]
    return y.reshape([size[i] for i in found]).transpose([found.index(i) for i in out])


contract = op(
    "einsum",
    _contract,
    lambda g, other, a, b, out: contract(g, other, a=out, b=b, out=a),
    lambda g, x, a, b, out: contract(g, x, a=out, b=a, out=b),
)

# --- the notation -----------------------------------------------------------------------------------------------------

_SPARE = [chr(i) for i in range(0x391, 0x3A9)]  # Greek capitals: the names that the dimensions under ... are given


def _parse(equation, operands):
    """The names of each operand's dimensions, as lists, and of the output's, with the dimensions under ... named too."""
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    inputs = inputs.split(",")
    if len(inputs) != len(operands):
        raise RuntimeError(f"einsum: {equation!r} names {len(inputs)} operands, but {len(operands)} are given")
    named, most = [], 0
    for names, operand in zip(inputs, operands, strict=True):
        before, dots, after = names.partition("...")
        if not (before + after).isalpha() and before + after:
            raise RuntimeError(f"einsum: {names!r} in {equation!r}: dimensions are named by letters, the others by ...")
        count = operand.ndim - len(before) - len(after)
        if count < 0 or count and not dots:
            raise RuntimeError(
                f"einsum: {names!r} in {equation!r} does not name the {operand.ndim} dimensions of {tuple(operand.shape)}"
            )
        most = max(most, count if dots else 0)
        named.append([*before, *_SPARE[len(_SPARE) - count :], *after])
    spare = _SPARE[len(_SPARE) - most :]
    if arrow:
        before, dots, after = output.partition("...")
        output = [*before, *(spare if dots else ()), *after]
    else:
        letters = [i for i in "".join(inputs) if i.isalpha()]
        output = [*spare, *sorted(i for i in set(letters) if letters.count(i) == 1)]
    for i in output:
        if output.count(i) > 1 or not any(i in names for names in named):
            raise RuntimeError(f"einsum: the output of {equation!r} must name dimensions of the operands, each once")
    return named, output


def _simplified(operand, names, size, needed):
    """An operand with each name once, without names of size 1 that are longer elsewhere, and without those needed nowhere else."""
    for i in dict.fromkeys(names):
        while names.count(i) > 1:
            first, second = [axis for axis, name in enumerate(names) if name == i][:2]
            operand = operand.diagonal(0, first, second)
            names = [name for axis, name in enumerate(names) if axis not in (first, second)] + [i]
    for axis in reversed(range(len(names))):
        if operand.shape[axis] == 1 != size[names[axis]]:
            operand, names = operand.squeeze(axis), names[:axis] + names[axis + 1 :]
    gone = [axis for axis, i in enumerate(names) if i not in needed]
    if gone:
        operand, names = operand.sum(tuple(gone)), [i for i in names if i in needed]
    return operand, names


def _spread(operand, names, output):
    """The operand with its dimensions in the output's order, and 1 for those that it has not."""
    own = operand.permute([names.index(i) for i in output if i in names])
    return own[tuple(_ALL if i in names else None for i in output)]


def einsum(equation, *operands):
    """The operands multiplied where names agree, and summed over the names that the output lacks: einsum("bij,bjk->bik", a, b).

    ... stands for further dimensions, which broadcast; a name twice in one operand is its diagonal; without -> the output has the
    names that occur once, in order. Several operands are taken from left to right.
    """
    if not isinstance(equation, str):
        raise NotImplementedError(
            "einsum: operands with lists of dimensions are not supported; give an equation as a string"
        )
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not operands or not all(isinstance(x, Tensor) for x in operands):
        raise TypeError("einsum: give at least one operand, and only Tensors")
    named, output = _parse(equation, operands)
    products = len(operands) > 1 and all(set(names) <= set(output) and len(set(names)) == len(names) for names in named)
    if not products:
        same_dtype("einsum", *operands)
    size = {}
    for operand, names in zip(operands, named, strict=True):
        for i, n in zip(names, operand.shape, strict=True):
            if size.setdefault(i, n) == 1:
                size[i] = n
            elif n not in (1, size[i]):
                raise RuntimeError(
                    f"einsum: {equation!r}: a dimension has size {size[i]} in one operand and {n} in another"
                )
    if products:  # nothing is summed: mul's products, whose dtypes may differ
        return functools.reduce(operator.mul, [_spread(x, names, output) for x, names in zip(operands, named)])
    result, kept = None, []
    for position, (operand, names) in enumerate(zip(operands, named, strict=True)):
        later = {i for others in named[position + 1 :] for i in others} | set(output)
        if result is None:
            result, kept = _simplified(operand, names, size, later)
            continue
        operand, names = _simplified(operand, names, size, later | set(kept))
        result, kept = _simplified(result, kept, size, later | set(names))
        out = [i for i in dict.fromkeys(kept + names) if i in later]
        result, kept = contract(result, operand, a="".join(kept), b="".join(names), out="".join(out)), out
    result = result.permute([kept.index(i) for i in output if i in kept])
    shape = [size[i] for i in output]
    return (
        result
        if list(result.shape) == shape
        else result.reshape([1 if i not in kept else size[i] for i in output]).expand(shape)
    )
