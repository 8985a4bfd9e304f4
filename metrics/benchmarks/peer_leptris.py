"""A peer: leptris, whose plans read texts of a document by one call; Python puts them into tables."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import leptris

from metrics.benchmarks.peer_own_tables import OwnTable, own_tables, prepare, texts
from xml_extractor.contract.model import Contract

LESS = (
    "leptris: its plan reads texts; a few lines of Python put them into tables of their own, one for each element that "
    "repeats; no types, expressions or checks; no processing log, no workers; it commits a hundred documents at a "
    "time. It receives documents without bureau reports."
)

__all__ = ["LESS", "fill", "prepare"]

Node = dict[str, Any]


def fill(source: Path, target: Path, _contract: Contract) -> None:
    """Load all documents of a SQLite file into tables of their own."""
    tables = own_tables(target)
    plan = leptris.Plan(_plan(tables))
    with closing(sqlite3.connect(target)) as database:
        database.execute("PRAGMA synchronous = NORMAL")
        inserts = [(table, table.create(database)) for table in tables]
        for some in texts(source):
            waiting: list[list[tuple[Any, ...]]] = [[] for _ in tables]
            for key, content in some:
                with leptris.Document.parse(content) as document:
                    read: Node = plan(document)
                for (table, _), rows in zip(inserts, waiting, strict=True):
                    rows.extend(_rows(table, key, read))
            for (_, insert), rows in zip(inserts, waiting, strict=True):
                database.executemany(insert, rows)
            database.commit()


def _rows(table: OwnTable, key: int, root: Node) -> Iterator[tuple[Any, ...]]:
    nodes = [root]
    for name in table.path[1:]:
        nodes = [child for node in nodes for child in _children(node, name)]
    for node in nodes:
        yield key, *(_value(node, steps) for steps in table.fields.values())


def _children(node: Node, name: str) -> Sequence[Any]:
    found = node["children"].get(name)
    return found if isinstance(found, list) else [found] if found is not None else []


def _value(node: Node, steps: Sequence[str]) -> Any:
    found: Any = node
    for step in steps:
        if step[0] == "@":
            return found["attributes"].get(step[1:])
        children = _children(found, step)
        if not children:
            return None
        found = children[0]
    return found if isinstance(found, str) else None


def _plan(tables: Sequence[OwnTable]) -> Node:
    """Return the plan of the elements and attributes that any table reads."""
    root: Node = {"element_name": tables[0].path[0], "attributes": {}, "children": {}}
    for table in tables:
        for steps in table.fields.values():
            node = root
            for step in (*table.path[1:], *steps):
                if step[0] == "@":
                    node["attributes"][step[1:]] = {}
                else:
                    empty: Node = {"element_name": step, "attributes": {}, "children": {}}
                    node = node["children"].setdefault(step, empty)
    return _declared(root)


def _declared(node: Node) -> Node:
    children = [
        {"name": name, "kind": "nested", "plan": _declared(child)}
        if child["attributes"] or child["children"]
        else {"name": name, "kind": "scalar"}
        for name, child in node["children"].items()
    ]
    return {**node, "children": children}
