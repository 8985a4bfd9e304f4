"""The SQL Server of the benchmarks: that of the tests, configured by the same environment variable."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from tests import sqlserver
from tests.tcp_proxy import TcpProxy, tcp_proxy
from xml_extractor.contract.layout import TableLayout
from xml_extractor.processing_log.log_table import LOG_TABLE

HIGH_LATENCY_SECONDS = 0.0845
"""The round-trip time to the database of the first users."""

REASON = f"{sqlserver.REASON}."
"""Why a benchmark that needs a server is skipped."""

MISSING = "SQL Server was not measured, because none is configured."


def is_there() -> bool:
    """Return whether a server is configured."""
    return sqlserver.is_there()


def name() -> str:
    """Return the product and version, without the address."""
    if not sqlserver.is_sql_server():
        return "a server that speaks TDS, not Microsoft's"
    version = sqlserver.administrator().execute("SELECT SERVERPROPERTY('ProductVersion')").fetchval()
    return f"Microsoft SQL Server {version}"


@contextmanager
def schema() -> Iterator[str]:
    """Provide the name of a schema that is dropped at the end of the block."""
    with sqlserver.scratch_schema() as made:
        yield made


def near(schema: str) -> str:
    """Return the address of a schema, with its password."""
    return sqlserver.in_schema(schema)


@contextmanager
def proxy(round_trip_seconds: float = HIGH_LATENCY_SECONDS) -> Iterator[TcpProxy]:
    """Provide a proxy that adds latency and counts round trips."""
    with tcp_proxy(*sqlserver.place(), round_trip_seconds) as started:
        yield started


def through(started: TcpProxy, schema: str) -> str:
    """Return the address of a schema through the proxy."""
    return sqlserver.through(started.port, schema)


def session() -> Any:
    """Open a connection with automatic commit."""
    return sqlserver.session()


def empty(schema: str, tables: Sequence[TableLayout]) -> None:
    """Delete all rows of the tables and of the processing log, children first."""
    with closing(session()) as connection:
        for table in (*reversed(tables), LOG_TABLE):
            connection.execute(f"DELETE FROM [{schema}].[{table.table}]").close()  # noqa: S608 - names of a shipped contract
