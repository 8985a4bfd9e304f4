"""The `preview` command: one document to rows, on screen, without a target."""

import difflib
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import click
from lxml.etree import _Element as Element
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from xml_extractor.cli.boundary import EXIT_OK, EXIT_REJECTS
from xml_extractor.cli.options import SOURCE_PASSWORD_OPTION, config_option, contract_option, with_documents
from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import Failure, Rejection, Row, RunValues, SourceDocument, Value
from xml_extractor.errors import UsageError
from xml_extractor.mapping import MappingError, Plan, compile_plan, map_document
from xml_extractor.mapping.explain import ExplainedStep, ExplainedValue, explain
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules
from xml_extractor.reporting.screen import rendered
from xml_extractor.settings import KeyRange
from xml_extractor.sources.registry import open_source

MAX_COLUMNS_SIDE_BY_SIDE = 8
ROWS_SIDE_BY_SIDE = 4

JsonObject = dict[str, Any]


@click.command("preview")
@config_option
@click.argument("source")
@contract_option
@SOURCE_PASSWORD_OPTION
@click.option("--key", help="Which document of SOURCE; the first one if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of rows by table.")
@click.option("--explain", "column", metavar="COLUMN", help="Show step by step where a column's values come from.")
@with_documents
def preview_command(source: str, contract: str, key: str | None, column: str | None, *, as_json: bool) -> int:
    """Show the rows that a document of SOURCE becomes. No database is written.

    SOURCE is an XML file, or any other source of a run. This shows values of the document.
    """
    checked = read_contract(contract)
    document, source_name = _document(source, checked, key)
    run = RunValues("preview", datetime.now(UTC).replace(tzinfo=None, microsecond=0), source_name)
    plan = compile_plan(checked)
    located = None if column is None else _located(plan, column)
    try:
        root = _parsed(document, checked)
        if located is None:
            rows = map_document(plan, root, document.key, run)
        else:
            values = explain(plan, root, document.key, run, *located)
    except (ParseError, MappingError) as error:
        _show(_rejected_as_json(error.failure) if as_json else _rejected(error.failure))
        return EXIT_REJECTS
    if located is None:
        tables = layouts(checked)
        _show(_rows_as_json(tables, rows) if as_json else _tables(tables, rows))
    else:
        name = ".".join(located)
        _show(_explained_as_json(name, values) if as_json else _explained(name, values))
    return EXIT_OK


def _show(content: RenderableType | JsonObject) -> None:
    if isinstance(content, dict):
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        click.echo(rendered(content, sys.stdout), nl=False)


def _document(address: str, contract: Contract, key: str | None) -> tuple[SourceDocument | Rejection, str]:
    key_range = None if key is None else KeyRange(key, key)
    with closing(open_source(address, contract, contract.document.max_bytes)) as source:
        keys = next((page.keys for page in source.key_pages(1, key_range)), None)
        if keys is None:
            which = "no documents" if key is None else "no document with this key"
            raise UsageError(f"{source.name} has {which}", "name another source or --key")
        return next(iter(source.fetch(keys[:1], whole=True))), source.name


def _parsed(document: SourceDocument | Rejection, contract: Contract) -> Element:
    if isinstance(document, Rejection):
        raise ParseError(document.failure)
    return DocumentParser(parsing_rules(contract)).parse(document.content)


def _located(plan: Plan, column: str) -> tuple[str, str]:
    """The table and the column that `table.column` or a column's name alone means."""
    table, _, name = column.rpartition(".")
    places = [(each.name, of_it.name) for each in plan.tables for of_it in each.columns]
    found = [place for place in places if place == (table, name) or (not table and place[1] == name)]
    if len(found) == 1:
        return found[0]
    if found:
        written = " or ".join(".".join(place) for place in found)
        raise UsageError(f"several tables have a column '{name}'", f"write {written}")
    known = {".".join(place) for place in places} if table else {place[1] for place in places}
    near = difflib.get_close_matches(column, sorted(known), n=1)
    tip = f"did you mean {near[0]}?" if near else "preview without --explain shows all tables and columns"
    raise UsageError(f"no column '{column}' of the contract has values from documents", tip)


def _rejected_as_json(failure: Failure) -> JsonObject:
    fields = ("stage", "code", "table", "column", "path", "explanation")
    return {"rejected": {field: getattr(failure, field) for field in fields}}


def _rejected(failure: Failure) -> Text:
    return Text(f"Rejected at stage {failure.stage}: {failure.reason}")


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


def _rows_as_json(tables: Sequence[TableLayout], rows: Sequence[Sequence[Row]]) -> JsonObject:
    return {
        table.name: [
            {column.name: _json_value(value) for column, value in zip(table.columns, row, strict=True)}
            for row in of_table
        ]
        for table, of_table in zip(tables, rows, strict=True)
    }


def _tables(tables: Sequence[TableLayout], rows: Sequence[Sequence[Row]]) -> Group:
    return Group(*(_table(table, of_table) for table, of_table in zip(tables, rows, strict=True)))


def _shown(value: Value) -> Text:
    return Text("NULL", style="dim") if value is None else Text(str(_json_value(value)))


def _table(table: TableLayout, rows: Sequence[Row]) -> RenderableType:
    count = f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
    heading = Text(f"\n{table.name}: {count}", style="bold")
    if not rows:
        return heading
    if len(table.columns) <= MAX_COLUMNS_SIDE_BY_SIDE:
        return Group(heading, _rows_below_each_other(table, rows))
    parts = (rows[first : first + ROWS_SIDE_BY_SIDE] for first in range(0, len(rows), ROWS_SIDE_BY_SIDE))
    return Group(heading, *(_rows_side_by_side(table, part) for part in parts))


def _rows_below_each_other(table: TableLayout, rows: Sequence[Row]) -> Table:
    shown = Table(box=None, pad_edge=False)
    for column in table.columns:
        shown.add_column(column.name, overflow="fold")
    for row in rows:
        shown.add_row(*map(_shown, row))
    return shown


def _rows_side_by_side(table: TableLayout, rows: Sequence[Row]) -> Table:
    shown = Table("column", "type", box=None, pad_edge=False)
    for _ in rows:
        shown.add_column("value", overflow="fold")
    for number, column in enumerate(table.columns):
        shown.add_row(Text(column.name), Text(str(column.type)), *(_shown(row[number]) for row in rows))
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
        return Text(f"{name}: no row rule of the table finds a node in this document")
    parts: list[RenderableType] = []
    for value in values:
        place = ".".join(map(str, value.positions))
        left_out = " (left out by a filter)" if value.is_kept is False else ""
        parts += [Text(f"{name}, row {place}{left_out}", style="bold"), _steps(value.steps)]
    return Group(*parts)


def _steps(steps: Sequence[ExplainedStep]) -> Table:
    shown = Table(box=None, pad_edge=False)
    for heading in ("step", "value", "note"):
        shown.add_column(heading, overflow="fold")
    for step in steps:
        shown.add_row(Text(step.name), _shown(step.value), Text(step.note, style="dim"))
    return shown
