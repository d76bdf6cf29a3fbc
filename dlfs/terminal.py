"""The look of what is printed: one kind of table, which fits 80 columns where its content does."""

from rich import box
from rich.console import Console
from rich.table import Column, Table


def table(*head: str, whole: str = "level") -> Table:
    """A table with these columns; the one named `whole` is never broken into lines."""
    columns = (Column(name, no_wrap=name == whole, overflow="fold") for name in head)
    return Table(*columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def fits(shown: Table, console: Console) -> bool:
    """Whether the console is wide enough for a table in which no cell is broken into lines."""
    return console.measure(shown, options=console.options.update(width=1000)).maximum <= console.width
