"""torch.utils.checkpoint: memory traded for time."""

from .. import absent
from ..function import checkpoint

__all__ = ["checkpoint"]
__getattr__ = absent.refuse_missing(globals(), "framework.utils.checkpoint")
