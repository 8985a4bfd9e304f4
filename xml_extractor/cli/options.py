"""The options that commands share: each is also an environment variable and a key of `xml_extractor.toml`."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xml_extractor.cli.addresses import (
    PASSWORD,
    PREFIX,
    SOURCE_PASSWORD,
    contract_given,
    database_address,
    documents_address,
    source_address,
)
from xml_extractor.cli.command import NotEmpty, Parsed, WholeNumber, Workers
from xml_extractor.settings import (
    DEFAULT_CONTRACT,
    DEFAULT_START_METHOD,
    DEFAULT_TARGET,
    LIMITS,
)

if TYPE_CHECKING:
    from xml_extractor.contract.model import Contract
    from xml_extractor.sources.interfaces import Source

F = TypeVar("F", bound=Callable[..., Any])


def setting(flag: str, **attributes: Any) -> Callable[[F], F]:
    """Return an option `--some-name` that is also `XML_EXTRACTOR_SOME_NAME` and the configuration key `some_name`."""
    name = flag.partition("/")[0].removeprefix("--").replace("-", "_")
    defaults: dict[str, Any] = {
        "envvar": f"{PREFIX}{name.upper()}",
        "show_default": True,
        "show_envvar": True,
        "cls": NotEmpty,
    }
    return click.option(flag, **defaults | attributes)


def number(flag: str, *, kind: type[WholeNumber] = WholeNumber, **attributes: Any) -> Callable[[F], F]:
    """Return a setting that is a number within its `LIMITS`."""
    return setting(flag, type=kind(*LIMITS[flag.removeprefix("--").replace("-", "_")]), **attributes)


CONTRACT_OPTION = setting(
    "--contract",
    show_default=f"{DEFAULT_CONTRACT}, if neither a source nor a target is given",
    help="Contract: a file, or the name of a shipped contract.",
)


def _kept_password(flag: str, whose: str, variable: str) -> Callable[[F], F]:
    return setting(
        flag,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help=f"File whose first line is the password for {whose}; alternative to {variable}.",
    )


LOGIN_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    setting("--database", metavar="NAME", show_default="default of the login", help="Database on --server."),
    setting("--username", metavar="NAME", help="User name for --server."),
    setting(
        "--trusted",
        is_flag=True,
        help="Log in to --server with the account of the operating system (Windows, Kerberos).",
    ),
    _kept_password("--password-file", "the target", PASSWORD),
    setting(
        "--schema",
        metavar="NAME",
        show_default="default of the user",
        help="SQL Server: schema of the processing log and of tables without a schema in the contract.",
    ),
    setting(
        "--trust-certificate",
        is_flag=True,
        help="SQL Server: accept the server's certificate without validation.",
    ),
)
"""Options that complete `--server`; some apply to other SQL Server addresses too."""

TARGET = "Target database, as a SQLAlchemy URL; or parquet:DIR, for Parquet files."
SERVER: dict[str, Any] = {"metavar": "HOST", "help": "SQL Server: HOST, HOST,PORT or HOST\\INSTANCE."}
ODBC: dict[str, Any] = {"metavar": "STRING", "help": "SQL Server, as an ODBC connection string."}

SHORT_FORMS: tuple[Callable[[Any], Any], ...] = (setting("--server", **SERVER), setting("--odbc", **ODBC))
LOG_TABLE_OPTION = setting(
    "--log-table",
    metavar="[SCHEMA.]NAME",
    show_default="processing_log",
    help="Table of the target that records the outcome of each document.",
)
LOG_TARGET_OPTION = setting(
    "--log-target",
    metavar="URL",
    show_default="a SQLite file in DIR",
    help="With --target parquet:DIR: database of the processing log, as a SQLAlchemy URL.",
)
TARGET_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    setting("--target", default=DEFAULT_TARGET, help=TARGET),
    *SHORT_FORMS,
    *LOGIN_OPTIONS,
    LOG_TABLE_OPTION,
    LOG_TARGET_OPTION,
)
OPTIONAL_TARGET_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    setting("--target", show_default="none", help=TARGET),
    *SHORT_FORMS,
    *LOGIN_OPTIONS,
    LOG_TABLE_OPTION,
    LOG_TARGET_OPTION,
)
DESTINATION_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--to",
        "destination",
        cls=NotEmpty,
        default=DEFAULT_TARGET,
        show_default=True,
        help="Destination: a database (SQLAlchemy URL), a directory, or a .zip, .tar or .tar.gz file.",
    ),
    click.option("--server", cls=NotEmpty, **SERVER),
    click.option("--odbc", cls=NotEmpty, **ODBC),
    *LOGIN_OPTIONS,
)
"""Options for the destination of samples.

They are not read from the environment or the configuration file, so that samples never get into the source of a run.
"""

SOURCE_PASSWORD_OPTION = _kept_password("--source-password-file", "the source", SOURCE_PASSWORD)
SOURCE_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    setting(
        "--source",
        show_default="the target database",
        help="Documents: a SQLAlchemy URL, a directory, a glob pattern, a zip or tar archive, a file, members "
        "of archives (ARCHIVE!PATTERN), or - for standard input.",
    ),
    setting("--source-odbc", **ODBC | {"help": "SQL Server with the documents, as an ODBC connection string."}),
    SOURCE_PASSWORD_OPTION,
)


def added(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Return a decorator that adds options in the order in which help lists them."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def with_target(function: Callable[..., Any]) -> Callable[..., Any]:
    """Replace the values of target options by one argument `target`, an address that may contain a password.

    It is empty if the target has no default and none is given. Every function of this kind also gives the command its
    `contract`; see `contract_given`.
    """
    return _calling(function, TARGET_OPTIONS, lambda context: {"target": database_address(context)})


def with_destination(function: Callable[..., Any]) -> Callable[..., Any]:
    """Replace the values of `DESTINATION_OPTIONS` by one argument `destination`."""
    return _calling(
        function, DESTINATION_OPTIONS, lambda context: {"destination": database_address(context, "destination")}
    )


def with_documents(function: Callable[..., Any]) -> Callable[..., Any]:
    """Replace the values of SOURCE and `SOURCE_PASSWORD_OPTION` by one argument `source`."""
    return _calling(function, [SOURCE_PASSWORD_OPTION], lambda context: {"source": documents_address(context)})


def with_addresses(function: Callable[..., Any], *, contract_required: bool = True) -> Callable[..., Any]:
    """Replace the values of `SOURCE_OPTIONS` and target options by two arguments `source` and `target`.

    Each is empty if it is not given and has no default; the default of the source is the target.

    Args:
        function: The command.
        contract_required: Give the command a contract in any case; otherwise `contract` is None if none is given.
    """

    def addresses(context: click.Context) -> dict[str, str]:
        target = database_address(context)
        return {"source": source_address(context, target), "target": target}

    return _calling(function, (*SOURCE_OPTIONS, *TARGET_OPTIONS), addresses, contract_required=contract_required)


def _calling(
    function: Callable[..., Any],
    options: Sequence[Callable[[Any], Any]],
    addresses: Callable[[click.Context], dict[str, str]],
    *,
    contract_required: bool = True,
) -> Callable[..., Any]:
    """Replace the values of options by the addresses that they form, and an absent contract by its default."""

    @wraps(function)
    def command(**values: Any) -> Any:
        context = click.get_current_context()
        others = {name: value for name, value in values.items() if name not in names_of(options)}
        others |= addresses(context)
        if contract_required and "contract" in values:
            others["contract"] = contract_given(context)
        return function(**others)

    return command


def names_of(options: Sequence[Callable[[Any], Any]]) -> tuple[str, ...]:
    """Return the names of the arguments that a command with these options receives."""

    @click.command
    @added(*options)
    def carrier() -> None:
        """Carry the options."""

    return tuple(option.name for option in carrier.params if option.name)


REJECTS_DIR_OPTION = setting(
    "--rejects-dir",
    type=Parsed("DIRECTORY", lambda name: Path(name) if name else None),
    default="rejects",
    may_be_empty=True,
    help="Directory for rejected documents, with a subdirectory per run; '' disables it.",
)

WORKER_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    number(
        "--workers",
        kind=Workers,
        default="auto",
        help="Number of worker processes that parse and map documents; auto: one for each processor.",
    ),
    number("--batch-size", default=1000, help="Number of document keys per page."),
)

DOCUMENT_TIMEOUT_OPTION = number(
    "--document-timeout",
    default=300,
    metavar="SECONDS",
    help="Reject a document that takes longer to parse and map; 0: no limit.",
)

START_METHOD_OPTION = setting(
    "--start-method",
    type=click.Choice(["spawn", "forkserver"]),
    default=DEFAULT_START_METHOD,
    help="Start method of worker processes.",
)

LOOKING_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    *(CONTRACT_OPTION, *SOURCE_OPTIONS, *TARGET_OPTIONS, *WORKER_OPTIONS),
    *(DOCUMENT_TIMEOUT_OPTION, START_METHOD_OPTION),
)
"""The options of commands whose worker processes look at documents, and load nothing; see `looking`."""


def looking(contract: "Contract", source: "Source", options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `LookingContext` by the options of a command."""
    names = ("workers", "batch_size", "document_timeout", "start_method", "sample")
    known = {"contract": contract, "source_name": source.name, "source_address": source.address}
    return known | {name: options[name] for name in names}
