"""A SQLite file as a scratch database."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from env_prep.baseline.scratch import Kind, Row
from xml_extractor.connections import errors_end_the_run
from xml_extractor.errors import TargetError, UsageError
from xml_extractor.targets.sqlite.connection import SqliteConnection, SqliteFile, quoted_table, sqlite_file
from xml_extractor.urls import URL

HEADER = b"SQLite format 3\0"
"""The first bytes of a file that is not empty (https://www.sqlite.org/fileformat2.html)."""

SIDE_FILES = ("-wal", "-shm", "-journal")


def open_scratch_database(url: URL, /) -> "SqliteScratch":
    """Return the scratch database of an address.

    Raises:
        UsageError: The address names no file.
    """
    return SqliteScratch(sqlite_file(url))


@dataclass(frozen=True, slots=True)
class SqliteScratch:
    """A SQLite file; see `scratch.ScratchDatabase`."""

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
        """Its absolute address."""
        return f"sqlite:///{self.file.path.absolute()}"

    def names(self) -> frozenset[str]:
        """Return the names of tables, views and triggers.

        Raises:
            UsageError: It is not a SQLite file.
            TargetError: The file cannot be read.
        """
        if not self._is_there():
            return frozenset()
        rows = self.read("SELECT name FROM sqlite_master WHERE type <> 'index' AND name NOT LIKE 'sqlite_%'")
        return frozenset(str(name) for (name,) in rows)

    def create(self) -> bool:
        """Create its directory; SQLite creates the file."""
        is_new = not self.file.path.exists()
        try:
            self.file.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TargetError(f"{self.name} cannot be created: {error.strerror}", "name another file") from error
        return is_new

    def remove(self) -> None:
        """Delete the file and SQLite's side files."""
        for path in (self.file.path, *(Path(f"{self.file.path}{suffix}") for suffix in SIDE_FILES)):
            path.unlink(missing_ok=True)

    def quoted(self, table: str) -> str:
        """Quote the name of a table."""
        return quoted_table(table)

    def read(self, statement: str) -> list[Row]:
        """Return the rows of a query."""
        with self._opened() as database:
            return list(database.query(statement))

    def change(self, statements: Sequence[tuple[str, Sequence[Row]]]) -> None:
        """Execute each statement once for each of its rows of parameters."""
        with self._opened() as database:
            for statement, rows in statements:
                for row in rows:
                    database.execute(statement, row)

    def compact(self) -> None:
        """Reduce the file to its smallest size."""
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
        raise UsageError(f"{path} is not a SQLite file, so no baseline created it", "name a file that does not exist")

    @contextmanager
    def _opened(self) -> Iterator[SqliteConnection]:
        tip = "close other programs that use it, and run the same command again"
        with (
            errors_end_the_run(TargetError, f"{self.name} cannot be used", tip),
            closing(self.file.connect()) as database,
        ):
            yield database
