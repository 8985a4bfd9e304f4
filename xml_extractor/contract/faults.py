"""Faults of contracts: position, key path, message and suggestion in one line."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from xml_extractor.escaping import escaped

KeyPath = tuple[str | int, ...]
"""The path to a part of a contract: keys of mappings and indexes of lists."""

ANY = "*"
"""In a pattern of key paths: any key or index."""

Kind = TypeVar("Kind")

_PLAIN_KEY = re.compile(r"[\w:@-]+")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """An error in a contract. Faults sort by their position.

    Attributes:
        file: The file or shipped contract.
        line, column: The position, from 1.
        key_path: The key, such as `tables.contact.columns.zip.type`; empty for the file itself.
        message: What is wrong, unless `found` and `expected` say it.
        found: What is there.
        expected: What should be there.
        suggestion: What was probably meant.
    """

    file: str
    line: int
    column: int
    key_path: str
    message: str = ""
    found: str = ""
    expected: str = ""
    suggestion: str = ""

    def __str__(self) -> str:
        found = f"found {self.found}" if self.found else ""
        expected = f"expected {self.expected}" if self.expected else ""
        sentence = ", ".join(part for part in (self.message, found, expected) if part)
        question = f"; did you mean '{self.suggestion}'?" if self.suggestion else ""
        path = f"{self.key_path}: " if self.key_path else ""
        return escaped(f"{self.file}:{self.line}:{self.column}: {path}{sentence}{question}")


def render_path(path: KeyPath) -> str:
    """Return a path as text: `tables.score.rows[1].set`, with quotes around keys that are not plain words."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"['{part}']"
    return text


def at_path(patterns: Mapping[KeyPath, Kind], path: KeyPath) -> Kind | None:
    """Return the value of the first pattern that matches a path."""
    for pattern, kind in patterns.items():
        if len(pattern) == len(path) and all(part in (ANY, name) for part, name in zip(pattern, path, strict=True)):
            return kind
    return None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most similar, ignoring case; empty if none is similar."""
    by_folded, folded = {name.casefold(): name for name in known}, word.casefold()
    same_letters = [name for name in by_folded if sorted(name) == sorted(folded)]
    close = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.6) or same_letters
    return by_folded[close[0]] if close else ""


def one_of(names: Iterable[str]) -> str:
    """Return the names as a choice: `one of a, b, c`, or `a` alone."""
    listed = list(names)
    return f"one of {', '.join(listed)}" if len(listed) > 1 else "".join(listed)


def differing_in_case(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that differs only in case from an earlier one, after that one."""
    first: dict[str, str] = {}
    for name in names:
        if first.setdefault(name.casefold(), name) != name:
            yield first[name.casefold()], name


def shown(value: object) -> str:
    """Return a part of the contract as a fault shows it: shortened text in quotes, collections by their kind."""
    longest = 60
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case str():
            text = " ".join(value.split())
            return f"'{text}'" if len(text) <= longest else f"'{text[:longest]}…'"
        case _:
            return str(value)
