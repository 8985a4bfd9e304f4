"""Patterns of LIKE.

Source: "LIKE (Transact-SQL)", Microsoft Learn: `%`, `_`, `[set]`, `[^set]` and ESCAPE. All characters of a pattern
count; spaces at the end of the text count only when one side is Unicode.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from xml_extractor.tsql.collation import folded, order_key

Matcher = Callable[[str], bool]

_LETTERS = tuple(
    chr(code)
    for block in (range(0x20, 0x250), range(0x1E00, 0x1F00))
    for code in block
    if not unicodedata.category(chr(code)).startswith("C")
)
"""The characters that a range such as `[a-f]` is asked about; others are compared by their code."""


@lru_cache(maxsize=1024)
def matcher(pattern: str, escape: str, *, unicode: bool) -> Matcher:
    """A function that says whether a text matches.

    Args:
        pattern: The pattern of LIKE.
        escape: One character, or nothing.
        unicode: Whether spaces at the end of the text count.
    """
    simple = _simple_matcher(pattern) if not escape else None
    if simple is not None:
        return simple
    expression = _expression(folded(pattern), folded(escape))
    if expression is None:
        return lambda _text: False
    match = re.compile(expression + ("" if unicode else " *"), re.DOTALL).fullmatch
    return lambda text: match(folded(text)) is not None


def _simple_matcher(pattern: str) -> Matcher | None:
    """A matcher without a regular expression, for `text%` and `%text%`."""
    core = pattern.strip("%")
    if not core or not pattern.endswith("%") or any(special in core for special in "%_["):
        return None
    wanted = folded(core)
    if pattern.startswith("%"):
        return lambda text: wanted in folded(text)
    return lambda text: folded(text).startswith(wanted)


def _expression(pattern: str, escape: str) -> str | None:
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == escape:
            if position == len(pattern):
                return None
            parts.append(re.escape(pattern[position]))
            position += 1
        elif character == "%":
            parts.append(".*")
        elif character == "_":
            parts.append(".")
        elif character == "[":
            found = _set(pattern, position, escape)
            if found is None:
                return None
            part, position = found
            parts.append(part)
        else:
            parts.append(re.escape(character))
    return "".join(parts)


def _set(pattern: str, start: int, escape: str) -> tuple[str, int] | None:
    """The expression of a set whose `[` stands before `start`, and the position behind its `]`."""
    members: list[tuple[str, bool]] = []
    position = start
    while position < len(pattern) and pattern[position] != "]":
        escaped = pattern[position] == escape and position + 1 < len(pattern)
        position += escaped
        members.append((pattern[position], escaped))
        position += 1
    if position >= len(pattern):
        return None
    negated = bool(members) and members[0] == ("^", False)
    choice = _choice(members[1:] if negated else members)
    if not choice:
        return (".", position + 1) if negated else ("(?!)", position + 1)
    return f"[{'^' if negated else ''}{choice}]", position + 1


def _choice(members: list[tuple[str, bool]]) -> str:
    parts: list[str] = []
    position = 0
    while position < len(members):
        character = members[position][0]
        if position + 2 < len(members) and members[position + 1] == ("-", False):
            parts.append(_range(character, members[position + 2][0]))
            position += 3
        else:
            parts.append(re.escape(character))
            position += 1
    return "".join(parts)


def _range(first: str, last: str) -> str:
    least, most = order_key(first), order_key(last)
    letters = {folded(letter) for letter in _LETTERS if least <= order_key(letter) <= most}
    known = first in _LETTERS and last in _LETTERS
    codes = "" if known or first > last else f"{re.escape(first)}-{re.escape(last)}"
    return codes + "".join(map(re.escape, sorted(letters)))
