"""torch.utils.data: the engine's framework.data."""

from .. import absent
from ..data import *  # noqa: F403
from ..data import __all__ as __all__

__getattr__ = absent.refuse_missing(globals(), "framework.utils.data")
