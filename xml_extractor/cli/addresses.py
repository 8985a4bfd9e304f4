"""From the options that say where databases are to one address for each: a SQLAlchemy URL that may hold a password.

Of options that exclude each other, one from the command line goes before one from the environment, and that before
one from the configuration file. Passwords are never taken from the command line, which every user of the machine can
read, and never asked for.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
from click.core import ParameterSource

from xml_extractor.errors import UsageError
from xml_extractor.targets.registry import read_url
from xml_extractor.targets.sqlserver.address import SqlServerAddress, read_address, read_odbc, server_address

PASSWORD = "XML_EXTRACTOR_PASSWORD"  # noqa: S105 - the name of an environment variable
SOURCE_PASSWORD = "XML_EXTRACTOR_SOURCE_PASSWORD"  # noqa: S105 - as above
PASSWORD_VARIABLES = (PASSWORD, SOURCE_PASSWORD)
"""Environment variables that are no options."""

PLACES = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)
"""Where options are given, the one that counts most first."""

PARTS_OF_SERVER = ("database", "username", "trusted")
OF_SQL_SERVER = ("schema", "trust_certificate")

MAX_PASSWORD_BYTES = 4096


class Given(NamedTuple):
    """An option that was given, and where: an index of `PLACES`."""

    name: str
    flag: str
    place: int


class Secret(NamedTuple):
    """Where a password may come from: an environment variable, or a file that an option names."""

    variable: str
    file_option: str

    @property
    def tip(self) -> str:
        """How to give it."""
        return f"set {self.variable}, or give --{self.file_option.replace('_', '-')}"


OF_TARGET = Secret(PASSWORD, "password_file")
OF_SOURCE = Secret(SOURCE_PASSWORD, "source_password_file")


def database_address(context: click.Context, url_option: str = "target") -> str:
    """The address that `--target`, `--server` or `--odbc` and the options beside them give.

    Args:
        context: Of the command that has these options.
        url_option: The name of the option that takes a whole address.

    Raises:
        UsageError: Options exclude each other or belong to another, an address or a password file cannot be read, a
            password is missing or on the command line. No message holds a secret.
    """
    form = chosen(context, (url_option, "server", "odbc"))
    address = _sql_server(context, form) if form else None
    # A destination is said on the command line or not at all, so what lies elsewhere is meant for other commands.
    place = form.place if form else len(PLACES) if url_option == "target" else 0
    if form is None or form.name != "server":
        _refuse_beside(context, place, PARTS_OF_SERVER, "--server")
    if address is None:
        _refuse_beside(context, place, OF_SQL_SERVER, "--server, --odbc or a mssql:// address")
        return context.params[url_option] or ""
    if context.params["schema"]:
        address = address.with_schema(context.params["schema"])
    if context.params["trust_certificate"]:
        address = address.with_words({"TRUSTSERVERCERTIFICATE": "yes"})
    return _with_password(context, address, OF_TARGET).address


def source_address(context: click.Context, target: str) -> str:
    """The address or the path that `--source` or `--source-odbc` gives; else the target.

    Args:
        context: Of the command that has these options.
        target: The address of the target. Its password serves for the source where server and user name are the same.

    Raises:
        UsageError: As `database_address` does.
    """
    form = chosen(context, ("source", "source_odbc"))
    return target if form is None else _of_source(context, form, target)


def documents_address(context: click.Context) -> str:
    """The address or the path that a command's argument SOURCE gives.

    Raises:
        UsageError: As `database_address` does.
    """
    form = Given("source", "SOURCE", PLACES.index(ParameterSource.COMMANDLINE))
    return _of_source(context, form, "")


def shown_address(address: str) -> str:
    """The address without secrets."""
    url = read_url(address, "database") if "://" in address else None
    if url is None:
        return address
    return read_address(url).name if url.get_backend_name() == "mssql" else url.render_as_string()


def chosen(context: click.Context, names: Sequence[str]) -> Given | None:
    """The one of several options that counts, or None if none of them was given.

    Raises:
        UsageError: Several were given in the same place.
    """
    found = [each for each in (_given(context, name) for name in names) if each]
    first = [each for each in found if each.place == min(each.place for each in found)]
    if len(first) > 1:
        raise UsageError(f"{' and '.join(each.flag for each in first)} are given together", _where(context, first[-1]))
    return first[0] if first else None


def _of_source(context: click.Context, form: Given, target: str) -> str:
    address = _sql_server(context, form)
    if address is None:
        return str(context.params[form.name])
    return _with_password(context, address, OF_SOURCE, _password_of_target(target, address)).address


def _password_of_target(target: str, address: SqlServerAddress) -> str | None:
    """The password in the target's address, if the login is the same."""
    url = read_url(target, "target") if "://" in target else None
    of_target = read_address(url) if url is not None and url.get_backend_name() == "mssql" else None
    return of_target.words.get("PWD") if of_target and of_target.has_same_login(address) else None


def _sql_server(context: click.Context, form: Given) -> SqlServerAddress | None:
    """What a form of address says; None if it is no SQL Server's."""
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
    if address.has_secret and PLACES[form.place] is ParameterSource.COMMANDLINE:
        secret = OF_SOURCE if form.name.startswith("source") else OF_TARGET
        elsewhere = "; or write the address into the configuration file or the environment"
        raise UsageError(
            f"{form.flag} holds a password, and every user of this machine can read the command line",
            f"leave it out and {secret.tip}{elsewhere if _option(context, form.name).envvar else ''}",
        )
    return address


def _username(context: click.Context) -> str:
    login = chosen(context, ("username", "trusted"))
    if login is None:
        raise UsageError(
            "--server needs a way to log in",
            f"give --username NAME, and its password in {PASSWORD} or --password-file; or --trusted for the login of "
            "the operating system (Windows, Kerberos)",
        )
    return str(context.params["username"]) if login.name == "username" else ""


def _refuse_beside(context: click.Context, place: int, names: Sequence[str], wanted: str) -> None:
    """Refuse options that say nothing beside a form from this place, unless they come from one that counts less."""
    for each in (_given(context, name) for name in names):
        if each and each.place <= place:
            raise UsageError(f"{each.flag} goes with {wanted}", _where(context, each))


def _with_password(
    context: click.Context, address: SqlServerAddress, secret: Secret, inherited: str | None = None
) -> SqlServerAddress:
    if not address.takes_password:
        return address
    password = _password(context, secret) or inherited
    if password is not None:
        return address.with_words({"PWD": password})
    if address.lacks_password:
        raise UsageError(f"there is no password for {address.words['UID']} at {address.name}", secret.tip)
    return address


def _password(context: click.Context, secret: Secret) -> str | None:
    """The password from the environment or from a file, whichever place counts more."""
    text = os.environ.get(secret.variable, "")
    file = _given(context, secret.file_option)
    environment = PLACES.index(ParameterSource.ENVIRONMENT)
    if file and (not text or file.place < environment):
        return _first_line(context.params[secret.file_option])
    if file and file.place == environment:
        raise UsageError(f"{secret.variable} and {secret.variable}_FILE are given together", "unset one of them")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"the value of {secret.variable} is not UTF-8", "set it in a UTF-8 locale") from None
    return text or None


def _first_line(path: Path) -> str:
    """The password in a file.

    Containers get their secrets in files that all can read, so that is not refused but said.

    Raises:
        UsageError: It cannot be read, or there is none.
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
    if os.name == "posix" and stat.S_ISREG(mode) and mode & stat.S_IROTH:
        click.echo(f"Warning: every user of this machine can read {path}; `chmod o= {path}` mends it", err=True)
    return password


def _option(context: click.Context, name: str) -> click.Parameter:
    return next(each for each in context.command.params if each.name == name)


def _given(context: click.Context, name: str) -> Given | None:
    place = context.get_parameter_source(name)
    if place not in PLACES or context.params[name] is False:
        return None
    return Given(name, _option(context, name).opts[0], PLACES.index(place))


def _where(context: click.Context, given: Given) -> str:
    """What to do about an option that should not be there, by where it comes from."""
    match PLACES[given.place]:
        case ParameterSource.ENVIRONMENT:
            return f"unset the environment variable {_option(context, given.name).envvar}"
        case ParameterSource.DEFAULT_MAP:
            return f"take the key {given.name} out of the configuration file"
    return f"leave {given.flag} out"
