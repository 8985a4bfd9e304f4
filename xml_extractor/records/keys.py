"""The keys of records: `FILE#KEY`, or `FILE#NUMBER` in a contract without `document.key`."""

from collections.abc import Callable, Iterable, Iterator

from xml_extractor.contract.defaults import text_rule
from xml_extractor.contract.model import TEXT_INPUT_TYPE, Contract
from xml_extractor.contract.names import clark_names
from xml_extractor.contract.xpath import Call, Constant, Path, Step, parse_xpath, walk
from xml_extractor.documents import DocumentKey, Envelope, RecordKey, RecordPlace, Value
from xml_extractor.mapping.errors import RULE_ERRORS
from xml_extractor.mapping.paths import compile_text
from xml_extractor.mapping.steps import fuse, steps_of
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules
from xml_extractor.processing_log.log_keys import UnusableKey, log_key
from xml_extractor.records.patterns import attribute_of
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import unusable_key
from xml_extractor.values.sqltypes import XML_SPACE

_AXES_OF_ATTRIBUTES = frozenset(("attribute", "self", "parent", "ancestor", "ancestor-or-self"))


class KeyReader:
    """Reads the own key of a record while its file is scanned.

    Args:
        contract: The contract.
    """

    def __init__(self, contract: Contract) -> None:
        path = contract.document.key
        self._read = None if path is None else compile_text(path, contract.namespaces)
        self.is_named = path is not None
        """Whether the contract names a key."""
        self._attribute = b"" if path is None else _attribute_named(path)
        self._first = None if path is None else _first_element(path, contract)
        self._transformed = None if path is None else _transformation(path, contract)
        self._parser = DocumentParser(parsing_rules(contract))
        self._checked: Envelope | None = None
        self.needs_content = path is not None and not _reads_attributes_only(path)
        """Whether the key depends on more than attributes of the record and its ancestors."""

    def check(self, envelope: Envelope) -> None:
        """Check that what surrounds records is well-formed; once for all records that share it.

        Raises:
            ParseError: It is not.
        """
        if envelope is not self._checked and envelope.depth:
            self._parser.parse(b"<record/>", envelope)
            self._checked = envelope

    def read(self, content: bytes | None, envelope: Envelope) -> str:
        """Return the key; empty if the contract names none, or the record has none that can be read.

        Args:
            content: The record, or its start tag unless `needs_content`; None if it is not available.
            envelope: What surrounds it.
        """
        if self._read is None or content is None:
            return ""
        if not self.needs_content:
            if self._attribute and b"&" not in content:
                return self._finished(attribute_of(content, self._attribute))
            content = content if content.endswith(b"/>") else content[:-1] + b"/>"
        try:
            if self._first is None:
                found = self._read(self._parser.parse(content, envelope))
            else:
                records = self._parser.elements_of(content, envelope, *self._first)
                found = next((found for found in map(self._read, records) if found is not None), None)
        except (ParseError, *RULE_ERRORS):
            return ""
        return self._finished(found or "")

    def _finished(self, text: str) -> str:
        """Return a key as the contract's default transforms make it."""
        try:
            value = text if self._transformed is None else self._transformed(text)
        except RULE_ERRORS:
            return ""
        return "" if value is None else str(value).strip(XML_SPACE)


def _transformation(path: str, contract: Contract) -> Callable[[str], Value] | None:
    """Return what the contract's default transforms make of the text of a key; None if there are none."""
    if contract.defaults is None or not contract.defaults.transform:
        return None
    rule = text_rule(contract, path)
    return fuse(steps_of(rule, None, TEXT_INPUT_TYPE, contract)).apply


def _attribute_named(path: str) -> bytes:
    """Return the name of the attribute that a path reads, if it is `@NAME`; empty otherwise."""
    match parse_xpath(path):
        case Path("context", (), (Step("attribute", name, ()),)) if not name.endswith((")", "*")) and ":" not in name:
            return name.encode()
    return b""


def _first_element(path: str, contract: Contract) -> tuple[frozenset[str], int] | None:
    """Return the names and the depth of the element whose first occurrence decides about a key.

    Returns:
        None if other parts of the record matter too.
    """
    match parse_xpath(path):
        case Path("context", (), steps) if steps:
            steps = steps[:-1] if steps[-1].axis == "attribute" else steps
            if steps and all(step.axis == "child" and not step.predicates for step in steps):
                name = steps[-1].test
                return (frozenset(clark_names(name, contract.namespaces)), len(steps)) if name[-1] not in ")*" else None
    return None


def _reads_attributes_only(path: str) -> bool:
    parts = list(walk(parse_xpath(path)))
    paths = [part for part in parts if isinstance(part, Path)]
    calls = [part for part in parts if isinstance(part, Call)]
    return (
        all(part.start == "context" and part.steps and part.steps[-1].axis == "attribute" for part in paths)
        and all(step.axis in _AXES_OF_ATTRIBUTES for part in paths for step in part.steps)
        and all(call.arguments for call in calls)
        and not all(isinstance(part, Constant) for part in parts)
    )


class RecordNames:
    """Gives the records of one file their keys, in the order of the file.

    The first record of a rejected record's own file keeps key and number.

    Args:
        file: The source's key of the file.
        may_repeat: Whether records have keys of their own, which may repeat.
    """

    def __init__(self, file: DocumentKey, *, may_repeat: bool) -> None:
        self._may_repeat = may_repeat
        self.file: DocumentKey = str(file) if isinstance(file, str) else file
        self.name = self.file
        self.number = 1
        self.records = 0
        self._first = ""
        if isinstance(file, RecordKey):
            self.name, self.number = file.place.name, max(file.place.number, 1)
            self._first = str(file) if str(file) != str(self.name) else ""
        # Hashes, because a file may have millions of keys.
        self._seen: set[int] = set()

    def next(self, own_key: str, place: RecordPlace) -> RecordKey:
        """Return the key of the next record; `own_key` may be empty."""
        name = (self.records == 0 and self._first) or f"{self.name}#{own_key or self.number}"
        key, repeated = name, 1
        while self._may_repeat and hash(key) in self._seen:
            repeated += 1
            key = f"{name}#{repeated}"
        if self._may_repeat:
            self._seen.add(hash(key))
        self.records += 1
        self.number += 1
        logged = log_key(key)
        if isinstance(logged, UnusableKey):
            place = place._replace(failure=unusable_key(logged))
        return RecordKey(str(logged), place)


class Bounds:
    """The records of a range of keys: from and up to a record, or a file with all its records.

    Args:
        key_range: The range; None for all records.
    """

    def __init__(self, key_range: KeyRange | None) -> None:
        self._first, self._last = (key_range.first, key_range.last) if key_range else ("", "")

    def has(self, file: DocumentKey) -> bool:
        """Return whether some records of a file may be in the range."""
        return (_belongs(self._first, file) or not _is_before(file, self._first)) and (
            not self._last or _belongs(self._last, file) or _is_before(file, self._last)
        )

    def within(self, file: DocumentKey, keys: Iterable[DocumentKey]) -> Iterator[DocumentKey]:
        """Yield those of a file's keys that are in the range."""
        name = str(file)
        is_after_first = not _belongs(self._first, file) or self._first == name
        ends_here = _belongs(self._last, file) and self._last != name
        for key in keys:
            is_after_first = is_after_first or key == self._first
            if is_after_first:
                yield key
            if ends_here and key == self._last:
                return


def _belongs(bound: str, file: DocumentKey) -> bool:
    return bound == str(file) or bound.startswith(f"{file}#")


def _is_before(file: DocumentKey, bound: str) -> bool:
    if isinstance(file, int):
        number = bound.partition("#")[0]
        return number.lstrip("-").isdecimal() and file < int(number)
    return file < bound
