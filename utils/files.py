"""Writing files so that a crash, a full disk or Ctrl-C never leaves a half-written one."""

from pathlib import Path

from framework.serialization import replacing


def write_atomically(path: Path, content: bytes | str) -> None:
    """Put content at path, whole or not at all; folders that are missing are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        Path(temporary).write_bytes(content.encode() if isinstance(content, str) else content)
