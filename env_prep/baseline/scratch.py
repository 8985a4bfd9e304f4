"""The scratch database of a baseline, which is emptied between runs: a SQLite file, or a schema of a SQL Server.

Only objects that a baseline created and listed there are dropped.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Literal, Protocol
from uuid import uuid4

from xml_extractor.errors import RunError, UsageError
from xml_extractor.targets.registry import dialect_of, read_url

Kind = Literal["sqlite", "mssql"]

MODULES = {
    "sqlite": "env_prep.baseline.sqlite_scratch",
    "mssql": "env_prep.baseline.sqlserver_scratch",
}
"""The module with `open_scratch_database` by the dialect of the address; imported when it is needed."""

Row = tuple[object, ...]


class ScratchDatabase(Protocol):
    """A file or a schema that may or may not exist. Each call opens its own connection and commits."""

    @property
    def kind(self) -> Kind:
        """The dialect of its address."""
        ...

    @property
    def name(self) -> str:
        """Its name in messages, without secrets."""
        ...

    @property
    def address(self) -> str:
        """The target address of a run; may contain secrets."""
        ...

    def names(self) -> frozenset[str]:
        """Return the names of tables, views and other objects in it; empty if it does not exist.

        Raises:
            UsageError: A baseline cannot use it.
            TargetError: The database cannot be read; the other methods raise it too.
        """
        ...

    def create(self) -> bool:
        """Create it if it does not exist, and return whether it did not."""
        ...

    def remove(self) -> None:
        """Delete it; it is empty."""
        ...

    def quoted(self, table: str) -> str:
        """Quote the name of a table in it for SQL."""
        ...

    def read(self, statement: str) -> list[Row]:
        """Return the rows of a query."""
        ...

    def change(self, statements: Sequence[tuple[str, Sequence[Row]]]) -> None:
        """Execute statements, each once for each of its rows of parameters."""
        ...

    def compact(self) -> None:
        """Free the space of dropped tables, so that every run starts from the same state."""
        ...


def open_scratch_database(address: str) -> ScratchDatabase:
    """Return the scratch database of a SQLAlchemy URL; this does not connect.

    Raises:
        UsageError: The address is invalid, or its dialect is not supported.
    """
    url = read_url(address, "target")
    module = import_module(MODULES[dialect_of(MODULES, url, "target")])
    opened: ScratchDatabase = module.open_scratch_database(url)
    return opened


MARKER = "xml_extractor_baseline_tables"
"""The table that lists what was created, and for whom; it marks a database as a baseline's."""

ITSELF = ""
"""In the list: the file or schema itself."""


class Scratch:
    """A scratch database that belongs to this baseline, from `claim` to `remove`.

    Args:
        database: The file or schema.
        tables: Names of all tables that will be created in it, parents before children.
    """

    def __init__(self, database: ScratchDatabase, tables: Sequence[str]) -> None:
        self.database = database
        self._tables = tables
        self._marker = database.quoted(MARKER)
        self._owner = uuid4().hex

    def claim(self) -> None:
        """Take the database, and drop what an earlier baseline left in it.

        Raises:
            UsageError: It contains something that was not created by a baseline.
            TargetError: The database reports an error.
        """
        there = self.database.names()
        listed = self._listed() if MARKER in there else {}
        strange = {name for name in there if name.casefold() not in {MARKER, *map(str.casefold, listed)}}
        if strange:
            raise UsageError(
                f"{self.database.name} contains objects that no baseline created ({_some(strange)}), so it is not used",
                "name one that is empty or does not exist: --scratch FILE, or --schema NAME on a server",
            )
        made_here = ITSELF in listed
        if MARKER not in there:
            made_here = self.database.create()
            made, owner = (
                ("varchar(300)", "varchar(40)") if self.database.kind == "sqlite" else ("nvarchar(300)", "char(32)")
            )
            columns = f"made {made} NOT NULL PRIMARY KEY, owner {owner} NOT NULL, number int NOT NULL"
            self.database.change([(f"CREATE TABLE {self._marker} ({columns})", [()])])
        self._drop(listed)
        own = [ITSELF, *self._tables] if made_here else [*self._tables]
        self.database.change(
            [
                (f"DELETE FROM {self._marker}", [()]),  # noqa: S608 - quoted
                (
                    f"INSERT INTO {self._marker} (made, owner, number) VALUES (?, ?, ?)",  # noqa: S608 - quoted
                    [(name, self._owner, number) for number, name in enumerate(own)],
                ),
            ]
        )

    def empty(self, kept: Sequence[str] = ()) -> None:
        """Drop all tables except those to keep.

        Raises:
            RunError: Another baseline has taken the database.
            TargetError: The database reports an error.
        """
        listed = self._listed()
        if set(listed.values()) != {self._owner}:
            raise RunError(
                f"another baseline uses {self.database.name} now",
                "run one at a time, or name a scratch database for each",
            )
        self._drop([name for name in listed if name not in kept])
        self.database.compact()

    def remove(self) -> None:
        """Drop everything that was created, and the file or schema if it did not exist before.

        Raises:
            RunError: Another baseline has taken the database.
            TargetError: The database reports an error.
        """
        self.empty()
        made_here = ITSELF in self._listed()
        self.database.change([(f"DROP TABLE {self._marker}", [()])])
        if made_here:
            self.database.remove()

    def _listed(self) -> dict[str, str]:
        """Return what was created, in that order, and for whom."""
        rows = self.database.read(f"SELECT made, owner FROM {self._marker} ORDER BY number")  # noqa: S608 - quoted
        return {str(made): str(owner) for made, owner in rows}

    def _drop(self, made: Sequence[str] | dict[str, str]) -> None:
        there = self.database.names()
        tables = [name for name in made if name in there]
        self.database.change([(f"DROP TABLE {self.database.quoted(name)}", [()]) for name in reversed(tables)])


def _some(names: set[str]) -> str:
    shown = 3
    first = sorted(names)[:shown]
    return ", ".join(first) + (f" and {len(names) - shown} more" if len(names) > shown else "")
