"""The `sample` command: documents to try with."""

import sys
from fractions import Fraction
from pathlib import Path

import click

from xml_extractor.cli.options import Parsed
from xml_extractor.database.sources import open_source_writer
from xml_extractor.errors import UsageError
from xml_extractor.samples import KINDS, samples
from xml_extractor.samples.writers import by_number, write_samples, write_to_files
from xml_extractor.settings import DEFAULT_TARGET


def share(text: str) -> Fraction:
    """Read a share such as `3%` or `0.03`.

    Raises:
        UsageError: It is no number.
    """
    try:
        return Fraction(text[:-1]) / 100 if text.endswith("%") else Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"'{text}' is not a share", "write it as 3% or 0.03") from None


@click.command("sample")
@click.argument("kind", type=click.Choice(sorted(KINDS)))
@click.argument("count", type=click.IntRange(1))
@click.option(
    "--to",
    "destination",
    default=DEFAULT_TARGET,
    show_default=True,
    help="A database (SQLAlchemy URL), a directory, or a .zip, .tar or .tar.gz file.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same documents.")
@click.option(
    "--faulty",
    type=Parsed("SHARE", share),
    default="0%",
    show_default=True,
    help="Share of documents with a known fault, such as 3%; they are listed in a file beside the documents.",
)
def sample_command(kind: str, count: int, destination: str, seed: int, faulty: Fraction) -> None:
    """Make COUNT sample documents of a KIND. All people and companies in them are invented."""
    made = samples(kind, count, seed, faulty)
    with click.progressbar(made, length=count, label="Making documents", file=sys.stderr) as bar:
        if "://" in destination:
            with open_source_writer(destination) as writer:
                faults_list = Path(f"{destination.partition('://')[2].removeprefix('/')}.faults.jsonl")
                write_samples(bar, writer.write, faults_list, by_number)
        else:
            write_to_files(bar, Path(destination))
    click.echo(f"{count:,} documents of {kind} are in {destination}")
