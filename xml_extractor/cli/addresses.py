"""Combine the options for a database into one address: a SQLAlchemy URL that may contain a password.

Among options that exclude each other, the command line takes precedence over the environment, and the environment over
the configuration file. Passwords are never read from the command line, which every user of the machine can see, and
never prompted for.
"""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from click.core import ParameterSource

from xml_extractor.cli.boundary import say
from xml_extractor.errors import UsageError
from xml_extractor.settings import DEFAULT_CONTRACT

if TYPE_CHECKING:
    from xml_extractor.targets.sqlserver.address import SqlServerAddress
    from xml_extractor.urls import URL

PREFIX = "XML_EXTRACTOR_"
"""The prefix of the environment variables of options."""

PASSWORD = "XML_EXTRACTOR_PASSWORD"  # noqa: S105 - the name of an environment variable
SOURCE_PASSWORD = "XML_EXTRACTOR_SOURCE_PASSWORD"  # noqa: S105 - as above
PASSWORD_VARIABLES = (PASSWORD, SOURCE_PASSWORD)
"""Environment variables that are not options."""

ORIGINS = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)
"""The origins of options, in the order of precedence."""

ADDRESSES = ("source", "source_odbc", "target", "server", "odbc")
PARTS_OF_SERVER = ("database", "username", "trusted")
OF_SQL_SERVER = ("schema", "trust_certificate")

MAX_PASSWORD_BYTES = 4096

_TABLE_NAME = re.compile(r"""[^].["'`\s]{1,128}(?:\.[^].["'`\s]{1,128})?""")


class Given(NamedTuple):
    """An option that was given, and its origin: an index of `ORIGINS`."""

    name: str
    flag: str
    origin: int


class Secret(NamedTuple):
    """The two origins of a password: an environment variable, and an option that names a file."""

    variable: str
    file_option: str

    @property
    def tip(self) -> str:
        """Return the hint for a missing password."""
        return f"set {self.variable}, or give --{self.file_option.replace('_', '-')}"


OF_TARGET = Secret(PASSWORD, "password_file")
OF_SOURCE = Secret(SOURCE_PASSWORD, "source_password_file")


def database_address(context: click.Context, url_option: str = "target") -> str:
    """Return the address given by `--target`, `--server` or `--odbc` and the options that complete them.

    Args:
        context: The context of the command that has these options.
        url_option: The name of the option for a complete address.

    Raises:
        UsageError: Options exclude each other or require another option, an address or a password file cannot be
            read, or a password is missing or on the command line. No message contains a secret.
    """
    address = _database_address(context, url_option)
    name = context.params.get("log_table")
    return _with_log_table(address, name) if name and address else address


def _with_log_table(address: str, name: str) -> str:
    """Return the address of a target with the name of its processing log."""
    from xml_extractor.processing_log.log_table import LOG_TABLE_KEY
    from xml_extractor.targets.parquet.address import LOG_TARGET_KEY
    from xml_extractor.targets.registry import read_url

    if not _TABLE_NAME.fullmatch(name):
        tip = "write NAME or SCHEMA.NAME, without brackets or quotes, at most 128 characters each"
        raise UsageError("the name of the processing log is not valid", tip)
    url = read_url(address, "target")
    of_log = url.query.get(LOG_TARGET_KEY)
    if of_log is not None:
        query = {LOG_TARGET_KEY: _with_log_table(str(of_log), name)}
        return replace(url, query=query).render_as_string(hide_password=False)
    return replace(url, query={**url.query, LOG_TABLE_KEY: name}).render_as_string(hide_password=False)


def _database_address(context: click.Context, url_option: str) -> str:
    form = chosen(context, (url_option, "server", "odbc"))
    datasets = _datasets(context, form)
    if datasets is not None:
        form = _given(context, "log_target")
    elif context.params.get("log_target"):
        _refuse_beside(context, form.origin if form else len(ORIGINS), ("log_target",), "--target parquet:DIR")
    address = _address_of_database(context, form, url_option)
    if datasets is None:
        return address
    from xml_extractor.targets.parquet.address import LOG_TARGET_KEY

    # The address then has :// as all others.
    query = {LOG_TARGET_KEY: address} if form else {}
    return replace(datasets, query={**datasets.query, **query}).render_as_string(hide_password=False)


def _datasets(context: click.Context, form: Given | None) -> "URL | None":
    """Return the address of a directory of Parquet datasets, if an option gives one."""
    from xml_extractor.targets.registry import PARQUET, read_url

    value = context.params[form.name] if form else ""
    return read_url(value, "target") if value.startswith(f"{PARQUET}:") else None


def _address_of_database(context: click.Context, form: Given | None, url_option: str) -> str:
    address = _sql_server(context, form) if form else None
    # A destination is given on the command line only; options of other origins are meant for other commands.
    origin = form.origin if form else len(ORIGINS) if url_option == "target" else 0
    if form is None or form.name != "server":
        _refuse_beside(context, origin, PARTS_OF_SERVER, "--server")
    if address is None:
        _refuse_beside(context, origin, OF_SQL_SERVER, "--server, --odbc or a mssql:// address")
        return context.params[form.name if form else url_option] or ""
    if context.params["schema"]:
        address = address.with_schema(context.params["schema"])
    if context.params["trust_certificate"]:
        address = address.with_words({"TRUSTSERVERCERTIFICATE": "yes"})
    # A command that only prints statements connects to nothing.
    return address.address if context.params.get("sql") else _with_password(context, address, OF_TARGET).address


def contract_given(context: click.Context) -> str:
    """Return the contract given by `--contract`; by default a shipped one if neither a source nor a target is given.

    The bare command can so be tried at once, and no documents are loaded by a contract that nobody chose.

    Raises:
        UsageError: A source or a target is given, but no contract.
    """
    argument, option = context.params.get("contract_argument"), _given(context, "contract")
    if argument and option and option.origin == 0:
        raise UsageError("CONTRACT and --contract exclude each other", "remove one of them")
    given = argument or context.params["contract"]
    if given:
        return str(given)
    named = next((where for where in (_naming(context, name) for name in ADDRESSES) if where), "")
    if not named:
        return DEFAULT_CONTRACT
    raise UsageError(
        f"{named} is given, but no contract",
        "give --contract FILE, or --contract NAME for a shipped contract such as card_application",
    )


def _naming(context: click.Context, name: str) -> str:
    """Return what names a source or a target, also for other commands than this one; empty if nothing does."""
    given = _given(context, name) if name in context.params else None
    if given and given.origin == 0:
        return given.flag
    if f"{PREFIX}{name.upper()}" in os.environ:
        return f"the environment variable {PREFIX}{name.upper()}"
    return f"the key {name} of the configuration file" if name in (context.default_map or {}) else ""


def source_address(context: click.Context, target: str) -> str:
    """Return the address or path given by `--source` or `--source-odbc`, by default the target.

    Args:
        context: The context of the command that has these options.
        target: The address of the target. Its password is used for a source with the same server and user name.

    Raises:
        UsageError: As `database_address` does.
    """
    form = chosen(context, ("source", "source_odbc"))
    return target if form is None else _of_source(context, form, target)


def documents_address(context: click.Context) -> str:
    """Return the address or path given by the argument SOURCE of a command.

    Raises:
        UsageError: As `database_address` does.
    """
    form = Given("source", "SOURCE", ORIGINS.index(ParameterSource.COMMANDLINE))
    return _of_source(context, form, "")


def other_address(context: click.Context, target: str) -> str:
    """Return the address given by `--against`; empty if it is not given. The password is found as that of a source.

    Raises:
        UsageError: As `database_address` does.
    """
    form = _given(context, "against")
    return "" if form is None else _of_source(context, form, target)


def shown_address(address: str) -> str:
    """Return an address without its password."""
    from xml_extractor.targets.parquet.address import read_address as read_directory
    from xml_extractor.targets.registry import PARQUET, read_url
    from xml_extractor.targets.sqlserver.address import read_address

    url = read_url(address, "database") if "://" in address else None
    if url is None:
        return address
    if url.get_backend_name() == PARQUET:
        return read_directory(url).name
    return read_address(url).name if url.get_backend_name() == "mssql" else url.render_as_string()


def chosen(context: click.Context, names: Sequence[str]) -> Given | None:
    """Return the option that takes precedence among several, or None if none was given.

    Raises:
        UsageError: Two options of the same origin were given.
    """
    found = [each for each in (_given(context, name) for name in names) if each]
    first = [each for each in found if each.origin == min(each.origin for each in found)]
    if len(first) > 1:
        raise UsageError(f"{' and '.join(each.flag for each in first)} exclude each other", _where(context, first[-1]))
    return first[0] if first else None


def _of_source(context: click.Context, form: Given, target: str) -> str:
    address = _sql_server(context, form)
    if address is None:
        return str(context.params[form.name])
    return _with_password(context, address, OF_SOURCE, _password_of_target(target, address)).address


def _password_of_target(target: str, address: "SqlServerAddress") -> str | None:
    """Return the password in the target's address if server and user name are the same."""
    from xml_extractor.targets.registry import read_url
    from xml_extractor.targets.sqlserver.address import read_address

    url = read_url(target, "target") if "://" in target else None
    of_target = read_address(url) if url is not None and url.get_backend_name() == "mssql" else None
    return of_target.words.get("PWD") if of_target and of_target.has_same_login(address) else None


def _sql_server(context: click.Context, form: Given) -> "SqlServerAddress | None":
    """Return the SQL Server address that an option gives, or None if it gives another kind of address."""
    from xml_extractor.targets.registry import read_url
    from xml_extractor.targets.sqlserver.address import read_address, read_odbc, server_address

    value: str = context.params[form.name]
    if form.name == "server":
        return server_address(value, context.params["database"] or "", _username(context))
    if form.name in {"odbc", "source_odbc"}:
        address = read_odbc(value)
    else:
        url = read_url(value, form.name) if "://" in value else None
        if url is None or url.get_backend_name() != "mssql":
            return None
        address = read_address(url)
    if address.has_secret and ORIGINS[form.origin] is ParameterSource.COMMANDLINE:
        secret = OF_SOURCE if form.name in ("source", "source_odbc", "against") else OF_TARGET
        elsewhere = "; or set the address in the configuration file or the environment"
        raise UsageError(
            f"{form.flag} contains a password, and every user of this machine can read the command line",
            f"remove it and {secret.tip}{elsewhere if _option(context, form.name).envvar else ''}",
        )
    return address


def _username(context: click.Context) -> str:
    login = chosen(context, ("username", "trusted"))
    if login is None and context.params.get("sql"):
        return ""
    if login is None:
        raise UsageError(
            "--server requires --username or --trusted",
            f"give --username NAME with its password in {PASSWORD} or --password-file; or --trusted for the account "
            "of the operating system (Windows, Kerberos)",
        )
    return str(context.params["username"]) if login.name == "username" else ""


def _refuse_beside(context: click.Context, origin: int, names: Sequence[str], wanted: str) -> None:
    """Refuse options that have no effect without another one, unless their origin has a lower precedence."""
    for each in (_given(context, name) for name in names):
        if each and each.origin <= origin:
            raise UsageError(f"{each.flag} requires {wanted}", _where(context, each))


def _with_password(
    context: click.Context, address: "SqlServerAddress", secret: Secret, inherited: str | None = None
) -> "SqlServerAddress":
    if not address.takes_password:
        return address
    password = _password(context, secret) or inherited
    if password is not None:
        return address.with_words({"PWD": password})
    if address.lacks_password:
        # Somebody may have appended the password to the name.
        user = address.words["UID"].partition(":")[0]
        raise UsageError(f"no password is given for {user} at {address.name}", secret.tip)
    return address


def _password(context: click.Context, secret: Secret) -> str | None:
    """Return the password from the environment or from a file, by the precedence of their origins."""
    text = os.environ.get(secret.variable, "")
    file = _given(context, secret.file_option)
    environment = ORIGINS.index(ParameterSource.ENVIRONMENT)
    if file and (not text or file.origin < environment):
        return _first_line(context.params[secret.file_option])
    if file and file.origin == environment:
        raise UsageError(f"{secret.variable} and {secret.variable}_FILE exclude each other", "unset one of them")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"the value of {secret.variable} is not UTF-8", "set it in a UTF-8 locale") from None
    return text or None


def _first_line(path: Path) -> str:
    """Return the password in a file.

    A file that every user can read causes only a warning, because containers mount secrets in such files.

    Raises:
        UsageError: The file cannot be read, or its first line is empty.
    """
    tip = "write the password into its first line, in UTF-8"
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            line = file.readline(MAX_PASSWORD_BYTES)
        password = line.decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise UsageError(f"the password file {path} cannot be read: {error.strerror}", tip) from None
    except UnicodeDecodeError:
        raise UsageError(f"the password file {path} is not UTF-8", tip) from None
    if not password:
        raise UsageError(f"the first line of the password file {path} is empty", tip)
    warn_if_all_can_read(path, mode)
    return password


def warn_if_all_can_read(path: Path, mode: int) -> None:
    """Warn of a file with a secret that every user of the machine can read.

    Args:
        path: The file.
        mode: Its `st_mode`.
    """
    if os.name == "posix" and stat.S_ISREG(mode) and mode & stat.S_IROTH:
        say(f"Warning: every user of this machine can read {path}; `chmod o= {path}` prevents it", err=True)


def _option(context: click.Context, name: str) -> click.Parameter:
    return next(each for each in context.command.params if each.name == name)


def _given(context: click.Context, name: str) -> Given | None:
    origin = context.get_parameter_source(name)
    if origin not in ORIGINS or context.params[name] is False:
        return None
    return Given(name, _option(context, name).opts[0], ORIGINS.index(origin))


def _where(context: click.Context, given: Given) -> str:
    """Return how to remove an option, depending on its origin."""
    match ORIGINS[given.origin]:
        case ParameterSource.ENVIRONMENT:
            return f"unset the environment variable {_option(context, given.name).envvar}"
        case ParameterSource.DEFAULT_MAP:
            return f"remove the key {given.name} from the configuration file"
    return f"remove {given.flag}"
