"""The commands `sample` and `demo`: create sample documents; `demo` loads them, too."""

import sys
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xml_extractor.cli.addresses import shown_address
from xml_extractor.cli.boundary import say
from xml_extractor.cli.command import Parsed, WholeNumber, command
from xml_extractor.cli.options import DESTINATION_OPTIONS, added, with_destination
from xml_extractor.errors import EXIT_REJECTS, UsageError
from xml_extractor.settings import DEFAULT_CONTRACT, LIMITS, RunSettings

if TYPE_CHECKING:
    from xml_extractor.reporting.console import Show
    from xml_extractor.samples import Sample

KINDS = ("card_application", "ubl_invoice")

NO_DIRECTORIES = (".db", ".sqlite", ".sqlite3", ".gz", ".bz2", ".xz", ".7z", ".rar")
"""Suffixes of names that are probably not meant to be directories of documents."""


def share(text: str) -> Fraction:
    """Parse a share such as `3%` or `0.03`.

    Raises:
        UsageError: It is not a number.
    """
    try:
        return Fraction(text[:-1]) / 100 if text.endswith("%") else Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"'{text}' is not a share", "write it as 3% or 0.03") from None


@command("sample", "card_application 1000 --to sqlite:///demo.db")
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
@click.argument("count", type=WholeNumber(1))
@added(*DESTINATION_OPTIONS)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="Seed of the random generator; the same seed creates the same documents.",
)
@click.option(
    "--faulty",
    type=Parsed("SHARE", share),
    default="0%",
    show_default=True,
    help="Share of documents with a fault, such as 3%; a file next to the documents lists them.",
)
@with_destination
def sample_command(kind: str, count: int, destination: str, seed: int, faulty: Fraction) -> None:
    """Create sample documents.

    KIND is card_application or ubl_invoice, COUNT the number of documents. All people and companies in them are
    invented. Existing documents are never overwritten.
    """
    create_samples(kind, count, destination, seed, faulty)


def create_samples(kind: str, count: int, destination: str, seed: int, faulty: Fraction) -> None:
    """Write sample documents to a database, a directory or an archive, and print where they are.

    Raises:
        XmlExtractorError: They cannot be written.
    """
    from xml_extractor.reporting.console import shown_progress
    from xml_extractor.samples import samples
    from xml_extractor.samples.writers import RECORDS, by_number, faults_list, write_samples, write_to_files
    from xml_extractor.sources.registry import open_source_writer

    with shown_progress(sys.stderr, "Creating") as show:
        if "://" in destination:
            with open_source_writer(destination) as writer:
                listed = faults_list(writer.path)
                made = samples(kind, count, seed, faulty, only_text=not writer.takes_bytes)
                write_samples(_counted(made, count, show), writer.write, listed, by_number)
        else:
            path = _files(destination)
            listed = faults_list(path)
            made = samples(kind, count, seed, faulty, only_well_formed=path.suffix == RECORDS)
            write_to_files(_counted(made, count, show), path)
    say(f"{count:,} documents of {kind} are in {shown_address(destination)}")
    if listed.exists():
        say(f"The faulty documents are listed in {listed}")


def _files(destination: str) -> Path:
    """Return the directory or the archive to write.

    Raises:
        UsageError: The suffix is that of another kind of file.
    """
    from xml_extractor.samples.writers import ARCHIVES

    path = Path(destination)
    is_archive = path.name.endswith(tuple(ARCHIVES))
    if path.name and (is_archive or path.is_dir() or path.suffix not in NO_DIRECTORIES):
        return path
    tip = f"name a directory, a file or an archive ({', '.join(ARCHIVES)}) or sqlite:///FILE"
    raise UsageError(f"samples cannot be written to '{destination}'", tip)


def _counted(made: Iterable["Sample"], count: int, show: "Show") -> Iterator["Sample"]:
    from xml_extractor.reporting.console import Progress

    for number, sample in enumerate(made, 1):
        yield sample
        show(Progress(number, number, count))


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
