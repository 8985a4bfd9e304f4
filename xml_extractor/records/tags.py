"""Start tags as a file has them: their attributes, and the names in Clark notation."""

import re
import sys

from lxml import etree
from lxml.etree import _Element as Element

_ATTRIBUTE = re.compile(rb"([^\s=]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(lt|gt|amp|quot|apos));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


class BrokenFileError(Exception):
    """The file breaks off, or is not well-formed between records. Its text is for the user."""


def attributes_of(rest: bytes) -> dict[str, str]:
    """Return the attributes of a start tag by their names as written."""
    found = _ATTRIBUTE.findall(rest)
    return {name.decode("utf-8", "replace"): _value(text[1:-1].decode("utf-8", "replace")) for name, text in found}


def attribute_of(tag: bytes, name: bytes) -> str:
    """Return the value of an attribute of a start tag by its name as written; empty if there is none."""
    found = (text for each, text in _ATTRIBUTE.findall(tag) if each == name)
    return _value(next(found, b"  ")[1:-1].decode("utf-8", "replace"))


def declared(above: dict[str, str], attributes: dict[str, str]) -> dict[str, str]:
    """Return the namespaces by prefix inside an element."""
    own = {
        name.removeprefix("xmlns").removeprefix(":"): value
        for name, value in attributes.items()
        if name == "xmlns" or name.startswith("xmlns:")
    }
    return {**above, **own} if own else above


def clark(name: str, namespaces: dict[str, str], *, is_attribute: bool) -> str:
    """Return a name as written in Clark notation; one with an unknown prefix stays as it is."""
    prefix, colon, local = name.rpartition(":")
    if is_attribute and not colon:
        return name
    address = namespaces.get(prefix)
    if address is None:
        return name
    return f"{{{address}}}{local}" if address else local


def _value(text: str) -> str:
    text = re.sub(r"\r\n|[\r\n\t]", " ", text)
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(reference: re.Match[str]) -> str:
    hexadecimal, decimal, named = reference.groups()
    if named:
        return _NAMED[named]
    number = int(hexadecimal, 16) if hexadecimal else int(decimal)
    return chr(number) if number <= sys.maxunicode else ""


def start_tag(name: str, attributes: dict[str, str], namespaces: dict[str, str]) -> Element:
    """Return an element that consists of a start tag, for predicates.

    Args:
        name: Its Clark name.
        attributes: Its attributes by their names as written.
        namespaces: The namespaces by prefix inside it.

    Raises:
        BrokenFileError: It is not well-formed.
    """
    plain = {
        clark(key, namespaces, is_attribute=True): value
        for key, value in attributes.items()
        if key != "xmlns" and not key.startswith("xmlns:")
    }
    try:
        return etree.Element(name, plain)
    except ValueError:
        raise BrokenFileError("a start tag with a name or a character that XML does not allow") from None
