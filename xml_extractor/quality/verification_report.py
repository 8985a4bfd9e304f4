"""What `verify` reports: whether the target holds what the source holds, and what differs."""

import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.documents import Value
from xml_extractor.quality.differences import DIFFERENT, EQUAL, Difference, Kind, Verified
from xml_extractor.quality.row_comparison import MOST_PAIRS

COMPARED = (EQUAL, DIFFERENT)
"""Documents that were compared, in `Verified.documents`."""

EXPLANATIONS = {
    Kind.CHANGED: "the row has other values in these columns",
    Kind.MISSING: "the row is not there",
    Kind.ADDED: "the document has no such row",
    Kind.DUPLICATED: "the row is there more often than the document has it",
    Kind.MOVED: "the row belongs to another row or document",
    Kind.ORPHANED: "the row that it belongs to is gone",
    Kind.UNKNOWN_ROW: "the row belongs to no loaded document of the source",
    Kind.NOT_LOADED: "the processing log does not have the document",
    Kind.NOT_IN_SOURCE: "the document is loaded, but not in the source",
    Kind.NOT_MAPPED: "the document is loaded, but cannot be mapped now",
    Kind.OTHER_CONTRACT: "another content of the contract loaded the document, with other rows",
}

_BELONG_ELSEWHERE = (Kind.ADDED, Kind.UNKNOWN_ROW, Kind.ORPHANED)


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """The report; see the module.

    Attributes:
        source: The name of what is expected: the source, or another database.
        target: The name of the target.
        scope: Which documents were compared, if not all; empty for all.
        documents: Documents, by `equal`, `different`, or why they are not compared.
        rows: Rows of the target that were compared, by table.
        kinds: Differences by kind.
        counts: The same by kind, table and column.
        differences: The differences, as far as they are listed.
        not_compared: What was not compared.
        interrupted: Whether the command was asked to stop before all was compared.
        is_of_databases: Whether two databases were compared.
    """

    contract: str
    version: int
    source: str
    target: str
    scope: str
    documents: Mapping[str, int]
    rows: Mapping[str, int]
    kinds: Mapping[Kind, int]
    counts: Mapping[tuple[Kind, str, str], int]
    differences: Sequence[Difference]
    not_compared: Sequence[str]
    interrupted: bool
    is_of_databases: bool = False

    @property
    def holds(self) -> bool:
        """Whether nothing differs in what was compared."""
        return not self.interrupted and not any(self.kinds.values())

    @property
    def compared(self) -> int:
        """The number of documents that were compared."""
        return sum(self.documents.get(what, 0) for what in COMPARED)

    def as_json(self, *, with_values: bool) -> dict[str, Any]:
        """Return the report as JSON-ready data; values of documents only on request."""
        return {
            "contract": self.contract,
            "version": self.version,
            "source": self.source,
            "target": self.target,
            "scope": self.scope or "all documents",
            "holds": self.holds,
            "interrupted": self.interrupted,
            "documents": {"compared": self.compared, **self.documents},
            "rows": dict(self.rows),
            "differences": {kind.value: number for kind, number in self.kinds.items() if number},
            "by_column": [
                {"kind": kind.value, "table": table, "column": column, "rows": number}
                for (kind, table, column), number in self.counts.items()
                if number
            ],
            "listed": [_as_json(difference, with_values=with_values) for difference in self.differences],
            "not_compared": list(self.not_compared),
        }


def verification_report(
    contract: Contract,
    names: tuple[str, str],
    verified: Verified,
    scope: str = "",
    left_out: Mapping[str, frozenset[str]] | None = None,
    of_runs: Mapping[str, frozenset[str]] | None = None,
    *,
    most: int | None = None,
    interrupted: bool = False,
) -> VerificationReport:
    """Return the report of what was found.

    Args:
        contract: The contract.
        names: Of what is expected and of the target.
        verified: What was found.
        scope: As for `VerificationReport`.
        left_out: Columns that were left out by request, by table; `*` stands for the whole table.
        of_runs: Columns that were left out because they depend on the run, by table.
        most: Differences to list at most; None for all of which details are kept.
        interrupted: Whether the command was asked to stop.
    """
    _join_moved(verified)
    tables = [table.name for table in layouts(contract)]
    return VerificationReport(
        contract.contract,
        contract.version,
        *names,
        scope,
        dict(sorted(verified.documents.items())),
        {table: verified.rows[table] for table in tables if table in verified.rows},
        dict(sorted(verified.kinds.items(), key=lambda item: list(Kind).index(item[0]))),
        dict(sorted(verified.counts.items())),
        sorted(verified.differences, key=_order)[:most],
        [*_not_compared(contract, verified, scope, left_out or {}), *_of_runs(of_runs or {})],
        interrupted,
        of_runs is not None,
    )


def _order(difference: Difference) -> tuple[bool, int, str]:
    """Sort differences by document, numbers before other texts; those of no document come last."""
    document = difference.document
    return not document, int(document) if document.isascii() and document.isdigit() else sys.maxsize, document


def _not_compared(
    contract: Contract, verified: Verified, scope: str, left_out: Mapping[str, frozenset[str]]
) -> Iterator[str]:
    for status, number in sorted(verified.documents.items()):
        if status not in COMPARED:
            yield f"documents that are {'marked for retry' if status == 'retry' else status}: {number:,}"
    for what, number in sorted(verified.uncompared.items()):
        yield f"{what}: {number:,}"
    for table in layouts(contract):
        for column in table.generated:
            yield f"{table.name}.{column.name}: the database generates the values"
        for name in sorted(left_out.get(table.name, ())):
            yield f"{table.name}{'' if name == '*' else f'.{name}'}: left out by --ignore"
    if scope:
        yield "rows that belong to no document, which only a comparison of all documents finds"


def _of_runs(columns: Mapping[str, frozenset[str]]) -> Iterator[str]:
    for table, names in columns.items():
        for name in sorted(names):
            yield f"{table}.{name}: depends on the run"


def _join_moved(verified: Verified) -> None:
    """Make one difference of a row that is missing in one place and found in another."""
    _drop_found_elsewhere(verified)
    # Rows without a key that are unchanged, but whose parent row has moved or is gone.
    for lost, found in _pairs(verified, lambda each: None if each.key else each.identities, _BELONG_ELSEWHERE):
        if found.kind is Kind.ORPHANED:
            _replace(verified, [lost, found], lost._replace(kind=Kind.ORPHANED, detail=found.detail))
        else:
            _replace(verified, [lost, found], lost._replace(kind=Kind.MOVED, detail=_belongs_to(found)))
    for lost, found in _pairs(verified, lambda each: each.likeness or None, _BELONG_ELSEWHERE):
        if found.document and not lost.key:
            continue  # another row of another document may be the same
        positions = [
            position
            for position, (expected, held) in enumerate(zip(lost.expected, found.held, strict=True))
            if expected != held
        ]
        moved = lost._replace(
            kind=Kind.MOVED,
            columns=tuple(lost.names[position] for position in positions),
            detail=_belongs_to(found),
            expected=tuple(lost.expected[position] for position in positions),
            held=tuple(found.held[position] for position in positions),
        )
        _replace(verified, [lost, found], moved)


def _belongs_to(found: Difference) -> str:
    return f"the row belongs to {f'the document {found.document}' if found.document else 'no document'} now"


def _pairs(
    verified: Verified, feature: Callable[[Difference], object], kinds: Collection[Kind]
) -> list[tuple[Difference, Difference]]:
    """Return missing rows with rows of these kinds that have the same feature."""
    found = defaultdict[object, list[Difference]](list)
    tables = defaultdict[str, set[str]](set)
    for difference in verified.differences:
        if difference.kind is Kind.UNKNOWN_ROW:
            tables[difference.document].add(difference.table)
    for difference in verified.differences:
        # An unknown document with rows in several tables has its own.
        is_own = difference.kind is Kind.UNKNOWN_ROW and difference.document and len(tables[difference.document]) > 1
        if difference.kind in kinds and not difference.expected and not is_own:
            found[difference.table, feature(difference)].append(difference)
    lost = defaultdict[object, list[Difference]](list)
    for difference in verified.differences:
        if difference.kind is Kind.MISSING and feature(difference) is not None:
            lost[difference.table, feature(difference)].append(difference)
    return [pair for place, missing in lost.items() for pair in _nearest(missing, found.get(place, ()))]


def _nearest(missing: Sequence[Difference], found: Sequence[Difference]) -> Iterator[tuple[Difference, Difference]]:
    """Yield pairs of rows that differ least: all of them if there are as many of both, else those that are certain."""
    if len(missing) * len(found) > MOST_PAIRS:
        return
    distances = [
        [sum(one != other for one, other in zip(lost.expected, row.held, strict=True)) for row in found]
        for lost in missing
    ]
    nearest = sorted((distance, i, j) for i, row in enumerate(distances) for j, distance in enumerate(row))
    taken: tuple[set[int], set[int]] = (set(), set())
    for distance, i, j in nearest:
        if i in taken[0] or j in taken[1]:
            continue
        rivals = [distances[i][other] for other in range(len(found)) if other != j]
        rivals += [distances[other][j] for other in range(len(missing)) if other != i]
        if len(missing) == len(found) or distance < min(rivals, default=distance + 1):
            taken[0].add(i)
            taken[1].add(j)
            yield missing[i], found[j]


def _drop_found_elsewhere(verified: Verified) -> None:
    """Drop the rows that are named as moved or orphaned by the document that misses them."""
    known = {
        (each.table, identity)
        for each in verified.differences
        if each.kind is Kind.MOVED or (each.kind is Kind.ORPHANED and each.expected)
        for identity in each.identities
    }
    for difference in list(verified.differences):
        is_named = any((difference.table, identity) in known for identity in difference.identities)
        if is_named and difference.kind in _BELONG_ELSEWHERE and not difference.expected:
            _replace(verified, [difference], None)


def _replace(verified: Verified, old: Sequence[Difference], new: Difference | None) -> None:
    for difference in old:
        verified.differences.remove(difference)
        verified.kinds[difference.kind] -= 1
        for column in difference.columns or ("",):
            verified.counts[difference.kind, difference.table, column] -= 1
    if new is not None:
        verified.note(new)


def _as_json(difference: Difference, *, with_values: bool) -> dict[str, Any]:
    names = difference.columns or difference.names
    found: dict[str, Any] = {
        "kind": difference.kind.value,
        "document": difference.document or None,
        "table": difference.table or None,
        "key": shown_key(difference),
        "columns": list(difference.columns),
        "detail": difference.detail,
    }
    if with_values:
        found["expected"] = dict(zip(names, map(shown_value, difference.expected), strict=False)) or None
        found["held"] = dict(zip(names, map(shown_value, difference.held), strict=False)) or None
    return found


def shown_key(difference: Difference) -> dict[str, str | int | float | bool | None]:
    """Return the primary key of a difference's row; empty if it has none."""
    return {name: shown_value(value) for name, value in difference.key}


def shown_value(value: Value) -> str | int | float | bool | None:
    """Return a value as JSON and people take it."""
    if value is None or isinstance(value, str | int | float):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)
