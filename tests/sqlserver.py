"""The SQL Server to test with, and schemas in it that go away again.

Importing this needs neither pyodbc nor a driver: tests are collected, and skipped, where there is none.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING
from uuid import uuid4

from xml_extractor.targets.sqlserver.address import ODBC, SCHEMA, read_address, write_connection_string
from xml_extractor.urls import URL, parse_url

if TYPE_CHECKING:
    import pyodbc

VARIABLE = "XML_EXTRACTOR_TEST_MSSQL"
"""An ODBC connection string or a SQLAlchemy URL."""

REASON = f"{VARIABLE} names no SQL Server to test with"
NO_DRIVER_MANAGER = "the driver manager is not installed"
"""Why pyodbc cannot be imported."""


def is_there() -> bool:
    """Whether there is a server to test with."""
    return bool(os.environ.get(VARIABLE))


def server_url() -> URL:
    """The address of the database to test in."""
    text = os.environ[VARIABLE]
    return parse_url(text) if "://" in text else URL("mssql+pyodbc", query={ODBC: text})


def session() -> "pyodbc.Connection":
    """A connection to it, in which each statement is a transaction."""
    from xml_extractor.targets.sqlserver.connection import open_session

    return open_session(read_address(server_url()))


def connection_string() -> str:
    """What pyodbc connects by, for tests that read without the product."""
    import pyodbc

    from xml_extractor.targets.sqlserver.address import find_driver

    return read_address(server_url()).connection_string(find_driver(pyodbc.drivers()))


@cache
def is_sql_server() -> bool:
    """Whether the server is one of Microsoft's; others that speak TDS differ in places."""
    return str(administrator().execute("SELECT @@VERSION").fetchval()).startswith("Microsoft")


def in_schema(schema: str) -> str:
    """The address of a schema, with its password."""
    url = server_url()
    return replace(url, query={**url.query, SCHEMA: schema}).render_as_string(hide_password=False)


def schema_of(address: str) -> str:
    """The schema that an address names."""
    return str(parse_url(address).query[SCHEMA])


def options(schema: str, port: int = 0) -> tuple[list[str], dict[str, str]]:
    """Options of a command that name a schema, and environment variables with the password, if there is one.

    Args:
        schema: The schema.
        port: Of a proxy on this machine; 0 for none.
    """
    address = read_address(server_url())
    words = dict((address.with_words(_proxy(port)) if port else address).words)
    password = words.pop("PWD", None)
    variables = {} if password is None else {"XML_EXTRACTOR_PASSWORD": password}
    return ["--odbc", write_connection_string(words), "--schema", schema], variables


def place() -> tuple[str, int]:
    """Host and port of the server."""
    host, _, port = read_address(server_url()).words["SERVER"].removeprefix("tcp:").partition(",")
    return host, int(port or 1433)


def through(port: int, schema: str) -> str:
    """The address of a schema by way of a proxy on this machine."""
    return read_address(parse_url(in_schema(schema))).with_words(_proxy(port)).address


def _proxy(port: int) -> dict[str, str]:
    return {"SERVER": f"127.0.0.1,{port}", "TRUSTSERVERCERTIFICATE": "yes"}


@cache
def administrator() -> "pyodbc.Connection":
    """One connection for all schemas of a process, because logging in takes longer than making them."""
    return session()


@contextmanager
def scratch_schema() -> Iterator[str]:
    """The name of a new schema, which is dropped with all that is in it at the end of the block."""
    schema = f"test_{uuid4().hex[:12]}"
    administrator().execute(f"CREATE SCHEMA [{schema}]").close()
    try:
        yield schema
    finally:
        drop_schema(administrator(), schema)


def drop_schema(connection: "pyodbc.Connection", schema: str) -> None:
    """Drop a schema with its views and tables."""
    foreign_keys = connection.execute(
        "SELECT OBJECT_NAME(parent_object_id), name FROM sys.foreign_keys WHERE schema_id = SCHEMA_ID(?)", schema
    ).fetchall()
    for table, name in foreign_keys:
        connection.execute(f"ALTER TABLE [{schema}].{_quoted(table)} DROP CONSTRAINT {_quoted(name)}").close()
    objects = connection.execute(
        "SELECT name, type FROM sys.objects WHERE schema_id = SCHEMA_ID(?) AND type IN ('U', 'V') ORDER BY type DESC",
        schema,
    ).fetchall()
    for name, kind in objects:
        what = "VIEW" if kind.strip() == "V" else "TABLE"
        connection.execute(f"DROP {what} [{schema}].{_quoted(name)}").close()
    connection.execute(f"DROP SCHEMA [{schema}]").close()


def _quoted(name: str) -> str:
    return f"[{name.replace(']', ']]')}]"
