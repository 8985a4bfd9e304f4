"""The options of the command."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from xml_extractor.cli.addresses import database_address, source_address
from xml_extractor.cli.command import WholeNumber
from xml_extractor.cli.options import ODBC, SERVER, SOURCE_PASSWORD_OPTION, added
from xml_extractor.errors import UsageError

DEFAULT_CONTRACT = "card_application"
DEFAULT_DOCUMENTS = 2000
DEFAULT_SCHEMA = "xml_extractor_baseline"

OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--runs", type=WholeNumber(1, 1000), default=5, show_default=True, help="Runs of each set of options."
    ),
    click.option("--a", metavar="OPTIONS", help="Options of the first set; default: '--insert-mode queue'."),
    click.option(
        "--b",
        metavar="OPTIONS",
        help="Options to compare with; default: '--insert-mode blocking', or none if --a is given.",
    ),
    click.option(
        "--documents",
        "--limit",
        "documents",
        type=WholeNumber(1),
        show_default=f"{DEFAULT_DOCUMENTS}, or as stored",
        help="Number of documents that each run loads, generated or from --source.",
    ),
    click.option(
        "--contract", show_default=f"{DEFAULT_CONTRACT}, or as stored", help="Contract file or shipped contract."
    ),
    click.option("--source", metavar="ADDRESS", show_default="generated documents", help="Source of the documents."),
    click.option("--source-odbc", **ODBC | {"help": "The same as an ODBC connection string."}),
    SOURCE_PASSWORD_OPTION,
    click.option(
        "--scratch",
        type=click.Path(path_type=Path, dir_okay=False),
        show_default="in a temporary directory",
        help="SQLite file to load into. It must be empty, not exist, or belong to a baseline.",
    ),
    click.option("--target", metavar="URL", help="Database to load into, in a schema of its own."),
    click.option("--server", **SERVER),
    click.option("--odbc", **ODBC),
    click.option("--database", metavar="NAME", show_default="that of the login", help="Database on --server."),
    click.option("--username", metavar="NAME", help="User name for --server."),
    click.option("--trusted", is_flag=True, help="Log in to --server as the user of the operating system."),
    click.option(
        "--password-file",
        type=click.Path(path_type=Path),
        help="File with the password of the target in its first line; or set XML_EXTRACTOR_PASSWORD.",
    ),
    click.option(
        "--schema",
        metavar="NAME",
        default=DEFAULT_SCHEMA,
        show_default=True,
        help="SQL Server: schema to load into. It must be empty, not exist, or belong to a baseline.",
    ),
    click.option("--trust-certificate", is_flag=True, help="SQL Server: do not verify its certificate."),
    click.option(
        "--metrics-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("metrics"),
        show_default=True,
        help="Directory of baseline.json and baseline.html.",
    ),
    click.option(
        "--store/--no-store",
        default=None,
        show_default="--store if none is stored yet",
        help="Store these figures as the baseline for later comparisons.",
    ),
    click.option(
        "--fail-below",
        type=click.FloatRange(0, min_open=True),
        metavar="RATIO",
        help="End with exit code 1 if the ratio to the stored baseline is below this, such as 0.9.",
    ),
)
"""The target is set on the command line only, so that the target of the nightly run is never emptied by mistake."""


@dataclass(frozen=True, slots=True)
class Request:
    """The values of the options.

    Attributes:
        documents, contract: None for those of the stored baseline, or the default.
        source: Empty for generated documents; may contain secrets.
        target: Empty for a SQLite file in a temporary directory; may contain secrets.
        store: None stores the figures if none are stored yet.
        fail_below: None for no limit.
    """

    runs: int
    a: str | None
    b: str | None
    documents: int | None
    contract: str | None
    source: str = field(repr=False)
    target: str = field(repr=False)
    metrics_dir: Path
    store: bool | None
    fail_below: float | None


def baseline_options(function: Callable[[Request], int]) -> Callable[..., int]:
    """Add the options; the command gets one `Request`."""

    def command(**_values: Any) -> int:
        return function(_request(click.get_current_context()))

    command.__doc__ = function.__doc__
    decorated: Callable[..., int] = added(*OPTIONS)(command)
    return decorated


def _request(context: click.Context) -> Request:
    values = context.params
    scratch: Path | None = values["scratch"]
    if scratch is not None and (values["target"] or values["server"] or values["odbc"]):
        raise UsageError("--scratch is given together with another target", "give one of them")
    target = f"sqlite:///{scratch.absolute()}" if scratch is not None else database_address(context)
    source = source_address(context, target) if values["source"] or values["source_odbc"] else ""
    kept = ("runs", "a", "b", "documents", "contract", "metrics_dir", "store", "fail_below")
    return Request(source=source, target=target, **{name: values[name] for name in kept})
