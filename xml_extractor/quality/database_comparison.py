"""Compare the tables of a contract in two databases, such as those of an old loader with those of this one.

Nothing is mapped: the rows of each document in one database are compared with its rows in the other. Documents are
known by the keys that their rows hold.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from xml_extractor.contract.layout import run_columns
from xml_extractor.contract.model import Contract
from xml_extractor.documents import Row, Value
from xml_extractor.quality.differences import DIFFERENT, EQUAL, Difference, Kind, Seen, Verified, key_text
from xml_extractor.quality.reconciliation import Reconciliation, in_parts
from xml_extractor.quality.row_comparison import digest
from xml_extractor.quality.seen_things import SeenThings
from xml_extractor.quality.verification import Verifier
from xml_extractor.targets.interfaces import ComparingConnection


@dataclass(frozen=True, slots=True)
class Side:
    """One of two databases.

    Attributes:
        connection: Reads rows by their keys.
        listing: Lists keys meanwhile.
    """

    connection: ComparingConnection
    listing: ComparingConnection


class DatabaseComparison:
    """Compares two databases of one kind.

    Args:
        contract: The contract.
        expected: The database whose rows are expected.
        held: The database whose rows are compared with these.
        left_out: Columns that are not compared, by table of the contract; `*` stands for the whole table. Those that
            depend on the run are never compared.
        things: Empty.
        on_progress: Called with the number of documents that are compared so far.
    """

    def __init__(
        self,
        contract: Contract,
        expected: Side,
        held: Side,
        left_out: Mapping[str, frozenset[str]],
        things: SeenThings,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        of_runs = run_columns(contract)
        left_out = {name: of_runs[name] | left_out.get(name, frozenset()) for name in contract.tables}
        self._sides = {True: expected, False: held}
        self._verifier = Verifier(contract, "", held.connection, left_out, of_runs, has_log=False)
        self._other = Verifier(contract, "", expected.connection, left_out, of_runs, has_log=False)
        self._things = things
        self._on_progress = on_progress
        self._compared = 0
        self._contract = contract
        self.verified = Verified()

    def compare(self) -> Verified:
        """Compare all tables, and return what was found.

        Raises:
            DatabaseError: One of the databases cannot be read.
        """
        numbered = list(enumerate(self._verifier.tables))
        by_space = sorted(numbered, key=lambda each: self._verifier.space(each[1].compared))
        for space, group in groupby(by_space, key=lambda each: self._verifier.space(each[1].compared)):
            numbers = [number for number, _ in group]
            if self._verifier.tables[numbers[0]].compared.column is not None:
                for is_expected in (True, False):
                    for keys in self._documents(numbers, space, is_expected=is_expected):
                        self._compare_documents(numbers, keys)
        rest = Reconciliation(self._verifier, self._things, None, "", "", has_changing_rows=False)
        for number, table in numbered:
            if table.compared.column is None and table.compared.key:
                self._by_key(number)
            elif table.compared.column is None:
                self._all(number)
        rest.add_to(self.verified)
        self._without_document()
        return self.verified

    def _documents(self, numbers: Sequence[int], space: int, *, is_expected: bool) -> Iterator[list[Value]]:
        """Yield the keys of documents that one side has rows of, and that were not compared before."""
        listing = self._sides[is_expected].listing
        for number in numbers:
            table = self._verifier.tables[number]
            column = table.compared.column
            if column is None or column.links:
                continue
            only_key = table.compared.table_of(column.column)
            for rows in in_parts(listing.read_rows(only_key)):
                forms = {digest(table.document_form(key)): key for (key,) in rows if key is not None}
                known = self._things.known(space, list(forms))
                new = {identity: key for identity, key in forms.items() if identity not in known}
                if new:
                    self._things.add(Seen(space, identity, key_text(key)) for identity, key in new.items())
                    yield list(new.values())

    def _compare_documents(self, numbers: Sequence[int], keys: Sequence[Value]) -> None:
        found: dict[str, list[Difference]] = {key_text(key): [] for key in keys}
        rows: dict[bool, dict[str, int]] = {True: dict.fromkeys(found, 0), False: dict.fromkeys(found, 0)}
        for number in numbers:
            sides = {}
            for is_expected, verifier in ((True, self._other), (False, self._verifier)):
                sides[is_expected] = defaultdict[Value, list[Row]](list)
                for row in verifier.tables[number].of_documents(keys):
                    sides[is_expected][row.document].append(row.row)
            table = self._verifier.tables[number]
            for key in keys:
                form, name = table.document_form(key), key_text(key)
                expected, held = sides[True].get(form, []), sides[False].get(form, [])
                rows[True][name] += len(expected)
                rows[False][name] += len(held)
                self.verified.rows[table.compared.name] += len(held)
                for difference in self._verifier.comparisons[number].differences(expected, held):
                    found[name].append(self._verifier.difference(number, difference, name))
        for name, differences in found.items():
            self.verified.documents[DIFFERENT if differences else EQUAL] += 1
            expected_rows, held_rows = rows[True][name], rows[False][name]
            if expected_rows and held_rows:
                for each in differences:
                    self.verified.note(each)
            else:
                kind = Kind.NOT_LOADED if expected_rows else Kind.NOT_IN_SOURCE
                number = expected_rows or held_rows
                detail = f"only one of the databases has it, with {number:,} row{'' if number == 1 else 's'}"
                self.verified.note(Difference(kind, name, detail=detail))
        self._compared += len(keys)
        self._on_progress(self._compared)

    def _by_key(self, number: int) -> None:
        """Compare a table whose rows are found by their primary key."""
        verifier, table = self._verifier, self._verifier.tables[number].compared
        for rows in in_parts(self._sides[True].listing.read_rows(table.table)):
            for identity, row in verifier.compared_by_key(number, rows, verifier.with_same_key(number, rows)):
                self._things.add([Seen(verifier.space(table), identity, "")])
                if row is None or row.kind is Kind.CHANGED:
                    self.verified.rows[table.name] += 1
                if row is not None:
                    self.verified.note(verifier.difference(number, row, ""))

    def _all(self, number: int) -> None:
        """Note all rows of a table without key and document, so that those of the other side are compared with them."""
        table, comparison = self._other.tables[number], self._verifier.comparisons[number]
        space = self._verifier.space(table.compared)
        for rows in in_parts(table.all()):
            self._things.add(
                Seen(space, digest(comparison.without_markup(row.row)), "", 1, None, row.row) for row in rows
            )

    def _without_document(self) -> None:
        """Count the expected rows that lead to no document."""
        for table in self._other.tables:
            if table.compared.column is not None and table.compared.column.links:
                rows = sum(1 for row in table.all() if row.document is None)
                if rows:
                    what = f"rows of the other database that lead to no document ({table.compared.name})"
                    self.verified.uncompared[what] += rows
