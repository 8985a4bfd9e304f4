"""Find the rows of a target that belong to no document, once all documents were compared."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from xml_extractor.documents import Row, Status
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.quality.differences import DOCUMENTS, UNCOMPARED_SHARED, Difference, Kind, Verified, key_text
from xml_extractor.quality.row_comparison import MOST_PAIRS, RowDifference, digest
from xml_extractor.quality.seen_things import SeenThings
from xml_extractor.quality.verification import Verifier
from xml_extractor.targets.held_rows import HeldRow, HeldTable

Item = TypeVar("Item")

ROWS_AT_ONCE = 400


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Compares what is left in the target with what was seen.

    Attributes:
        verifier: Knows the tables.
        things: What was seen.
        log: The processing log; None where two databases are compared.
        contract: The contract's name.
        run: The run whose documents were compared; empty for all documents.
        has_changing_rows: Whether rows that documents share may be from documents that are gone.
    """

    verifier: Verifier
    things: SeenThings
    log: ProcessingLog | None
    contract: str
    run: str
    has_changing_rows: bool

    def add_to(self, verified: Verified) -> None:
        """Add differences to what was found so far."""
        has_surplus = self._surplus_documents(verified) if self.log is not None else False
        if self.run:
            return
        knows_shared = not (self.has_changing_rows or has_surplus or verified.attempted_again)
        if knows_shared:
            for difference in self.things.doubts():
                verified.note(difference)
            for what in [what for what in verified.uncompared if what.startswith(UNCOMPARED_SHARED)]:
                del verified.uncompared[what]
        for number, table in enumerate(self.verifier.tables):
            self._rows(number, table, verified, knows_shared=knows_shared)
        self._orphans(verified)

    def _surplus_documents(self, verified: Verified) -> bool:
        """Add the documents that are loaded, but not in the source; return whether there are any."""
        assert self.log is not None  # noqa: S101 - the caller has checked
        has_surplus = False
        for entries in in_parts(self.log.loaded(self.contract, self.run)):
            keys = [digest(key) for key, _, _ in entries]
            known = self.things.known(DOCUMENTS, keys)
            for key, (document, run, rows) in zip(keys, entries, strict=True):
                if key not in known:
                    has_surplus = True
                    detail = f"loaded by run {run}, {rows} rows"
                    verified.note(Difference(Kind.NOT_IN_SOURCE, document, detail=detail))
        return has_surplus

    def _rows(self, number: int, table: HeldTable, verified: Verified, *, knows_shared: bool) -> None:
        compared = table.compared
        space = self.verifier.space(compared)
        if compared.column is not None:
            if table.count() != verified.rows[compared.name]:
                self._unknown(number, table, space, verified)
        elif not compared.key:
            self._nameless(number, table, space, verified)
        elif table.count() != self.things.count(space):
            if compared.is_shared and not knows_shared:
                verified.uncompared[f"rows that documents share, of which none may be left ({compared.name})"] += 1
            else:
                self._unknown(number, table, space, verified)

    def _unknown(self, number: int, table: HeldTable, space: int, verified: Verified) -> None:
        """Add the rows that belong to no document that was compared."""
        for rows in in_parts(table.all()):
            identities = [self.verifier.identity(number, row) for row in rows]
            known = self.things.known(space, identities)
            unknown = [row for row, identity in zip(rows, identities, strict=True) if identity not in known]
            surplus = self._of_surplus_documents(table, unknown)
            for row in unknown:
                column = table.compared.column
                if key_text(row.document) in surplus:
                    continue
                difference = RowDifference(Kind.UNKNOWN_ROW, (), None, row.row)
                document = key_text(row.document)
                if column is not None and row.document is None and column.links:
                    detail = "the row that it belongs to is gone"
                    verified.note(self.verifier.difference(number, difference, "", detail, Kind.ORPHANED))
                else:
                    verified.note(self.verifier.difference(number, difference, document))

    def _of_surplus_documents(self, table: HeldTable, rows: Sequence[HeldRow]) -> set[str]:
        """Return the keys of rows of loaded documents that are not in the source; they are named as documents."""
        column = table.compared.column
        if self.log is None or column is None or column.kind != "source":
            return set()
        entries = self.log.find(
            self.contract, sorted({key_text(row.document) for row in rows if row.document is not None})
        )
        return {key for key, entry in entries.items() if entry.status is Status.LOADED} - {
            key for key in entries if self.things.known(DOCUMENTS, [digest(key)])
        }

    def _nameless(self, number: int, table: HeldTable, space: int, verified: Verified) -> None:
        """Compare the rows of a table that nothing identifies with those of all documents."""
        added = []
        with self.things.taking():
            for row in table.all():
                identity = self.verifier.identity(number, row)
                if self.things.take(space, identity):
                    verified.rows[table.compared.name] += 1
                elif document := self.things.document(space, identity):
                    twice = RowDifference(Kind.DUPLICATED, (), None, row.row)
                    verified.note(self.verifier.difference(number, twice, document))
                else:
                    added.append(row.row)
        left = list(self.things.left(space))
        if not left and not added:
            return
        documents = {id(row): document for document, row in left}
        comparison = self.verifier.comparisons[number]
        rows = [row for _, row in left]
        is_small = len(left) * len(added) <= MOST_PAIRS
        for difference in comparison.differences(rows, added, are_of_many=True) if is_small else _unpaired(rows, added):
            document = documents.get(id(difference.expected), "")
            kind = Kind.UNKNOWN_ROW if difference.kind is Kind.ADDED else difference.kind
            verified.note(self.verifier.difference(number, difference, document, "", kind))

    def _document(self, number: int, row: HeldRow) -> str:
        """Return the processing log's key of a row's document; the key in the row if no such document was seen."""
        compared = self.verifier.tables[number].compared
        if compared.column is None:
            return ""
        space, identity = self.verifier.space(compared), self.verifier.identity(number, row)
        return self.things.document(space, identity) or key_text(row.document)

    def _orphans(self, verified: Verified) -> None:
        """Add the rows whose parent row is gone, unless they are named already."""
        known = {(each.table, identity) for each in verified.differences for identity in each.identities}
        for number, table in enumerate(self.verifier.tables):
            for foreign_key, parent in self.verifier.foreign_keys(number):
                for row in table.orphans(foreign_key, parent):
                    orphan = RowDifference(Kind.ORPHANED, (), None, row.row)
                    document = self._document(number, row)
                    detail = f"it has no row in {parent.name}"
                    difference = self.verifier.difference(number, orphan, document, detail)
                    if not any((difference.table, each) in known for each in difference.identities):
                        # Its document has it where it is: it is no row that another document misses.
                        verified.note(difference._replace(likeness=b""))
                        known |= {(difference.table, each) for each in difference.identities}


def _unpaired(left: Sequence[Row], added: Sequence[Row]) -> list[RowDifference]:
    missing = [RowDifference(Kind.MISSING, (), row, None) for row in left]
    return missing + [RowDifference(Kind.ADDED, (), None, row) for row in added]


def in_parts(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield items in lists of at most `ROWS_AT_ONCE`."""
    remaining = iter(items)
    while some := list(islice(remaining, ROWS_AT_ONCE)):
        yield some
