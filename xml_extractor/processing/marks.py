"""Where each worker is: notes on disk, because they must outlive a process that is killed."""

import os
import struct
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import NamedTuple, Self

_NOTE = struct.Struct("<qq")


class Mark(NamedTuple):
    """The document that a worker was at.

    Attributes:
        sequence: The number of its work item.
        position: Its position in the item, from 0.
    """

    sequence: int
    position: int


class Marks:
    """The directory of the notes; a context manager in the main process, which removes them at the end."""

    def __init__(self) -> None:
        self._directory = TemporaryDirectory(prefix="xml_extractor-")
        self.path = Path(self._directory.name)

    def of(self, process_id: int) -> Mark | None:
        """The document that a worker is or was at; None if it was at none, such as while it loaded."""
        try:
            note = (self.path / str(process_id)).read_bytes()
        except FileNotFoundError:
            return None
        sequence, position = _NOTE.unpack(note)
        return Mark(sequence, position) if position >= 0 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._directory.cleanup()


class OwnMark:
    """The note of this process.

    Args:
        directory: `Marks.path`.
    """

    def __init__(self, directory: Path) -> None:
        self._file = (directory / str(os.getpid())).open("wb", buffering=0)
        self.clear()

    def set(self, mark: Mark) -> None:
        """Note that the work on a document begins."""
        self._write(*mark)

    def clear(self) -> None:
        """Note that no document is being worked on."""
        self._write(0, -1)

    def close(self) -> None:
        """Close the file, and leave it to be read."""
        self._file.close()

    def _write(self, sequence: int, position: int) -> None:
        self._file.seek(0)
        self._file.write(_NOTE.pack(sequence, position))
