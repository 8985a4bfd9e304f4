"""The options of the command, and what they ask for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from xml_extractor.cli.addresses import database_address, source_address
from xml_extractor.cli.options import ODBC, SERVER, SOURCE_PASSWORD_OPTION, WholeNumber, added
from xml_extractor.errors import UsageError

DEFAULT_CONTRACT = "card_application"
DEFAULT_DOCUMENTS = 2000
DEFAULT_SCHEMA = "xml_extractor_baseline"

OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--runs", type=WholeNumber(1, 1000), default=5, show_default=True, help="Runs of each set of options."
    ),
    click.option("--a", metavar="OPTIONS", help="Options of the run that counts; default: '--insert-mode queue'."),
    click.option(
        "--b",
        metavar="OPTIONS",
        help="Options to compare with; default: '--insert-mode blocking', or nothing beside --a.",
    ),
    click.option(
        "--documents",
        "--limit",
        "documents",
        type=WholeNumber(1),
        show_default=f"{DEFAULT_DOCUMENTS}, or as stored",
        help="Documents that each run loads: so many are made, or taken from --source.",
    ),
    click.option(
        "--contract", show_default=f"{DEFAULT_CONTRACT}, or as stored", help="Contract file or shipped contract."
    ),
    click.option("--source", metavar="ADDRESS", show_default="documents made for this", help="Where documents are."),
    click.option("--source-odbc", **ODBC | {"help": "The same as an ODBC connection string."}),
    SOURCE_PASSWORD_OPTION,
    click.option(
        "--scratch",
        type=click.Path(path_type=Path, dir_okay=False),
        show_default="in a temporary directory",
        help="SQLite file to load into; it must not exist, be empty, or be a baseline's.",
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
        help="SQL Server: schema to load into; it must not exist, be empty, or be a baseline's.",
    ),
    click.option("--trust-certificate", is_flag=True, help="SQL Server: do not ask who signed its certificate."),
    click.option(
        "--metrics-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("metrics"),
        show_default=True,
        help="Where baseline.json and baseline.html are.",
    ),
    click.option(
        "--store/--no-store",
        default=None,
        show_default="--store if none is stored yet",
        help="Whether these figures become the baseline that later ones are compared with.",
    ),
    click.option(
        "--fail-below",
        type=click.FloatRange(0, min_open=True),
        metavar="RATIO",
        help="End with exit code 1 if the ratio to the stored baseline is below this, such as 0.9.",
    ),
)
"""Where to load is said on the command line only: what serves the nightly run must not be emptied by mistake."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked for.

    Attributes:
        documents, contract: None: as stored, or the default.
        source: Empty for documents that are made; may hold secrets.
        target: Empty for a SQLite file in a temporary directory; may hold secrets.
        store: None: if there is none.
        fail_below: None: never.
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
    """Add the options; the command gets one request."""

    def command(**_values: Any) -> int:
        return function(_request(click.get_current_context()))

    command.__doc__ = function.__doc__
    decorated: Callable[..., int] = added(*OPTIONS)(command)
    return decorated


def _request(context: click.Context) -> Request:
    values = context.params
    scratch: Path | None = values["scratch"]
    if scratch is not None and (values["target"] or values["server"] or values["odbc"]):
        raise UsageError("--scratch is given beside another place to load into", "give one of them")
    target = f"sqlite:///{scratch.absolute()}" if scratch is not None else database_address(context)
    source = source_address(context, target) if values["source"] or values["source_odbc"] else ""
    kept = ("runs", "a", "b", "documents", "contract", "metrics_dir", "store", "fail_below")
    return Request(source=source, target=target, **{name: values[name] for name in kept})
