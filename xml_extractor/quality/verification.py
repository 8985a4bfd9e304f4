"""Compare documents with the rows that a database holds of them: the worker's side of `verify`."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from xml_extractor.contract.layout import ForeignKey, TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.documents import Counted, Row, Value
from xml_extractor.processing_log.log_table import read_counts
from xml_extractor.quality.differences import (
    DIFFERENT,
    EQUAL,
    MOST_OF_A_TABLE,
    NOT_LOADED,
    UNCOMPARED_KEYS,
    UNCOMPARED_ROWS,
    UNCOMPARED_RUN,
    UNCOMPARED_SHARED,
    Difference,
    Kind,
    Seen,
    Verified,
    VerifiedDocument,
    key_text,
)
from xml_extractor.quality.row_comparison import RowComparison, RowDifference, digest
from xml_extractor.targets.held_rows import ComparedTable, HeldRow, HeldTable, compared_tables
from xml_extractor.targets.interfaces import ComparingConnection


class Verifier:
    """Compares documents with the rows of one database, over one connection.

    Args:
        contract: The contract.
        contract_hash: Of this contract; documents of another one are marked.
        connection: The caller closes it.
        left_out: As for `compared_tables`.
        run_columns: Columns that depend on the run, by table.
        has_log: Whether a document must be in the processing log.
    """

    def __init__(
        self,
        contract: Contract,
        contract_hash: str,
        connection: ComparingConnection,
        left_out: Mapping[str, frozenset[str]],
        run_columns: Mapping[str, frozenset[str]],
        *,
        has_log: bool = True,
    ) -> None:
        self._has_log = has_log
        self.tables = [HeldTable(connection, each) for each in compared_tables(contract, connection, left_out)]
        self._layouts = {table.name: table for table in layouts(contract)}
        self._names = list(self._layouts)
        self.comparisons = [RowComparison(table.compared) for table in self.tables]
        self._contract_hash = contract_hash
        self._run_columns = run_columns
        self._spaces: dict[object, int] = {}

    def space(self, table: ComparedTable) -> int:
        """Return the space of what identifies the rows of a table: its documents, its primary keys, or its rows."""
        column = table.column
        what = table.name if column is None else (column.kind, column.column.type, column.code_page)
        return self._spaces.setdefault(what, len(self._spaces) + 1)

    def foreign_keys(self, number: int) -> list[tuple[ForeignKey, TableLayout]]:
        """Return the foreign keys that all contract tables in a table have, each with its parent table."""
        table = self.tables[number].compared
        if len(table.members) > 1:
            return []
        return [(key, self._layouts[key.table]) for key in table.table.foreign_keys]

    def identity(self, number: int, row: HeldRow) -> bytes:
        """Return what identifies a row of a table, by the table's number: its document, its primary key, or all."""
        table = self.tables[number].compared
        if table.column is not None:
            return digest(row.document)
        comparison = self.comparisons[number]
        return digest(comparison.key(row.row) if table.key else comparison.without_markup(row.row))

    def compare(self, documents: Sequence[VerifiedDocument], *, keeps_seen: bool) -> Verified:
        """Compare documents with their rows.

        Args:
            documents: The documents.
            keeps_seen: Whether to return what identifies rows, which finds rows of no document when all were compared.
        """
        found: list[list[Difference]] = [[] for _ in documents]
        verified = Verified()
        for number, table in enumerate(self.tables):
            compared = table.compared
            expected = [compared.rows(document.rows) for document in documents]
            if compared.column is not None:
                self._by_document(number, documents, expected, found, verified)
            elif compared.key:
                self._by_key(number, documents, expected, found, verified)
            elif keeps_seen:
                comparison, space = self.comparisons[number], self.space(compared)
                for document, rows in zip(documents, expected, strict=True):
                    forms = [table.expected(row) for row in rows]
                    verified.seen += [
                        Seen(space, digest(comparison.without_markup(row)), document.key, 1, None, row) for row in forms
                    ]
            else:
                verified.uncompared[f"{UNCOMPARED_ROWS} ({table.compared.name})"] += sum(map(len, expected))
        for document, differences in zip(documents, found, strict=True):
            self._note(document, differences, verified)
        if not keeps_seen:
            verified.seen.clear()
        return verified

    def difference(
        self, number: int, row: RowDifference, document: str, detail: str = "", kind: Kind | None = None
    ) -> Difference:
        """Return a difference in a row of a table, by the table's number."""
        table = self.tables[number].compared
        columns = row.columns or table.compared
        rows = [each for each in (row.expected, row.held) if each is not None]
        comparison = self.comparisons[number]
        return Difference(
            kind or row.kind,
            document,
            table.name,
            tuple((table.columns[position].name, row.row[position]) for position in table.key),
            tuple(table.columns[position].name for position in row.columns),
            detail,
            tuple(table.columns[position].name for position in table.compared),
            () if row.expected is None else tuple(row.expected[position] for position in columns),
            () if row.held is None else tuple(row.held[position] for position in columns),
            tuple(digest(comparison.key(each) if table.key else each) for each in rows),
            comparison.likeness(row.row),
        )

    def _note(self, document: VerifiedDocument, differences: Sequence[Difference], verified: Verified) -> None:
        """Count a document with its differences."""
        entry = document.entry
        if entry is None and self._has_log:
            verified.documents[NOT_LOADED] += 1
            tables = [table.compared for table in self.tables if table.compared.column is not None]
            names = {table.name for table in tables}
            rows = sum(len(table.rows(document.rows)) for table in tables)
            there = rows - sum(each.kind is Kind.MISSING and each.table in names for each in differences)
            detail = f"{there:,} of its {rows:,} rows are in the tables nevertheless" if there else ""
            verified.note(Difference(Kind.NOT_LOADED, document.key, detail=detail))
            return
        verified.documents[DIFFERENT if differences else EQUAL] += 1
        verified.attempted_again |= entry is not None and entry.attempts > 1
        if not differences:
            return
        if entry is not None and entry.contract_hash != self._contract_hash:
            places = {f"{each.table}.{column}" for each in differences for column in each.columns}
            places |= {each.table for each in differences if not each.columns}
            detail = f"loaded with version {entry.contract_version} of the contract"
            verified.note(Difference(Kind.OTHER_CONTRACT, document.key, "", (), tuple(sorted(places)), detail))
            return
        detail = "the document has changed at the source since it was loaded" if document.is_changed else ""
        listed: Counter[str] = Counter()
        for difference in differences:
            listed[difference.table] += 1
            if listed[difference.table] > MOST_OF_A_TABLE:
                verified.count(difference)
            else:
                verified.note(difference._replace(detail=difference.detail or detail))

    def _by_document(
        self,
        number: int,
        documents: Sequence[VerifiedDocument],
        expected: Sequence[Sequence[Row]],
        found: Sequence[list[Difference]],
        verified: Verified,
    ) -> None:
        """Compare the rows of a table that are found by their document."""
        table, comparison = self.tables[number], self.comparisons[number]
        space = self.space(table.compared)
        keys = [table.compared.document(document.keys) for document in documents]
        known: dict[Value, Sequence[Row]] = {
            key: rows for key, rows in zip(keys, expected, strict=True) if key is not None
        }
        equal = table.equal_documents(known)
        held: defaultdict[Value, list[Row]] = defaultdict(list)
        for row in table.of_documents([key for key in keys if key not in equal]):
            held[row.document].append(row.row)
        for position, (document, key, rows) in enumerate(zip(documents, keys, expected, strict=True)):
            form = table.document_form(key)
            if form is None:
                verified.uncompared[f"{UNCOMPARED_KEYS} ({table.compared.name})"] += len(rows)
                continue
            verified.seen.append(Seen(space, digest(form), document.key))
            if key in equal:
                verified.rows[table.compared.name] += len(rows)
                continue
            forms = [table.expected(row) for row in rows]
            there = held.get(form, [])
            verified.rows[table.compared.name] += len(there)
            if differences := comparison.differences(forms, there):
                mapped = dict(zip(map(id, forms), rows, strict=True))
                found[position] += self._explained(number, document, differences, mapped, verified)

    def _explained(
        self,
        number: int,
        document: VerifiedDocument,
        differences: Sequence[RowDifference],
        mapped: Mapping[int, Row],
        verified: Verified,
    ) -> Iterator[Difference]:
        """Yield differences; missing rows that are elsewhere in the table are moved or orphaned."""
        table, comparison = self.tables[number], self.comparisons[number]
        missing = [mapped[id(each.expected)] for each in differences if each.kind is Kind.MISSING]
        elsewhere = {comparison.key(row.row): row for row in table.with_keys(missing)} if missing else {}
        for difference in differences:
            if difference.kind is Kind.CHANGED:
                yield from self._changed(number, document, difference, verified)
                continue
            other = elsewhere.get(comparison.key(difference.expected)) if difference.expected is not None else None
            if difference.kind is not Kind.MISSING or other is None:
                yield self.difference(number, difference, document.key)
                continue
            columns = comparison.differing(difference.expected or (), other.row)
            if other.document is None:
                orphan = RowDifference(Kind.ORPHANED, columns, difference.expected, other.row)
                yield self.difference(number, orphan, document.key, "the row that it belongs to is gone")
            else:
                moved = RowDifference(Kind.MOVED, columns, difference.expected, other.row)
                yield self.difference(
                    number, moved, document.key, f"the row has the key of another document: {key_text(other.document)}"
                )

    def _changed(
        self, number: int, document: VerifiedDocument, difference: RowDifference, verified: Verified
    ) -> Iterator[Difference]:
        """Yield a difference without the columns that depend on an unknown run."""
        if not document.has_known_run:
            table = self.tables[number].compared
            unknown = {name for member in table.members for name in self._run_columns[self._names[member]]}
            columns = tuple(each for each in difference.columns if table.columns[each].name not in unknown)
            verified.uncompared[UNCOMPARED_RUN] += len(difference.columns) - len(columns)
            if not columns:
                return
            difference = difference._replace(columns=columns)
        yield self.difference(number, difference, document.key)

    def with_same_key(self, number: int, rows: Sequence[Row]) -> dict[Row, Row]:
        """Return the rows of a table, by the table's number, that have the primary keys of these, by key."""
        comparison = self.comparisons[number]
        return {comparison.key(row.row): row.row for row in self.tables[number].with_keys(rows)}

    def compared_by_key(
        self, number: int, rows: Sequence[Row], held: Mapping[Row, Row]
    ) -> Iterator[tuple[bytes, RowDifference | None]]:
        """Yield the identity of each of these rows, and the difference to the one of `held` with its key, if any."""
        comparison = self.comparisons[number]
        for form in map(self.tables[number].expected, rows):
            there = held.get(key := comparison.key(form))
            columns = () if there is None else comparison.differing(form, there)
            kind = Kind.MISSING if there is None else Kind.CHANGED
            yield digest(key), RowDifference(kind, columns, form, there) if there is None or columns else None

    def _by_key(
        self,
        number: int,
        documents: Sequence[VerifiedDocument],
        expected: Sequence[Sequence[Row]],
        found: Sequence[list[Difference]],
        verified: Verified,
    ) -> None:
        """Compare the rows of a table that are found by their primary key."""
        table = self.tables[number].compared
        space, held = self.space(table), self.with_same_key(number, [row for rows in expected for row in rows])
        for position, (document, rows) in enumerate(zip(documents, expected, strict=True)):
            inserted = self._has_inserted(table, document)
            for identity, difference in self.compared_by_key(number, rows, held):
                is_there = difference is None or difference.kind is Kind.CHANGED
                if is_there:
                    verified.rows[table.name] += 1
                if difference is not None and is_there and not inserted:
                    verified.uncompared[f"{UNCOMPARED_SHARED} ({table.name})"] += 1
                    doubt = self.difference(number, difference, document.key)
                    verified.seen.append(Seen(space, identity, document.key, 0, doubt))
                    continue
                verified.seen.append(Seen(space, identity, document.key))
                if difference is not None and is_there:
                    found[position] += self._changed(number, document, difference, verified)
                elif difference is not None:
                    found[position].append(self.difference(number, difference, document.key))

    def _has_inserted(self, table: ComparedTable, document: VerifiedDocument) -> bool:
        """Return whether all rows of a document in a table are its own, or inserted by it and never replaced."""
        entry = document.entry
        if not table.is_shared:
            return True
        if entry is None or table.table.on_conflict != "keep" or entry.attempts > 1 or entry.kept_count is None:
            return False
        names = {self._names[member] for member in table.members}
        return not any(name in names and what is Counted.KEPT for (name, _, what), _ in read_counts(entry.counts))
