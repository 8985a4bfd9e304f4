"""Options that commands share. Each is also an environment variable and a key of `xml_extractor.toml`."""

import difflib
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import click

from xml_extractor.errors import UsageError
from xml_extractor.settings import DEFAULT_CONTRACT, DEFAULT_START_METHOD, DEFAULT_TARGET, KeyRange, RejectLimit, Shard

DEFAULT_CONFIG = Path("xml_extractor.toml")
PREFIX = "XML_EXTRACTOR_"
"""How the environment variables of options begin."""

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class WholeNumber(click.IntRange):
    """A whole number from `min` to `max`, by the name that messages and help give it."""

    name = "integer"


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


def target_option(function: F) -> F:
    """Add `--target`."""
    return setting("--target", default=DEFAULT_TARGET, help="Database to load into, as a SQLAlchemy URL.")(function)


def source_option(function: F) -> F:
    """Add `--source`."""
    return setting(
        "--source",
        show_default="the target database",
        help="Where documents are: a SQLAlchemy URL, a directory, a glob, a zip or tar archive, or one XML file.",
    )(function)


RUN_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    contract_option,
    source_option,
    target_option,
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
    setting("--insert-threads", type=WholeNumber(1, 64), default=1, help="Background insert threads."),
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
)


def run_options(function: F) -> F:
    """Add all options of a run, in the order in which help shows them."""
    decorated = function
    for option in reversed(RUN_OPTIONS):
        decorated = option(decorated)
    return decorated


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

    @click.command
    @run_options
    def carrier() -> None:
        """Carry the options of a run."""

    return tuple(option.name for option in carrier.params if option.name)


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
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        if near:
            raise UsageError(f"unknown environment variable {variable}", f"did you mean {PREFIX}{near[0]}?")
