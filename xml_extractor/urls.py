"""Database URLs in the syntax of SQLAlchemy.

SQLAlchemy is imported only to create tables: its import takes several times as long as the rest of a short run, in
each process. A test compares this module with it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, quote_plus, unquote

_URL = re.compile(
    r"""
    (?P<drivername>[\w+]+)://
    (?:(?P<username>[^:/]*)(?::(?P<password>[^@]*))?@)?
    (?:(?:\[(?P<ipv6>[^/?]+)\]|(?P<host>[^/:?]+))?(?::(?P<port>[^/?]*))?)?
    (?:/(?P<database>[^?]*))?
    (?:\?(?P<query>.*))?
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, repr=False)
class URL:
    """The parts of a database URL. Its text representation hides the password."""

    drivername: str
    username: str | None = None
    password: str | None = None
    host: str | None = None
    port: int | None = None
    database: str | None = None
    query: Mapping[str, str | Sequence[str]] = field(default_factory=dict)

    def get_backend_name(self) -> str:
        """Return the dialect: the name of the driver up to a plus sign."""
        return self.drivername.partition("+")[0]

    def render_as_string(self, *, hide_password: bool = True) -> str:
        """Return the URL as text.

        Args:
            hide_password: Replace the password by `***`.
        """
        login = "" if self.username is None else quote(self.username, safe=" +")
        if self.username is not None and self.password is not None:
            login += ":" + ("***" if hide_password else quote(self.password, safe=" +"))
        host = self.host or ""
        parts = (
            f"{self.drivername}://",
            "" if self.username is None else f"{login}@",
            f"[{host}]" if ":" in host else host,
            "" if self.port is None else f":{self.port}",
            "" if self.database is None else f"/{quote(self.database, safe=' +/')}",
        )
        pairs = [
            f"{quote_plus(key)}={quote_plus(value)}"
            for key, values in sorted(self.query.items())
            for value in ([values] if isinstance(values, str) else values)
        ]
        return "".join(parts) + ("?" + "&".join(pairs) if pairs else "")

    def __str__(self) -> str:
        return self.render_as_string()

    def __repr__(self) -> str:
        return self.render_as_string()


def parse_url(text: str) -> URL:
    """Parse a database URL.

    Raises:
        ValueError: The text is not a database URL. The message does not repeat it, because it may contain a password.
    """
    found = _URL.match(text)
    if found is None:
        raise ValueError("not a database URL")
    query: dict[str, str | Sequence[str]] = {}
    for key, value in parse_qsl(found["query"] or ""):
        given = query.get(key)
        query[key] = value if given is None else (*([given] if isinstance(given, str) else given), value)
    username, password, database = (
        None if part is None else unquote(part) for part in (found["username"], found["password"], found["database"])
    )
    try:
        port = None if found["port"] is None else int(found["port"])
    except ValueError:
        raise ValueError("the port of the database URL is not a number") from None
    return URL(found["drivername"], username, password, found["host"] or found["ipv6"], port, database, query)
