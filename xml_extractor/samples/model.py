"""Sample documents, kinds of them, and streams: which documents of a stream are spoiled, and how."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import floor
from random import Random

from xml_extractor.errors import UsageError
from xml_extractor.reasons import Reason, Stage


@dataclass(frozen=True, slots=True)
class ExpectedFault:
    """The fault of a sample document and the rejection that a run must report.

    Attributes:
        code: Name of the fault, unique within its kind of samples.
        stage: The stage that must reject the document.
        reason: The `Failure.code` of the rejection.
        duplicate_of: Key of the valid sample that this one copies. A run must reject exactly one of the two,
            whichever is loaded second.
    """

    code: str
    stage: Stage
    reason: Reason
    duplicate_of: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample document.

    Attributes:
        kind: Name of its kind.
        key: From 1; also the key inside the document unless a fault changes it.
        content: The document; None for SQL NULL.
        fault: None for a valid document.
    """

    kind: str
    key: int
    content: bytes | None
    fault: ExpectedFault | None = None

    @property
    def name(self) -> str:
        """File name that sorts like the key, such as `card_application_0000017.xml`."""
        return file_name(self.kind, self.key)


def file_name(kind: str, key: int) -> str:
    """Return the file name of the sample with this key."""
    return f"{kind}_{key:07}.xml"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault; see `ExpectedFault` for `code`, `stage` and `reason`.

    Attributes:
        spoil: Makes a faulty document out of a valid one; None for SQL NULL.
        is_text: Whether the faulty document is valid UTF-8.
    """

    code: str
    stage: Stage
    reason: Reason
    spoil: Callable[[bytes], bytes | None]
    is_text: bool = True


@dataclass(frozen=True, slots=True)
class SampleKind:
    """A kind of sample documents.

    Attributes:
        name: Also the name of the shipped contract that loads these documents.
        document: Generates a valid document from its key and a random number generator, and from nothing else, so
            that the same seed gives the same bytes.
        faults: At least two faults, used in turn. Every kind also gets copies of documents under another key.
    """

    name: str
    document: Callable[[int, Random], bytes]
    faults: tuple[FaultKind, ...]


LARGEST_FAULTY_SHARE = Fraction(1, 2)


def sample_stream(kind: SampleKind, count: int, seed: int = 1, faulty: Fraction | float = 0) -> Iterator[Sample]:
    """Generate samples one by one.

    A valid document depends on kind, seed and key only. Which keys are faulty, and how, depends on the share only.
    A smaller count therefore gives the first documents of a larger one.

    Args:
        kind: The kind of samples.
        count: Number of samples; keys run from 1 to `count`.
        seed: Another seed gives other documents.
        faulty: Share of faulty documents. They are spread evenly and use all faults in turn. Their number is
            `faulty * count`, rounded half up.

    Raises:
        UsageError: The share is below 0 or above a half.
    """
    share = Fraction(faulty).limit_denominator(10**6)
    if not 0 <= share <= LARGEST_FAULTY_SHARE:
        raise UsageError("the share of faulty samples is not between 0% and 50%", "write a share such as 3%")
    return (_sample(kind, key, seed, share) for key in range(1, count + 1))


def _sample(kind: SampleKind, key: int, seed: int, share: Fraction) -> Sample:
    if not _is_faulty(key, share):
        return Sample(kind.name, key, _good_document(kind, key, seed))
    turn = _faults_up_to(key - 1, share) % (len(kind.faults) + 1)
    if turn < len(kind.faults):
        fault = kind.faults[turn]
        expected = ExpectedFault(fault.code, fault.stage, fault.reason)
        return Sample(kind.name, key, fault.spoil(_good_document(kind, key, seed)), expected)
    original = _earlier_good_key(key, share)
    copy = ExpectedFault("duplicate_key", Stage.LOAD, Reason.DUPLICATE_KEY, duplicate_of=original)
    return Sample(kind.name, key, _good_document(kind, original, seed), copy)


def _good_document(kind: SampleKind, key: int, seed: int) -> bytes:
    return kind.document(key, Random(f"{kind.name} {seed} {key}"))  # noqa: S311 - samples need no secrecy


def _faults_up_to(key: int, share: Fraction) -> int:
    return floor(share * key + Fraction(1, 2))


def _is_faulty(key: int, share: Fraction) -> bool:
    return _faults_up_to(key, share) > _faults_up_to(key - 1, share)


def _earlier_good_key(key: int, share: Fraction) -> int:
    """Return the key of a valid document about half-way back: far enough to be in another batch of a long run.

    Of two neighbours at least one is good, and copies are so far apart that none is copied twice.
    """
    half_way = key // 2
    return half_way - 1 if _is_faulty(half_way, share) else half_way


NESTING = 5_000
"""Levels of elements in a document that exceeds every depth limit."""

_EXPANSION = (
    "<!DOCTYPE x [<!ENTITY a 'haha'>"
    + "".join(f"<!ENTITY {name} '{f'&{earlier};' * 10}'>" for earlier, name in pairwise("abcdefx"))
    + "]>"
).encode()
_EXTERNAL_ENTITY = b"<!DOCTYPE x [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>"
_PARAMETER_ENTITY = b"<!DOCTYPE x [<!ENTITY % p SYSTEM 'file:///nowhere/x.dtd'> %p;]>"
_NESTED = b"<Deeper>" * NESTING + b"</Deeper>" * NESTING

Spoil = Callable[[bytes], bytes | None]


def parse_faults(root: bytes, inside: bytes) -> tuple[FaultKind, ...]:
    """Return the faults that parsing detects.

    Args:
        root: The name of the root element, with its prefix.
        inside: The name of an element with content, in the part of the document that contracts read.
    """
    put = partial(insert_into, element=inside)
    faults: tuple[tuple[str, Reason, Spoil], ...] = (
        ("cut_off", Reason.MALFORMED, partial(_cut_off, element=inside)),
        ("null", Reason.EMPTY, lambda _: None),
        ("entity_expansion", Reason.DOCTYPE, lambda document: _with_doctype(put(document, text=b"&x;"), _EXPANSION)),
        ("control_character", Reason.CONTROL_CHARACTER, partial(put, text=b"\x01")),
        ("wrong_root", Reason.WRONG_ROOT, partial(_with_root, old=root, new=b"SomethingElse")),
        ("invalid_bytes", Reason.WRONG_ENCODING, partial(put, text=b"caf\xe9 cr\xe8me")),
        ("too_deep", Reason.TOO_DEEP, partial(put, text=_NESTED)),
        ("no_bytes", Reason.EMPTY, lambda _: b""),
        (
            "external_entity",
            Reason.DOCTYPE,
            lambda document: _with_doctype(put(document, text=b"&x;"), _EXTERNAL_ENTITY),
        ),
        ("wrong_end_tag", Reason.MALFORMED, partial(put, text=b"<Left></Right>")),
        ("control_reference", Reason.CONTROL_CHARACTER, partial(put, text=b"&#2;")),
        ("only_spaces", Reason.EMPTY, lambda _: b" \r\n\t "),
        ("parameter_entity", Reason.DOCTYPE, lambda document: _with_doctype(document, _PARAMETER_ENTITY)),
        ("undeclared_entity", Reason.ENTITY, partial(put, text=b"&nbsp;")),
    )
    return tuple(
        FaultKind(code, Stage.PARSE, reason, spoil, is_text=code != "invalid_bytes") for code, reason, spoil in faults
    )


def insert_into(document: bytes, *, element: bytes, text: bytes) -> bytes:
    """Insert text after the first start tag of an element."""
    end = _start_tag(document, element).end()
    return document[:end] + text + document[end:]


def set_attribute(document: bytes, *, element: bytes, attribute: bytes, value: bytes) -> bytes:
    """Replace the value of an attribute of the first element with this name."""
    tag = _start_tag(document, element)
    changed, count = re.subn(rb'(?<=\s%b=")[^"]*(?=")' % attribute, value.replace(b"\\", rb"\\"), tag[0])
    return _with_tag(document, tag, changed, count)


def remove_attribute(document: bytes, *, element: bytes, attribute: bytes) -> bytes:
    """Remove an attribute from the first element with this name."""
    tag = _start_tag(document, element)
    changed, count = re.subn(rb'\s%b="[^"]*"' % attribute, b"", tag[0])
    return _with_tag(document, tag, changed, count)


def _start_tag(document: bytes, element: bytes) -> re.Match[bytes]:
    found = re.search(rb"<%b(?=[\s>])[^>]*>" % element, document)
    if found is None:
        raise ValueError(f"the document has no element {element.decode()} with content")
    return found


def _with_tag(document: bytes, tag: re.Match[bytes], changed: bytes, count: int) -> bytes:
    if count != 1:
        raise ValueError(f"the first element of this name has the attribute {count} times")
    return document[: tag.start()] + changed + document[tag.end() :]


def _cut_off(document: bytes, element: bytes) -> bytes:
    """Truncate in the middle of the element, or after its start tag if it has no end tag."""
    start = _start_tag(document, element).end()
    end = document.find(b"</%b>" % element, start)
    return document[: (start + max(start, end)) // 2]


def _with_root(document: bytes, old: bytes, new: bytes) -> bytes:
    start = _start_tag(document, old).start() + 1
    head, end_tag, tail = document.rpartition(b"</%b>" % old)
    return head[:start] + new + head[start + len(old) :] + end_tag.replace(old, new) + tail


def _with_doctype(document: bytes, doctype: bytes) -> bytes:
    declaration_end = document.find(b"?>") + 2 if document.startswith(b"<?xml") else 0
    return document[:declaration_end] + doctype + document[declaration_end:]
