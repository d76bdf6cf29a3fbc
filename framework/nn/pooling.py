"""Pooling, its opposite, and windows as columns. Each is a row: its function, and the settings with PyTorch's defaults."""

from .settings import REQUIRED, FunctionModule

__all__ = [
    "MaxPool1d", "MaxPool2d", "MaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d",
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d", "Unfold", "Fold",
    "PixelShuffle", "PixelUnshuffle",
]  # fmt: skip


class _Pool(FunctionModule):
    """A pool whose stride is its kernel's size unless given."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.stride is None:
            self.stride = self.kernel_size


class _MaxPool(_Pool):
    settings = dict(kernel_size=REQUIRED, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False)
    shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")


class MaxPool1d(_MaxPool):
    """The maximum of each window: (B, C, L) → (B, C, L')."""

    function = "max_pool1d"


class MaxPool2d(_MaxPool):
    """The maximum of each window: (B, C, H, W) → (B, C, H', W')."""

    function = "max_pool2d"


class MaxPool3d(_MaxPool):
    """The maximum of each window: (B, C, D, H, W) → (B, C, D', H', W')."""

    function = "max_pool3d"


class AvgPool1d(_Pool):
    """The mean of each window: (B, C, L) → (B, C, L')."""

    function = "avg_pool1d"
    settings = dict(kernel_size=REQUIRED, stride=None, padding=0, ceil_mode=False, count_include_pad=True)
    shown = ("kernel_size", "stride", "padding")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name in self.shown:
            value = getattr(self, name)
            setattr(self, name, tuple(value) if isinstance(value, (tuple, list)) else (value,))


class _AvgPoolNd(_Pool):
    settings = dict(
        kernel_size=REQUIRED, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
    )
    shown = ("kernel_size", "stride", "padding")


class AvgPool2d(_AvgPoolNd):
    """The mean of each window: (B, C, H, W) → (B, C, H', W')."""

    function = "avg_pool2d"


class AvgPool3d(_AvgPoolNd):
    """The mean of each window: (B, C, D, H, W) → (B, C, D', H', W')."""

    function = "avg_pool3d"


class _AdaptivePool(FunctionModule):
    """A pool given by the size of its output; None keeps a dimension's size."""

    settings = dict(output_size=REQUIRED)
    shown = ("output_size",)


class AdaptiveAvgPool1d(_AdaptivePool):
    """Means over windows that divide the input evenly: (B, C, L) → (B, C, output_size)."""

    function = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(_AdaptivePool):
    """Means over windows that divide the input evenly: (B, C, H, W) → (B, C, *output_size)."""

    function = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(_AdaptivePool):
    """Means over windows that divide the input evenly: (B, C, D, H, W) → (B, C, *output_size)."""

    function = "adaptive_avg_pool3d"


class _AdaptiveMaxPool(_AdaptivePool):
    settings = dict(output_size=REQUIRED, return_indices=False)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Maxima over windows that divide the input evenly: (B, C, L) → (B, C, output_size)."""

    function = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Maxima over windows that divide the input evenly: (B, C, H, W) → (B, C, *output_size)."""

    function = "adaptive_max_pool2d"


class Upsample(FunctionModule):
    """Resize the dimensions after (B, C) to `size`, or by `scale_factor`."""

    function = "interpolate"
    settings = dict(size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if isinstance(self.scale_factor, tuple):
            self.scale_factor = tuple(float(factor) for factor in self.scale_factor)
        elif self.scale_factor:
            self.scale_factor = float(self.scale_factor)

    def extra_repr(self):
        size = f"scale_factor={self.scale_factor!r}" if self.scale_factor is not None else f"size={self.size!r}"
        return f"{size}, mode={self.mode!r}"


class _Upsampling(Upsample):
    settings = dict(size=None, scale_factor=None)

    def arguments(self):
        return dict(size=self.size, scale_factor=self.scale_factor, mode=self.mode, align_corners=self.align_corners)


class UpsamplingNearest2d(_Upsampling):
    """Upsample by repeating the nearest pixel."""

    mode, align_corners = "nearest", None


class UpsamplingBilinear2d(_Upsampling):
    """Upsample by bilinear interpolation, the corners' centres kept."""

    mode, align_corners = "bilinear", True


class Unfold(FunctionModule):
    """The windows of a convolution as columns: (B, C, H, W) → (B, C · kernel, windows)."""

    function = "unfold"
    settings = dict(kernel_size=REQUIRED, dilation=1, padding=0, stride=1)
    shown = ("kernel_size", "dilation", "padding", "stride")


class Fold(FunctionModule):
    """The sum of columns at the places that they came from: (B, C · kernel, windows) → (B, C, *output_size)."""

    function = "fold"
    settings = dict(output_size=REQUIRED, kernel_size=REQUIRED, dilation=1, padding=0, stride=1)
    shown = tuple(settings)


class PixelShuffle(FunctionModule):
    """(…, C r², H, W) as (…, C, H r, W r)."""

    function, settings, shown = "pixel_shuffle", dict(upscale_factor=REQUIRED), ("upscale_factor",)


class PixelUnshuffle(FunctionModule):
    """(…, C, H r, W r) as (…, C r², H, W)."""

    function, settings, shown = "pixel_unshuffle", dict(downscale_factor=REQUIRED), ("downscale_factor",)
