"""Where a baseline may load: a SQLite file, or a schema of a SQL Server. What both can do."""

from collections.abc import Sequence
from importlib import import_module
from typing import Literal, Protocol

from xml_extractor.targets.registry import dialect_of, read_url
from xml_extractor.urls import URL

Kind = Literal["sqlite", "mssql"]

PLACES = {
    "sqlite": "env_prep.baseline.sqlite_place",
    "mssql": "env_prep.baseline.sqlserver_place",
}
"""Modules that are a `PlaceModule`, by the dialect in the address; imported when they are asked for."""

Row = tuple[object, ...]


class Place(Protocol):
    """A file or a schema that may be there or not. Each call opens a connection of its own and commits."""

    @property
    def kind(self) -> Kind:
        """The dialect of its address."""
        ...

    @property
    def name(self) -> str:
        """What to call it in messages, without secrets."""
        ...

    @property
    def address(self) -> str:
        """What a run gets as its target; may hold secrets."""
        ...

    def names(self) -> frozenset[str]:
        """What is in it: tables, views and whatever else has a name of its own. Empty if the place is not there.

        Raises:
            UsageError: It is something that no baseline can use.
            TargetError: The database cannot be read; so do the other methods.
        """
        ...

    def make(self) -> bool:
        """Make it if it is missing, and say whether it was."""
        ...

    def remove(self) -> None:
        """Take it away; it is empty."""
        ...

    def quoted(self, table: str) -> str:
        """The name of a table in it, as SQL has it."""
        ...

    def read(self, statement: str) -> list[Row]:
        """The rows of a query."""
        ...

    def change(self, statements: Sequence[tuple[str, Sequence[Row]]]) -> None:
        """Execute statements, each once for each of its rows of parameters."""
        ...

    def compact(self) -> None:
        """Give up the room of dropped tables, so that each run starts alike."""
        ...


class PlaceModule(Protocol):
    """A module that knows one kind of place."""

    def open_place(self, url: URL, /) -> Place:
        """The place of this address; nothing is connected yet."""
        ...


def open_place(address: str) -> Place:
    """The place that a SQLAlchemy URL names; nothing is connected yet.

    Raises:
        UsageError: It is no such address, or no place of that kind is known.
    """
    url = read_url(address, "target")
    module: PlaceModule = import_module(PLACES[dialect_of(PLACES, url, "target")])
    return module.open_place(url)
