"""A source of records: lists and fetches the records of the files of another source."""

import logging
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from itertools import chain

from xml_extractor.contract.model import Contract
from xml_extractor.documents import (
    ArchiveKey,
    DocumentKey,
    Envelope,
    EnvelopeRanges,
    Failure,
    RecordKey,
    RecordPlace,
    Rejection,
    Skipped,
    SourceDocument,
)
from xml_extractor.escaping import escaped
from xml_extractor.parsing import ParseError, parsing_rules
from xml_extractor.parsing.diagnosis import parse_error, wrong_root
from xml_extractor.processing_log.log_keys import LoggedKeys, UnusableKey
from xml_extractor.reasons import Reason, Stage
from xml_extractor.records.keys import Bounds, KeyReader, RecordNames
from xml_extractor.records.patterns import BrokenFileError, Patterns
from xml_extractor.records.scanner import ScannedRecord, Scanner
from xml_extractor.records.streams import PIECE, UNREADABLE, DamagedError, Opened, Streams
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import too_large, unreadable
from xml_extractor.sources.interfaces import KeyPage, Source
from xml_extractor.sources.registry import open_source

logger = logging.getLogger(__name__)

FILE_COMPLETE = Failure(
    Stage.FETCH, Reason.MISSING, "the file is complete now, and its records are documents of their own"
)
"""What the processing log has of a file that was rejected, or broke off, and has been replaced since."""

LARGEST_WITH_KEY = 2**16
"""Bytes of a record up to which it travels with its key, if its file cannot be read in parts."""

LARGEST_COLUMN = 2**31 - 1
"""Bytes of a file of records in a database column at most: `max_bytes` limits each record."""


def open_documents(address: str, contract: Contract, *, min_age: int = 0, examined: object = None) -> Source:
    """Open a source of documents; of the records of its files if the contract names records.

    Args:
        address: As for `open_source`, as are the others.
        contract: The contract.
        min_age: In seconds.
        examined: What another process of the run found.

    Raises:
        UsageError: There is nothing at this address, or it is not supported.
        SourceError: The source cannot be read.
    """
    if contract.document.records is None:
        return open_source(address, contract, contract.document.max_bytes, min_age=min_age, examined=examined)
    files = open_source(address, contract, LARGEST_COLUMN, min_age=min_age, examined=examined)
    return RecordSource(files, contract)


class RecordSource:
    """The records of the files of another source.

    Args:
        files: The source of the files. Closing this source closes it.
        contract: The contract, which names records.
    """

    def __init__(self, files: Source, contract: Contract) -> None:
        self.name = files.name
        self.documents: int | None = None
        self.address = files.address
        self.files = files
        self.files_without_records = 0
        """Files that were scanned to their end and have no record."""
        self._document = contract.document
        self._roots = parsing_rules(contract).roots
        self._patterns = Patterns(contract)
        self._keys = KeyReader(contract)
        self._listing, self._fetching = Streams(files, contract.document), Streams(files, contract.document)
        self._envelope: tuple[DocumentKey, EnvelopeRanges, Envelope] | None = None

    def key_pages(
        self,
        page_size: int,
        key_range: KeyRange | None = None,
        log: LoggedKeys | None = None,  # noqa: ARG002 - the source of the files does not know the keys of records
    ) -> Iterator[KeyPage]:
        """Yield the keys of all records, file by file, in the order of each file, in pages of at most `page_size`.

        Raises:
            SourceError: The files cannot be listed.
        """
        bounds = Bounds(key_range)
        page: list[DocumentKey] = []
        for files in self.files.key_pages(page_size):
            for file in filter(bounds.has, files.keys):
                records = iter([file]) if isinstance(file, UnusableKey | ArchiveKey) else self._records_of(file)
                for key in bounds.within(file, records):
                    page.append(key)
                    if len(page) == page_size:
                        yield KeyPage(page)
                        page = []
        if page:
            yield KeyPage(page)

    def fetch(self, keys: Sequence[DocumentKey], *, whole: bool = False) -> Iterator[SourceDocument | Rejection]:
        """Yield the records of these keys in this order; one that cannot be read is a rejection.

        Args:
            keys: Keys that this source, or one for the same files, has listed.
            whole: Whether to read also what is known to be rejected.

        Raises:
            SourceError: The source cannot be read any more.
        """
        for key in keys:
            if not isinstance(key, RecordKey) or isinstance(key, ArchiveKey):
                yield from self.files.fetch([key], whole=whole)
            elif key.place.is_complete:
                yield Skipped(key, FILE_COMPLETE, _hash(FILE_COMPLETE), seconds=0.0)
            elif whole and key.place.failure is not None and key.place.end < 0:
                yield self._broken_off(key, key.place)
            elif key.place.failure is None or whole:
                record = _carried(key) or self._record(key, key.place)
                yield self._as_file(record) if whole else record
            else:
                yield self._failed(key, key.place.failure)

    def close(self) -> None:
        """Close the files that are open, and their source."""
        self._listing.close()
        self._fetching.close()
        self.files.close()

    def _records_of(self, file: DocumentKey) -> Iterator[RecordKey]:
        """Yield the keys of a file's records, and the key of the file for what is rejected or skipped of it."""
        names = RecordNames(file, may_repeat=self._keys.is_named)
        place = RecordPlace(names.file, names.name, names.number)
        opened = self._listing.open(names.file)
        if isinstance(opened, Rejection):
            yield RecordKey(str(names.name), place._replace(failure=opened.failure))
            return
        place = place._replace(encoding=opened.encoding)
        scanner = Scanner(opened.stream, self._patterns, self._document.max_bytes)
        try:
            start = self._start(scanner)
            for record in scanner.records(start):
                key = self._named(record, scanner, names, place)
                yield key if opened.is_direct else _with_content(key, record, scanner)
        except (ParseError, BrokenFileError, UnicodeDecodeError, *UNREADABLE) as error:
            yield self._rest(names, place, scanner, error)
        else:
            yield RecordKey(str(names.name), place._replace(is_complete=True))
            if names.records == 0:
                self.files_without_records += 1
                logger.warning("No records in %s", escaped(str(names.name)))

    def _start(self, scanner: Scanner) -> int:
        """Return the position of the root's start tag.

        Raises:
            ParseError: The file is rejected or skipped.
        """
        prolog = scanner.prolog()
        found = scanner.root_name(prolog.root)
        if found not in self._roots:
            raise wrong_root(found, self._roots)
        if prolog.has_doctype and self._document.doctype == "refuse":
            raise parse_error(Reason.DOCTYPE, "a document type declaration, which the contract does not allow")
        return prolog.root

    def _named(self, record: ScannedRecord, scanner: Scanner, names: RecordNames, place: RecordPlace) -> RecordKey:
        limit = self._document.max_bytes
        failure = too_large("", limit).failure if record.end - record.start > limit else None
        content = scanner.content(record.start, record.end if self._keys.needs_content else record.tag_end)
        self._keys.check(record.envelope)
        own_key = self._keys.read(content, record.envelope)
        found = place._replace(
            number=names.number,
            start=record.start,
            end=record.end,
            envelope=record.place_of_envelope,
            failure=failure,
        )
        return names.next(own_key, found)

    def _rest(self, names: RecordNames, place: RecordPlace, scanner: Scanner, error: Exception) -> RecordKey:
        """Return the key of what is left of a file that breaks off.

        It is the key of the record that is not complete. If there is none, or its key cannot be read, it is that of the
        file. If no record is complete, the whole file is left.
        """
        failure = _why_broken(error)
        start, around = scanner.rest()
        if names.records:
            explanation = f"the file breaks off after record {names.number - 1}: {failure.explanation}"
            failure = replace(failure, explanation=explanation)
            place = place._replace(start=start, envelope=around._replace(end=b""))
        rest = place._replace(number=names.number, failure=failure)
        if scanner.begun is not None:
            own_key = "" if self._keys.needs_content else self._keys.read(scanner.begun, around)
            if own_key or not self._keys.is_named:
                return names.next(own_key, rest)
        return RecordKey(str(names.name), rest)

    def _failed(self, key: RecordKey, failure: Failure) -> Rejection:
        is_skipped = failure.code is Reason.WRONG_ROOT and self._document.other_roots == "skip"
        return (Skipped if is_skipped else Rejection)(key, failure, _hash(failure), seconds=0.0)

    def _record(self, key: RecordKey, place: RecordPlace) -> SourceDocument | Rejection:
        limit = self._document.max_bytes
        if place.end - place.start > limit:
            return too_large(key, limit)
        opened = self._fetching.open(place.file, place.encoding)
        if isinstance(opened, Rejection):
            return opened._replace(key=key)
        try:
            envelope = self._envelope_of(place, opened)
            content = opened.range(place.start, place.end if place.end >= 0 else place.start + limit + 1)
        except (UnicodeDecodeError, *UNREADABLE) as error:
            return unreadable(key, f"its file cannot be read ({type(error).__name__})")
        if len(content) > limit:
            return too_large(key, limit)
        if place.end >= 0 and not (content.startswith(b"<") and content.endswith(b">")):
            return unreadable(key, "its file has changed since its records were listed")
        return SourceDocument(key, content, envelope=envelope)

    def _as_file(self, record: SourceDocument | Rejection) -> SourceDocument | Rejection:
        """Return a record whose whole is a file that the contract's `encoding` does not apply to."""
        if self._document.encoding is None or isinstance(record, Rejection) or record.envelope is None:
            return record
        return record._replace(envelope=record.envelope._replace(start=BOM_UTF8 + record.envelope.start))

    def _broken_off(self, key: RecordKey, place: RecordPlace) -> SourceDocument | Rejection:
        """Return the rest of a file that breaks off, as far as it can be read."""
        opened = self._fetching.open(place.file, place.encoding)
        if isinstance(opened, Rejection):
            return opened._replace(key=key)

        def pieces() -> Iterator[bytes]:
            with suppress(UnicodeDecodeError, *UNREADABLE):
                stream = opened.raw if place.envelope is None else opened.stream
                stream.seek(place.start)
                while piece := stream.read(PIECE):
                    yield piece

        if place.envelope is None:
            return SourceDocument(key, None, pieces=pieces())
        around = self._envelope_of(place, opened)
        mark = b"" if self._document.encoding is None else BOM_UTF8
        return SourceDocument(key, None, pieces=chain([mark + around.start], pieces()))

    def _envelope_of(self, place: RecordPlace, opened: Opened) -> Envelope:
        """Return what surrounds a record: the same object as for the previous record if it is the same."""
        if place.envelope is None:
            return Envelope(b"", b"", b"", 0)
        if isinstance(place.envelope, Envelope):
            return place.envelope
        if self._envelope is None or self._envelope[:2] != (place.file, place.envelope):
            ranges = place.envelope
            pieces = {each: opened.range(*each) for each in sorted({*ranges.start, *ranges.tags})}
            tags, start = (b"".join(pieces[each] for each in some) for some in (ranges.tags, ranges.start))
            envelope = Envelope(tags, start, ranges.end, len(ranges.tags))
            self._envelope = (place.file, place.envelope, envelope)
        return self._envelope[2]


def _carried(key: RecordKey) -> SourceDocument | None:
    """Return the record that travels with its key, if one does."""
    content, envelope = key.place.content, key.place.envelope
    if content is None or key.place.failure is not None or not isinstance(envelope, Envelope):
        return None
    return SourceDocument(key.without_content(), content, envelope=envelope)


def _with_content(key: RecordKey, record: ScannedRecord, scanner: Scanner) -> RecordKey:
    """Return the key with the record itself, if that is not large."""
    is_large = record.end - record.start > LARGEST_WITH_KEY
    content = None if is_large else scanner.content(record.start, record.end)
    return RecordKey(str(key), key.place._replace(content=content))


def _hash(failure: Failure) -> str:
    """Return a hash that stands for that of the content: the document is retried once it differs."""
    return blake2b(failure.reason.encode(), digest_size=16).hexdigest()


def _why_broken(error: Exception) -> Failure:
    if isinstance(error, ParseError):
        return error.failure
    if isinstance(error, UnicodeDecodeError):
        return parse_error(Reason.WRONG_ENCODING, f"bytes that are invalid in {error.encoding}").failure
    if isinstance(error, BrokenFileError):
        return parse_error(Reason.MALFORMED, str(error)).failure
    if isinstance(error, DamagedError):
        explanation = f"the compressed data end too early, or are damaged ({error})"
        return Failure(Stage.FETCH, Reason.UNREADABLE, explanation)
    return Failure(Stage.FETCH, Reason.UNREADABLE, f"it cannot be read ({type(error).__name__})")
