"""The look of what is printed: one kind of table, which fits 80 columns where its content does; and groups of subcommands."""

import click
from rich import box
from rich.console import Console
from rich.table import Column, Table

from utils.errors import unknown_name


class Subcommands(click.Group):
    """A group that lists its subcommands where one is unknown."""

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if (found := super().get_command(ctx, name)) is None:
            raise unknown_name("command", name, self.commands, owner=f"dlfs {self.name} has")
        return found


def table(*head: str, whole: str = "level") -> Table:
    """A table with these columns; the one named `whole` is never broken into lines."""
    columns = (Column(name, no_wrap=name == whole, overflow="fold") for name in head)
    return Table(*columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def fits(shown: Table, console: Console) -> bool:
    """Whether the console is wide enough for a table in which no cell is broken into lines."""
    return console.measure(shown, options=console.options.update(width=1000)).maximum <= console.width
