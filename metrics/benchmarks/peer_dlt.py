"""A peer: dlt, which makes tables of nested dictionaries; lxml makes the dictionaries."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dlt
from lxml import etree

from metrics.benchmarks.peer_own_tables import texts
from xml_extractor.contract.model import Contract

LESS = (
    "dlt: its own tables, which it derives from nested dictionaries, and its own types; no expressions or checks; no "
    "processing log; one load of all documents. It receives documents without bureau reports."
)


def prepare(_target: Path, _contents: Iterable[bytes]) -> None:
    """Do nothing: dlt finds out the tables while it loads."""


def fill(source: Path, target: Path, _contract: Contract) -> None:
    """Load all documents of a SQLite file into tables that dlt makes."""
    with TemporaryDirectory() as directory:
        os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
        destination = dlt.destinations.sqlalchemy(credentials=f"sqlite:///{target}")
        pipeline = dlt.pipeline("cards", destination=destination, dataset_name="main", pipelines_dir=directory)
        pipeline.run(_documents(source), table_name="own_card").raise_on_failed_jobs()


def _documents(source: Path) -> Iterator[dict[str, Any]]:
    for some in texts(source):
        for key, content in some:
            yield {"document": key, **_nested(etree.fromstring(content))}


def _nested(element: Any) -> dict[str, Any]:
    found: dict[str, Any] = dict(element.attrib)
    if (element.text or "").strip():
        found["text"] = element.text
    for child in element:
        if isinstance(child.tag, str):
            found.setdefault(child.tag, []).append(_nested(child))
    return found
