"""How a file is fetched: what came before the connection broke is kept, and the next try goes on from there."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CHUNK = 1 << 16  # bytes: at most so much is lost when the connection breaks


def part_of(path: Path) -> Path:
    """Where the bytes of a file are kept until it is whole."""
    return path.with_name(path.name + ".part")


def resuming(path: Path) -> Any:
    """pooch's downloader for a file that is to lie at path."""
    return functools.partial(fetch, part_of(path))


def fetch(part: Path, url: str, output_file: str, pooch: Any = None) -> None:
    """Put the rest of what is at url behind the bytes in part, then move part to output_file; requests' errors leave part as it is.

    Whether the bytes belong together is for the checksum to say: one of a file that was changed in between is wrong.
    Two processes may do this at once: each writes the same bytes to the same places.
    """
    import requests

    start = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity"}  # the bytes as they lie on the server: else an offset means nothing
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(url, headers=headers, stream=True, timeout=30) as response:
        whole = start > 0 and response.status_code == requests.codes.requested_range_not_satisfiable  # nothing is left
        if not whole:
            response.raise_for_status()
            start = start if response.status_code == requests.codes.partial_content else 0  # some servers begin anew
            length = int(response.headers.get("Content-Length", 0))
            part.touch()
            with part.open("r+b") as file, progress_bar(Path(url).name, start, start + length) as advance:
                file.seek(start)
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    advance(len(chunk))
                file.truncate()
    os.replace(part, output_file)


@contextlib.contextmanager
def progress_bar(name: str, start: int, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal's standard error, none elsewhere; the function that it gives says how many bytes have come since the last time."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total or None, completed=start)
        yield functools.partial(bar.advance, task)
