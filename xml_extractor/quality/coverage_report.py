"""What `coverage` reports: the observed documents against the contract, as data for terminal, JSON and HTML."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from xml_extractor.contract.element_paths import ElementPaths
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.documents import LEFT_OUT
from xml_extractor.quality.census import REST, Labels, Place
from xml_extractor.quality.near_misses import NeverFound, Places, Suggestion, never_found, similar_names
from xml_extractor.quality.tallies import NUMBERS, Observed, Tally
from xml_extractor.reasons import Reason
from xml_extractor.values.sqltypes import MAX, Family, SqlType

SEEN = {
    "filled": "filled",
    "null": "NULL",
    "invalid": "invalid",
    "defaulted": "defaulted",
    "made_null": "invalid, made NULL",
    "made_default": "invalid, default used",
    "truncated": "truncated",
    "rounded": "rounded",
    "unknown_code": "unknown codes",
    "dangling": "dangling references",
}
"""What is counted of the values of a column, and how it is shown, in the order of reports."""

_INTEGER_DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19, "smallmoney": 6, "money": 15}


@dataclass(frozen=True, slots=True)
class FaultReport:
    """A fault of documents: what a run would reject them for."""

    stage: str
    reason: str
    table: str
    column: str
    path: str
    explanation: str
    documents: int
    values: int
    first_document: str
    largest: int
    largest_document: str

    @property
    def place(self) -> str:
        """The column, table, path or stage that the fault is about."""
        return f"{self.table}.{self.column}" if self.column else self.table or self.path or self.stage

    @property
    def description(self) -> str:
        """What is wrong, for people."""
        if not self.largest:
            return f"{self.reason}: {self.explanation}"
        unit = "character" if self.reason == Reason.TOO_LONG else "digit"
        largest = f"{self.largest:,} {unit}{'s' * (self.largest > 1)}"
        return f"{self.reason}: {self.explanation} (at most {largest}, in {self.largest_document})"


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """What is seen of a column.

    Attributes:
        counts: Numbers by what is counted, without zeros.
        first_documents: The first document of each.
        largest: The longest text in characters, or the most digits before the decimal point; 0 if it has none.
        limit: What the type holds of these; 0 for no limit.
        unit: `characters`, `bytes` or `digits`.
    """

    table: str
    column: str
    type: str
    counts: dict[str, int]
    first_documents: dict[str, str]
    largest: int
    limit: int
    unit: str
    largest_document: str

    @property
    def is_always_null(self) -> bool:
        """Whether the column has no value in any row."""
        return not self.counts.get("filled") and bool(self.counts.get("null"))

    @property
    def seen(self) -> str:
        """What is seen besides filled values and NULL, for people."""
        others = [what for what in self.counts if what not in ("filled", "null")]
        seen = [f"{self.counts[what]:,} {SEEN[what]}{self._first(what)}" for what in others]
        return "; ".join(["always NULL", *seen] if self.is_always_null else seen)

    @property
    def largest_of_type(self) -> str:
        """The type, with the largest size seen, for people."""
        unit = self.unit.removesuffix("s") if self.largest == 1 else self.unit
        return f"{self.largest:,} {unit} of {self.type}" if self.largest else self.type

    def _first(self, what: str) -> str:
        document = self.first_documents.get(what)
        return f" (first in {document})" if document else ""


@dataclass(frozen=True, slots=True)
class TableReport:
    """The rows of a table, and those that are left out, by filter."""

    table: str
    rows: int
    first_document: str
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class ElementReport:
    """An element or attribute.

    Attributes:
        unread: How many of its occurrences nothing reads.
        readers: What reads the others.
        similar: If nothing reads it: names that the contract reads at the same place.
    """

    path: str
    occurrences: int
    unread: int
    readers: tuple[str, ...]
    first_document: str
    similar: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """The result of `coverage`.

    Attributes:
        ignore: Elements that the contract can ignore, because nothing reads them or anything in them: match patterns.
    """

    contract: str
    version: int
    source: str
    interrupted: bool
    documents: dict[str, int]
    faults: list[FaultReport]
    tables: list[TableReport]
    columns: list[ColumnReport]
    never_found: list[NeverFound]
    elements: list[ElementReport]
    ignore: list[str]

    @property
    def observed(self) -> int:
        """The number of documents."""
        return sum(self.documents.values())

    @property
    def unread(self) -> list[ElementReport]:
        """The elements and attributes that nothing reads, at least at one place."""
        return [element for element in self.elements if element.unread]

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        suggestions = [
            {
                "readers": list(each.readers),
                "path": each.path,
                "step": each.step,
                "suggestions": [suggestion._asdict() for suggestion in each.suggestions],
            }
            for each in self.never_found
        ]
        elements = [
            {**asdict(each), "similar": [similar._asdict() for similar in each.similar]} for each in self.elements
        ]
        return {**asdict(self), "never_found": suggestions, "elements": elements}


def coverage_report(contract: Contract, source: str, observed: Observed, *, interrupted: bool) -> CoverageReport:
    """Compare what was observed with the contract."""
    paths, labels = ElementPaths(contract), Labels(contract)
    places = Places(paths, observed.elements)
    elements = _elements(observed.elements, places, labels)
    outcomes = ("accepted", "rejected", "skipped", "deleted")
    return CoverageReport(
        contract=contract.contract,
        version=contract.version,
        source=source,
        interrupted=interrupted,
        documents={outcome: observed.documents[outcome] for outcome in outcomes},
        faults=_faults(observed),
        tables=[_table(name, observed) for name in contract.tables],
        columns=[
            _column(layout.name, column.name, column.type, observed)
            for layout in layouts(contract)
            for column in layout.columns
        ],
        never_found=list(never_found(paths, places, labels)),
        elements=elements,
        ignore=list(_ignorable(elements)),
    )


def _ignorable(elements: Sequence[ElementReport]) -> Iterator[str]:
    """Yield match patterns of the outermost elements in which nothing is read, those with the most in them first."""
    unread = {each.path: each for each in elements if each.unread == each.occurrences and "@" not in each.path}
    # One that is similar to a path that is never found may be the one that the path means.
    kept = {each.path.rpartition("/")[2] for each in elements if each.path not in unread or each.similar}
    sizes: Counter[str] = Counter()
    for each in elements:
        above = accumulate(each.path.split("/"), lambda path, name: f"{path}/{name}")
        outermost = next((path for path in above if path in unread), None)
        if outermost is not None:
            sizes[outermost] += each.occurrences
    names: Counter[str] = Counter()
    for path, size in sizes.items():
        names[path.rpartition("/")[2]] += size
    yield from (name for name, _ in names.most_common() if name not in kept and not name.startswith(("{", REST)))


def _faults(observed: Observed) -> list[FaultReport]:
    found = [
        FaultReport(
            stage=str(key[0]),
            reason=str(key[1]),
            table=key[2],
            column=key[3],
            path=key[4],
            explanation=key[5],
            documents=observed.documents_with[key],
            values=tally.number,
            first_document=_document(tally.first),
            largest=tally.size,
            largest_document=_document(tally.largest),
        )
        for key, tally in observed.faults.items()
    ]
    return sorted(found, key=lambda fault: (-fault.documents, fault.table, fault.column, fault.reason, fault.path))


def _table(name: str, observed: Observed) -> TableReport:
    tally = observed.rows.get(name, Tally())
    left_out = {str(what): observed.columns.get((name, "", str(what)), Tally()).number for what in LEFT_OUT}
    return TableReport(
        name, tally.number, _document(tally.first), {what: number for what, number in left_out.items() if number}
    )


def _column(table: str, column: str, sql_type: SqlType, observed: Observed) -> ColumnReport:
    tallies = {
        what: observed.columns[table, column, what] for what in SEEN if (table, column, what) in observed.columns
    }
    filled = tallies.get("filled", Tally())
    limit, unit = _limit(sql_type)
    return ColumnReport(
        table,
        column,
        str(sql_type),
        {what: tally.number for what, tally in tallies.items()},
        {what: _document(tally.first) for what, tally in tallies.items() if tally.first is not None},
        filled.size,
        limit,
        unit,
        _document(filled.largest),
    )


def _limit(sql_type: SqlType) -> tuple[int, str]:
    if sql_type.family in NUMBERS:
        if sql_type.family is Family.DECIMAL:
            return sql_type.precision - sql_type.scale, "digits"
        return _INTEGER_DIGITS.get(sql_type.name, 0), "digits"
    unit = "bytes" if sql_type.family is Family.BINARY else "characters"
    has_length = sql_type.family in (Family.TEXT, Family.BINARY) and sql_type.length != MAX
    return (sql_type.length if has_length else 0), unit


def _elements(elements: dict[Place, Tally], places: Places, labels: Labels) -> list[ElementReport]:
    readers = {place: places.readers(place) for place in elements}
    above_read = {
        place.names[:length] for place, of_place in readers.items() if of_place for length in range(len(place.names))
    }
    by_path: dict[str, list[Place]] = {}
    for place in elements:
        by_path.setdefault(labels.path(place), []).append(place)
    found: list[ElementReport] = []
    for path in sorted(by_path):
        of_path, total = by_path[path], Tally()
        for place in of_path:
            total.add(Tally(elements[place].number, elements[place].first))
        unread = [place for place in of_path if not readers[place] and place.names not in above_read]
        known = tuple(dict.fromkeys(reader for place in of_path for reader in sorted(readers[place])))
        similar = tuple(dict.fromkeys(each for place in unread for each in similar_names(place, places, labels)))
        number = sum(elements[place].number for place in unread)
        found.append(ElementReport(path, total.number, number, known, _document(total.first), similar))
    return found


def _document(owner: tuple[Any, str] | None) -> str:
    return "" if owner is None else owner[1]
