"""A peer: `pandas.read_xml` for each table of a document, `to_sql` for each table of a hundred documents."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from metrics.benchmarks.peer_rules import distinct, is_kept, made_key, read_columns, value_of
from xml_extractor.contract.model import Column, Contract, Table

LESS = (
    "pandas: only attributes and children of a row's own element, and only columns that must not be NULL; no "
    "expressions, no types except whole numbers, no checks, no processing log, no workers; it commits a hundred "
    "documents at a time."
)
DOCUMENTS_TOGETHER = 100

Row = dict[str, Any]


def fill(source: Path, target: Path, contract: Contract) -> None:
    """Load all documents of a SQLite file into tables that are there."""
    with closing(sqlite3.connect(source)) as documents, closing(sqlite3.connect(target)) as database:
        database.execute("PRAGMA synchronous = NORMAL")
        waiting: defaultdict[str, list[Row]] = defaultdict(list)
        texts = [text for (text,) in documents.execute("SELECT xml FROM app_xml ORDER BY app_id")]
        for number, text in enumerate(texts, start=1):
            content = text if isinstance(text, bytes) else text.encode()
            for name, rows in _tables_of(contract, content):
                waiting[name] += rows
            if number % DOCUMENTS_TOGETHER == 0 or number == len(texts):
                for name in contract.tables:
                    frame = pd.DataFrame(waiting.pop(name, []))
                    frame.to_sql(name, database, if_exists="append", index=False)
                database.commit()


def _tables_of(contract: Contract, content: bytes) -> Iterator[tuple[str, list[Row]]]:
    found: dict[str, list[Row]] = {}
    root = f"/{contract.document.root[0]}"
    for name, table in contract.tables.items():
        rows: list[Row] = []
        if table.parent is None:
            rows = _rows(contract, table, content, root, {}, found)
        else:
            above = contract.tables[table.parent]
            (rule,) = above.rows
            for parent in found[table.parent]:
                path = f"{root}/{rule.path}[@id='{parent['contact_id']}'][last()]"
                rows += _rows(contract, table, content, path, parent, found)
        found[name] = distinct(table, rows)
        yield name, found[name]


def _rows(
    contract: Contract, table: Table, content: bytes, start: str, parent: Row, found: dict[str, list[Row]]
) -> list[Row]:
    frames: dict[str, list[Row]] = {}
    rows = []
    for rule in table.rows:
        element, _, attribute = rule.path.partition("/@")
        path = start if element == "." else f"{start}/{element}"
        if path not in frames:
            frames[path] = _read(content, path)
        for position, record in enumerate(frames[path], start=1):
            if attribute and record.get(attribute) is None:
                continue
            row: Row = dict(rule.set_values)
            for name, column in read_columns(table):
                if name in row:
                    continue
                if column.path is not None and attribute:
                    row[name] = value_of(contract, column, record[attribute])
                elif column.path is not None:
                    text = _text(column, record, content, path, frames)
                    row[name] = value_of(contract, column, text)
                else:
                    row[name] = _made(column, position, parent, found)
            if is_kept(table, row):
                rows.append(row)
    return rows


def _text(column: Column, record: Row, content: bytes, path: str, frames: dict[str, list[Row]]) -> str | None:
    """A value of the row's own element; of one below it, only where NULL is not allowed."""
    above, _, name = (column.path or "").rpartition("/")
    if not above:
        return record.get(name.removeprefix("@"))
    if not column.required:
        return None
    below = f"{path}/{above}"
    if below not in frames:
        frames[below] = _read(content, below)
    return next((str(found[name.removeprefix("@")]) for found in frames[below]), None)


def _made(column: Column, position: int, parent: Row, found: dict[str, list[Row]]) -> Any:
    if column.position:
        return position
    if column.derived:
        return made_key(column)
    if column.parent is not None:
        table, _, name = column.parent.partition(".")
        return parent[name] if name in parent else found[table][0][name]
    return column.value


def _read(content: bytes, path: str) -> list[Row]:
    """The attributes and children of the elements that a path finds; none where there are none."""
    try:
        frame = pd.read_xml(BytesIO(content), xpath=path, dtype=str)
    except ValueError:
        return []
    rows: list[Row] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return rows
