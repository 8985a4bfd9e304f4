"""Where a SQL Server is and how to log in: a SQLAlchemy URL, or an ODBC connection string within one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from xml_extractor.errors import UsageError
from xml_extractor.targets.sqlserver.odbc_words import (
    is_secret,
    read_connection_string,
    see_that_words_are_odbc,
    write_connection_string,
)
from xml_extractor.urls import URL

SCHEMA = "schema"
"""The key of an address for the schema of tables that have none in the contract, and of the processing log."""

ODBC = "odbc_connect"
"""The key of an address for a whole ODBC connection string."""

DEFAULTS = {"ENCRYPT": "yes", "APP": "xml_extractor"}
"""Keywords of the connection string where the address says nothing. Driver 17 by itself does not encrypt."""

_WITHOUT_PASSWORD = ("activedirectorymsi", "activedirectoryintegrated", "activedirectoryinteractive")
"""Values of Authentication, in lower case, for which a user name is not followed by a password."""

_IPV6 = r"[0-9A-Fa-f]*(?::[0-9A-Fa-f.]*){2,}(?:%\w+)?"
_SERVER = re.compile(
    rf"(?P<protocol>(?:tcp|np|lpc|admin):)?(?:\[(?P<v6>{_IPV6})\]|(?P<bare_v6>{_IPV6})|(?P<host>[^:,/@;=\[\]{{}}\s]+))"
    r"(?:[:,]\s*(?P<port>\d+))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, repr=False)
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
        host, _, port = place.removeprefix("tcp:").partition(",")
        shown = f"[{host}]" if host.count(":") > 1 else host
        schema = f"?{SCHEMA}={self.schema}" if self.schema else ""
        return f"mssql://{shown}{port and f':{port}'}/{self.words.get('DATABASE', '')}{schema}"

    @property
    def address(self) -> str:
        """The URL that opens the same again, in this or another process; may hold secrets."""
        query = {ODBC: write_connection_string(self.words)} | ({SCHEMA: self.schema} if self.schema else {})
        return URL("mssql+pyodbc", query=query).render_as_string(hide_password=False)

    @property
    def has_secret(self) -> bool:
        """Whether it holds a password."""
        return any(is_secret(word, value) for word, value in self.words.items())

    @property
    def takes_password(self) -> bool:
        """Whether there is a user name without a password, and a way of logging in that has one."""
        by_other_means = (
            self.words.get("AUTHENTICATION", "").lower() in _WITHOUT_PASSWORD
            or self.words.get("TRUSTED_CONNECTION", "").lower() == "yes"
        )
        return bool(self.words.get("UID")) and "PWD" not in self.words and not by_other_means

    @property
    def lacks_password(self) -> bool:
        """Whether nobody can log in without a password; a data source (DSN) may have one of its own."""
        return self.takes_password and "DSN" not in self.words

    def with_words(self, words: Mapping[str, str]) -> Self:
        """The same with these keywords, in upper case, set or replaced."""
        return replace(self, words={**self.words, **words})

    def with_schema(self, schema: str) -> Self:
        """The same with another schema."""
        return replace(self, schema=schema)

    def has_same_login(self, other: "SqlServerAddress") -> bool:
        """Whether server and user name are the same, so that the password is, too."""
        mine, others = (
            (words.get("SERVER", "").casefold(), words.get("DSN"), words.get("UID"))
            for words in (self.words, other.words)
        )
        return mine == others

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

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


def read_address(url: URL) -> SqlServerAddress:
    """Read the URL of a SQL Server, such as `mssql://user:password@host:1433/database?Encrypt=yes&schema=etl`.

    Keys of the query are keywords of the ODBC connection string; `odbc_connect` is a whole one. Without a user name the
    login is that of the operating system. SQLAlchemy's own reading takes a host for a data source (DSN) here and there.

    Raises:
        UsageError: It names no server, or its connection string cannot be read. The message holds no secret.
    """
    query = {key.lower(): value if isinstance(value, str) else value[0] for key, value in url.query.items()}
    schema, connection_string = query.pop(SCHEMA, ""), query.pop(ODBC, None)
    words = {key.upper(): value for key, value in query.items()}
    if connection_string is not None:
        if url.host or url.username:
            raise UsageError(f"the address has a host beside {ODBC}", f"write it into {ODBC}, as SERVER=HOST,PORT")
        words = _read(connection_string) | words
    else:
        words |= _words_of_url(url)
        if not {"UID", "AUTHENTICATION", "TRUSTED_CONNECTION", "DSN"} & set(words):
            words["TRUSTED_CONNECTION"] = "yes"
    return _checked(words, schema)


def read_odbc(connection_string: str, schema: str = "") -> SqlServerAddress:
    """Read an ODBC connection string.

    Raises:
        UsageError: It cannot be read, or names no server. The message holds no secret.
    """
    return _checked(_read(connection_string), schema)


def server_address(server: str, database: str = "", username: str = "") -> SqlServerAddress:
    r"""The address of a server by its parts.

    Args:
        server: `HOST`, `HOST,PORT`, `HOST:PORT` or `HOST\INSTANCE`.
        database: Empty for the default database of the login.
        username: Empty for the login of the operating system (Windows or Kerberos).

    Raises:
        UsageError: This is no server.
    """
    login = {"UID": username} if username else {"TRUSTED_CONNECTION": "yes"}
    return _checked({"SERVER": server} | ({"DATABASE": database} if database else {}) | login, "")


def odbc_address(connection_string: str) -> URL:
    """The URL of an ODBC connection string."""
    return URL("mssql+pyodbc", query={ODBC: connection_string})


def _read(connection_string: str) -> dict[str, str]:
    try:
        return read_connection_string(connection_string)
    except ValueError as error:
        raise UsageError(f"the ODBC connection string cannot be read: {error}", "write KEYWORD=value;...") from None


def _words_of_url(url: URL) -> dict[str, str]:
    words = {
        "SERVER": url.host and (f"{url.host},{url.port}" if url.port else url.host),
        "DATABASE": url.database,
        "UID": url.username,
        "PWD": url.password,
    }
    return {word: value for word, value in words.items() if value or (word == "PWD" and value is not None)}


def _checked(words: Mapping[str, str], schema: str) -> SqlServerAddress:
    see_that_words_are_odbc(words)
    words = dict(words)
    if words.get("DRIVER", "").startswith("{"):
        words["DRIVER"] = words["DRIVER"].strip("{}")
    if words.get("SERVER"):
        words["SERVER"] = _server(words["SERVER"])
    elif not words.get("DSN"):
        raise UsageError("the address names no server", "write it as mssql://HOST/DATABASE, or give --server")
    return SqlServerAddress(words, schema)


def _server(text: str) -> str:
    """The value of SERVER: the driver wants a port after a comma, and the address of IPv6 without brackets.

    Raises:
        UsageError: This is no server; it may hold a password, so the message does not repeat it.
    """
    found = _SERVER.fullmatch(text.strip())
    if found is None:
        tip = "write HOST, HOST,PORT or HOST\\INSTANCE; a URL goes to --target, a connection string to --odbc"
        raise UsageError("this is not the name of a server", tip)
    host = found["v6"] or found["bare_v6"] or found["host"]
    return f"{found['protocol'] or ''}{host}" + (f",{found['port']}" if found["port"] else "")
