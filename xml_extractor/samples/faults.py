"""Faults that a parser must reject, and functions to introduce faults into documents of any kind."""

import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from xml_extractor.reasons import Reason, Stage
from xml_extractor.samples.model import FaultKind

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
