"""Files of records in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import check_text
from xml_extractor.documents import DocumentKey, RecordKey, Rejection, SourceDocument
from xml_extractor.processing_log.log_keys import LoggedKeys
from xml_extractor.records import RecordSource
from xml_extractor.settings import KeyRange
from xml_extractor.sources.interfaces import KeyPage

Files = Mapping[DocumentKey, bytes | str | None]
OpenRecords = Callable[..., RecordSource]


class FilesInMemory:
    """A source of the given documents."""

    name = address = "memory"
    documents: int | None = None

    def __init__(self, files: Files) -> None:
        self._files = files

    def key_pages(
        self, page_size: int, key_range: KeyRange | None = None, log: LoggedKeys | None = None
    ) -> Iterator[KeyPage]:
        assert page_size
        assert key_range is None
        assert log is None
        for key in sorted(self._files, key=str):
            yield KeyPage([key])

    def fetch(self, keys: Sequence[DocumentKey], *, whole: bool = False) -> Iterator[SourceDocument | Rejection]:
        assert whole
        return (SourceDocument(key, self._files[key]) for key in keys)

    def close(self) -> None:
        """Nothing is open."""


def contract(document: str, columns: str = "") -> Contract:
    """A contract with the prefix `m`, this `document` and these columns."""
    text = f"""
contract: c
version: 1
namespaces: {{m: "urn:m", v: ["urn:1", "urn:2", ""]}}
document: {document}
tables:
  t:
    rows: .
    columns:
      k: {{run: source_key, key: true}}
{columns}
"""
    checked, faults = check_text("c.yaml", text)
    assert checked is not None, [str(fault) for fault in faults]
    return checked


@pytest.fixture
def open_records() -> OpenRecords:
    """Opens the records of files in memory by the `document` of a contract."""
    return lambda files, document: RecordSource(FilesInMemory(files), contract(document))


def listed(source: RecordSource, key_range: KeyRange | None = None) -> list[DocumentKey]:
    """The keys that a source lists, without those of whole files."""
    keys = [key for page in source.key_pages(2, key_range) for key in page.keys]
    return [key for key in keys if not isinstance(key, RecordKey) or not key.place.is_complete]


def fetched(source: RecordSource) -> dict[str, str]:
    """The documents of a source, or their reasons, by key."""
    keys = listed(source)
    assert len({str(key) for key in keys}) == len(keys)
    return {
        str(document.key): document.failure.reason if isinstance(document, Rejection) else whole_of(document).decode()
        for document in source.fetch(keys)
    }


def whole_of(document: SourceDocument | Rejection) -> bytes:
    """A record, or the rest of a file, as a file of its own."""
    assert isinstance(document, SourceDocument)
    if document.pieces is not None:
        return b"".join(document.pieces)
    assert isinstance(document.whole, bytes)
    return document.whole
