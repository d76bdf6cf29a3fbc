"""The activations as modules. Each is a row: its function, and the settings with PyTorch's defaults."""

from . import functional as F
from . import init
from .module import Module
from .parameter import empty
from .settings import REQUIRED, FunctionModule

__all__ = [
    "ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "SELU", "GELU", "SiLU", "GLU", "Hardtanh", "Softplus", "Sigmoid", "LogSigmoid", "Tanh",
    "Softmax", "Softmax2d", "LogSoftmax", "Softmin", "CELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Mish", "RReLU", "Softshrink",
    "Softsign", "Tanhshrink", "Threshold",
]  # fmt: skip


class ReLU(FunctionModule):
    """max(x, 0)."""

    function, settings = "relu", dict(inplace=False)


class Hardtanh(FunctionModule):
    """x limited to [min_val, max_val]."""

    function, settings = "hardtanh", dict(min_val=-1.0, max_val=1.0, inplace=False)
    shown = ("min_val", "max_val")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.max_val <= self.min_val:
            raise ValueError(f"Hardtanh: max_val {self.max_val} must be above min_val {self.min_val}")


class ReLU6(Hardtanh):
    """min(max(x, 0), 6)."""

    settings, shown = dict(inplace=False), ()
    min_val, max_val = 0.0, 6.0

    def arguments(self):
        return dict(min_val=0.0, max_val=6.0, inplace=self.inplace)


class LeakyReLU(FunctionModule):
    """x where x > 0, negative_slope · x elsewhere."""

    function, settings, shown = "leaky_relu", dict(negative_slope=0.01, inplace=False), ("negative_slope",)


class PReLU(Module):
    """LeakyReLU with a learnt slope, one for all or one a channel (He et al. 2015, section 2.1). Weight (num_parameters,)."""

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = empty(num_parameters, device, dtype)
        self.reset_parameters()

    def reset_parameters(self):
        init.constant_(self.weight, self.init)

    def forward(self, input):
        return F.prelu(input, self.weight)

    def extra_repr(self):
        return f"num_parameters={self.num_parameters}"


class ELU(FunctionModule):
    """x where x > 0, alpha · (exp(x) − 1) elsewhere."""

    function, settings, shown = "elu", dict(alpha=1.0, inplace=False), ("alpha",)


class SELU(FunctionModule):
    """scale · ELU(x), with the constants that keep mean 0 and variance 1 (Klambauer et al. 2017)."""

    function, settings = "selu", dict(inplace=False)


class GELU(FunctionModule):
    """x Φ(x); approximate="tanh" as in GPT-2."""

    function, settings = "gelu", dict(approximate="none")

    def extra_repr(self):
        return f"approximate={self.approximate!r}"


class SiLU(FunctionModule):
    """x σ(x)."""

    function, settings = "silu", dict(inplace=False)


class GLU(FunctionModule):
    """a · σ(b), with a and b the halves of x along dim."""

    function, settings, shown = "glu", dict(dim=-1), ("dim",)


class Softplus(FunctionModule):
    """log(1 + exp(beta · x)) / beta, and x itself where beta · x > threshold."""

    function, settings, shown = "softplus", dict(beta=1.0, threshold=20.0), ("beta", "threshold")


class Sigmoid(FunctionModule):
    """1 / (1 + exp(−x))."""

    function, settings = "sigmoid", {}


class LogSigmoid(FunctionModule):
    """log σ(x)."""

    function, settings = "logsigmoid", {}


class Tanh(FunctionModule):
    """tanh x."""

    function, settings = "tanh", {}


class Softmax(FunctionModule):
    """exp(x) / Σ exp(x) along dim."""

    function, settings, shown = "softmax", dict(dim=None), ("dim",)


class LogSoftmax(FunctionModule):
    """log softmax along dim."""

    function, settings, shown = "log_softmax", dict(dim=None), ("dim",)


class Softmin(FunctionModule):
    """softmax(−x) along dim."""

    function, settings, shown = "softmin", dict(dim=None), ("dim",)

    def forward(self, input):
        return F.softmax(-input, self.dim)


class Softmax2d(Module):
    """softmax over the channels of (B, C, H, W) or (C, H, W)."""

    def forward(self, input):
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected (B, C, H, W) or (C, H, W), got {tuple(input.shape)}")
        return F.softmax(input, -3)


class CELU(FunctionModule):
    """x where x > 0, alpha · (exp(x / alpha) − 1) elsewhere."""

    function, settings, shown = "celu", dict(alpha=1.0, inplace=False), ("alpha",)


class Hardshrink(FunctionModule):
    """x where |x| > lambd, 0 elsewhere."""

    function, settings = "hardshrink", dict(lambd=0.5)

    def extra_repr(self):
        return f"{self.lambd}"


class Softshrink(Hardshrink):
    """x moved towards 0 by lambd, and 0 where |x| ≤ lambd."""

    function = "softshrink"


class Tanhshrink(FunctionModule):
    """x − tanh(x)."""

    function, settings = "tanhshrink", {}


class Softsign(FunctionModule):
    """x / (1 + |x|)."""

    function, settings = "softsign", {}


class Threshold(FunctionModule):
    """x where x > threshold, value elsewhere."""

    function, settings = "threshold", dict(threshold=REQUIRED, value=REQUIRED, inplace=False)
    shown = ("threshold", "value")


class Hardsigmoid(FunctionModule):
    """min(max(x + 3, 0), 6) / 6."""

    function, settings = "hardsigmoid", dict(inplace=False)


class Hardswish(FunctionModule):
    """x · hardsigmoid(x)."""

    function, settings = "hardswish", dict(inplace=False)


class Mish(FunctionModule):
    """x tanh(log(1 + exp(x)))."""

    function, settings = "mish", dict(inplace=False)


class RReLU(FunctionModule):
    """LeakyReLU whose slopes are drawn from [lower, upper] in training, and their mean afterwards."""

    function, settings, shown = "rrelu", dict(lower=1 / 8, upper=1 / 3, inplace=False), ("lower", "upper")

    def forward(self, input):
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)
