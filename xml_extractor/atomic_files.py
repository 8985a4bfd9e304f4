"""Atomic file writing: a file appears under its name only when it is complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

OWNER_ONLY = 0o600
EVERYBODY = 0o666
"""Permissions of a new file, less the process's umask."""


@contextmanager
def atomic_write(path: Path, mode: int = EVERYBODY) -> Iterator[BinaryIO]:
    """Open a temporary file beside a path, and rename it to the path when the block ends.

    If the block or the renaming fails, the temporary file is deleted and an existing file at the path stays as it was.

    Args:
        path: The file to create or to replace.
        mode: The permissions of the file.

    Raises:
        OSError: The file cannot be written.
    """
    temporary = path.parent / f"{path.name}.tmp"
    try:
        with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 atomically.

    Raises:
        OSError: The file cannot be written.
    """
    with atomic_write(path) as file:
        file.write(text.encode())
