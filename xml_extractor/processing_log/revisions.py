"""The table of revisions: for each thing that documents are about, which revision is held. Its SQL is here.

A thing has one row, under the digest of its `of` values. Whoever changes which revision is held first locks the row,
within the transaction that changes the tables and the processing log. A row without a document holds nothing: it was
inserted to be locked, or its revision was taken away.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from xml_extractor.connections import Connection, DatabaseError, ErrorClass
from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import DocumentKey, Row
from xml_extractor.processing_log.log_table import KEY_LENGTH, own_column

THING_TYPE = "varchar(32)"
THINGS_IN_STATEMENT = 500

Position = tuple[DocumentKey, int]
"""A place in the source's order: the key of the file, and the number of the record in it."""


REVISION_TABLE = TableLayout(
    name="",
    table="",
    columns=(
        own_column("contract", "nvarchar(100)"),
        own_column("thing", THING_TYPE),
        own_column("of_key", "nvarchar(max)"),
        own_column("document_key", f"nvarchar({KEY_LENGTH})"),
        own_column("own_key", "nvarchar(max)", required=False),
        own_column("revision_order", "nvarchar(max)"),
        own_column("source_position", "nvarchar(max)"),
        own_column("content_hash", THING_TYPE),
        own_column("is_deleted", "bit"),
        own_column("row_count", "int"),
    ),
    generated=(),
    key=("contract", "thing"),
    foreign_keys=(),
    on_conflict="keep",
)
"""Its columns are the contract's name and the fields of `HeldRevision`, in the same order; its name follows that of the
processing log."""


class HeldRevision(NamedTuple):
    """The revision of a thing that is held.

    Attributes:
        thing: The digest of `of_key`.
        of_key: The values of `revision.of`.
        document_key: The processing log's key of the document; empty if none is held.
        own_key: The key in the document as text.
        order: `Revision.order`.
        position: `Revision.position`, and that of the last document in the source's order with the same content.
        content_hash: As in the processing log.
        is_deleted: Whether the document deletes the thing.
        row_count: How many rows the document had for tables whose rows are its own.
    """

    thing: str
    of_key: tuple[str, ...] = ()
    document_key: str = ""
    own_key: str | None = None
    order: tuple[tuple[str, str], ...] = ()
    position: tuple[Position, Position] = (("", 0), ("", 0))
    content_hash: str = ""
    is_deleted: bool = False
    row_count: int = 0

    @classmethod
    def of(cls, row: Sequence[Any]) -> "HeldRevision":
        """Return the revision of a row without the contract's name."""
        thing, of_key, document_key, own_key, order, position, content_hash, is_deleted, row_count = row
        first, last = json.loads(position)
        return cls(
            thing,
            tuple(json.loads(of_key)),
            document_key,
            own_key,
            tuple((kind, text) for kind, text in json.loads(order)),
            ((first[0], first[1]), (last[0], last[1])),
            content_hash,
            bool(is_deleted),
            row_count,
        )

    @property
    def row(self) -> Row:
        """The row without the contract's name."""
        of_key, order, position = map(json.dumps, (self.of_key, self.order, self.position))
        return (
            self.thing,
            of_key,
            self.document_key,
            self.own_key,
            order,
            position,
            self.content_hash,
            self.is_deleted,
            self.row_count,
        )


class HeldRevisions:
    """The table of revisions of one contract.

    Args:
        connection: To the target. The caller closes it, and opens the transaction around each call.
        layout: The table.
        contract: The contract's name.
    """

    def __init__(self, connection: Connection, layout: TableLayout, contract: str) -> None:
        self._connection = connection
        self._contract = contract
        self.layout = layout
        self._table = connection.table_name(self.layout)
        self._bind = connection.row_binder(self.layout)

    def lock(self, things: Sequence[str]) -> None:
        """Lock the rows of things until the end of the transaction; insert those that are missing.

        Everybody locks in the same order, so that nobody waits for each other. Another transaction may insert the same
        row at the same time: the database then lets one of them wait, and either finds the row or refuses its own.

        Raises:
            DatabaseError: Transient, if another transaction has inserted a row meanwhile.
        """
        rows = [self._bind((self._contract, *HeldRevision(thing).row)) for thing in sorted(set(things))]
        if not rows:
            return
        try:
            (there,) = self._connection.insert_batch([(self.layout, rows)], len(rows))
        except DatabaseError as error:
            if error.error_class is not ErrorClass.DATA:
                raise
            explanation = "another transaction inserts the same row of the table of revisions"
            raise DatabaseError(ErrorClass.TRANSIENT, "revision_locked", explanation, table=self.layout) from None
        if there:
            # Some servers lock a row only when it changes.
            self._for_each("SET document_key = document_key", (), [rows[position] for position in there])

    def read(self, things: Sequence[str]) -> dict[str, HeldRevision]:
        """Return the revisions that are held of these things, by thing."""
        found: dict[str, HeldRevision] = {}
        wanted = sorted(set(things))
        for first in range(0, len(wanted), THINGS_IN_STATEMENT):
            some = wanted[first : first + THINGS_IN_STATEMENT]
            is_server = self._connection.dialect == "mssql"
            listed = f"SELECT CAST(value AS {THING_TYPE}) FROM OPENJSON(?)" if is_server else ", ".join("?" * len(some))  # noqa: S608 - constants
            values = (self._contract, *([json.dumps(some)] if is_server else some))
            rows = self._connection.read_rows(self.layout, f"contract = ? AND thing IN ({listed})", values)
            found |= {held.thing: held for held in map(HeldRevision.of, (row[1:] for row in rows)) if held.document_key}
        return found

    def write(self, revisions: Sequence[HeldRevision]) -> None:
        """Set what is held of things whose rows are locked."""
        if revisions:
            names = [column.name for column in self.layout.columns if column.name not in self.layout.key]
            assigned = f"SET {', '.join(f'{name} = ?' for name in names)}"
            self._for_each(assigned, names, [self._bind((self._contract, *held.row)) for held in revisions])

    def _for_each(self, change: str, names: Sequence[str], rows: Sequence[Row]) -> None:
        """Change each of these rows, in their order."""
        columns = self.layout.columns
        numbers = {column.name: position for position, column in enumerate(columns)}
        positions = [numbers[name] for name in (*names, *self.layout.key)]
        self._connection.execute_many(
            f"UPDATE {self._table} {change} WHERE contract = ? AND thing = ?",
            [columns[position] for position in positions],
            [tuple(row[position] for position in positions) for row in rows],
        )
