"""What peers share that make tables of their own: a table for each element that repeats, of texts only."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree

from metrics.benchmarks.shapes import Shape, needed

DOCUMENTS_TOGETHER = 100


@dataclass
class OwnTable:
    """A table for the elements at one path, which repeat; its fields are theirs and those of what they contain once.

    Attributes:
        name: Its name.
        path: The names of the elements from the root on.
        fields: By column, the path of a text or of an attribute below the element.
    """

    name: str
    path: tuple[str, ...]
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def create(self, database: sqlite3.Connection) -> str:
        """Create it, and return the statement that inserts a row: the key of the document, and all fields."""
        columns = ", ".join(f'"{name}"' for name in ("document", *self.fields))
        database.execute(f'CREATE TABLE "{self.name}" ({columns})')
        return f'INSERT INTO "{self.name}" VALUES ({", ".join("?" * (1 + len(self.fields)))})'  # noqa: S608 - names of sample documents


def prepare(target: Path, contents: Iterable[bytes]) -> None:
    """Derive the tables of documents, and put them beside the target."""
    shape, name = Shape(), ""
    for content in contents:
        root = etree.fromstring(needed(content), etree.XMLParser(remove_comments=True))
        shape.add(root)
        name = str(root.tag)
    found = [[table.name, table.path, table.fields] for table in _tables(shape, (name,))]
    target.with_suffix(".json").write_text(json.dumps(found))


def own_tables(target: Path) -> list[OwnTable]:
    """Return the tables that were derived."""
    found = json.loads(target.with_suffix(".json").read_text())
    return [
        OwnTable(name, tuple(path), {column: tuple(steps) for column, steps in fields.items()})
        for name, path, fields in found
    ]


def texts(source: Path) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Yield keys and documents of a SQLite file, some at once, without their bureau reports."""
    with sqlite3.connect(source) as documents:
        rows = documents.execute("SELECT app_id, xml FROM app_xml ORDER BY app_id")
        while some := rows.fetchmany(DOCUMENTS_TOGETHER):
            yield [(key, needed(text)) for key, text in some]


def _tables(shape: Shape, path: tuple[str, ...]) -> Iterator[OwnTable]:
    table = OwnTable("own_" + "_".join(path).lower(), path)
    repeated: list[tuple[tuple[str, ...], Shape]] = []
    _fill(table, shape, (), repeated)
    if table.fields:
        yield table
    for steps, child in repeated:
        yield from _tables(child, (*path, *steps))


def _fill(table: OwnTable, shape: Shape, steps: tuple[str, ...], repeated: list[Any]) -> None:
    for attribute in sorted(shape.attributes):
        table.fields["_".join((*steps, attribute))] = (*steps, f"@{attribute}")
    if shape.has_text and steps:
        table.fields["_".join((*steps, "text"))] = steps
    for name, child in shape.children.items():
        if shape.most[name] > 1:
            repeated.append(((*steps, name), child))
        else:
            _fill(table, child, (*steps, name), repeated)
