"""A peer: xml2arrow, which reads the texts of documents into Arrow tables."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import xml2arrow

from metrics.benchmarks.peer_own_tables import OwnTable, own_tables, prepare, texts
from xml_extractor.contract.model import Contract

LESS = (
    "xml2arrow: its own tables of texts, one for each element that contains repeated ones; no predicates, types, "
    "expressions or checks; no processing log, no workers; it commits a hundred documents at a time. It receives "
    "documents without bureau reports."
)

__all__ = ["LESS", "fill", "prepare"]


def fill(source: Path, target: Path, _contract: Contract) -> None:
    """Load all documents of a SQLite file into tables of their own."""
    tables = _tables(own_tables(target))
    with TemporaryDirectory() as directory, closing(sqlite3.connect(target)) as database:
        configuration = Path(directory) / "tables.yaml"  # JSON is YAML
        configuration.write_text(json.dumps({"tables": [_configured(table) for table in tables]}))
        parser = xml2arrow.XmlToArrowParser(configuration)
        database.execute("PRAGMA synchronous = NORMAL")
        inserts = {table.name: table.create(database) for table in tables}
        for some in texts(source):
            waiting: dict[str, list[tuple[Any, ...]]] = {table.name: [] for table in tables}
            for key, content in some:
                for name, batch in parser.parse(content).items():
                    columns = [column.to_pylist() for column in batch.columns]
                    waiting[name] += [(key, *row) for row in zip(*columns, strict=True) if any(row)]
            for name, rows in waiting.items():
                database.executemany(inserts[name], rows)
            database.commit()


def _tables(found: Sequence[OwnTable]) -> list[OwnTable]:
    """Return a table for each element that contains repeated ones, whose children are its rows.

    Two tables may not have the same path, and within one, no other table sees an attribute or text.
    """
    tables = {path: OwnTable("/" + "/".join(path), path) for path in dict.fromkeys(table.path[:-1] for table in found)}
    for table in found:
        for steps in table.fields.values():
            path = (*table.path, *steps)
            within = max((known for known in tables if path[: len(known)] == known), key=len)
            tables[within].fields["_".join(path[len(within) :])] = path
    return [table for table in tables.values() if table.fields]


def _configured(table: OwnTable) -> dict[str, Any]:
    fields = [
        {"name": name, "xml_path": "/".join(("", *path)), "data_type": "Utf8", "nullable": True}
        for name, path in table.fields.items()
    ]
    return {"name": table.name, "xml_path": table.name, "levels": [], "fields": fields}
