"""A peer: the script that one writes first. lxml parses, XPath finds each value, each row is an INSERT of its own."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from lxml import etree

from metrics.benchmarks.peer_rules import distinct, is_kept, made_key, read_columns, value_of
from xml_extractor.contract.model import Column, Contract

LESS = (
    "The script with lxml: no expressions, no types except whole numbers, no time zones, no checks, no processing "
    "log, no workers; it commits each document."
)

Row = dict[str, Any]
Found = list[tuple[Any, Row]]
"""Nodes and the rows that they became."""


def fill(source: Path, target: Path, contract: Contract) -> None:
    """Load all documents of a SQLite file into tables that are there."""
    with closing(sqlite3.connect(target)) as database:
        database.execute("PRAGMA synchronous = NORMAL")
        fill_database(source, database, "", contract)


def fill_database(source: Path, database: Any, schema: str, contract: Contract) -> None:
    """Load all documents of a SQLite file over a connection, whose driver has `?` for parameters.

    Args:
        source: The file.
        database: The connection.
        schema: What stands before names of tables, with its point; or nothing.
        contract: What the script is to do.
    """
    cursor = database.cursor()
    with closing(sqlite3.connect(source)) as documents:
        for (text,) in documents.execute("SELECT xml FROM app_xml ORDER BY app_id"):
            for name, row in rows_of(contract, etree.fromstring(text)):
                columns, places = ", ".join(row), ", ".join("?" * len(row))
                statement = f"INSERT INTO {schema}{name} ({columns}) VALUES ({places})"  # noqa: S608 - names of a shipped contract
                cursor.execute(statement, list(row.values()))
            database.commit()


def rows_of(contract: Contract, root: Any) -> Iterator[tuple[str, Row]]:
    """The rows of a document, by the names of their tables, parents first."""
    found: dict[str, Found] = {}
    for name, table in contract.tables.items():
        parents: Found = [(root, {})] if table.parent is None else found[table.parent]
        rows = []
        for start, parent in parents:
            nodes = [(node, rule.set_values) for rule in table.rows for node in start.xpath(rule.path)]
            for position, (node, constants) in enumerate(nodes, start=1):
                row = {"": node, **constants}
                for column_name, column in read_columns(table):
                    if column_name not in row:
                        row[column_name] = _value(contract, column, node, position, parent, found)
                if is_kept(table, row):
                    rows.append(row)
        found[name] = [(row.pop(""), row) for row in distinct(table, rows)]
        yield from ((name, row) for _, row in found[name])


def _value(contract: Contract, column: Column, node: Any, position: int, parent: Row, found: dict[str, Found]) -> Any:
    if column.position:
        return position
    if column.derived:
        return made_key(column)
    if column.parent is not None:
        table, _, name = column.parent.partition(".")
        return parent[name] if name in parent else found[table][0][1][name]
    if column.path is None:
        return column.value
    return value_of(contract, column, _text(node, column.path))


def _text(node: Any, path: str) -> str | None:
    if path == "." and isinstance(node, str):
        return node
    result = node.xpath(path)
    if not isinstance(result, list):
        return f"{result:g}" if isinstance(result, float) else str(result)
    if not result:
        return None
    return str(result[0]) if isinstance(result[0], str) else str(result[0].xpath("string()"))
