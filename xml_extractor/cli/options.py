"""Options that commands share. Each is also an environment variable and a key of `xml_extractor.toml`."""

import difflib
import os
import tomllib
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

import click

from xml_extractor.cli.addresses import (
    PASSWORD,
    PASSWORD_VARIABLES,
    SOURCE_PASSWORD,
    database_address,
    documents_address,
    source_address,
)
from xml_extractor.errors import UsageError
from xml_extractor.settings import (
    DEFAULT_CONTRACT,
    DEFAULT_START_METHOD,
    DEFAULT_TARGET,
    InsertStrategy,
    KeyRange,
    RejectLimit,
    Reprocess,
    Shard,
)

DEFAULT_CONFIG = Path("xml_extractor.toml")
PREFIX = "XML_EXTRACTOR_"
"""How the environment variables of options begin."""

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class WholeNumber(click.IntRange):
    """A whole number from `min` to `max`, by the name that messages and help give it."""

    name = "integer"


class WholeNumberOrAuto(WholeNumber):
    """A whole number, or `auto`."""

    name = "integer or auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the number."""
        return value if value == "auto" else super().convert(value, param, ctx)


class Parsed(click.ParamType[T], Generic[T]):
    """An option's value read by a function that raises `UsageError`."""

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: str | T, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Read the text, or say in click's way what is wrong with it."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except UsageError as error:
            self.fail(f"{error.message}; {error.tip}", param, ctx)


def setting(flag: str, **attributes: Any) -> Callable[[F], F]:
    """Make an option `--some-name`, which is also `XML_EXTRACTOR_SOME_NAME` and the configuration key `some_name`."""
    name = flag.partition("/")[0].removeprefix("--").replace("-", "_")
    defaults: dict[str, Any] = {"envvar": f"{PREFIX}{name.upper()}", "show_default": True}
    return click.option(flag, **defaults | attributes)


def contract_option(function: F) -> F:
    """Add `--contract`."""
    return setting(
        "--contract",
        default=DEFAULT_CONTRACT,
        help="Contract file, or the name of a shipped contract.",
    )(function)


def _kept_password(flag: str, whose: str, variable: str) -> Callable[[F], F]:
    return setting(
        flag,
        type=click.Path(path_type=Path),
        help=f"File with the password of {whose} in its first line; or set {variable}.",
    )


LOGIN_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    setting("--database", metavar="NAME", show_default="that of the login", help="Database on --server."),
    setting("--username", metavar="NAME", help="User name for --server."),
    setting(
        "--trusted",
        is_flag=True,
        help="Log in to --server as the user of the operating system (Windows, Kerberos).",
    ),
    _kept_password("--password-file", "the target", PASSWORD),
    setting(
        "--schema",
        metavar="NAME",
        show_default="that of the user",
        help="SQL Server: schema of tables that the contract gives none, and of the processing log.",
    ),
    setting(
        "--trust-certificate",
        is_flag=True,
        help="SQL Server: do not ask who signed the server's certificate.",
    ),
)
"""What goes with `--server`, and in part with other addresses of SQL Servers."""

SERVER: dict[str, Any] = {"metavar": "HOST", "help": "SQL Server: HOST, HOST,PORT or HOST\\INSTANCE."}
ODBC: dict[str, Any] = {"metavar": "STRING", "help": "SQL Server: an ODBC connection string."}

SHORT_FORMS: tuple[Callable[[Any], Any], ...] = (setting("--server", **SERVER), setting("--odbc", **ODBC))
TARGET_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    setting("--target", default=DEFAULT_TARGET, help="Database to load into, as a SQLAlchemy URL."),
    *SHORT_FORMS,
    *LOGIN_OPTIONS,
)
OPTIONAL_TARGET_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    setting("--target", show_default="none", help="Database to look at, as a SQLAlchemy URL."),
    *SHORT_FORMS,
    *LOGIN_OPTIONS,
)
DESTINATION_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--to",
        "destination",
        default=DEFAULT_TARGET,
        show_default=True,
        help="A database (SQLAlchemy URL), a directory, or a .zip, .tar or .tar.gz file.",
    ),
    click.option("--server", **SERVER),
    click.option("--odbc", **ODBC),
    *LOGIN_OPTIONS,
)
"""Where samples go is said on the command line only: invented documents must not get into the nightly source."""

SOURCE_PASSWORD_OPTION = _kept_password("--source-password-file", "the source", SOURCE_PASSWORD)
SOURCE_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    setting(
        "--source",
        show_default="the target database",
        help="Where documents are: a SQLAlchemy URL, a directory, a glob, a zip or tar archive, or one XML file.",
    ),
    setting("--source-odbc", **ODBC | {"help": "The same as an ODBC connection string."}),
    SOURCE_PASSWORD_OPTION,
)


def added(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Add options in the order in which help shows them."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def target_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--target` and its short forms for SQL Server. The command gets one address, which may hold a secret."""
    return added(*TARGET_OPTIONS)(with_target(function))


def optional_target_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same without a default: the command gets an empty text if no target is given."""
    return added(*OPTIONAL_TARGET_OPTIONS)(with_target(function))


def with_target(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call a command with `TARGET_OPTIONS` by one `target` instead."""
    return _calling(function, TARGET_OPTIONS, lambda context: {"target": database_address(context)})


def with_destination(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call a command with `DESTINATION_OPTIONS` by one `destination` instead."""
    return _calling(
        function, DESTINATION_OPTIONS, lambda context: {"destination": database_address(context, "destination")}
    )


def with_documents(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call a command with an argument SOURCE and `SOURCE_PASSWORD_OPTION` by one `source` instead."""
    return _calling(function, [SOURCE_PASSWORD_OPTION], lambda context: {"source": documents_address(context)})


def with_addresses(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call a command with `SOURCE_OPTIONS` and `TARGET_OPTIONS` by one `source` and one `target` instead.

    The source is the target unless it is said; both are empty if the target has no default.
    """

    def addresses(context: click.Context) -> dict[str, str]:
        target = database_address(context)
        return {"source": source_address(context, target), "target": target}

    return _calling(function, (*SOURCE_OPTIONS, *TARGET_OPTIONS), addresses)


def _calling(
    function: Callable[..., Any],
    options: Sequence[Callable[[Any], Any]],
    addresses: Callable[[click.Context], dict[str, str]],
) -> Callable[..., Any]:
    """Call a function by addresses instead of the values of these options."""

    @wraps(function)
    def command(**values: Any) -> Any:
        others = {name: value for name, value in values.items() if name not in names_of(options)}
        return function(**others | addresses(click.get_current_context()))

    return command


def names_of(options: Sequence[Callable[[Any], Any]]) -> tuple[str, ...]:
    """The names of the values that a command with these options gets."""

    @click.command
    @added(*options)
    def carrier() -> None:
        """Carry the options."""

    return tuple(option.name for option in carrier.params if option.name)


RUN_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    contract_option,
    *SOURCE_OPTIONS,
    *TARGET_OPTIONS,
    setting("--workers", type=WholeNumber(1, 256), default=4, help="Parse-and-map processes."),
    setting("--batch-size", type=WholeNumber(1, 100_000), default=1000, help="Documents fetched per page."),
    setting(
        "--limit",
        type=WholeNumber(0),
        show_default="none",
        help="Process at most so many documents that are not done yet.",
    ),
    setting("--range", type=Parsed("FIRST:LAST", KeyRange.parse), help="Only documents with keys from FIRST to LAST."),
    setting("--shard", type=Parsed("K/N", Shard.parse), help="Only the K-th of N equal shares of the documents."),
    setting(
        "--reprocess",
        type=click.Choice(get_args(Reprocess)),
        show_default="none",
        help="Do these documents again although they are done, and replace their rows.",
    ),
    setting(
        "--reprocess-version",
        type=WholeNumber(1),
        show_default="any",
        help="With --reprocess: only documents that this version of the contract has done.",
    ),
    setting(
        "--insert-batch-rows",
        type=WholeNumber(1, 100_000),
        default=500,
        help="Rows in one insert call at most.",
    ),
    setting(
        "--queue-size",
        type=WholeNumber(1, 1_000_000),
        default=10_000,
        help="Chunks of documents in the insert queue at most, or 16 MiB; when it is full, workers load themselves.",
    ),
    setting(
        "--insert-threads",
        type=WholeNumberOrAuto(1, 64),
        default="auto",
        help="Background insert threads. auto: 1, or 4 for a far target.",
    ),
    setting(
        "--insert-strategy",
        type=click.Choice(["auto", *get_args(InsertStrategy)]),
        default="auto",
        help="executemany: arrays of one table's rows. json: all tables by one statement. auto: json for a far target.",
    ),
    setting(
        "--insert-mode",
        type=click.Choice(["queue", "blocking"]),
        default="queue",
        help="queue: insert threads load batches. blocking: each worker loads its own documents one by one.",
    ),
    setting(
        "--max-rejects",
        type=Parsed("N or N%", RejectLimit.parse),
        show_default="none",
        help="End the run when more documents than this are rejected, as a count or a share.",
    ),
    setting(
        "--start-method",
        type=click.Choice(["spawn", "forkserver"]),
        default=DEFAULT_START_METHOD,
        help="How worker processes are started.",
    ),
    setting(
        "--log-level",
        type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
        default="WARNING",
        help="Which log lines go to standard error.",
    ),
    setting("--progress/--no-progress", default=True, help="Show a progress bar on a terminal."),
    setting(
        "--metrics-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("metrics"),
        help="Where the run's metrics file goes.",
    ),
    setting(
        "--rejects-dir",
        type=Parsed("DIRECTORY", lambda name: Path(name) if name else None),
        default="rejects",
        help="Where rejected documents go, in a directory for each run; '' writes none.",
    ),
    setting(
        "--reject-values/--no-reject-values",
        default=False,
        help="Write refused values into the list of rejected documents.",
    ),
)


def run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add all options of a run, in the order in which help shows them; of addresses the command gets two."""
    return added(*RUN_OPTIONS)(with_addresses(function))


def config_option(function: F) -> F:
    """Add `--config`: the file whose values serve where neither the command line nor the environment says any."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar=f"{PREFIX}CONFIG",
        is_eager=True,
        expose_value=False,
        callback=_read_config,
        show_default=f"{DEFAULT_CONFIG}, if it exists",
        help="Configuration file (TOML) with the long names of options as keys, such as batch_size.",
    )(function)


def setting_names() -> tuple[str, ...]:
    """The keys that a configuration file may have."""
    return names_of(RUN_OPTIONS)


def _read_config(ctx: click.Context, _param: click.Parameter, path: Path | None) -> None:
    _see_that_variables_are_known()
    if path is None and not DEFAULT_CONFIG.exists():
        return
    path = path or DEFAULT_CONFIG
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        tip = "name another with --config"
        raise UsageError(f"the configuration file {path} cannot be read: {error.strerror}", tip) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        tip = "write a line for each option, such as batch_size = 500"
        raise UsageError(f"{path} is not a TOML file: {error}", tip) from error
    ctx.default_map = {name: _written(path, name, value) for name, value in values.items()}


def _written(path: Path, name: str, value: object) -> str:
    """The value of a key as one would write it on the command line."""
    known = setting_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        tip = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(known))}"
        raise UsageError(f"{path}: unknown key '{name}'", tip)
    if not isinstance(value, str | int | float):
        raise UsageError(f"{path}: the value of '{name}' is not one text, number or truth value", "write one value")
    return str(value)


def _see_that_variables_are_known() -> None:
    """Refuse an environment variable that is nearly the name of an option: it would be ignored without a word."""
    known = [name.upper() for name in (*setting_names(), "config")]
    known += [variable.removeprefix(PREFIX) for variable in PASSWORD_VARIABLES]
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in known or name.startswith("TEST_"):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        if near:
            raise UsageError(f"unknown environment variable {variable}", f"did you mean {PREFIX}{near[0]}?")
