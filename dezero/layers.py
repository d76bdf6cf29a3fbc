"""Layers: functions with parameters. Those whose input size is not given take it from the first input."""

import numpy as np

import dezero.functions as F
from utils.files import write_atomically

from . import cuda
from .core import Parameter
from .utils import npz_bytes, pair


class Layer:
    """What has parameters: those assigned to its attributes, and those of the layers assigned to them, in the order of assignment."""

    def __init__(self):
        self._params = {}  # a dict for its order: a set's would change with the hash seed

    def __setattr__(self, name, value):
        if isinstance(value, (Parameter, Layer)):
            self._params[name] = None
        super().__setattr__(name, value)

    def __call__(self, *inputs):
        return self.forward(*inputs)

    def forward(self, *inputs):
        raise NotImplementedError(f"{type(self).__name__}: define forward(self, *inputs)")

    def params(self):
        """Every Parameter, each once."""
        return iter(dict.fromkeys(self._named().values()))

    def _named(self, parent=""):
        named = {}
        for name in self._params:
            value = getattr(self, name)
            if isinstance(value, Layer):
                named |= value._named(f"{parent}{name}/")
            elif value is not None:
                named[parent + name] = value
        return named

    def cleargrads(self):
        for param in self.params():
            param.cleargrad()

    def to_cpu(self):
        for param in self.params():
            param.to_cpu()

    def to_gpu(self):
        for param in self.params():
            param.to_gpu()

    def save_weights(self, path):
        """Write the parameters into an .npz file, under names such as l1/W; those that have no data yet are left out."""
        arrays = {name: cuda.as_numpy(param) for name, param in self._named().items() if param.data is not None}
        write_atomically(path, npz_bytes(**arrays))

    def load_weights(self, path):
        """Take the parameters from such a file. ValueError for one that is missing or has another shape; then nothing is changed."""
        with np.load(path) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        named = self._named()
        for name, param in named.items():
            if name not in found and param.data is not None:
                raise ValueError(f"{path} has no {name}; it has {', '.join(found)}")
            if name in found and param.data is not None and param.shape != found[name].shape:
                raise ValueError(f"{path}: {name} has shape {found[name].shape}, the layer's is {param.shape}")
        for name, param in named.items():
            if name in found:
                param.data = found[name]


def _normal(*shape, scale, dtype):
    """Normal random numbers of NumPy's global generator, in this dtype: the scale must not turn float32 into float64."""
    return (np.random.randn(*shape) * scale).astype(dtype)


class _Weighted(Layer):
    """A layer with a weight W, made when the input size is known, and a bias b."""

    def __init__(self, out_size, nobias, dtype, in_size):
        super().__init__()
        self.dtype = dtype
        self.W = Parameter(None, name="W")
        self.b = None if nobias else Parameter(np.zeros(out_size, dtype=dtype), name="b")
        if in_size is not None:
            self._init_W(in_size)

    def _weight(self, in_size):
        raise NotImplementedError

    def _init_W(self, in_size):
        self.W.data = self._weight(in_size)

    def _see(self, x):
        if self.W.data is None:
            self._init_W(x.shape[1])
            if cuda.get_array_module(x) is not np:
                self.W.to_gpu()


class Linear(_Weighted):
    """x W + b; W (in, out) starts as normal numbers of variance 1 / in."""

    def __init__(self, out_size, nobias=False, dtype=np.float32, in_size=None):
        self.in_size, self.out_size = in_size, out_size
        super().__init__(out_size, nobias, dtype, in_size)

    def _weight(self, in_size):
        self.in_size = in_size
        return _normal(in_size, self.out_size, scale=np.sqrt(1 / in_size), dtype=self.dtype)

    def forward(self, x):
        self._see(x)
        return F.linear(x, self.W, self.b)


class Conv2d(_Weighted):
    """Convolution; W (OC, C, KH, KW) starts as normal numbers of variance 1 / (C·KH·KW)."""

    def __init__(self, out_channels, kernel_size, stride=1, pad=0, nobias=False, dtype=np.float32, in_channels=None):
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.pad = kernel_size, stride, pad
        super().__init__(out_channels, nobias, dtype, in_channels)

    def _shape(self):
        return self.out_channels, self.in_channels

    def _weight(self, in_channels):
        self.in_channels = in_channels
        kh, kw = pair(self.kernel_size)
        return _normal(*self._shape(), kh, kw, scale=np.sqrt(1 / (in_channels * kh * kw)), dtype=self.dtype)

    def forward(self, x):
        self._see(x)
        return F.conv2d(x, self.W, self.b, self.stride, self.pad)


class Deconv2d(Conv2d):
    """Transposed convolution; W (C, OC, KH, KW)."""

    def _shape(self):
        return self.in_channels, self.out_channels

    def forward(self, x):
        self._see(x)
        return F.deconv2d(x, self.W, self.b, self.stride, self.pad)


class RNN(Layer):
    """h ← tanh(x Wx + b + h Wh) (Elman 1990); the state h stays from call to call until reset_state()."""

    def __init__(self, hidden_size, in_size=None):
        super().__init__()
        self.x2h = Linear(hidden_size, in_size=in_size)
        self.h2h = Linear(hidden_size, in_size=hidden_size, nobias=True)
        self.reset_state()

    def reset_state(self):
        self.h = None

    def forward(self, x):
        self.h = F.tanh(self.x2h(x) if self.h is None else self.x2h(x) + self.h2h(self.h))
        return self.h


class LSTM(Layer):
    """c ← f c + i u, h ← o tanh(c), with gates f, i, o and the new value u computed from x and h (Gers et al. 2000)."""

    def __init__(self, hidden_size, in_size=None):
        super().__init__()
        for gate in "fiou":
            setattr(self, f"x2{gate}", Linear(hidden_size, in_size=in_size))
            setattr(self, f"h2{gate}", Linear(hidden_size, in_size=hidden_size, nobias=True))
        self.reset_state()

    def reset_state(self):
        self.h = self.c = None

    def forward(self, x):
        def gate(name, activation):
            z = getattr(self, f"x2{name}")(x)
            return activation(z if self.h is None else z + getattr(self, f"h2{name}")(self.h))

        f, i, o, u = gate("f", F.sigmoid), gate("i", F.sigmoid), gate("o", F.sigmoid), gate("u", F.tanh)
        self.c = i * u if self.c is None else f * self.c + i * u
        self.h = o * F.tanh(self.c)
        return self.h


class EmbedID(Layer):
    """A row of W for each integer."""

    def __init__(self, in_size, out_size):
        super().__init__()
        self.W = Parameter(_normal(in_size, out_size, scale=1, dtype=np.float32), name="W")

    def forward(self, x):
        return F.embed_id(x, self.W)


class BatchNorm(Layer):
    """Normalizes channels; avg_mean and avg_var follow the batches, are saved with the weights, and never get a gradient."""

    def __init__(self):
        super().__init__()
        for name in ("avg_mean", "avg_var", "gamma", "beta"):
            setattr(self, name, Parameter(None, name=name))

    def forward(self, x):
        if self.avg_mean.data is None:
            xp = cuda.get_array_module(x)
            channels = {"shape": x.shape[1], "dtype": x.dtype}
            self.avg_mean.data, self.avg_var.data = xp.zeros(**channels), xp.ones(**channels)
            self.gamma.data, self.beta.data = xp.ones(**channels), xp.zeros(**channels)
        return F.batch_norm(x, self.gamma, self.beta, self.avg_mean.data, self.avg_var.data)
