"""dlfs data"""

import json

import click
from rich.console import Console

from dlfs.terminal import Subcommands, table
from utils import data_catalogue as catalogue
from utils.data_catalogue import Facts
from utils.data_loaders import load
from utils.errors import unknown_name


@click.group("data", cls=Subcommands)
def command() -> None:
    """The data sets: looked for in the folder that DLFS_DATA names, then in the user's cache, then downloaded."""


def presence(facts: Facts) -> str:
    """Where the data set is on this machine."""
    if not facts.files:
        return "always"
    return str(facts.found_in() or "not here")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def list_command(as_json: bool) -> None:
    """Every data set: size of its download, licence, and where it is on this machine."""
    rows = {name: catalogue.facts(name) for name in catalogue.names()}
    if as_json:
        keys = ("size", "licence", "origin", "check")
        found = [
            dict(name=name, what=catalogue.what(name), present=facts.is_here, where=presence(facts))
            | {key: getattr(facts, key) for key in keys}
            for name, facts in rows.items()
        ]
        click.echo(json.dumps(found, indent=1))
        return
    shown = table("name", "size", "licence", "here", whole="name")
    for name, facts in rows.items():
        shown.add_row(name, facts.size, facts.licence, presence(facts))
    Console().print(shown)


@command.command("get")
@click.argument("name")
def get(name: str) -> None:
    """Fetch the data set NAME if it is not here, check it, and say what is in it."""
    if name not in catalogue.names():
        raise unknown_name("data set", name, catalogue.names())
    data = load(name)
    facts = catalogue.facts(name)
    click.echo(f"{name}: {catalogue.what(name)}")
    for split in ("train", "valid", "test"):
        part = getattr(data, split)
        click.echo(f"  {split:5}  x {tuple(part.x.shape)} {part.x.dtype}, y {tuple(part.y.shape)} {part.y.dtype}")
    click.echo(f"  licence: {facts.licence}; from {facts.origin}; here: {presence(facts)}")
