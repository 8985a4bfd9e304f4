"""The configuration file, and misspelt environment variables."""

import difflib
import os
import re
import tomllib
from pathlib import Path

import click

from xml_extractor.cli.addresses import PASSWORD_VARIABLES, PREFIX, warn_if_all_can_read
from xml_extractor.cli.options import F, names_of
from xml_extractor.cli.parameters import NotEmpty
from xml_extractor.cli.run_options import RUN_OPTIONS
from xml_extractor.errors import UsageError

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
