"""Examine SQL Server: the drivers on this machine, and databases. Can be imported where pyodbc cannot be loaded.

Sources: "Install the Microsoft ODBC driver for SQL Server (Linux)", the same for macOS, "Download ODBC Driver for SQL
Server", "HAS_PERMS_BY_NAME", "sys.dm_exec_connections" and "SET IDENTITY_INSERT", Microsoft Learn.
"""

import ctypes
import platform
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xml_extractor.connections import DatabaseError, errors_end_the_run
from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.distribution import DISTRIBUTION
from xml_extractor.doctor.examination import Finding, Role, State
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.own_tables import own_tables
from xml_extractor.schema.names import t_sql_table
from xml_extractor.targets.scripts import needed_permissions
from xml_extractor.targets.sqlserver.address import SqlServerAddress, find_driver, read_address
from xml_extractor.urls import URL

if TYPE_CHECKING:
    from xml_extractor.targets.sqlserver.connection import SqlServerConnection

_PAGE = "https://learn.microsoft.com/sql/connect/odbc/linux-mac/installing-the-microsoft-odbc-driver-for-sql-server"
_PYTHON = sys.executable if re.fullmatch(r"[-\w./\\:]+", sys.executable) else f'"{sys.executable}"'
_PIP = f"{_PYTHON} -m pip install"
_PACKAGE = f'{_PIP} "{DISTRIBUTION}[odbc-driver]"'

SYSTEMS = ("Windows", "Debian and Ubuntu", "Red Hat Enterprise Linux and derivatives", "macOS", "other Linux")
WINDOWS, DEBIAN, RED_HAT, MACOS, OTHER_LINUX = SYSTEMS

MANAGER = {
    WINDOWS: f"the driver manager is a part of Windows; {_PIP} --force-reinstall pyodbc",
    DEBIAN: "sudo apt-get install unixodbc",
    RED_HAT: "sudo dnf install unixODBC",
    MACOS: "brew install unixodbc",
    OTHER_LINUX: "install the package unixODBC of your distribution",
}
"""How to get the ODBC driver manager, which pyodbc needs."""

DRIVER = {
    WINDOWS: "winget install Microsoft.msodbcsql.18, or https://learn.microsoft.com/sql/connect/odbc/download-odbc-driver-for-sql-server",
    DEBIAN: f"sudo ACCEPT_EULA=Y apt-get install msodbcsql18, after {_PAGE}; or {_PACKAGE}",
    RED_HAT: f"sudo ACCEPT_EULA=Y dnf install msodbcsql18, after {_PAGE}; or {_PACKAGE}",
    MACOS: "brew tap microsoft/mssql-release https://github.com/Microsoft/homebrew-mssql-release && "
    f"HOMEBREW_ACCEPT_EULA=Y brew install msodbcsql18; or {_PACKAGE}",
    OTHER_LINUX: f"{_PACKAGE}; or see {_PAGE}",
}
"""How to get Microsoft's ODBC driver."""

LIBRARIES = {
    WINDOWS: "reinstall the driver",
    DEBIAN: "sudo apt-get install libkrb5-3 libgssapi-krb5-2",
    RED_HAT: "sudo dnf install krb5-libs",
    MACOS: "brew install openssl",
    OTHER_LINUX: "install the libraries of Kerberos 5",
}
"""How to get the libraries that the driver needs."""


def this_system() -> str:
    """Return the member of `SYSTEMS` for this machine."""
    if sys.platform in {"win32", "darwin"}:
        return WINDOWS if sys.platform == "win32" else MACOS
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return OTHER_LINUX
    words = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if words & {"debian", "ubuntu"}:
        return DEBIAN
    return RED_HAT if words & {"rhel", "fedora", "centos"} else OTHER_LINUX


def examine_installation() -> Iterator[Finding]:
    """Check pyodbc, the driver manager and the drivers."""
    system = this_system()
    try:
        pyodbc = import_module("pyodbc")
    except ImportError as error:
        yield _not_loaded(error, system)
        return
    yield Finding(State.OK, f"pyodbc {version('pyodbc')}")
    installed: list[str] = pyodbc.drivers()
    yield Finding(State.OK, f"installed ODBC drivers: {', '.join(installed) or 'none'}")
    driver = find_driver(installed)
    if not driver:
        yield Finding(State.MISSING, "there is no ODBC driver for SQL Server", DRIVER[system])
    elif driver in installed:
        yield Finding(State.OK, f"{driver} is used")
    else:
        yield _loaded(Path(driver), system)


def how_to_install() -> Iterator[tuple[str, list[str]]]:
    """Return each system with the steps to install the driver manager and the driver."""
    return ((system, [MANAGER[system], DRIVER[system]]) for system in SYSTEMS if system != OTHER_LINUX)


def _not_loaded(error: ImportError, system: str) -> Finding:
    if "libodbc" in str(error):
        text = f"pyodbc cannot be loaded: the ODBC driver manager is not installed ({error.msg})"
        return Finding(State.MISSING, text, MANAGER[system])
    if isinstance(error, ModuleNotFoundError):
        return Finding(State.MISSING, "pyodbc is not installed", f"{_PIP} pyodbc")
    return Finding(State.FAILED, f"pyodbc cannot be loaded: {error.msg}", f"{_PIP} --force-reinstall pyodbc")


def _loaded(library: Path, system: str) -> Finding:
    """Check that the driver's library finds its own libraries: the driver manager reports only `file not found`."""
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return Finding(State.FAILED, f"the ODBC driver {library.name} cannot be loaded: {error}", LIBRARIES[system])
    return Finding(State.OK, f"{library} is used")


ROUND_TRIPS = 5
"""Round trips that are measured; the shortest is shown."""

PERMISSIONS = ("SELECT", "INSERT", "UPDATE", "DELETE", "ALTER")

_ENCRYPTED = ("yes", "mandatory", "strict", "true", "1")
_CREATE_TABLES = "create it with `xml-extractor init`, or grant permissions: `xml-extractor init --sql --grant-to USER`"
_GRANT = "an administrator can run the output of `xml-extractor init --sql --grant-to USER`"
_UNREACHABLE = "check server, port, database and user, that the server runs, and that no firewall blocks the connection"


class Needed(NamedTuple):
    """A table: its name in T-SQL, the permissions that a run needs on it, and what to do if it is missing.

    Attributes:
        possible: Whether it need not exist.
    """

    name: str
    permissions: tuple[str, ...]
    tip: str
    possible: bool = False


def examine(url: URL, contract: Contract | None, roles: Sequence[Role], /) -> Iterator[Finding]:
    """Check a database on a SQL Server for use in these roles.

    Raises:
        UsageError: The address is wrong.
        RunError: The server cannot be reached, or rejects the login or a query.
    """
    address = read_address(url)
    try:
        import_module("pyodbc")  # it needs unixODBC
        from xml_extractor.targets.sqlserver.connection import SqlServerConnection  # noqa: PLC0415 - it needs unixODBC
    except ImportError:
        yield Finding(State.FAILED, f"{address.name} cannot be reached", "install what is missing; see above")
        return
    with errors_end_the_run(TargetError, f"{address.name} cannot be used", _UNREACHABLE):
        began_at = time.perf_counter()
        with closing(SqlServerConnection(address)) as connection:
            yield Finding(State.OK, f"connected to {address.name} in {(time.perf_counter() - began_at) * 1000:.0f} ms")
            yield Finding(State.OK, f"driver {connection.driver}")
            yield from _server(connection, address)
            yield from _permissions(connection, list(_needed(contract, roles, address.schema, connection.log_table)))


def _server(connection: "SqlServerConnection", address: SqlServerAddress) -> Iterator[Finding]:
    yield Finding(
        State.OK, f"a round trip takes {min(_round_trip(connection) for _ in range(ROUND_TRIPS)) * 1000:.1f} ms"
    )
    yield Finding(State.OK, _encryption(connection, address))
    product, number, edition = connection.last_row(
        "SELECT @@VERSION, CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), "
        "CAST(SERVERPROPERTY('Edition') AS nvarchar(128))"
    )
    yield Finding(State.OK, f"{product.partition(' - ')[0].strip()}, version {number}, {edition}")
    login, user, database, schema = connection.last_row("SELECT SUSER_SNAME(), USER_NAME(), DB_NAME(), SCHEMA_NAME()")
    used = f"; the schema {address.schema} is used" if address.schema else ""
    yield Finding(State.OK, f"login {login}, user {user} in database {database}, default schema {schema}{used}")


def _round_trip(connection: "SqlServerConnection") -> float:
    began_at = time.perf_counter()
    connection.last_row("SELECT 1")
    return time.perf_counter() - began_at


def _encryption(connection: "SqlServerConnection", address: SqlServerAddress) -> str:
    """Describe the encryption. The driver never falls back to an unencrypted connection if encryption is on."""
    trusting = address.words.get("TRUSTSERVERCERTIFICATE", "").lower() in _ENCRYPTED
    if address.words.get("ENCRYPT", "yes").lower() in _ENCRYPTED:
        return f"encrypted; the server's certificate was {'not checked' if trusting else 'checked'}"
    try:
        (forced,) = connection.last_row("SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID")
    except DatabaseError:
        return "NOT encrypted as far as this login can see: the address disables it"
    return "encrypted by the server" if forced == "TRUE" else "NOT encrypted: the address disables it"


def _needed(contract: Contract | None, roles: Sequence[Role], schema: str, log: TableLayout) -> Iterator[Needed]:
    has_revisions = contract is not None and contract.document.revision is not None
    tables: Sequence[TableLayout] = layouts(contract) if contract else ()
    for table in (*own_tables(log, has_revisions=has_revisions), *tables) if "target" in roles else ():
        permissions = needed_permissions(table, has_revisions=has_revisions)
        yield Needed(t_sql_table(table.table, schema), permissions, _CREATE_TABLES)
    if contract and roles[-1] != "target":
        tip = "name it in the contract's `source`, grant SELECT on it, or name other documents with --source"
        possible = roles[-1] == "possible source"
        yield Needed(t_sql_table(contract.source.table, schema), ("SELECT",), tip, possible=possible)


def _permissions(connection: "SqlServerConnection", needed: Sequence[Needed]) -> Iterator[Finding]:
    columns = ", ".join(f"HAS_PERMS_BY_NAME(t.name, 'OBJECT', '{permission}')" for permission in PERMISSIONS)
    placeholders = ", ".join(["(?)"] * len(needed))
    rows = connection.query(
        f"SELECT OBJECT_ID(t.name), {columns} FROM (VALUES {placeholders}) AS t(name)",  # noqa: S608 - names are bound
        [each.name for each in needed],
        types=(),
    )
    for each, (object_id, *has) in zip(needed, rows, strict=True):
        held = {permission for permission, yes in zip(PERMISSIONS, has, strict=True) if yes}
        lacking = [permission for permission in each.permissions if permission not in held]
        if object_id is None:
            state = State.NOTE if each.possible else State.MISSING
            yield Finding(state, f"{each.name} does not exist, or this user has no permission on it", each.tip)
        elif lacking:
            yield Finding(State.FAILED, f"{each.name}: this user lacks {', '.join(lacking)}", _GRANT)
        else:
            yield Finding(State.OK, f"{each.name}: {', '.join(each.permissions)}")
