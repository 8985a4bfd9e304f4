"""The options of a run, and what sets them besides the command line: the configuration file and the environment."""

import difflib
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from xml_extractor.cli.addresses import PASSWORD_VARIABLES, PREFIX, warn_if_all_can_read
from xml_extractor.cli.command import NotEmpty, Parsed, WholeNumberOrAuto
from xml_extractor.cli.options import (
    CONTRACT_OPTION,
    DOCUMENT_TIMEOUT_OPTION,
    REJECTS_DIR_OPTION,
    SOURCE_OPTIONS,
    START_METHOD_OPTION,
    TARGET_OPTIONS,
    WORKER_OPTIONS,
    F,
    added,
    names_of,
    number,
    setting,
    with_addresses,
)
from xml_extractor.errors import UsageError
from xml_extractor.settings import (
    Engine,
    InsertStrategy,
    KeyRange,
    LogFormat,
    RejectLimit,
    Reprocess,
    Shard,
    ToleranceLimits,
)

RUN_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    CONTRACT_OPTION,
    *SOURCE_OPTIONS,
    *TARGET_OPTIONS,
    *WORKER_OPTIONS,
    number(
        "--limit",
        show_default="none",
        metavar="N",
        help="Process at most N documents.",
    ),
    setting(
        "--range",
        type=Parsed("FIRST:LAST", KeyRange.parse),
        help="Process only documents with keys from FIRST to LAST.",
    ),
    setting(
        "--shard", type=Parsed("K/N", Shard.parse), help="Process only shard K of N equal shards of the documents."
    ),
    number(
        "--min-age",
        default=0,
        metavar="SECONDS",
        help="Leave files that changed in the last SECONDS, which may be incomplete, to the next run.",
    ),
    setting(
        "--reprocess",
        type=click.Choice(get_args(Reprocess)),
        show_default="none",
        help="Reprocess documents of this kind, and replace their rows.",
    ),
    number(
        "--reprocess-version",
        show_default="any",
        metavar="N",
        help="With --reprocess: only documents processed by version N of the contract.",
    ),
    number(
        "--insert-batch-rows",
        default=500,
        metavar="N",
        help="Send at most N rows in one call.",
    ),
    number(
        "--queue-size",
        default=10_000,
        metavar="N",
        help="Queue at most N chunks of documents, or 16 MiB; workers load the chunks that do not fit.",
    ),
    number(
        "--insert-threads",
        kind=WholeNumberOrAuto,
        default="auto",
        help="Number of background insert threads; auto: begins with 1 and adds more while that is faster.",
    ),
    setting(
        "--insert-strategy",
        type=click.Choice(["auto", *get_args(InsertStrategy)]),
        default="auto",
        help="How rows are sent; executemany: one call per table; json: one statement for all tables; auto: measures "
        "both during the run.",
    ),
    setting(
        "--insert-mode",
        type=click.Choice(["queue", "blocking"]),
        default="queue",
        help="Who loads; queue: insert threads, in batches; blocking: each worker, one document at a time.",
    ),
    setting(
        "--max-rejects",
        type=Parsed("N or N%", RejectLimit.parse),
        default="50%",
        help="Stop the run when more than N documents, or N% of them, are rejected; 100%: never.",
    ),
    setting(
        "--max-tolerated",
        type=Parsed("[TABLE.COLUMN=]N or N%", ToleranceLimits.parse),
        show_default="none",
        help="Stop the run when more than N values of a column, or N% of them, are made NULL, defaulted, truncated, "
        "rounded or unknown codes; separate several limits with commas.",
    ),
    setting(
        "--ignore-earlier-rejects",
        is_flag=True,
        help="Exit with 0 if this run rejects no document, even if documents of earlier runs are still rejected.",
    ),
    DOCUMENT_TIMEOUT_OPTION,
    START_METHOD_OPTION,
    setting(
        "--engine",
        type=click.Choice(get_args(Engine)),
        default="processes",
        help="Who maps and loads; processes: worker processes of this machine; spark: executors of Apache Spark.",
    ),
    setting(
        "--master",
        metavar="URL",
        show_default="that of spark-submit, or local[*]",
        help="With --engine spark: the master, such as local[4], spark://HOST:7077, yarn or k8s://HOST.",
    ),
    setting(
        "--log-level",
        type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
        default="WARNING",
        help="Lowest level of log lines on standard error.",
    ),
    setting(
        "--log-format",
        type=click.Choice(get_args(LogFormat)),
        default="text",
        help="Format of log lines; json: one JSON object per line.",
    ),
    setting(
        "--progress/--no-progress",
        default=True,
        help="Show the progress on standard error: a bar on a terminal, elsewhere a line every 30 seconds.",
    ),
    setting(
        "--metrics-dir",
        type=Parsed("DIRECTORY", lambda name: Path(name) if name else None),
        default="metrics",
        may_be_empty=True,
        help="Directory for the metrics file of the run; '' disables it.",
    ),
    setting(
        "--metrics-prom",
        type=Parsed("FILE", Path),
        show_default="none",
        help="File for the figures of the run in the format of Prometheus.",
    ),
    number(
        "--keep-metrics",
        show_default="forever",
        metavar="DAYS",
        help="Delete metrics files of runs that started more than DAYS days ago.",
    ),
    number(
        "--keep-rejects",
        show_default="forever",
        metavar="DAYS",
        help="Delete rejected documents of runs that started more than DAYS days ago.",
    ),
    REJECTS_DIR_OPTION,
    setting(
        "--reject-values/--no-reject-values",
        default=False,
        help="Include rejected values in the list of rejected documents.",
    ),
)


def run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add all options of a run; see `with_addresses` for the arguments that the command receives."""
    return added(*RUN_OPTIONS)(with_addresses(function))


DEFAULT_CONFIG = Path("xml_extractor.toml")

_PASSWORD = re.compile(rb"://[^/@\s]*:[^@\s]+@|\b(?:pwd|password)[\"']?\s*=\s*[^\s;&]", re.IGNORECASE)
"""What a password in a configuration file looks like: in a URL, an ODBC connection string, or a key of that name."""


def config_option(function: F) -> F:
    """Add `--config`, the file with defaults for options that neither command line nor environment sets."""
    return click.option(
        "--config",
        cls=NotEmpty,
        type=click.Path(path_type=Path, dir_okay=False),
        envvar=f"{PREFIX}CONFIG",
        is_eager=True,
        show_envvar=True,
        expose_value=False,
        callback=_read_config,
        show_default=f"{DEFAULT_CONFIG}, if it exists",
        help="Configuration file (TOML) whose keys are the long names of options, such as batch_size.",
    )(function)


def setting_names() -> tuple[str, ...]:
    """Return the keys that a configuration file may contain."""
    return names_of(RUN_OPTIONS)


def _read_config(ctx: click.Context, _param: click.Parameter, path: Path | None) -> None:
    _check_variables()
    if path is None and not DEFAULT_CONFIG.exists():
        return
    path = path or DEFAULT_CONFIG
    try:
        with path.open("rb") as file:
            mode, content = os.fstat(file.fileno()).st_mode, file.read()
        if _PASSWORD.search(content):
            warn_if_all_can_read(path, mode)
        values = tomllib.loads(content.decode())
    except OSError as error:
        tip = "name another file with --config"
        raise UsageError(f"the configuration file {path} cannot be read: {error.strerror}", tip) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        tip = "write one line per option, such as batch_size = 500"
        raise UsageError(f"{path} is not valid TOML: {error}", tip) from error
    ctx.default_map = {name: _written(path, name, value) for name, value in values.items()}


def _written(path: Path, name: str, value: object) -> str:
    """Return the value of a key as text, as on the command line."""
    known = setting_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        tip = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(known))}"
        raise UsageError(f"{path}: unknown key '{name}'", tip)
    if not isinstance(value, str | int | float):
        raise UsageError(
            f"{path}: the value of '{name}' is not a string, a number or a boolean", "write a single value"
        )
    return str(value)


def _check_variables() -> None:
    """Refuse an empty password, and a variable whose name is similar to that of an option: it is probably misspelt."""
    for variable in PASSWORD_VARIABLES:
        if os.environ.get(variable) == "":
            raise UsageError(f"the environment variable {variable} is empty", "set it to the password, or unset it")
    known = [name.upper() for name in (*setting_names(), "config")]
    known += [variable.removeprefix(PREFIX) for variable in PASSWORD_VARIABLES]
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in known or name.startswith("TEST_"):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        if near:
            raise UsageError(f"unknown environment variable {variable}", f"did you mean {PREFIX}{near[0]}?")
