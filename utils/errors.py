"""The errors that a user can cause and mend: the command line shows them as one line, without a traceback."""

import difflib
from collections.abc import Iterable


class DLFSError(Exception):
    """What was wrong, where, and what to do next, in one line."""

    exit_status = 1


class UsageError(DLFSError):
    """The command was called wrongly: an unknown name, or options that exclude each other."""

    exit_status = 2


def unknown_name(
    kind: str, name: str, valid: Iterable[str], spellings: Iterable[str] = (), owner: str = "there is"
) -> UsageError:
    """The error for a name that does not exist: what comes nearest, then every valid one.

    spellings: further names to look for the nearest among, beside the valid ones that are listed.
    owner: whose names these are: "02_MLP has".
    """
    valid = list(valid)
    close = difflib.get_close_matches(name.lower(), [*valid, *spellings], n=1, cutoff=0.5)
    nearest = f" Did you mean {close[0]}?" if close else ""
    return UsageError(f"{owner} no {kind} {name!r}.{nearest} Valid: {', '.join(valid)}")
