"""`dlfs`: finds the subcommand, and shows what a user can mend as one line instead of a traceback.

A subcommand is a module of dlfs/commands with a click command named `command`. It is imported only when it is called, so
that `dlfs --help` loads no NumPy, PyTorch or matplotlib.
"""

import importlib
import sys
from collections.abc import Sequence

import click

from dlfs import __version__
from utils.errors import DLFSError, unknown_name

COMMANDS = {  # name: what it does, as --help says it
    "list": "The twelve models: tier, levels, and where each stands.",
    "compare": "Run a model at every level and check that all compute the same.",
    "diff": "Two levels of a model side by side, function by function.",
    "train": "Train a model at one level or at all of them.",
    "convert": "A checkpoint of another library in our names, or ours in another library's.",
    "graph": "The graph behind a model's loss on the engine, as text or as a picture.",
    "profile": "Which op of a model takes how long on the engine.",
    "gallery": "Every augmentation of images and sound, as pictures.",
    "pictures": "What a trained model has learnt, as pictures: filters, feature maps, mistakes.",
    "exercise": "Exercises that are graded at once: list, start, check, watch, hint, solution, blank.",
    "read": "A guide to production code, with the source as it is installed here.",
    "results": "The recorded runs of a model, as its README shows them.",
    "data": "The data sets: which there are, which are here, and fetching one.",
    "doctor": "What is installed and present here, what will not run, and the command that mends it.",
}
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class LazyGroup(click.Group):
    """A group that knows its subcommands' names and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command:
        if name not in COMMANDS:
            raise unknown_name("command", name, COMMANDS)
        return importlib.import_module(f"dlfs.commands.{name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def dlfs() -> None:
    """Twelve deep-learning models, each written at four levels and proven to be the same function.

    A model is called by its number or name: 02, mlp and 02_MLP are one. `dlfs COMMAND --help` says more.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script."""
    arguments = sys.argv[1:] if arguments is None else arguments
    called = ["dlfs"]  # the command and the model, as far as given, to begin an error with
    for argument in arguments[:2]:
        if argument.startswith("-"):
            break
        called.append(argument)
    try:
        status = dlfs.main(arguments, prog_name="dlfs", standalone_mode=False)
    except DLFSError as error:
        fail(f"{' '.join(called)}: {error}", error.exit_status)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        fail(f"{' '.join(called)}: interrupted", INTERRUPTED)
    sys.exit(status or 0)


def fail(message: str, status: int) -> None:
    click.secho(message, fg="red", err=True)
    sys.exit(status)
