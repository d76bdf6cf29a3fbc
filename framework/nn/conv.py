"""Convolutions and their transposes in one, two and three dimensions: one definition for all."""

import math

from . import functional as F
from . import init
from .module import Module
from .parameter import empty

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def ntuple(value, n, name):
    """A number as n equal ones; n numbers as they are; ValueError for another count."""
    if isinstance(value, (tuple, list)):
        if len(value) != n:
            raise ValueError(f"{name}: expected a number or {n} of them, got {value!r}")
        return tuple(value)
    return (value,) * n


class _ConvNd(Module):
    """What all convolutions share. Subclasses say in how many dimensions, and whether transposed."""

    dimensions = 0
    transposed = False

    def _set_up(self, in_channels, out_channels, sizes, output_padding, groups, bias, padding_mode, device, dtype):
        name, n = self._get_name(), self.dimensions
        if groups <= 0 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: in_channels={in_channels} and out_channels={out_channels} must be multiples of groups={groups}, above 0"
            )
        if padding_mode not in _PADDING_MODES:
            raise ValueError(f"{name}: padding_mode is one of {', '.join(_PADDING_MODES)}, not {padding_mode!r}")
        if isinstance(sizes["padding"], str):
            if sizes["padding"] not in ("valid", "same"):
                raise ValueError(f'{name}: padding is a number, "valid" or "same", not {sizes["padding"]!r}')
            if sizes["padding"] == "same" and any(step != 1 for step in ntuple(sizes["stride"], n, name)):
                raise ValueError(f'{name}: padding="same" needs stride 1, not {sizes["stride"]}')
        self.in_channels, self.out_channels, self.groups, self.padding_mode = (
            in_channels,
            out_channels,
            groups,
            padding_mode,
        )
        for size, value in sizes.items():
            setattr(self, size, value if isinstance(value, str) else ntuple(value, n, f"{name}: {size}"))
        self.output_padding = ntuple(output_padding, n, f"{name}: output_padding")
        channels = (in_channels, out_channels // groups) if self.transposed else (out_channels, in_channels // groups)
        self.weight = empty((*channels, *self.kernel_size), device, dtype)
        self.register_parameter("bias", empty(out_channels, device, dtype) if bias else None)
        self._reversed_padding_repeated_twice = self._padding_of_each_side()
        self.reset_parameters()

    def _padding_of_each_side(self):
        """The padding as F.pad takes it: before and after, last dimension first."""
        if self.padding == "valid":
            pairs = [(0, 0)] * self.dimensions
        elif self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            pairs = [(total // 2, total - total // 2) for total in totals]
        else:
            pairs = [(p, p) for p in self.padding]
        return [p for pair in reversed(pairs) for p in pair]

    def reset_parameters(self):
        """U(−1/√fan_in, 1/√fan_in) for both."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in:
                init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def extra_repr(self):
        n = self.dimensions
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        for name, default in (
            ("padding", (0,) * n),
            ("dilation", (1,) * n),
            ("output_padding", (0,) * n),
            ("groups", 1),
        ):
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Conv(_ConvNd):
    """(B, C_in, *size) → (B, C_out, *size'). Weight (C_out, C_in/groups, *kernel), bias (C_out,). Also without B."""

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
        padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        sizes = dict(kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation)
        self._set_up(in_channels, out_channels, sizes, 0, groups, bias, padding_mode, device, dtype)

    def _conv_forward(self, input, weight, bias):
        convolve, padding = getattr(F, f"conv{self.dimensions}d"), self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode), 0
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input):
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv):
    __doc__ = _Conv.__doc__
    dimensions = 1


class Conv2d(_Conv):
    __doc__ = _Conv.__doc__
    dimensions = 2


class Conv3d(_Conv):
    __doc__ = _Conv.__doc__
    dimensions = 3


class _ConvTranspose(_ConvNd):
    """(B, C_in, *size) → (B, C_out, *size'), the gradient of a convolution. Weight (C_in, C_out/groups, *kernel), bias (C_out,)."""

    transposed = True

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1,
        padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        if padding_mode != "zeros":
            raise ValueError(f'{self._get_name()}: only padding_mode="zeros" is possible, not {padding_mode!r}')
        if isinstance(padding, str):
            raise ValueError(f"{self._get_name()}: padding is a number here, not {padding!r}")
        sizes = dict(kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation)
        self._set_up(in_channels, out_channels, sizes, output_padding, groups, bias, padding_mode, device, dtype)

    def _output_padding(self, input, output_size):
        """The output_padding that makes the output as large as asked for."""
        if output_size is None:
            return self.output_padding
        n = self.dimensions
        wanted = tuple(output_size)[-n:]
        smallest = [
            (size - 1) * s - 2 * p + d * (k - 1) + 1
            for size, s, p, d, k in zip(input.shape[-n:], self.stride, self.padding, self.dilation, self.kernel_size)
        ]
        if any(not 0 <= size - low < step for size, low, step in zip(wanted, smallest, self.stride)):
            largest = [low + step - 1 for low, step in zip(smallest, self.stride)]
            raise ValueError(
                f"{self._get_name()}: output_size {wanted} is not between {tuple(smallest)} and {tuple(largest)}"
            )
        return tuple(size - low for size, low in zip(wanted, smallest))

    def forward(self, input, output_size=None):
        convolve = getattr(F, f"conv_transpose{self.dimensions}d")
        output_padding = self._output_padding(input, output_size)
        return convolve(
            input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
        )


class ConvTranspose1d(_ConvTranspose):
    __doc__ = _ConvTranspose.__doc__
    dimensions = 1


class ConvTranspose2d(_ConvTranspose):
    __doc__ = _ConvTranspose.__doc__
    dimensions = 2


class ConvTranspose3d(_ConvTranspose):
    __doc__ = _ConvTranspose.__doc__
    dimensions = 3
