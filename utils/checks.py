"""What the image models refuse to be fed, in words: their configs' check_input and check_targets."""

from typing import Any


def check_images(model: str, x: Any, image: tuple[int, ...], advice: str = "") -> None:
    """Refuse an x that is not a floating-point (B, *image). advice: what to do about a wrong shape."""
    shape = tuple(x.shape)
    if len(shape) != 4 or shape[1:] != image:
        raise ValueError(f"{model}.forward: expected (B, {', '.join(map(str, image))}), got {shape}{advice}")
    check_pixels(model, x)


def check_pixels(model: str, x: Any) -> None:
    """Refuse an x that is not floating-point."""
    if "float" not in str(x.dtype):
        raise TypeError(f"{model}.forward: expected floating-point x, got {x.dtype}; pixels 0..255 become x / 255")


def check_classes(
    model: str, targets: Any, batch_size: int, num_classes: int, each: str = "a class for each image", look: bool = True
) -> None:
    """Refuse targets that are not batch_size int64 class indices in 0..num_classes-1.

    each: what they are, in words. look: whether to see that they are in the range, for which the CPU waits for a device.
    """
    shape, dtype = tuple(targets.shape), str(targets.dtype).removeprefix("torch.")
    if shape != (batch_size,):
        raise ValueError(f"{model}.loss: expected targets ({batch_size},), {each}, got {shape}")
    if dtype != "int64":
        raise TypeError(f"{model}.loss: expected targets of int64, got {dtype}")
    if batch_size == 0:
        raise ValueError(f"{model}.loss: the mean over an empty batch does not exist; x and targets have 0 rows")
    if look:
        lowest, highest = int(targets.min()), int(targets.max())
        if lowest < 0 or highest >= num_classes:
            raise ValueError(f"{model}.loss: expected targets in 0..{num_classes - 1}, got {lowest}..{highest}")
