"""The SQL Server that benchmarks may use: the one that tests use, named by the same environment variable."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from tests import sqlserver
from tests.tcp_proxy import TcpProxy, tcp_proxy
from xml_extractor.contract.layout import TableLayout
from xml_extractor.processing_log.log_table import LOG_TABLE

FAR_SECONDS = 0.0845
"""A round trip to the database of the first users."""

REASON = f"{sqlserver.REASON}."
"""Why a benchmark that needs a server is skipped."""

MISSING = "SQL Server was not measured, because none is configured."


def is_there() -> bool:
    """Whether there is one."""
    return sqlserver.is_there()


def name() -> str:
    """Which one it is, without its address."""
    if not sqlserver.is_sql_server():
        return "a server that speaks TDS, not Microsoft's"
    version = sqlserver.administrator().execute("SELECT SERVERPROPERTY('ProductVersion')").fetchval()
    return f"Microsoft SQL Server {version}"


@contextmanager
def schema() -> Iterator[str]:
    """The name of a schema of our own, which is gone at the end of the block."""
    with sqlserver.scratch_schema() as made:
        yield made


def near(schema: str) -> str:
    """The address of a schema, with its password."""
    return sqlserver.in_schema(schema)


@contextmanager
def proxy(round_trip_seconds: float = FAR_SECONDS) -> Iterator[TcpProxy]:
    """A proxy that puts the server so far away, and counts round trips."""
    with tcp_proxy(*sqlserver.place(), round_trip_seconds) as started:
        yield started


def through(started: TcpProxy, schema: str) -> str:
    """The address of a schema by way of the proxy."""
    return sqlserver.through(started.port, schema)


def session() -> Any:
    """A connection in which each statement is a transaction."""
    return sqlserver.session()


def empty(schema: str, tables: Sequence[TableLayout]) -> None:
    """Delete all rows of the tables and of the processing log, children first."""
    with closing(session()) as connection:
        for table in (*reversed(tables), LOG_TABLE):
            connection.execute(f"DELETE FROM [{schema}].[{table.table}]").close()  # noqa: S608 - names of a shipped contract
