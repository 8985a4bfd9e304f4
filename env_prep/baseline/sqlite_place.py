"""A SQLite file as the place of a baseline."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from env_prep.baseline.places import Kind, Row
from xml_extractor.connections import errors_end_the_run
from xml_extractor.errors import TargetError, UsageError
from xml_extractor.targets.sqlite.connection import SqliteConnection, SqliteFile, quoted_table, sqlite_file
from xml_extractor.urls import URL

HEADER = b"SQLite format 3\0"
"""How a file begins that is not empty (https://www.sqlite.org/fileformat2.html)."""

SIDE_FILES = ("-wal", "-shm", "-journal")


def open_place(url: URL, /) -> "SqlitePlace":
    """The place that an address names.

    Raises:
        UsageError: The address names no file.
    """
    return SqlitePlace(sqlite_file(url))


@dataclass(frozen=True, slots=True)
class SqlitePlace:
    """A SQLite file; see `places.Place`."""

    file: SqliteFile

    @property
    def kind(self) -> Kind:
        """`sqlite`."""
        return "sqlite"

    @property
    def name(self) -> str:
        """Its address."""
        return self.file.name

    @property
    def address(self) -> str:
        """Its address, from whatever directory."""
        return f"sqlite:///{self.file.path.absolute()}"

    def names(self) -> frozenset[str]:
        """Tables, views and triggers.

        Raises:
            UsageError: There is something else than a SQLite file.
            TargetError: The file cannot be read.
        """
        if not self._is_there():
            return frozenset()
        rows = self.read("SELECT name FROM sqlite_master WHERE type <> 'index' AND name NOT LIKE 'sqlite_%'")
        return frozenset(str(name) for (name,) in rows)

    def make(self) -> bool:
        """Make its directory; SQLite makes the file."""
        is_new = not self.file.path.exists()
        try:
            self.file.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TargetError(f"{self.name} cannot be made: {error.strerror}", "name another file") from error
        return is_new

    def remove(self) -> None:
        """Delete the file and what SQLite keeps beside it."""
        for path in (self.file.path, *(Path(f"{self.file.path}{suffix}") for suffix in SIDE_FILES)):
            path.unlink(missing_ok=True)

    def quoted(self, table: str) -> str:
        """The name of a table as SQL has it."""
        return quoted_table(table)

    def read(self, statement: str) -> list[Row]:
        """The rows of a query."""
        with self._opened() as database:
            return list(database.query(statement))

    def change(self, statements: Sequence[tuple[str, Sequence[Row]]]) -> None:
        """Execute statements, each once for each of its rows of parameters."""
        with self._opened() as database:
            for statement, rows in statements:
                for row in rows:
                    database.execute(statement, row)

    def compact(self) -> None:
        """Make the file as small as it can be."""
        self.change([("VACUUM", [()])])

    def _is_there(self) -> bool:
        path = self.file.path
        try:
            if not path.exists() or (path.is_file() and path.stat().st_size == 0):
                return False
            with path.open("rb") as file:
                if file.read(len(HEADER)) == HEADER:
                    return True
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}", "name a file that does not exist") from error
        raise UsageError(f"{path} is no SQLite file, so no baseline made it", "name a file that does not exist")

    @contextmanager
    def _opened(self) -> Iterator[SqliteConnection]:
        tip = "end what else uses it, and run the same command again"
        with (
            errors_end_the_run(TargetError, f"{self.name} cannot be used", tip),
            closing(self.file.connect()) as database,
        ):
            yield database
