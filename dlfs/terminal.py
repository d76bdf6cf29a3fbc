"""The look of what is printed: one kind of table, which fits 80 columns where its content does."""

from rich import box
from rich.table import Column, Table


def table(*head: str, whole: str = "level") -> Table:
    """A table with these columns; the one named `whole` is never broken into lines."""
    columns = (Column(name, no_wrap=name == whole, overflow="fold") for name in head)
    return Table(*columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
