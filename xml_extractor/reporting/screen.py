"""What people read: text and tables, as wide as the reader's terminal, or as wide as they are."""

import os
from contextlib import suppress
from typing import TextIO

from rich.console import Console, RenderableType

WIDTH_OF_A_FILE = 10_000
"""Characters in a line when nobody's terminal limits it: only a longer value of a document is folded."""


def rendered(renderable: RenderableType, stream: TextIO | None) -> str:
    """Text and tables as a stream can show them.

    On a terminal tables are as wide as it is, and have its colours. Elsewhere nothing is cut, wrapped or coloured.

    Args:
        renderable: What to show.
        stream: Where it will be written; None if there is no such stream.
    """
    width = None if stream is not None and stream.isatty() else WIDTH_OF_A_FILE
    console = Console(file=stream, width=width, highlight=False, soft_wrap=True)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip(" ") for line in capture.get().split("\n"))


def discard(stream: TextIO | None) -> None:
    """Let what is still written to a stream go nowhere, because nobody reads it any more.

    Otherwise Python complains at its exit that it cannot write what is left, and changes the exit code.
    """
    if stream is None:
        return
    with suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)
