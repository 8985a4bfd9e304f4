"""The output of the `preview` command: a document's rows, or where the values of a column come from."""

import difflib
import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import click
from lxml.etree import _Element as Element
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from xml_extractor.cli.boundary import counted
from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import (
    DocumentKey,
    Failure,
    RecordKey,
    Rejection,
    Revision,
    Row,
    RunValues,
    SourceDocument,
    Value,
)
from xml_extractor.errors import EXIT_OK, EXIT_REJECTS, UsageError
from xml_extractor.escaping import escaped
from xml_extractor.mapping import MappingError, Plan, compile_plan, map_document, read_revision
from xml_extractor.mapping.explain import ExplainedStep, ExplainedValue, explain
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules
from xml_extractor.processing_log.log_keys import UnusableKey, log_key, standing_in, stands_for_another
from xml_extractor.quality.unread import unread_counter
from xml_extractor.records import open_documents
from xml_extractor.reporting.console import cell, rendered
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import unusable_key
from xml_extractor.sources.interfaces import Source
from xml_extractor.values.sqltypes import Family, SqlType

MAX_COLUMNS_SIDE_BY_SIDE = 8
ROWS_SIDE_BY_SIDE = 4
SEARCHED_AT_ONCE = 1000

_SECONDS_LENGTH = len("2026-01-01 00:00:00")
_ZONE_LENGTH = len("+00:00")
_DATETIME_DECIMALS = 3

JsonObject = dict[str, Any]


def preview(
    source: str, contract: str, key: str | None, column: str | None, *, as_json: bool, record: int | None = None
) -> int:
    """Print the rows of a document, or the steps to the values of a column, and return the exit code.

    Args:
        source: The address or path of the documents; may contain a password.
        contract: A file, or the name of a shipped contract.
        key: The document's key; by default the first document.
        column: `table.column` or a column's name to explain; None prints the rows of all tables.
        as_json: Print JSON instead of tables.
        record: The record's number in its file; None if it is not chosen by number.
    """
    checked = read_contract(contract)
    document, source_name = _document(source, checked, key, record)
    run = RunValues("preview", datetime.now(UTC).replace(tzinfo=None, microsecond=0), source_name)
    plan = compile_plan(checked)
    located = None if column is None else _located(plan, column)
    try:
        with _interruptible():
            root = _parsed(document, checked)
            revision = read_revision(plan, root, document.key, run) if located is None else None
            if located is None:
                _check_unread(checked, document, root)
                is_deleted = revision is not None and revision.deletes
                rows = ((),) * len(plan.tables) if is_deleted else map_document(plan, root, document.key, run)
            else:
                values = explain(plan, root, document.key, run, *located)
    except (ParseError, MappingError) as error:
        _show(_rejected_as_json(error.failure) if as_json else _rejected(error.failure))
        return EXIT_REJECTS
    if located is None:
        tables = layouts(checked)
        if as_json:
            _show({**_revision_as_json(revision), **_rows_as_json(tables, rows)})
        else:
            _show(Group(*_revision(revision), _tables(tables, rows)))
    else:
        name = ".".join(located)
        _show(_explained_as_json(name, values) if as_json else _explained(name, values))
    return EXIT_OK


def _check_unread(contract: Contract, document: SourceDocument | Rejection, root: Element) -> None:
    """Reject the document if it has something that nothing reads, and the contract rejects such documents."""
    unread_of = unread_counter(contract)
    if unread_of is not None and isinstance(document, SourceDocument):
        unread_of(root, document.envelope)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the process at once in the block: an XPath may take forever, and Python would wait for its end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _show(content: RenderableType | JsonObject) -> None:
    if isinstance(content, dict):
        click.echo(escaped(json.dumps(content, indent=2, ensure_ascii=False), "\n"))
    else:
        click.echo(rendered(content, sys.stdout), nl=False)


def _document(
    address: str, contract: Contract, key: str | None, record: int | None
) -> tuple[SourceDocument | Rejection, str]:
    has_records = contract.document.records is not None
    if record is not None and not has_records:
        raise UsageError("--record requires a contract with `document.records`", "omit --record")
    with closing(open_documents(address, contract)) as source:
        found = _found_key(source, key) if record is None else _found_record(source, key, record)
        if found is None:
            which = "no documents" if key is None and record is None else "no document with this key or number"
            raise UsageError(f"{source.name} has {which}", "give another source, --key or --record")
        if isinstance(found, UnusableKey):
            return Rejection(found, unusable_key(found), content_hash="", seconds=0.0), source.name
        return next(iter(source.fetch([found], whole=not has_records))), source.name


def _found_record(source: Source, file: str | None, record: int) -> DocumentKey | None:
    """Return the key of the record with this number in its file, which may be named."""
    pages = source.key_pages(SEARCHED_AT_ONCE, None if file is None else KeyRange(file, file))
    keys = (key for page in pages for key in page.keys)
    return next((key for key in keys if isinstance(key, RecordKey) and key.place.number == record), None)


def _found_key(source: Source, key: str | None) -> DocumentKey | None:
    """Return the source's first key, or the one given: as it is in the source or in the processing log."""
    if key is None:
        keys = (key for page in source.key_pages(1) for key in page.keys)
        return next((key for key in keys if not (isinstance(key, RecordKey) and key.place.is_complete)), None)
    wanted = str(log_key(key))
    if wanted == key:
        found = next((each for page in source.key_pages(1, KeyRange(key, key)) for each in page.keys), None)
        if found is not None or not stands_for_another(key):
            return found
    keys = (each for page in source.key_pages(SEARCHED_AT_ONCE) for each in page.keys)
    return next((each for each in keys if wanted in (str(each), standing_in(str(each), None, ""))), None)


def _parsed(document: SourceDocument | Rejection, contract: Contract) -> Element:
    if isinstance(document, Rejection):
        raise ParseError(document.failure)
    return DocumentParser(parsing_rules(contract)).parse(document.content, document.envelope)


def _located(plan: Plan, column: str) -> tuple[str, str]:
    """Find the table and the column that `table.column`, or a column's name, denotes."""
    table, _, name = column.rpartition(".")
    columns = [(each.name, found.name) for each in plan.tables for found in each.columns]
    matching = [pair for pair in columns if pair == (table, name) or (not table and pair[1] == name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        written = " or ".join(map(".".join, matching))
        raise UsageError(f"several tables have a column '{name}'", f"write {written}")
    known = {".".join(pair) for pair in columns} if table else {pair[1] for pair in columns}
    near = difflib.get_close_matches(column, sorted(known), n=1)
    tip = f"did you mean {near[0]}?" if near else "preview without --explain shows all tables and columns"
    raise UsageError(f"no column '{column}' of the contract has values from documents", tip)


def _rejected_as_json(failure: Failure) -> JsonObject:
    fields = ("stage", "code", "table", "column", "path", "explanation")
    return {"rejected": {field: getattr(failure, field) for field in fields}}


def _rejected(failure: Failure) -> Text:
    return cell(f"Rejected at stage {failure.stage}: {failure.reason}")


def _json_value(value: Value) -> Any:
    match value:
        case Decimal():
            return str(value)
        case date() | time():
            return value.isoformat()
        case bytes():
            return f"0x{value.hex().upper()}"
        case _:
            return value


def _stored(value: Value, sql_type: SqlType, separator: str = " ") -> Any:
    """Return a value as the target stores it: times with exactly the decimals of their type."""
    match value:
        case datetime():
            text, length = value.isoformat(separator, "microseconds"), _SECONDS_LENGTH
        case time():
            text, length = value.isoformat("microseconds"), _SECONDS_LENGTH - len("2026-01-01 ")
        case _:
            return _json_value(value)
    zone = text[-_ZONE_LENGTH:] if sql_type.family is Family.OFFSET else ""
    digits = _DATETIME_DECIMALS if sql_type.name == "datetime" else sql_type.scale
    end = length + 1 + digits if digits else length
    return text.removesuffix(zone).ljust(end, "0")[:end] + zone


def _revision(revision: Revision | None) -> list[RenderableType]:
    """Return a line that says what the document is a revision of; nothing in a contract without revisions."""
    if revision is None:
        return []
    order = ", ".join(text for _, text in revision.order) or "the order of the source"
    what = "Deletes" if revision.deletes else "Revision of"
    return [cell(f"{what} {', '.join(revision.of)}; order: {order}"), ""]


def _revision_as_json(revision: Revision | None) -> JsonObject:
    if revision is None:
        return {}
    order = [text for _, text in revision.order]
    return {"document.revision": {"of": [*revision.of], "order": order, "deletes": revision.deletes}}


def _rows_as_json(tables: Sequence[TableLayout], rows: Sequence[Sequence[Row]]) -> JsonObject:
    return {
        table.name: [
            {column.name: _stored(value, column.type, "T") for column, value in zip(table.columns, row, strict=True)}
            for row in of_table
        ]
        for table, of_table in zip(tables, rows, strict=True)
    }


def _tables(tables: Sequence[TableLayout], rows: Sequence[Sequence[Row]]) -> Group:
    shown = [part for each in zip(tables, rows, strict=True) for part in ("", _table(*each))]
    return Group(*shown[1:])


def _shown(value: Value) -> Text:
    return cell("NULL", "dim") if value is None else cell(_json_value(value))


def _shown_stored(value: Value, sql_type: SqlType) -> Text:
    return _shown(int(value) if isinstance(value, bool) else _stored(value, sql_type))


def _table(table: TableLayout, rows: Sequence[Row]) -> RenderableType:
    heading = cell(f"{table.name}: {counted(len(rows), 'row')}", "bold")
    if not rows:
        return heading
    if len(table.columns) <= MAX_COLUMNS_SIDE_BY_SIDE:
        return Group(heading, _rows_below_each_other(table, rows))
    parts = (rows[first : first + ROWS_SIDE_BY_SIDE] for first in range(0, len(rows), ROWS_SIDE_BY_SIDE))
    return Group(heading, *(_rows_side_by_side(table, part) for part in parts))


def _rows_below_each_other(table: TableLayout, rows: Sequence[Row]) -> Table:
    shown = Table(box=None, pad_edge=False)
    for column in table.columns:
        shown.add_column(cell(column.name), overflow="fold")
    for row in rows:
        shown.add_row(*(_shown_stored(value, column.type) for value, column in zip(row, table.columns, strict=True)))
    return shown


def _rows_side_by_side(table: TableLayout, rows: Sequence[Row]) -> Table:
    shown = Table("column", "type", box=None, pad_edge=False)
    for _ in rows:
        shown.add_column("value", overflow="fold")
    for number, column in enumerate(table.columns):
        shown.add_row(cell(column.name), cell(column.type), *(_shown_stored(row[number], column.type) for row in rows))
    return shown


def _explained_as_json(name: str, values: Sequence[ExplainedValue]) -> JsonObject:
    return {
        name: [
            {
                "positions": value.positions,
                "kept": value.is_kept,
                "steps": [step._asdict() | {"value": _json_value(step.value)} for step in value.steps],
            }
            for value in values
        ]
    }


def _explained(name: str, values: Sequence[ExplainedValue]) -> RenderableType:
    if not values:
        return cell(f"{name}: no row rule of the table finds a node in this document")
    parts: list[RenderableType] = []
    for value in values:
        place = ".".join(map(str, value.positions))
        left_out = " (left out by a filter)" if value.is_kept is False else ""
        parts += [cell(f"{name}, row {place}{left_out}", "bold"), _steps(value.steps)]
    return Group(*parts)


def _steps(steps: Sequence[ExplainedStep]) -> Table:
    shown = Table(box=None, pad_edge=False)
    for heading in ("step", "value", "note"):
        shown.add_column(heading, overflow="fold")
    for step in steps:
        shown.add_row(cell(step.name), _shown(step.value), cell(step.note, "dim"))
    return shown
