"""torch.utils: what PyTorch keeps here, under its names, so that `import framework.utils.data` means what it means there."""

from .. import absent
from . import checkpoint, data

__all__ = ["checkpoint", "data"]
__getattr__ = absent.refuse_missing(globals(), "framework.utils")
