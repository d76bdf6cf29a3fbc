"""Pictures of the graph, numerical gradients, and small helpers."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np

from utils.errors import DLFSError
from utils.files import write_atomically

from . import cuda

# --- the graph --------------------------------------------------------------------------------------------------------


def _place(thing):
    """What a Variable or Function is known by: its place in the engine's graph, which the objects around it come and go from."""
    tensor = getattr(thing, "_tensor", None)
    return id(thing if tensor is None else tensor if tensor.node is None else tensor.node)


def _dot_lines(output, verbose):
    """The graph's boxes and arrows, one a line, each once, from the output down."""
    lines, numbers, seen, stack = {}, {}, set(), [output]

    def number(kind, thing):
        return numbers.setdefault((kind, _place(getattr(thing, "node", thing))), f"{kind}{len(numbers)}")

    while stack:
        v = stack.pop()
        key = number("v", v)
        if key in seen:
            continue
        seen.add(key)
        text = v.name or ""
        if verbose and v.data is not None:
            text += (": " if text else "") + f"{v.shape} {v.dtype}"
        lines[f'{key} [label="{text}", color=orange, style=filled]'] = None
        f = v.creator
        if f is not None:
            label = getattr(f, "name", type(f).__name__)
            lines[f'{number("f", f)} [label="{label}", color=lightblue, style=filled, shape=box]'] = None
            lines[f"{number('f', f)} -> {key}"] = None
            lines.update((f"{number('v', x)} -> {number('f', f)}", None) for x in f.inputs)
            stack.extend(reversed(f.inputs))
    return list(lines)


def get_dot_graph(output, verbose=True):
    """The graph behind a Variable in Graphviz's language: ovals are Variables, boxes functions. verbose: with shapes and dtypes."""
    return "digraph g {\n" + "\n".join(_dot_lines(output, verbose)) + "\n}"


def plot_dot_graph(output, verbose=True, to_file="graph.png"):
    """Draw that graph into a file with Graphviz's `dot`; without it, with the engine's own drawing, which shows functions and given Variables."""
    from framework.graph import Graph

    path = Path(to_file)
    if shutil.which("dot"):
        text = get_dot_graph(output, verbose).encode()
        picture = subprocess.run(["dot", f"-T{path.suffix[1:]}"], input=text, capture_output=True, check=True).stdout
        write_atomically(path, picture)
    else:
        Graph(output.tensor, names=_given(output), output=output.name or "output").render(path)
    return path


def _given(output):
    """name → tensor of the named Variables that were given."""
    found, seen, stack = {}, set(), [output]
    while stack:
        v = stack.pop()
        if _place(v) not in seen:
            seen.add(_place(v))
            if v.creator is not None:
                stack.extend(v.creator.inputs)
            elif v.name:
                alike = sum(name.partition(" ")[0] == v.name for name in found)
                found[f"{v.name} {alike + 1}" if alike else v.name] = v.tensor
    return found


# --- derivatives by differences ---------------------------------------------------------------------------------------


def numerical_grad(f, x, *args, **kwargs):
    """Central differences of the sum of f(x, …), a Variable or array, in each element of x; the step is 1e-4."""
    eps = 1e-4
    array = x.data if hasattr(x, "creator") else x
    array = array.astype(np.float64)
    grad = np.zeros_like(array)

    def value(changed):
        y = f(type(x)(changed) if hasattr(x, "creator") else changed, *args, **kwargs)
        return float(np.sum(cuda.as_numpy(y)))

    for place in np.ndindex(array.shape):
        above, below = array.copy(), array.copy()
        above[place] += eps
        below[place] -= eps
        grad[place] = (value(above) - value(below)) / (2 * eps)
    return grad


def gradient_check(f, x, *args, rtol=1e-4, atol=1e-5, **kwargs):
    """Whether backward through f(x, …) agrees with numerical_grad; where not, both are printed. Computed in float64."""
    from .core import as_variable

    x = as_variable(x)
    x = type(x)(x.data.astype(np.float64))
    expected = numerical_grad(f, x, *args, **kwargs)
    f(x, *args, **kwargs).backward()
    agrees = array_allclose(x.grad, expected, rtol=rtol, atol=atol)
    if not agrees:
        print(f"gradient_check: backward gives\n{x.grad.data}\nnumerical differences\n{expected}")
    return agrees


def array_equal(a, b):
    return np.array_equal(cuda.as_numpy(a), cuda.as_numpy(b))


def array_allclose(a, b, rtol=1e-4, atol=1e-5):
    return np.allclose(cuda.as_numpy(a), cuda.as_numpy(b), rtol=rtol, atol=atol)


# --- arrays -----------------------------------------------------------------------------------------------------------


def sum_to(x, shape):
    """The array x summed over the axes along which an array of this shape would be broadcast to it."""
    extra = x.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(extra + i for i, n in enumerate(shape) if n == 1)
    return x.sum(axis=axes, keepdims=True).reshape(shape)


def logsumexp(x, axis=1):
    """log Σ exp(x) along an axis, which stays with size 1; without overflow."""
    largest = x.max(axis=axis, keepdims=True)
    return largest + np.log(np.exp(x - largest).sum(axis=axis, keepdims=True))


def get_conv_outsize(input_size, kernel_size, stride, pad):
    return (input_size + 2 * pad - kernel_size) // stride + 1


def get_deconv_outsize(size, k, s, p):
    return s * (size - 1) + k - 2 * p


def pair(x):
    """A number twice, or the pair that was given."""
    if isinstance(x, int):
        return x, x
    if isinstance(x, tuple) and len(x) == 2:
        return x
    raise ValueError(f"pair: expected a number or two, got {x!r}")


# --- files ------------------------------------------------------------------------------------------------------------


def npz_bytes(**arrays):
    """The arrays as the contents of a compressed .npz file."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


cache_dir = str(Path.home() / ".cache" / "dezero")


def get_file(url, file_name=None):
    """The path of a downloaded file, which is fetched the first time and then kept in cache_dir."""
    import pooch
    from requests.exceptions import RequestException

    name = file_name or url.rsplit("/", 1)[-1]
    try:
        return pooch.retrieve(url, known_hash=None, fname=name, path=cache_dir)
    except RequestException as error:
        raise DLFSError(
            f"get_file: {url} cannot be fetched ({error}); put the file at {Path(cache_dir) / name}"
        ) from None
