"""What was seen of documents and rows, on disk, so that memory does not grow with their number."""

import pickle
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from xml_extractor.documents import Row
from xml_extractor.quality.differences import Difference, Seen
from xml_extractor.targets.interfaces import parts
from xml_extractor.targets.sqlite.connection import SqliteConnection, SqliteFile

_DIGESTS_IN_STATEMENT = 400

_TABLES = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "CREATE TABLE seen (space INT, digest BLOB, number INT, document, row, PRIMARY KEY (space, digest)) WITHOUT ROWID",
    "CREATE TABLE doubt (space INTEGER, digest BLOB, difference BLOB)",
)


class SeenThings:
    """What identifies documents and rows, in spaces; see `Seen`."""

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection
        for statement in _TABLES:
            list(connection.query(statement))

    def add(self, seen: Iterable[Seen]) -> None:
        """Add what was seen; what was seen before counts again."""
        things = list(seen)
        if not things:
            return
        with self._connection.transaction():
            self._connection.execute_many(
                "INSERT INTO seen VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number",
                (),
                [
                    (
                        each.space,
                        each.digest,
                        each.number,
                        each.document,
                        None if each.row is None else pickle.dumps(each.row),
                    )
                    for each in things
                ],
            )
            doubts = [(each.space, each.digest, pickle.dumps(each.doubt)) for each in things if each.doubt is not None]
            self._connection.execute_many("INSERT INTO doubt VALUES (?, ?, ?)", (), doubts)

    def known(self, space: int, digests: Sequence[bytes]) -> set[bytes]:
        """Return which of these were seen."""
        found: set[bytes] = set()
        for some in parts(list(dict.fromkeys(digests)), _DIGESTS_IN_STATEMENT):
            places = ", ".join("?" * len(some))
            rows = self._connection.query(
                f"SELECT digest FROM seen WHERE space = ? AND digest IN ({places})",  # noqa: S608 - parameters
                (space, *some),
            )
            found.update(row[0] for row in rows)
        return found

    def count(self, space: int) -> int:
        """Return how many things were seen."""
        ((number,),) = self._connection.query("SELECT COUNT(*) FROM seen WHERE space = ?", (space,))
        return int(number)

    def take(self, space: int, digest: bytes) -> bool:
        """Count a thing once less; return whether it is still left."""
        changed = self._connection.execute(
            "UPDATE seen SET number = number - 1 WHERE space = ? AND digest = ? AND number > 0", (space, digest)
        )
        return bool(changed)

    def document(self, space: int, digest: bytes) -> str:
        """Return a document that has a thing; empty if none has."""
        rows = self._connection.query("SELECT document FROM seen WHERE space = ? AND digest = ?", (space, digest))
        return next((str(row[0]) for row in rows), "")

    def left(self, space: int) -> Iterator[tuple[str, Row]]:
        """Yield the documents and rows of what was not taken."""
        rows = self._connection.query("SELECT document, row, number FROM seen WHERE space = ? AND number > 0", (space,))
        for document, row, number in rows:
            for _ in range(number):
                yield document, pickle.loads(row)

    def doubts(self) -> Iterator[Difference]:
        """Yield, of each thing with which no document agrees, the first difference."""
        rows = self._connection.query(
            "SELECT doubt.difference FROM doubt JOIN seen USING (space, digest) WHERE seen.number = 0 "
            "GROUP BY space, digest ORDER BY MIN(doubt.rowid)"
        )
        return (pickle.loads(row[0]) for row in rows)

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Make many calls of `take` fast."""
        with self._connection.transaction():
            yield


@contextmanager
def seen_things() -> Iterator[SeenThings]:
    """Open an empty collection in a temporary file, which is deleted at the end of the block."""
    with TemporaryDirectory(prefix="xml_extractor-verify-") as directory:
        file = SqliteFile(Path(directory) / "seen.db")
        with closing(file.connect()) as connection:
            yield SeenThings(connection)
