"""Where a SQL Server is and how to log in: a SQLAlchemy URL, or an ODBC connection string within one."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.dialects import registry
from sqlalchemy.engine import URL

from xml_extractor.database.sqlserver.odbc_words import read_connection_string, write_connection_string
from xml_extractor.errors import UsageError

SCHEMA = "schema"
"""The key of an address for the schema of tables that have none in the contract, and of the processing log."""

DEFAULTS = {"ENCRYPT": "yes", "APP": "xml_extractor"}
"""Keywords of the connection string where the address says nothing."""


@dataclass(frozen=True, slots=True)
class SqlServerAddress:
    """A database on a SQL Server.

    Attributes:
        words: Keywords of the ODBC connection string, in upper case; they may hold a password.
        schema: The schema of tables that have none in the contract; empty for the login's default schema.
    """

    words: Mapping[str, str]
    schema: str = ""

    @property
    def name(self) -> str:
        """What to call it in messages, without secrets."""
        place = self.words.get("SERVER") or self.words.get("DSN", "")
        host = place.removeprefix("tcp:").replace(",", ":")
        schema = f"?{SCHEMA}={self.schema}" if self.schema else ""
        return f"mssql://{host}/{self.words.get('DATABASE', '')}{schema}"

    @property
    def database_name(self) -> str:
        """Server and database; two addresses with the same one lead to the same tables."""
        place = self.words.get("SERVER") or self.words.get("DSN", "")
        return f"{place}/{self.words.get('DATABASE', '')}".casefold()

    def connection_string(self, driver: str) -> str:
        """What ODBC connects by.

        Args:
            driver: Used if the address names neither a driver nor a data source.
        """
        chosen = {} if "DRIVER" in self.words or "DSN" in self.words else {"DRIVER": driver}
        return write_connection_string({**chosen, **DEFAULTS, **self.words})


def read_address(url: URL) -> SqlServerAddress:
    """Read the URL of a SQL Server, such as `mssql://user:password@host:1433/database?Encrypt=yes&schema=etl`.

    Keys of the query are keywords of the ODBC connection string; `odbc_connect` is a whole one.

    Raises:
        UsageError: It names no server, or its connection string cannot be read. The message holds no secret.
    """
    schema = url.query.get(SCHEMA, "")
    rest = url.difference_update_query([SCHEMA]).set(drivername="mssql+pyodbc")
    has_driver = any(word.lower() in {"driver", "odbc_connect"} for word in rest.query)
    named = rest if has_driver else rest.update_query_dict({"driver": "any"})
    (text,), _ = registry.load("mssql.pyodbc")().create_connect_args(named)
    try:
        words = read_connection_string(text)
    except ValueError as error:
        raise UsageError(f"the ODBC connection string cannot be read: {error}", "write KEYWORD=value;...") from None
    if not has_driver:
        words.pop("DRIVER", None)
    if not (words.get("SERVER") or words.get("DSN")):
        raise UsageError("the address names no server", "write it as mssql://HOST/DATABASE, or give --server")
    return SqlServerAddress(words, schema if isinstance(schema, str) else schema[-1])


def odbc_address(connection_string: str) -> URL:
    """The URL of an ODBC connection string."""
    return URL.create("mssql+pyodbc", query={"odbc_connect": connection_string})
