"""Examines databases on SQL Servers before a run. Can be imported where pyodbc cannot be loaded.

Sources: "HAS_PERMS_BY_NAME", "sys.dm_exec_connections" and "SET IDENTITY_INSERT", Microsoft Learn.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.engine import URL

from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import LOG_TABLE
from xml_extractor.schema.ddl import needed_permissions, t_sql_table
from xml_extractor.targets.findings import Finding, Role, failed, missing, ok
from xml_extractor.targets.sqlserver.address import SqlServerAddress, read_address

if TYPE_CHECKING:
    import pyodbc

ROUND_TRIPS = 5
"""How many are measured; the shortest is shown."""

PERMISSIONS = ("SELECT", "INSERT", "UPDATE", "DELETE", "ALTER")

_ENCRYPTED = ("yes", "mandatory", "strict", "true", "1")
_MAKE_TABLES = "make it with `xml-extractor init`, or grant permissions: `xml-extractor init --sql --grant-to USER`"
_GRANT = "an administrator can run what `xml-extractor init --sql --grant-to USER` prints"
_UNREACHABLE = (
    "see that server, port, database and user are right, that the server runs, and that no firewall is between"
)


class Needed(NamedTuple):
    """A table, its name in T-SQL, and the permissions that a run needs on it."""

    name: str
    permissions: tuple[str, ...]
    tip: str


def examine(url: URL, contract: Contract, roles: Sequence[Role], /) -> Iterator[Finding]:
    """Look at a database on a SQL Server that is to be used in these roles.

    Raises:
        UsageError: The address is wrong.
        RunError: The server cannot be reached, or refuses.
    """
    address = read_address(url)
    try:
        import pyodbc  # noqa: PLC0415 - it needs unixODBC

        from xml_extractor.targets.sqlserver.errors import errors_end_the_run  # noqa: PLC0415 - as above
        from xml_extractor.targets.sqlserver.session import open_session  # noqa: PLC0415 - as above
    except ImportError:
        yield failed(f"{address.name} cannot be reached", "install what is missing, see above")
        return
    with errors_end_the_run(TargetError, f"{address.name} cannot be used", _UNREACHABLE):
        began_at = time.perf_counter()
        with closing(open_session(address)) as session:
            yield ok(f"connected to {address.name} in {(time.perf_counter() - began_at) * 1000:.0f} ms")
            driver, number = session.getinfo(pyodbc.SQL_DRIVER_NAME), session.getinfo(pyodbc.SQL_DRIVER_VER)
            yield ok(f"driver {driver}, version {number}")
            yield from _server(session, address)
            yield from _permissions(session, list(_needed(contract, roles, address.schema)))


def _server(session: "pyodbc.Connection", address: SqlServerAddress) -> Iterator[Finding]:
    yield ok(f"a round trip takes {min(_round_trip(session) for _ in range(ROUND_TRIPS)) * 1000:.1f} ms")
    yield ok(_encryption(session, address))
    product, number, edition = session.execute(
        "SELECT @@VERSION, CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), "
        "CAST(SERVERPROPERTY('Edition') AS nvarchar(128))"
    ).fetchone()
    yield ok(f"{product.partition(' - ')[0].strip()}, version {number}, {edition}")
    login, user, database, schema = session.execute(
        "SELECT SUSER_SNAME(), USER_NAME(), DB_NAME(), SCHEMA_NAME()"
    ).fetchone()
    used = f"; the schema {address.schema} is used" if address.schema else ""
    yield ok(f"login {login}, user {user} in database {database}, default schema {schema}{used}")


def _round_trip(session: "pyodbc.Connection") -> float:
    began_at = time.perf_counter()
    session.execute("SELECT 1").fetchval()
    return time.perf_counter() - began_at


def _encryption(session: "pyodbc.Connection", address: SqlServerAddress) -> str:
    """Whether the connection is encrypted. The driver never falls back, so its setting is the answer if it is on."""
    trusting = address.words.get("TRUSTSERVERCERTIFICATE", "").lower() in _ENCRYPTED
    if address.words.get("ENCRYPT", "yes").lower() in _ENCRYPTED:
        return f"encrypted; the server's certificate was {'not checked' if trusting else 'checked'}"
    try:
        forced = session.execute("SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID")
        return "encrypted by the server" if forced.fetchval() == "TRUE" else "NOT encrypted: the address says so"
    except session.Error:
        return "NOT encrypted as far as this login may know: the address says so"


def _needed(contract: Contract, roles: Sequence[Role], schema: str) -> Iterator[Needed]:
    tables: Sequence[TableLayout] = (LOG_TABLE, *layouts(contract)) if "target" in roles else ()
    for table in tables:
        yield Needed(t_sql_table(table.table, schema), needed_permissions(table), _MAKE_TABLES)
    if "source" in roles:
        tip = "name it in the contract's `source`, grant SELECT on it, or name other documents with --source"
        yield Needed(t_sql_table(contract.source.table, schema), ("SELECT",), tip)


def _permissions(session: "pyodbc.Connection", needed: Sequence[Needed]) -> Iterator[Finding]:
    columns = ", ".join(f"HAS_PERMS_BY_NAME(t.name, 'OBJECT', '{permission}')" for permission in PERMISSIONS)
    places = ", ".join(["(?)"] * len(needed))
    rows = session.execute(
        f"SELECT OBJECT_ID(t.name), {columns} FROM (VALUES {places}) AS t(name)",  # noqa: S608 - names are bound
        [each.name for each in needed],
    ).fetchall()
    for each, (object_id, *has) in zip(needed, rows, strict=True):
        held = {permission for permission, yes in zip(PERMISSIONS, has, strict=True) if yes}
        lacking = [permission for permission in each.permissions if permission not in held]
        if object_id is None:
            yield missing(f"{each.name} is not there, or this user may not see it", each.tip)
        elif lacking:
            yield failed(f"{each.name}: this user lacks {', '.join(lacking)}", _GRANT)
        else:
            yield ok(f"{each.name}: {', '.join(each.permissions)}")
