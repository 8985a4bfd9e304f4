"""What is wrong with a contract: one fault is one place, said in one line."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

KeyPath = tuple[str | int, ...]
"""The way to a part of the contract: keys of mappings and positions in lists."""

ANY = "*"
"""In a pattern of key paths: whatever name or position."""

Kind = TypeVar("Kind")

_PLAIN_KEY = re.compile(r"[\w:@-]+")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something in a contract that must be corrected. Faults sort by where they are.

    Attributes:
        file: The contract as the user named it.
        line, column: Where, counted from 1.
        key_path: Where, as `tables.contact.columns.zip.type`; empty for the file itself.
        message: What is wrong, if found and expected do not say all.
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
        place = f"{self.key_path}: " if self.key_path else ""
        return f"{self.file}:{self.line}:{self.column}: {place}{sentence}{question}"


def render_path(path: KeyPath) -> str:
    """The path as people write it: `tables.score.rows[1].set`, with quotes around keys that are no plain words."""
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
    """What the table of patterns says of a path."""
    for pattern, kind in patterns.items():
        if len(pattern) == len(path) and all(part in (ANY, name) for part, name in zip(pattern, path, strict=True)):
            return kind
    return None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word that is most like the one found, in whatever case it was written; empty if none is like it."""
    by_folded, folded = {name.casefold(): name for name in known}, word.casefold()
    same_letters = [name for name in by_folded if sorted(name) == sorted(folded)]
    close = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.6) or same_letters
    return by_folded[close[0]] if close else ""


def one_of(names: Iterable[str]) -> str:
    """The names as a list to choose from: `one of a, b, c`, or `a` alone."""
    listed = list(names)
    return f"one of {', '.join(listed)}" if len(listed) > 1 else "".join(listed)


def shown(value: object) -> str:
    """A part of the contract as a fault shows it: text in quotes and cut short, collections by their kind."""
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
