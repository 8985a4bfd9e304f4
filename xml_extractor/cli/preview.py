"""The `preview` command: one document to rows, on screen, without a target."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import click
from lxml.etree import _Element as Element
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from xml_extractor.cli.boundary import EXIT_OK, EXIT_REJECTS
from xml_extractor.cli.options import config_option, contract_option
from xml_extractor.contract import Contract, read_contract
from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.database import open_source
from xml_extractor.documents import Failure, Rejection, Row, RunValues, SourceDocument, Value
from xml_extractor.errors import UsageError
from xml_extractor.mapping import (
    ExplainedStep,
    ExplainedValue,
    MappingError,
    Plan,
    compile_plan,
    explain,
    map_document,
)
from xml_extractor.parsing import DocumentParser, ParseError
from xml_extractor.parsing.rules import parsing_rules
from xml_extractor.settings import KeyRange

MAX_COLUMNS_SIDE_BY_SIDE = 8
ROWS_SIDE_BY_SIDE = 4


@click.command("preview")
@config_option
@click.argument("source")
@contract_option
@click.option("--key", help="Which document of SOURCE; the first one if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of rows by table.")
@click.option("--explain", "column", metavar="COLUMN", help="Show step by step where a column's values come from.")
def preview_command(source: str, contract: str, key: str | None, column: str | None, *, as_json: bool) -> int:
    """Show the rows that a document of SOURCE becomes. No database is written.

    SOURCE is an XML file, or any other source of a run. This shows values of the document.
    """
    checked = read_contract(contract)
    document, source_name = _document(source, checked, key)
    run = RunValues("preview", datetime.now(UTC).replace(tzinfo=None, microsecond=0), source_name)
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    try:
        root = _parsed(document, checked)
        plan = compile_plan(checked)
        if column is not None:
            table, name = _located(plan, column)
            values = explain(plan, root, document.key, run, table, name)
            _print_explained(f"{table}.{name}", values, console, as_json=as_json)
            return EXIT_OK
        rows = map_document(plan, root, document.key, run)
    except (ParseError, MappingError) as error:
        return _rejected(error.failure, console, as_json=as_json)
    if as_json:
        click.echo(json.dumps(_by_table(layouts(checked), rows), indent=2, ensure_ascii=False))
    else:
        console.print(Group(*(_table(table, of_table) for table, of_table in zip(layouts(checked), rows, strict=True))))
    return EXIT_OK


def _document(address: str, contract: Contract, key: str | None) -> tuple[SourceDocument | Rejection, str]:
    key_range = None if key is None else KeyRange(key, key)
    with closing(open_source(address, contract, contract.document.max_bytes)) as source:
        keys = next((page for page in source.key_pages(1, key_range) if page), None)
        if keys is None:
            which = "no documents" if key is None else "no document with this key"
            raise UsageError(f"{source.name} has {which}", "name another source or --key")
        return next(iter(source.fetch(keys[:1]))), source.name


def _parsed(document: SourceDocument | Rejection, contract: Contract) -> Element:
    if isinstance(document, Rejection):
        raise ParseError(document.failure)
    return DocumentParser(parsing_rules(contract)).parse(document.content)


def _located(plan: Plan, column: str) -> tuple[str, str]:
    """The table and the column that `table.column` or a column's name alone means."""
    table, dot, name = column.rpartition(".")
    if dot:
        return table, name
    tables = [table.name for table in plan.tables if name in {column.name for column in table.columns}]
    if len(tables) == 1:
        return tables[0], name
    if not tables:
        raise UsageError(f"the contract has no column '{name}'", "preview without --explain shows all columns")
    raise UsageError(f"several tables have a column '{name}'", f"write {' or '.join(f'{t}.{name}' for t in tables)}")


def _rejected(failure: Failure, console: Console, *, as_json: bool) -> int:
    if as_json:
        fields = ("stage", "code", "table", "column", "path", "explanation")
        click.echo(json.dumps({"rejected": {field: getattr(failure, field) for field in fields}}, indent=2))
    else:
        console.print(Text(f"Rejected at stage {failure.stage}: {failure.reason}"))
    return EXIT_REJECTS


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


def _by_table(tables: Sequence[TableLayout], rows: Sequence[Sequence[Row]]) -> dict[str, list[dict[str, Any]]]:
    return {
        table.name: [
            {column.name: _json_value(value) for column, value in zip(table.columns, row, strict=True)}
            for row in of_table
        ]
        for table, of_table in zip(tables, rows, strict=True)
    }


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


def _print_explained(name: str, values: Sequence[ExplainedValue], console: Console, *, as_json: bool) -> None:
    if as_json:
        listed = [
            {
                "positions": value.positions,
                "kept": value.is_kept,
                "steps": [step._asdict() | {"value": _json_value(step.value)} for step in value.steps],
            }
            for value in values
        ]
        click.echo(json.dumps({name: listed}, indent=2, ensure_ascii=False))
        return
    if not values:
        console.print(f"{name}: no row rule of the table finds a node in this document")
    for value in values:
        place = ".".join(map(str, value.positions))
        left_out = " (left out by a filter)" if value.is_kept is False else ""
        console.print(Text(f"{name}, row {place}{left_out}", style="bold"))
        console.print(_steps(value.steps))


def _steps(steps: Sequence[ExplainedStep]) -> Table:
    shown = Table("step", "value", "note", box=None, pad_edge=False)
    for step in steps:
        shown.add_row(Text(step.name), _shown(step.value), Text(step.note, style="dim"))
    return shown
