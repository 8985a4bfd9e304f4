"""Map documents to rows in a program, and load nothing."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from xml_extractor.contract import model
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract as read_model
from xml_extractor.documents import (
    DocumentKey,
    Failure,
    RecordKey,
    Rejection,
    Revision,
    Row,
    RunValues,
    Skipped,
    SourceDocument,
    Value,
)
from xml_extractor.errors import UsageError, XmlExtractorError, system_errors_converted
from xml_extractor.mapping import MappingError, compile_plan, map_document, read_revision
from xml_extractor.parsing import DocumentParser, OtherRootError, ParseError, parsing_rules
from xml_extractor.processing_log.log_keys import UnusableKey
from xml_extractor.quality.unread import unread_counter
from xml_extractor.records import open_documents
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import unusable_key

KEYS_AT_ONCE = 1000

Rows = dict[str, list[dict[str, Value]]]
"""The rows of a document: by table in load order, each row by column."""

Status = Literal["mapped", "deleted", "skipped", "rejected"]


class RejectedError(XmlExtractorError):
    """A document that the contract cannot map. The message names table, column and XPath, never a value.

    Attributes:
        failure: Stage, reason code, table, column and XPath.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure

    def __reduce__(self) -> tuple[type["RejectedError"], tuple[Failure]]:
        """Pickle the error with its failure."""
        return type(self), (self.failure,)


@dataclass(frozen=True, slots=True)
class DocumentRows:
    """What a contract makes of a document of a source.

    Attributes:
        key: The source's key of the document.
        status: `mapped`; `deleted` if it is a revision that deletes its thing; `skipped` because of its root element;
            or `rejected`.
        rows: Its rows by table and column; empty unless it is mapped.
        failure: Why it is rejected or skipped.
        revision: Of what it is a revision; None in a contract without revisions.
    """

    key: DocumentKey
    status: Status
    rows: Rows = field(default_factory=dict)
    failure: Failure | None = None
    revision: Revision | None = None


class Contract:
    """A contract, compiled. Make one with `read_contract`.

    It can be pickled, and shared by threads, which map one document at a time.

    Attributes:
        name: The name of the contract.
        version: Its version.
        path: What it was read from: a file, or the name of a shipped contract.
        tables: The type of each column in T-SQL, by table in load order; without columns that the database generates.
    """

    def __init__(self, path: str, checked: model.Contract) -> None:
        self.path = path
        self.name = checked.contract
        self.version = checked.version
        self.checked = checked
        self._plan = compile_plan(checked)
        self._parser = DocumentParser(parsing_rules(checked))
        self._unread_of = unread_counter(checked)
        self._columns = {table.name: tuple(column.name for column in table.columns) for table in layouts(checked)}
        self._lock = threading.Lock()
        self.tables: Mapping[str, Mapping[str, str]] = {
            table.name: {column.name: str(column.type) for column in table.columns} for table in layouts(checked)
        }

    def __repr__(self) -> str:
        return f"<Contract {self.name} version {self.version}>"

    def __reduce__(self) -> tuple[type["Contract"], tuple[str, model.Contract]]:
        """Pickle the contract without its plan, which is compiled again."""
        return type(self), (self.path, self.checked)

    @system_errors_converted()
    def map(
        self, document: bytes | str | os.PathLike[str], *, key: DocumentKey | None = None, run_id: str = ""
    ) -> Rows:
        """Map a document to rows. Nothing is loaded.

        Args:
            document: The document itself as bytes or text, or a `Path` of a file.
            key: The source's key of the document; by default the name of the file, or the key in the document.
            run_id: The value of `run_id` columns.

        Returns:
            The rows by table, in load order, and column. Values are `int`, `str`, `Decimal`, `float`, `bool`, `bytes`,
            `date`, `time` and `datetime`; None is NULL. A revision that deletes its thing has no rows.

        Raises:
            RejectedError: The document cannot be mapped, or the contract skips it.
            UsageError: The contract is for the records of files, the file cannot be read, or the document has no key.
            RunError: The system has no memory left.
        """
        if self.checked.document.records is not None:
            raise UsageError("the contract maps the records of files", "give the file to iterate()")
        found = self._process(_source_document(document, key, self.checked), _run_values(run_id, ""))
        if found.failure is not None:
            raise RejectedError(found.failure)
        return found.rows or {table: [] for table in self.tables}

    def iterate(
        self, source: str | os.PathLike[str], *, key_range: str | None = None, run_id: str = ""
    ) -> Iterator[DocumentRows]:
        """Map all documents of a source, one after the other. Nothing is loaded, and no processing log is read.

        Args:
            source: As `--source` of a run: a directory, a glob pattern, an archive, a file, or the URL of a database.
            key_range: Only documents with these keys: `FIRST:LAST`.
            run_id: The value of `run_id` columns.

        Yields:
            Each document, those that are rejected or skipped too.

        Raises:
            UsageError: There is nothing at this address, or the range is not valid.
            RunError: The source cannot be read.
        """
        address, keys_in = text_of("source", source), None
        if key_range is not None:
            keys_in = KeyRange.parse(text_of("key_range", key_range))
        has_records = self.checked.document.records is not None
        with system_errors_converted(), closing(open_documents(address, self.checked)) as opened:
            run = _run_values(run_id, opened.name)
            for page in opened.key_pages(KEYS_AT_ONCE, keys_in):
                keys = [key for key in page.keys if not (isinstance(key, RecordKey) and key.place.is_complete)]
                fetched = opened.fetch([key for key in keys if not isinstance(key, UnusableKey)], whole=not has_records)
                for key in keys:
                    if isinstance(key, UnusableKey):
                        yield DocumentRows(str(key), "rejected", failure=unusable_key(key))
                    else:
                        yield self._process(next(fetched), run)

    def _process(self, document: SourceDocument | Rejection, run: RunValues) -> DocumentRows:
        if isinstance(document, Rejection):
            status: Status = "skipped" if isinstance(document, Skipped) else "rejected"
            return DocumentRows(document.key, status, failure=document.failure)
        revision = None
        try:
            with self._lock:
                root = self._parser.parse(document.content, document.envelope)
                revision = read_revision(self._plan, root, document.key, run)
                if revision is not None and revision.deletes:
                    return DocumentRows(document.key, "deleted", revision=revision)
                if self._unread_of is not None:
                    self._unread_of(root, document.envelope)
                mapped = map_document(self._plan, root, document.key, run)
        except OtherRootError as error:
            return DocumentRows(document.key, "skipped", failure=error.failure)
        except (ParseError, MappingError) as error:
            return DocumentRows(document.key, "rejected", failure=error.failure, revision=revision)
        return DocumentRows(document.key, "mapped", self._named(mapped), revision=revision)

    def _named(self, mapped: Sequence[Sequence[Row]]) -> Rows:
        return {
            table: [dict(zip(columns, row, strict=True)) for row in rows]
            for (table, columns), rows in zip(self._columns.items(), mapped, strict=True)
        }


@system_errors_converted()
def read_contract(path: str | os.PathLike[str]) -> Contract:
    """Read, check and compile a contract.

    Args:
        path: A YAML or JSON file, or the name of a shipped contract. A file takes precedence over a name.

    Raises:
        UsageError: There is no such file or shipped contract, or the file cannot be read.
        ContractError: The contract has faults; the message lists all of them, one a line.
    """
    name = text_of("path", path)
    return Contract(name, read_model(name))


def text_of(argument: str, value: object) -> str:
    """Return an argument that is a text or a path as a text.

    Raises:
        UsageError: It is neither.
    """
    text = value if isinstance(value, str) else os.fspath(value) if isinstance(value, os.PathLike) else None
    if not isinstance(text, str):
        raise UsageError(f"{argument} has the type {type(value).__name__}", "give a text or a pathlib.Path")
    if "\0" in text:
        raise UsageError(f"{argument} has a NUL character", "remove it")
    return text


def _source_document(
    document: bytes | str | os.PathLike[str], key: DocumentKey | None, contract: model.Contract
) -> SourceDocument:
    content: bytes | str
    if isinstance(document, bytes | str):
        content = document
        if isinstance(document, str) and "<" not in document:
            raise UsageError("the text is no XML document", "for a file, give a pathlib.Path")
    else:
        path = Path(text_of("document", document))
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UsageError(f"the document {path} cannot be read: {error.strerror}", "check the path") from error
        key = path.name if key is None else key
    if key is None and contract.document.key is None:
        raise UsageError("the contract reads no key from the document", "give the document's key: map(document, key=…)")
    return SourceDocument("" if key is None else key, content)


def _run_values(run_id: str, source_name: str) -> RunValues:
    return RunValues(run_id, datetime.now(UTC).replace(tzinfo=None, microsecond=0), source_name)
