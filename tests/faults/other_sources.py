"""Records, containers, standard input and revisions under faults: what `bench.py` does for rows of a database."""

import gzip
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from tests.archives import tar_of, zip_of
from tests.faults.bench import (
    CONTRACT,
    ENDED_IN_ORDER,
    MALFORMED,
    REFUSED,
    REFUSED_TOO,
    Bench,
    BrokenPromiseError,
    order,
)

DAMAGED = 99
"""The number in the name of an archive that breaks off, which is rejected as a whole."""

THINGS = 13
GONE = 10
"""Each revision of this number, and of its multiples, deletes."""


def record(number: int) -> str:
    """The record of this number: a document, apart from what would end its file."""
    if number == MALFORMED:
        return f'<order id="{number}"><customer>Customer {number}</customer><other:line price="1"/></order>'
    return order(number) or f'<order id="{number}"/>'


def batch(numbers: Iterable[int]) -> bytes:
    """A file of records."""
    return f'<?xml version="1.0"?>\n<batch>{"".join(map(record, numbers))}</batch>'.encode()


class FilesBench(Bench):
    """Its source is a directory of files."""

    def _make_source(self) -> None:
        self._source = self.directory / "files"
        self._source.mkdir()
        for name, content in self._files().items():
            (self._source / name).write_bytes(content)

    def _files(self) -> dict[str, bytes]:
        raise NotImplementedError

    @property
    def _address(self) -> str:
        return str(self._source)


class RecordBench(FilesBench):
    """Records of a file that is read by ranges, of a gzip stream, and of a member of an archive that breaks off."""

    contract_text = CONTRACT.replace("root: order", "root: batch\n  records: order").replace("  key_type: int\n", "")
    rejected = Bench.rejected | {40}

    def _files(self) -> dict[str, bytes]:
        cut = batch(range(31, 41)).rpartition(b"<line")[0]
        return {
            "a.xml": batch(range(1, 19)),
            "b.xml.gz": gzip.compress(batch(range(19, 31))),
            "c.zip": zip_of({"in.xml": cut}),
        }


class ContainerBench(FilesBench):
    """Documents in archives of several kinds, one of them damaged, and beside them."""

    contract_text = CONTRACT.replace("  key_type: int\n", "")
    rejected = Bench.rejected | {DAMAGED}

    def _files(self) -> dict[str, bytes]:
        members = {f"{number}.xml": (order(number) or "").encode() for number in range(1, self.documents + 1)}
        parts = [dict(list(members.items())[first : first + 12]) for first in range(0, 36, 12)]
        beside = dict(list(members.items())[36:])
        return {
            "a.zip": zip_of(parts[0]),
            "b.tar.gz": gzip.compress(tar_of(parts[1])),
            "c": tar_of(parts[2]),
            f"{DAMAGED}.tgz": gzip.compress(tar_of(parts[0]))[:-200],
            **beside,
        }


class StandardInputBench(Bench):
    """Records that come compressed through standard input, which a run can read once only."""

    contract_text = RecordBench.contract_text
    _address = "-"

    def resume(self, place: Path) -> None:
        """Start the command again with the same input.

        Raises:
            BrokenPromiseError: It could not go on.
        """
        again = place / "2"
        for name in ("faults", "temporary"):
            (again / name).mkdir(parents=True, exist_ok=True)
        ended = self.start(again, target=place).wait()
        if ended.code not in ENDED_IN_ORDER:
            raise BrokenPromiseError("not resumed", f"exit code {ended.code}: {(again / 'stderr').read_text()}")

    def _make_source(self) -> None:
        self._source = self.directory / "input.gz"
        self._source.write_bytes(gzip.compress(batch(range(1, self.documents + 1))))
        self._input = str(self._source)


class RevisionBench(Bench):
    """Documents are revisions of a few things in an order that has nothing to do with their keys; some delete."""

    contract_text = CONTRACT.replace(
        "  key_type: int\n",
        '  key_type: int\n  revision: {of: "@id", order: {path: "@revision", type: int}}\n  deleted: "@gone"\n',
    ).replace("      order_id: {p", '      document: {path: "/order/@number", type: int}\n      order_id: {p')
    own_column = "document"
    has_revisions = True

    def rows_of(self, number: int) -> dict[str, int]:
        """How many rows a revision has in each table while it is held."""
        lines = 1 + number % 3
        return {"orders": 1, "line": lines, "remark": lines}

    def _make_source(self) -> None:
        with closing(sqlite3.connect(self._source)) as database, database:
            database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml TEXT)")
            rows = ((number, self._revision(number)) for number in range(1, self.documents + 1))
            database.executemany("INSERT INTO app_xml VALUES (?, ?)", rows)

    def _revision(self, number: int) -> str | None:
        given = order(number)
        if given is None:
            return None
        gone = ' gone="1"' if number % GONE == 0 else ""
        # What the database refuses is the newest, because it does not refuse what is superseded at once.
        revision = 1000 if number in (REFUSED, REFUSED_TOO) else number * 7 % (self.documents + 1)
        start = f'<order id="{number % THINGS}" number="{number}" revision="{revision}"{gone}>'
        return given.replace(f'<order id="{number}">', start)


OTHER_SOURCES: dict[str, type[Bench]] = {
    "records": RecordBench,
    "containers": ContainerBench,
    "standard input": StandardInputBench,
    "revisions": RevisionBench,
}
