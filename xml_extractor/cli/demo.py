"""The `demo` command: create documents and load them, to see what the program does."""

from fractions import Fraction
from pathlib import Path

import click

from xml_extractor.cli.boundary import say
from xml_extractor.cli.help import command
from xml_extractor.cli.parameters import WholeNumber
from xml_extractor.errors import EXIT_REJECTS, UsageError
from xml_extractor.settings import DEFAULT_CONTRACT, LIMITS, RunSettings

NEXT = (
    "Next:",
    "  xml-extractor status --contract {contract} --target {target}",
    "  xml-extractor preview {target} --contract {contract}",
    "  xml-extractor run --contract {contract} --target {target}   finds nothing left to do",
    "  xml-extractor contracts {contract}   prints the contract",
)
REJECTS = "  xml-extractor rejects --contract {contract} --target {target} --summary"


@command("demo", "--documents 100")
@click.option(
    "--to", "directory", type=click.Path(path_type=Path), default="demo", show_default=True, help="Directory to create."
)
@click.option(
    "--documents", type=WholeNumber(1), default=1000, show_default=True, metavar="N", help="Number of documents."
)
@click.option(
    "--faulty", is_flag=True, help="Make 3% of the documents faulty, to see how they are rejected; the exit code is 1."
)
@click.option(
    "--workers", type=WholeNumber(*LIMITS["workers"]), default=4, show_default=True, help="Number of worker processes."
)
def demo_command(directory: Path, documents: int, workers: int, *, faulty: bool) -> int:
    """Create sample documents in a new directory, and load them.

    Documents and rows are in one SQLite file; neither a server nor a driver is needed. All people in the documents are
    invented.
    """
    from xml_extractor.cli.run import load
    from xml_extractor.cli.sample import create_samples

    if directory.exists():
        raise UsageError(f"{directory} exists already", "remove it, or name another directory with --to")
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"{directory} cannot be created: {error.strerror}", "name another one with --to") from error
    target = f"sqlite:///{(directory / 'demo.db').as_posix()}"
    create_samples(DEFAULT_CONTRACT, documents, target, 1, Fraction(3, 100) if faulty else Fraction(0))
    settings = RunSettings(
        DEFAULT_CONTRACT, target, target, workers, metrics_dir=directory, rejects_dir=directory / "rejects"
    )
    code = load(settings)
    for line in (*NEXT, *([REJECTS] if code == EXIT_REJECTS else [])):
        say(line.format(contract=DEFAULT_CONTRACT, target=target))
    return code
