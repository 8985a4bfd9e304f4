"""Each folder here is one behaviour: a contract, a document, and the rows or the rejection that they give.

If the contract names records, they are given by the keys of the records.

`document.xml` and `document.bin` are read as bytes, `document.txt` as text. In `expected.json` the column's type says
how a value is written: decimals as text, binary values as hexadecimal digits, dates and times as ISO 8601.
"""

import json
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.mapped_both_ways import map_both_ways
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import DocumentKey, Envelope, Failure, RecordKey, Rejection, Revision, RunValues, Value
from xml_extractor.mapping import MappingError, compile_plan, read_revision
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules
from xml_extractor.quality.unread import unread_counter
from xml_extractor.records import open_documents
from xml_extractor.values.sqltypes import Family, SqlType
from xml_extractor.values.times import FineDatetime, FineTime

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/contract.yaml"))
DOCUMENTS = [each for each in FOLDERS if "\n  records:" not in (each / "contract.yaml").read_text(encoding="utf-8")]
"""The folders whose document is one document."""
RUN = RunValues(run_id="run-1", load_time=datetime(2024, 2, 29, 23, 59, 58, 123000), source_name="cases")  # noqa: DTZ001 - the clock of a run is UTC without a zone
SOURCE_KEY = 17

NOTATIONS: dict[Family, tuple[type, Callable[[Any], object]]] = {
    Family.BIT: (bool, bool),
    Family.INTEGER: (int, int),
    Family.DECIMAL: (Decimal, str),
    Family.MONEY: (Decimal, str),
    Family.FLOAT: (float, float),
    Family.TEXT: (str, str),
    Family.BINARY: (bytes, bytes.hex),
    Family.DATE: (date, date.isoformat),
    Family.TIME: (time, lambda value: value.isoformat()),
    Family.DATETIME: (datetime, lambda value: value.isoformat()),
    Family.OFFSET: (datetime, lambda value: value.isoformat()),
    Family.GUID: (str, str),
    Family.XML: (str, str),
}

FINE: dict[type, type] = {time: FineTime, datetime: FineDatetime}


def content_of(folder: Path) -> bytes | str:
    """The document of a case."""
    (document,) = folder.glob("document.*")
    return document.read_text(encoding="utf-8") if document.suffix == ".txt" else document.read_bytes()


def _written(value: Value, sql_type: SqlType) -> object:
    if value is None:
        return None
    python_type, write = NOTATIONS[sql_type.family]
    fine_type = FINE.get(python_type)
    assert type(value) in {python_type, fine_type}, f"{sql_type} is {python_type.__name__}, not {type(value).__name__}"
    assert not isinstance(value, datetime) or (value.tzinfo is not None) == (sql_type.family is Family.OFFSET)
    return write(value)


def _rejected(failure: Failure) -> object:
    parts = ("stage", "code", "table", "column", "path")
    return {"rejected": {part: getattr(failure, part) for part in parts}}


def _revision(revision: Revision) -> object:
    order = [list(value) for value in revision.order]
    return {"of": list(revision.of), "order": order, "own_key": revision.own_key, "deletes": revision.deletes}


def _of_records(contract: Contract, path: Path) -> object:
    """The rows or the rejection of each record of a file."""
    with closing(open_documents(str(path), contract)) as source:
        listed = [key for page in source.key_pages(100) for key in page.keys]
        keys = [key for key in listed if isinstance(key, RecordKey) and not key.place.is_complete]
        return {
            str(document.key): _rejected(document.failure)
            if isinstance(document, Rejection)
            else _mapped(contract, document.content, document.envelope, document.key)
            for document in source.fetch(keys)
        }


def _mapped(
    contract: Contract, content: bytes | str | None, envelope: Envelope | None = None, key: DocumentKey = SOURCE_KEY
) -> object:
    try:
        root = DocumentParser(parsing_rules(contract)).parse(content, envelope)
        plan = compile_plan(contract)
        revision = read_revision(plan, root, key, RUN)
        if revision is not None and revision.deletes:
            return {"document.revision": _revision(revision)}
        unread_of = unread_counter(contract)
        unread = () if unread_of is None else unread_of(root, envelope)
        tables = map_both_ways(plan, root, key, RUN)
    except (ParseError, MappingError) as error:
        return _rejected(error.failure)
    found = {} if revision is None else {"document.revision": _revision(revision)}
    found |= {"unread": {path: number for (_, path, _), number in unread}} if unread else {}
    return found | {
        layout.name: [
            {column.name: _written(value, column.type) for column, value in zip(layout.columns, row, strict=True)}
            for row in rows
        ]
        for layout, rows in zip(layouts(contract), tables, strict=True)
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_contract_and_a_document_give_these_rows(folder: Path) -> None:
    contract = read_contract(str(folder / "contract.yaml"))
    if contract.document.records is None:
        found = _mapped(contract, content_of(folder))
    else:
        (document,) = folder.glob("document.*")
        found = _of_records(contract, document)
    assert found == json.loads((folder / "expected.json").read_text(encoding="utf-8"))
