"""Comparison and matching of text under the collation SQL_Latin1_General_CP1_CI_AS.

Letters compare without regard to case, but with regard to accents; trailing spaces do not count. Punctuation sorts
before digits, digits before letters, and an accented letter after its plain one. Expansions of the Unicode rules, such
as `ae` for `æ`, and their weightless hyphens are not supported. In a pattern of LIKE all characters count; trailing
spaces of the text count only if one side is Unicode. Sources: "Collation and Unicode support" and "LIKE
(Transact-SQL)", Microsoft Learn; for letters that have a plain one without being composed with an accent, the "Default
Unicode Collation Element Table" of Unicode.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_PLAIN = str.maketrans(
    {"æ": "ae", "ð": "d", "đ": "d", "ħ": "h", "ĳ": "ij", "ŀ": "l", "ł": "l", "ŋ": "n", "ø": "o", "œ": "oe"}
    | {"ß": "ss", "ŧ": "t"}
)
_KIND_SIZE = 0x50000
LAST_PLAIN = "\uffff"


def _weight(character: str) -> str:
    """Return a character whose code orders a character among texts."""
    kind = 2 if character.isalpha() else 1 if character.isdigit() else 0
    return chr(kind * _KIND_SIZE + ord(character))


_ASCII_WEIGHTS = {code: _weight(chr(code)) for code in range(128)}


def folded(text: str) -> str:
    """Return the text in lower case, character by character, so that positions do not change."""
    if text.isascii():
        return text.lower()
    return "".join([_folded_character(character) for character in text])


def _folded_character(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character


def raised(text: str) -> str:
    """Return the text in upper case, character by character."""
    return text.upper() if text.isascii() else "".join([_cased(character, character.upper()) for character in text])


def lowered(text: str) -> str:
    """Return the text in lower case, character by character."""
    return text.lower() if text.isascii() else "".join([_cased(character, character.lower()) for character in text])


def _cased(character: str, changed: str) -> str:
    """Return the changed case of a character, unless it is longer or outside the code page of the character."""
    if len(changed) != 1 or (character <= "\u00ff" < changed and changed != "\u0178"):
        return character
    return changed


def equality_key(text: str) -> str:
    """Return a key that is equal for equal texts."""
    if text.isascii():
        return text.rstrip(" ").lower()
    return folded(unicodedata.normalize("NFC", text.translate(_WIDE))).rstrip(" ")


def order_key(text: str) -> tuple[str, str]:
    """Return a key that sorts as the texts do, and is equal for equal texts."""
    key = equality_key(text)
    if key.isascii():
        return key.translate(_ASCII_WEIGHTS), ""
    apart = unicodedata.normalize("NFD", key.translate(_PLAIN)).lower()
    return "".join([_weight(character) for character in apart if not unicodedata.combining(character)]), key


Matcher = Callable[[str], bool]

_LETTERS = tuple(
    chr(code)
    for block in (range(0x20, 0x250), range(0x1E00, 0x1F00))
    for code in block
    if not unicodedata.category(chr(code)).startswith("C")
)
"""The characters that a range such as `[a-f]` covers by collation order; others are compared by their code."""


@lru_cache(maxsize=1024)
def matcher(pattern: str, escape: str, *, unicode: bool) -> Matcher:
    """Return the function that tests whether a text matches a pattern of LIKE.

    Args:
        pattern: The pattern of LIKE.
        escape: One character, or an empty text.
        unicode: Whether trailing spaces of the text count.
    """
    simple = _simple_matcher(pattern) if not escape else None
    if simple is not None:
        return simple
    pieces = _pieces(pattern, escape)
    if pieces is None:
        return lambda _text: False
    match = re.compile(pieces[0] + _after_first(pieces, unicode=unicode), re.DOTALL).match
    return lambda text: match(_comparable(text)) is not None


@lru_cache(maxsize=1024)
def finder(pattern: str, *, unicode: bool) -> Callable[[str], int]:
    """Return the function that finds where a pattern of LIKE first matches up to the end of a text.

    Args:
        pattern: The pattern of LIKE. It matches at the first character only, unless it begins with `%`.
        unicode: Whether trailing spaces of the text count.

    Returns:
        A function from a text to the position in UTF-16 units, from 1; 0 if there is none.
    """
    pieces = _pieces(pattern.lstrip("%") or pattern, "")
    if pieces is None:
        return lambda _text: 0
    rest = re.compile(_after_first(pieces, unicode=unicode), re.DOTALL)
    if len(pieces) == 1:
        first, rest = re.compile(pieces[0] + rest.pattern, re.DOTALL), re.compile("")
    else:
        first = re.compile(pieces[0], re.DOTALL)
    begin = first.search if pattern.startswith("%") else first.match

    def position(text: str) -> int:
        units = _comparable(text)
        found = begin(units) if units else None
        return found.start() + 1 if found is not None and rest.match(units, found.end()) else 0

    return position


def _comparable(text: str) -> str:
    return text.lower() if text.isascii() else folded(to_units(text))


def to_units(text: str) -> str:
    """Split a text into one Python character for each UTF-16 unit."""
    if text.isascii() or max(text) <= LAST_PLAIN:
        return text
    content = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(low | high << 8) for low, high in zip(content[::2], content[1::2], strict=True))


def _after_first(pieces: list[str], *, unicode: bool) -> str:
    """Return the expression of what follows the first piece, up to the end of the text.

    Each piece matches a fixed number of characters, so that its first match after the piece before it is as good as
    any later one. The atomic groups never go back, which keeps the cost of a match linear in the number of pieces.
    """
    end = r"\Z" if unicode else r" *\Z"
    if len(pieces) == 1:
        return end
    *between, last = pieces[1:]
    return "".join(f"(?>.*?{piece})" for piece in between) + (f".*{last}{end}" if last else "")


def _simple_matcher(pattern: str) -> Matcher | None:
    """Return a matcher without a regular expression for `text%` and `%text%`."""
    core = pattern.strip("%")
    if not core or not pattern.endswith("%") or any(special in core for special in "%_["):
        return None
    wanted = folded(core)
    if pattern.startswith("%"):
        return lambda text: wanted in folded(text)
    return lambda text: folded(text).startswith(wanted)


def _pieces(pattern: str, escape: str) -> list[str] | None:
    """Return the expressions of a pattern's parts between `%`; None if it matches nothing."""
    pattern, escape = _comparable(pattern), folded(escape)
    pieces = [""]
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == escape:
            if position == len(pattern):
                return None
            pieces[-1] += re.escape(pattern[position])
            position += 1
        elif character == "%":
            pieces.append("")
        elif character == "_":
            pieces[-1] += "."
        elif character == "[":
            found = _set(pattern, position, escape)
            if found is None:
                return None
            part, position = found
            pieces[-1] += part
        else:
            pieces[-1] += re.escape(character)
    return [pieces[0], *(piece for piece in pieces[1:-1] if piece), *pieces[1:][-1:]]


def _set(pattern: str, start: int, escape: str) -> tuple[str, int] | None:
    """Return the expression of a set whose `[` is before `start`, and the position after its `]`."""
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
