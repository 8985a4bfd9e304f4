"""The address of a SQL Server: a SQLAlchemy URL, or an ODBC connection string within one; and the driver for it.

Microsoft's ODBC driver is an installed one, or the one inside the Python package `mssql-python-odbc`.

Sources: "SQLDriverConnect Function", ODBC Programmer's Reference; "DSN and Connection String Keywords and Attributes"
and "SqlConnection.ConnectionString Property", Microsoft Learn.
"""

import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from xml_extractor.errors import UsageError
from xml_extractor.processing_log.log_table import LOG_TABLE_KEY
from xml_extractor.urls import URL

SCHEMA = "schema"
"""The key of an address for the schema of tables that have none in the contract, and of the processing log."""

ODBC = "odbc_connect"
"""The key of an address for a whole ODBC connection string."""

DEFAULTS = {"ENCRYPT": "yes", "APP": "xml_extractor"}
"""Default keywords of the connection string. Driver 17 does not encrypt by default."""

_WITHOUT_PASSWORD = ("activedirectorymsi", "activedirectoryintegrated", "activedirectoryinteractive")
"""Values of Authentication, in lower case, that take a user name and no password."""

_IPV6 = r"[0-9A-Fa-f]*(?::[0-9A-Fa-f.]*){2,}(?:%\w+)?"
_SERVER = re.compile(
    rf"(?P<protocol>(?:tcp|np|lpc|admin):)?(?:\[(?P<v6>{_IPV6})\]|(?P<bare_v6>{_IPV6})|(?P<host>[^:,/@;=\[\]{{}}\s]+))"
    r"(?:[:,]\s*(?P<port>\d+))?",
    re.IGNORECASE,
)

SECRETS = ("PWD", "KEYSTORESECRET")
"""Keywords whose values are secret."""

_PAIR = re.compile(
    r"\s*(?P<word>[^=;{}]+?)\s*=\s*(?:\{(?P<braced>(?:[^}]|\}\})*)\}|(?P<plain>(?!\{)[^;]*?))\s*(?:;|\Z)"
)
_NEEDS_BRACES = re.compile(r"[\[\]{}(),;?*=!@]|^\s|\s$")
_HOLDS_PASSWORD = re.compile(r"password\s*:", re.IGNORECASE)
"""As in `ClientCertificate=file:a.pfx,password:...`."""

_KEYWORD_LIST = (
    "AnsiNPW APP ApplicationIntent AttachDBFileName Authentication AutoTranslate ClientCertificate ClientKey "
    "ColumnEncryption ConcatNullYieldsNull ConnectRetryCount ConnectRetryInterval Database Description Driver DSN "
    "Encrypt Failover_Partner FailoverPartnerSPN GetDataExtensions HostnameInCertificate IpAddressPreference KeepAlive "
    "KeepAliveInterval KeystoreAuthentication KeystoreLocation KeystorePrincipalId KeystoreSecret Language LongAsMax "
    "MARS_Connection MultiSubnetFailover Net Network PWD QueryLog_On QueryLogFile QueryLogTime QuotedId Regional "
    "Replication RetryExec SaveFile Server ServerCertificate ServerSPN StatsLog_On StatsLogFile "
    "TransparentNetworkIPResolution Trusted_Connection TrustServerCertificate UID UseFMTONLY WSID"
)
_KEYWORDS = {word.upper(): word for word in _KEYWORD_LIST.split()}

_LEAVE_OUT = "omit it; this program sets it"
_INSTEAD = {
    **dict.fromkeys(
        ("DATASOURCE", "ADDRESS", "ADDR", "NETWORKADDRESS", "SERVERNAME", "HOST"), "write SERVER=HOST,PORT"
    ),
    **dict.fromkeys(("PORT", "PORTNUMBER"), "write SERVER=HOST,PORT"),
    "NETWORKLIBRARY": "write SERVER=tcp:HOST,PORT",
    **dict.fromkeys(("INITIALCATALOG", "DATABASENAME"), "write DATABASE"),
    **dict.fromkeys(("USERID", "USER", "USERNAME"), "write UID"),
    "PASSWORD": "write PWD",
    "INTEGRATEDSECURITY": "write Trusted_Connection=yes",
    "APPLICATIONNAME": "write APP",
    "WORKSTATIONID": "write WSID",
    "CURRENTLANGUAGE": "write Language",
    "COLUMNENCRYPTIONSETTING": "write ColumnEncryption",
    "FILEDSN": "write DSN, or the keywords that are in the file",
    "PROVIDER": "write DRIVER, or omit it",
    **dict.fromkeys(("POOLING", "MAXPOOLSIZE", "MINPOOLSIZE", "CONNECTIONLIFETIME", "LOADBALANCETIMEOUT"), _LEAVE_OUT),
    **dict.fromkeys(("MULTIPLEACTIVERESULTSETS", "PERSISTSECURITYINFO", "PACKETSIZE", "ENLIST"), _LEAVE_OUT),
    **dict.fromkeys(("CONNECTTIMEOUT", "CONNECTIONTIMEOUT", "LOGINTIMEOUT", "TIMEOUT", "COMMANDTIMEOUT"), _LEAVE_OUT),
}
"""What to write instead of keywords of ADO.NET, OLE DB and JDBC, and of keywords that the driver misinterprets.

The driver ignores keywords that it does not know, and prefers ADDRESS to SERVER.
"""


@dataclass(frozen=True, slots=True, repr=False)
class SqlServerAddress:
    """A database on a SQL Server.

    Attributes:
        words: Keywords of the ODBC connection string, in upper case; they may hold a password.
        schema: The schema of tables that have none in the contract; empty for the login's default schema.
        log_table: The name of the processing log, with or without a schema; empty for the default one.
    """

    words: Mapping[str, str]
    schema: str = ""
    log_table: str = ""

    @property
    def name(self) -> str:
        """The name in messages, without secrets."""
        place = self.words.get("SERVER") or self.words.get("DSN", "")
        host, _, port = place.removeprefix("tcp:").partition(",")
        shown = f"[{host}]" if host.count(":") > 1 else host
        schema = f"?{SCHEMA}={self.schema}" if self.schema else ""
        return f"mssql://{shown}{port and f':{port}'}/{self.words.get('DATABASE', '')}{schema}"

    @property
    def address(self) -> str:
        """The URL of the same database, for this or another process; may hold secrets."""
        query = {ODBC: write_connection_string(self.words), SCHEMA: self.schema, LOG_TABLE_KEY: self.log_table}
        given = {key: value for key, value in query.items() if value}
        return URL("mssql+pyodbc", query=given).render_as_string(hide_password=False)

    @property
    def has_secret(self) -> bool:
        """Whether it holds a password."""
        return any(is_secret(word, value) for word, value in self.words.items())

    @property
    def takes_password(self) -> bool:
        """Whether there is a user name without a password, and the authentication takes one."""
        by_other_means = (
            self.words.get("AUTHENTICATION", "").lower() in _WITHOUT_PASSWORD
            or self.words.get("TRUSTED_CONNECTION", "").lower() == "yes"
        )
        return bool(self.words.get("UID")) and "PWD" not in self.words and not by_other_means

    @property
    def lacks_password(self) -> bool:
        """Whether the login needs a password; a data source (DSN) may have its own."""
        return self.takes_password and "DSN" not in self.words

    def with_words(self, words: Mapping[str, str]) -> Self:
        """Return a copy with these keywords, in upper case, set or replaced."""
        return replace(self, words={**self.words, **words})

    def with_schema(self, schema: str) -> Self:
        """Return a copy with another schema."""
        return replace(self, schema=schema)

    def has_same_login(self, other: "SqlServerAddress") -> bool:
        """Return whether server and user name are the same, and so the password."""
        mine, others = (
            (words.get("SERVER", "").casefold(), words.get("DSN"), words.get("UID"))
            for words in (self.words, other.words)
        )
        return mine == others

    def connection_string(self, driver: str) -> str:
        """Return the ODBC connection string.

        Args:
            driver: The driver, if the address names neither a driver nor a data source.
        """
        chosen = {} if "DRIVER" in self.words or "DSN" in self.words else {"DRIVER": driver}
        return write_connection_string({**chosen, **DEFAULTS, **self.words})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


def read_address(url: URL) -> SqlServerAddress:
    """Read the URL of a SQL Server, such as `mssql://user:password@host:1433/database?Encrypt=yes&schema=etl`.

    Keys of the query are keywords of the ODBC connection string; `odbc_connect` is a whole one. Without a user name the
    login is that of the operating system. SQLAlchemy itself would read some hosts as data sources (DSN).

    Raises:
        UsageError: It names no server, or its connection string cannot be read. The message holds no secret.
    """
    query = {key.lower(): value if isinstance(value, str) else value[0] for key, value in url.query.items()}
    schema, connection_string = query.pop(SCHEMA, ""), query.pop(ODBC, None)
    log_table = query.pop(LOG_TABLE_KEY, "")
    words = {key.upper(): value for key, value in query.items()}
    if connection_string is not None:
        if url.host or url.username:
            raise UsageError(f"the address has a host besides {ODBC}", f"write it into {ODBC}, as SERVER=HOST,PORT")
        words = _read(connection_string) | words
    else:
        words |= _words_of_url(url)
        if not {"UID", "AUTHENTICATION", "TRUSTED_CONNECTION", "DSN"} & set(words):
            words["TRUSTED_CONNECTION"] = "yes"
    return replace(_checked(words, schema), log_table=log_table)


def read_odbc(connection_string: str, schema: str = "") -> SqlServerAddress:
    """Read an ODBC connection string.

    Raises:
        UsageError: It cannot be read, or names no server. The message holds no secret.
    """
    return _checked(_read(connection_string), schema)


def server_address(server: str, database: str = "", username: str = "") -> SqlServerAddress:
    r"""Return the address of a server.

    Args:
        server: `HOST`, `HOST,PORT`, `HOST:PORT` or `HOST\INSTANCE`.
        database: Empty for the default database of the login.
        username: Empty for the login of the operating system (Windows or Kerberos).

    Raises:
        UsageError: The server is not valid.
    """
    login = {"UID": username} if username else {"TRUSTED_CONNECTION": "yes"}
    return _checked({"SERVER": server} | ({"DATABASE": database} if database else {}) | login, "")


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
    check_keywords(words)
    words = dict(words)
    if words.get("DRIVER", "").startswith("{"):
        words["DRIVER"] = words["DRIVER"].strip("{}")
    if words.get("SERVER"):
        words["SERVER"] = _server(words["SERVER"])
    elif not words.get("DSN"):
        raise UsageError("the address names no server", "write it as mssql://HOST/DATABASE, or give --server")
    return SqlServerAddress(words, schema)


def _server(text: str) -> str:
    """Return the value of SERVER: the driver takes a port after a comma, and an IPv6 address without brackets.

    Raises:
        UsageError: It is not a server. It may hold a password, so the message does not repeat it.
    """
    found = _SERVER.fullmatch(text.strip())
    if found is None:
        tip = "write HOST, HOST,PORT or HOST\\INSTANCE; a URL goes to --target, a connection string to --odbc"
        raise UsageError("the name of the server is not valid", tip)
    host = found["v6"] or found["bare_v6"] or found["host"]
    return f"{found['protocol'] or ''}{host}" + (f",{found['port']}" if found["port"] else "")


def read_connection_string(text: str) -> dict[str, str]:
    """Return the values by keyword, in upper case; the first of repeated keywords counts, as in ODBC.

    Raises:
        ValueError: It is not a connection string; the message does not repeat it.
    """
    words: dict[str, str] = {}
    position = 0
    text = text.strip().rstrip(";")
    while position < len(text):
        found = _PAIR.match(text, position)
        if found is None:
            raise ValueError(f"character {position + 1} of the connection string does not begin a KEYWORD=value")
        value = found["plain"] if found["braced"] is None else found["braced"].replace("}}", "}")
        words.setdefault(found["word"].upper(), value)
        position = found.end()
    return words


def write_connection_string(words: Mapping[str, str]) -> str:
    """Return the connection string of values by keyword."""
    return ";".join(f"{word}={_written(value)}" for word, value in words.items())


def check_keywords(words: Iterable[str]) -> None:
    """Reject keywords of other connection strings and misspelt ones, which the driver would ignore silently.

    Keywords that resemble no other are left to the driver.

    Raises:
        UsageError: It suggests a keyword. An unknown keyword is not repeated: it may be a part of a value.
    """
    instead = {_plain(word): f"did you mean {word}?" for word in _KEYWORDS.values()} | _INSTEAD
    for word in words:
        plain = _plain(word)
        if word.upper() in _KEYWORDS:
            continue
        if plain in _INSTEAD:
            raise UsageError(f"{word} is not a keyword of ODBC connection strings", _INSTEAD[plain])
        near = get_close_matches(plain, instead, n=1, cutoff=0.85)
        if near:
            raise UsageError("a keyword of the ODBC connection string is misspelt", instead[near[0]])


def is_secret(word: str, value: str) -> bool:
    """Return whether the value of a keyword, in upper case, is secret."""
    return bool(value) and (word in SECRETS or _HOLDS_PASSWORD.search(value) is not None)


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]", "", word).upper()


def _written(value: str) -> str:
    return f"{{{value.replace('}', '}}')}}}" if _NEEDS_BRACES.search(value) else value


INSTALLED = ("ODBC Driver 18 for SQL Server", "ODBC Driver 17 for SQL Server")
"""Names of drivers that are supported, the best first."""

PACKAGE = "mssql_python_odbc"
"""The Python package that brings the driver's library along."""

_ARCHITECTURES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
_LINUX_KINDS = {
    "debian": "debian_ubuntu",
    "ubuntu": "debian_ubuntu",
    "suse": "suse",
    "sles": "suse",
    "alpine": "alpine",
}


def find_driver(installed: Sequence[str]) -> str:
    """Return the driver to use as the keyword DRIVER of a connection string: a name or a path; empty if there is none.

    Args:
        installed: The names of the drivers that are registered with the driver manager.
    """
    for name in INSTALLED:
        if name in installed:
            return name
    return next(map(str, packaged_drivers()), "")


def packaged_drivers() -> Iterator[Path]:
    """Yield the libraries for this system in the Python package, if it is installed.

    None on Windows: its driver manager takes only drivers that are registered.
    """
    spec = find_spec(PACKAGE)
    if spec is None or sys.platform == "win32":
        return
    for location in spec.submodule_search_locations or ():
        yield from sorted((Path(location) / "libs" / _system() / "lib").glob(_library()))


def _library() -> str:
    return "libmsodbcsql*.dylib" if sys.platform == "darwin" else "libmsodbcsql*.so*"


def _system() -> Path:
    """Return the directory of the package for this system, such as `linux/debian_ubuntu/x86_64`."""
    machine = platform.machine().lower()
    architecture = _ARCHITECTURES.get(machine, machine)
    return Path("macos", architecture) if sys.platform == "darwin" else Path("linux", _linux_kind(), architecture)


def _linux_kind() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "debian_ubuntu"
    words = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((_LINUX_KINDS[word] for word in words if word in _LINUX_KINDS), "rhel")
