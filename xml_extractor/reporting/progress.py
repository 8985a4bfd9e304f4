"""The progress bar of long work: documents that are done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

Advance = Callable[[int], None]


class RateColumn(ProgressColumn):
    """Documents a minute since the start."""

    def render(self, task: Task) -> Text:
        """Say how fast the run is, or nothing before the first document."""
        if not task.elapsed or not task.completed:
            return Text("")
        return Text(f"{task.completed / task.elapsed * 60:,.0f} a minute")


@contextmanager
def progress_bar(console: Console, description: str, *, total: int | None, shown: bool = True) -> Iterator[Advance]:
    """Show a bar while the block runs; it gets a function to call with the number of documents just done.

    Args:
        console: Where to draw; nothing is drawn unless it is a terminal.
        description: What is counted.
        total: The number of documents expected, if known.
        shown: False draws nothing.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as progress:
        task = progress.add_task(description, total=total)
        yield lambda documents: progress.update(task, advance=documents)
