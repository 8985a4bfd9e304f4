"""Observe what a contract makes of documents: the worker's side of `coverage`."""

import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import NamedTuple, cast

from lxml.etree import _Element as Element

from xml_extractor.contract.model import Contract
from xml_extractor.documents import (
    Counted,
    CountKey,
    DocumentKey,
    Failure,
    Rejection,
    Row,
    RunValues,
    Skipped,
    SourceDocument,
    Value,
)
from xml_extractor.mapping import MappingError, Plan, compile_plan, map_document, read_revision
from xml_extractor.mapping.errors import RULE_ERRORS, AnyRuleError, failure_of
from xml_extractor.mapping.generation import generate
from xml_extractor.mapping.plan import ColumnPlan, Compute, RowScope, TablePlan
from xml_extractor.mapping.steps import compose, conversion
from xml_extractor.parsing import DocumentParser, OtherRootError, ParseError, parsing_rules
from xml_extractor.quality.census import Census, Signature, places_of
from xml_extractor.quality.tallies import (
    NUMBERS,
    ColumnKey,
    FaultKey,
    Observed,
    Order,
    Tally,
    digits,
    tally_column,
)
from xml_extractor.quality.unread import unread_counter
from xml_extractor.reasons import Reason, Stage
from xml_extractor.values.sqltypes import Family

_NAMES = {Counted.NULL: "made_null", Counted.DEFAULT: "made_default"}
"""What would be mistaken for a value that the document does not have."""

_POSITION = re.compile(r" \(line \d+, column \d+\)")
"""What makes faults of documents differ that are the same otherwise."""


class _Invalid(NamedTuple):
    """A value of a row that has an error."""

    table: TablePlan
    number: int
    row: RowScope
    error: AnyRuleError


class Observer:
    """Observes one document after the other.

    Args:
        contract: The contract.
        run: The values of the run.
        fetch_whole: Fetches a document that the source has cut too early, without cutting it.
    """

    def __init__(
        self,
        contract: Contract,
        run: RunValues,
        fetch_whole: Callable[[DocumentKey], SourceDocument | Rejection] | None = None,
    ) -> None:
        self.observed = Observed()
        self._run = run
        self._fetch_whole = fetch_whole
        self._parser = DocumentParser(parsing_rules(contract))
        self._plan = _with_marked_defaults(compile_plan(contract))
        self._invalid: list[_Invalid] = []
        self._tolerant = _tolerant(self._plan, self._invalid)
        self._census = Census(contract, is_whole=True)
        self._signatures: dict[Signature, Tally] = {}
        self._unread_of = unread_counter(contract)
        self._rows: list[list[Row]] = [[] for _ in self._plan.tables]
        self._owners: list[list[tuple[Order, str]]] = [[] for _ in self._plan.tables]
        self._invalid_of: Counter[ColumnKey] = Counter()

    def observe(
        self, document: SourceDocument | Rejection, order: Order, enter: Callable[[Stage], None] = lambda _: None
    ) -> None:
        """Parse and map a fetched document, and count what is in it and what becomes of it.

        Args:
            document: The document.
            order: Its place in the order of the source.
            enter: Called at the start of each stage.
        """
        owner = (order, str(document.key))
        if isinstance(document, Skipped):
            self.observed.documents["skipped"] += 1
            return
        if isinstance(document, Rejection):
            self.fail([document.failure], owner)
            return
        enter(Stage.PARSE)
        try:
            root = self._parser.parse(document.content, document.envelope)
        except OtherRootError:
            self.observed.documents["skipped"] += 1
        except ParseError as error:
            if document.is_cut and self._fetch_whole is not None:
                # The source may have cut it too early, such as in a comment that quotes an end tag.
                enter(Stage.FETCH)
                self.observe(self._fetch_whole(document.key), order, enter)
            else:
                self.fail([error.failure], owner)
        else:
            enter(Stage.MAP)
            self._observe_parsed(root, document, owner)

    def _observe_parsed(self, root: Element, document: SourceDocument, owner: tuple[Order, str]) -> None:
        self._count_elements(self._census.counts(root, document.envelope), owner)
        try:
            revision = read_revision(self._plan, root, document.key, self._run)
            if revision is not None and revision.deletes:
                self.observed.documents["deleted"] += 1
                return
            if self._unread_of is not None:
                self._unread_of(root, document.envelope)
            rows = map_document(self._plan, root, document.key, self._run, lambda counts: self._note(counts, owner))
        except MappingError as error:
            self._observe_faults(root, document.key, error.failure, owner)
            return
        self.observed.documents["accepted"] += 1
        self._keep(rows, owner)

    def fail(self, failures: Sequence[Failure], owner: tuple[Order, str], sizes: Sequence[int] = ()) -> None:
        """Count a document that would be rejected, with all its faults."""
        self.observed.documents["rejected"] += 1
        seen: set[FaultKey] = set()
        for number, failure in enumerate(failures):
            explanation = _POSITION.sub("", failure.explanation)
            key = (failure.stage, failure.code, failure.table, failure.column, failure.path, explanation)
            size = sizes[number] if number < len(sizes) else 0
            self.observed.faults.setdefault(key, Tally()).add(Tally(1, owner, size, owner if size else None))
            seen.add(key)
        self.observed.documents_with.update(seen)

    def take(self) -> Observed:
        """Return what was seen since the last call."""
        for table, rows, owners in zip(self._plan.tables, self._rows, self._owners, strict=True):
            if rows:
                self.observed.rows[table.name] = Tally(len(rows), owners[0])
            for column, values in zip(table.columns, zip(*rows, strict=True), strict=False):
                invalid = self._invalid_of[table.name, column.name]
                default = column.steps[-1].for_null if _has_default(column) else None
                tallies = tally_column(values, owners, column.type.family, invalid, default)
                self.observed.columns |= {(table.name, column.name, what): tally for what, tally in tallies.items()}
            rows.clear()
            owners.clear()
        for signature, tally in self._signatures.items():
            for place in places_of(signature):
                self.observed.elements.setdefault(place, Tally()).add(tally)
        self._signatures.clear()
        self._invalid_of.clear()
        taken, self.observed = self.observed, Observed()
        return taken

    def _count_elements(self, counts: Mapping[Signature, int], owner: tuple[Order, str]) -> None:
        counted = self._signatures
        for signature, number in counts.items():
            tally = counted.get(signature)
            if tally is None:
                counted[signature] = Tally(number, owner)
            else:
                tally.number += number

    def _keep(self, rows: Sequence[Sequence[Row]], owner: tuple[Order, str]) -> None:
        for number, found in enumerate(rows):
            self._rows[number] += found
            self._owners[number] += [owner] * len(found)

    def _note(self, counts: Iterable[tuple[CountKey, int]], owner: tuple[Order, str]) -> None:
        for (table, column, what), number in counts:
            key = (table, column, _NAMES.get(what, str(what)))
            self.observed.columns.setdefault(key, Tally()).add(Tally(number, owner))

    def _observe_faults(self, root: Element, key: DocumentKey, first: Failure, owner: tuple[Order, str]) -> None:
        """Find all faults of a document that has one."""
        failures = [first] if first.code is Reason.UNREAD else []
        sizes: list[int] = []
        plan, rows = self._tolerant, None
        for attempt in (plan, _without_key(plan)):
            self._invalid.clear()
            try:
                rows = map_document(attempt, root, key, self._run, lambda counts: self._note(counts, owner))
            except MappingError as error:
                failures.append(error.failure)
                if error.failure.table:
                    break
            else:
                break
        is_without_key = any(not failure.table and failure is not first for failure in failures)
        invalid = [each for each in self._invalid if _matters(each)]
        lacking: Counter[ColumnKey] = Counter()
        for each in invalid:
            column = each.table.columns[each.number]
            failure = failure_of(each.error, column.path, each.table.name, column.name)
            failures.append(failure)
            sizes += [0] * (len(failures) - len(sizes) - 1) + [_size(column, each.row, failure.code)]
            lacking[each.table.name, column.name] += 1
        self._invalid.clear()
        if rows is not None:
            # Without the document's key, everything that is made of it is missing too.
            failures += [] if is_without_key else _missing(self._plan, rows, lacking)
            self._invalid_of.update(lacking)
            self._keep(rows, owner)
        self.fail(failures or [first], owner, sizes)


def _with_marked_defaults(plan: Plan) -> Plan:
    """Return a plan whose defaults are objects that no document has, so that their identity tells them from values."""
    tables = tuple(
        table._replace(
            columns=(columns := tuple(map(_with_marked_default, table.columns))),
            computes=tuple(
                compute if compute is not before.compute else after.compute
                for compute, before, after in zip(table.computes, table.columns, columns, strict=True)
            ),
        )
        for table in plan.tables
    )
    return plan._replace(tables=tables, code=generate(plan.contract, tables, plan.noted))


def _with_marked_default(column: ColumnPlan) -> ColumnPlan:
    if not _has_default(column):
        return column
    *steps, step = column.steps
    steps.append(step._replace(for_null=_marked(step.for_null)))
    convert = conversion(steps)
    compute = compose(column.origin.read, convert, column.tolerate)
    return column._replace(steps=tuple(steps), convert=convert, compute=compute)


def _has_default(column: ColumnPlan) -> bool:
    return bool(column.steps) and column.steps[-1].name == "default"


def _marked(value: Value) -> Value:
    """Return an object that equals a value and is no other: Python has one object for all equal small numbers."""
    kind = int if isinstance(value, bool) else type(value)
    if kind in (int, str, bytes):
        return cast("Value", type("Default", (kind,), {})(value))
    return cast("Value", pickle.loads(pickle.dumps(value)))


def _tolerant(plan: Plan, invalid: list[_Invalid]) -> Plan:
    """Return a plan that collects errors of columns, uses NULL for them, and requires no values."""

    def tolerant(table: TablePlan, number: int) -> Compute:
        compute = table.computes[number]

        def compute_anyway(row: RowScope) -> Value:
            try:
                return compute(row)
            except RULE_ERRORS as error:
                invalid.append(_Invalid(table, number, row, error))
                return None

        return compute_anyway

    tables = tuple(
        table._replace(computes=tuple(tolerant(table, number) for number in range(len(table.computes))), required=())
        for table in plan.tables
    )
    return plan._replace(tables=tables, code=None)


def _without_key(plan: Plan) -> Plan:
    """Return a plan for which the document's own key is NULL."""
    run_values = plan.run_values
    return plan._replace(read_key=None, run_values=lambda _, source_key, run: run_values(None, source_key, run))


def _matters(invalid: _Invalid) -> bool:
    """Return whether an invalid value rejects the document: not in a row that `when` leaves out without it."""
    table = invalid.table
    if table.when is None or invalid.number in table.read_by_when:
        return True
    with suppress(*RULE_ERRORS):
        return table.when.evaluate(invalid.row.values, invalid.row.document.clock) is True
    return True


def _missing(plan: Plan, rows: Sequence[Sequence[Row]], lacking: Counter[ColumnKey]) -> Iterator[Failure]:
    """Yield a failure for each required value that a document does not have."""
    for table, of_table in zip(plan.tables, rows, strict=True):
        for number in table.required:
            column = table.columns[number]
            nulls = sum(row[number] is None for row in of_table) - lacking[table.name, column.name]
            explanation = "the column is required and the document has no value for it"
            failure = Failure(Stage.MAP, Reason.MISSING_VALUE, explanation, table.name, column.name, column.path)
            yield from [failure] * nulls


def _size(column: ColumnPlan, row: RowScope, reason: str) -> int:
    """Return the characters or digits of a text or number that its type does not hold, and 0 for other faults."""
    is_number = column.type.family in NUMBERS
    sized = Reason.OVERFLOW if is_number else Reason.TOO_LONG
    if reason != sized or not (is_number or column.type.family is Family.TEXT):
        return 0
    value: Value = None
    with suppress(*RULE_ERRORS):
        value = column.origin.read(row)
        for step in column.steps:
            value = step(value)
    if isinstance(value, Decimal | int):
        return digits(value)
    if not isinstance(value, str):
        return 0
    return sum(character.isdigit() for character in value) if is_number else len(value)
