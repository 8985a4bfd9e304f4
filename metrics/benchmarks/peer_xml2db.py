"""A peer: xml2db, which makes tables of its own from an XML schema and loads all of a document into them."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import xml2db
from lxml import etree

from metrics.benchmarks.shapes import XSD, Shape, needed
from xml_extractor.contract.model import Contract

LESS = (
    "xml2db: its own tables, derived from the schema, which cannot be mapped to those of the contract; all values are "
    "texts; no processing log, no workers. It loads all elements, so it receives documents without bureau reports, a "
    "hundred at a time, as its manual recommends."
)

DOCUMENTS_TOGETHER = 100


def schema_of(contents: Iterable[bytes]) -> bytes:
    """An XML schema that these documents fit."""
    shape, name = Shape(), ""
    for content in contents:
        root = etree.fromstring(content, etree.XMLParser(remove_comments=True))
        shape.add(root)
        name = str(root.tag)
    schema = etree.Element(f"{{{XSD}}}schema", nsmap={"xs": XSD})
    shape.declare(schema, name)
    return etree.tostring(schema)


def prepare(target: Path, contents: Iterable[bytes]) -> None:
    """Derive the schema of documents, and put it beside the target."""
    schema_file(target).write_bytes(schema_of(needed(content) for content in contents))


def fill(source: Path, target: Path, _contract: Contract) -> None:
    """Load all documents of a SQLite file into tables that xml2db makes; the schema stands beside the target."""
    with closing(sqlite3.connect(source)) as documents:
        model = xml2db.DataModel(
            xsd_file=str(schema_file(target)), short_name="cards", connection_string=f"sqlite:///{target}"
        )
        model.create_all_tables()
        texts = documents.execute("SELECT xml FROM app_xml ORDER BY app_id")
        while some := texts.fetchmany(DOCUMENTS_TOGETHER):
            document: Any = None
            for (text,) in some:
                read = None if document is None else document.data
                document = model.parse_xml(BytesIO(needed(text)), skip_validation=True, flat_data=read)
            document.insert_into_target_tables()
        model.engine.dispose()


def schema_file(target: Path) -> Path:
    """Where the schema for a target is."""
    return target.with_suffix(".xsd")
