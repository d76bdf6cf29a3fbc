"""The command line, and what it is made of: the studies, their levels, the comparison."""

__version__ = "0.1.0"
