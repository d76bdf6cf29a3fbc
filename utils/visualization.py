"""Pictures."""

from framework.curves import plot_curves

__all__ = ["plot_curves"]
