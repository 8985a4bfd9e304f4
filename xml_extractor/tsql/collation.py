"""Comparison of text as the collation SQL_Latin1_General_CP1_CI_AS does it.

Letters are compared without regard to case, with regard to accents; spaces at the end do not count. Punctuation comes
before digits, digits before letters, and an accented letter behind its plain one. Expansions of the Unicode rules, such
as `ae` for `æ`, and their weightless hyphens are not there. Sources: "Collation and Unicode support", Microsoft Learn;
for letters that have a plain one without being put together with an accent, the "Default Unicode Collation Element
Table" of Unicode.
"""

import unicodedata

_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_PLAIN = str.maketrans(
    {"æ": "ae", "ð": "d", "đ": "d", "ħ": "h", "ĳ": "ij", "ŀ": "l", "ł": "l", "ŋ": "n", "ø": "o", "œ": "oe"}
    | {"ß": "ss", "ŧ": "t"}
)
_KIND_SIZE = 0x50000


def _weight(character: str) -> str:
    """A character that stands for another one in the order of texts."""
    kind = 2 if character.isalpha() else 1 if character.isdigit() else 0
    return chr(kind * _KIND_SIZE + ord(character))


_ASCII_WEIGHTS = {code: _weight(chr(code)) for code in range(128)}


def folded(text: str) -> str:
    """The text in lower case, character by character, so that positions stay the same."""
    if text.isascii():
        return text.lower()
    return "".join([_folded_character(character) for character in text])


def _folded_character(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character


def raised(text: str) -> str:
    """The text in upper case, character by character."""
    return text.upper() if text.isascii() else "".join([_cased(character, character.upper()) for character in text])


def lowered(text: str) -> str:
    """The text in lower case, character by character."""
    return text.lower() if text.isascii() else "".join([_cased(character, character.lower()) for character in text])


def _cased(character: str, changed: str) -> str:
    """The other case of a character, unless it is longer, or would leave the code page the character is in."""
    if len(changed) != 1 or (character <= "\u00ff" < changed and changed != "\u0178"):
        return character
    return changed


def equality_key(text: str) -> str:
    """Equal for texts that are equal."""
    if text.isascii():
        return text.rstrip(" ").lower()
    return folded(unicodedata.normalize("NFC", text.translate(_WIDE))).rstrip(" ")


def order_key(text: str) -> tuple[str, str]:
    """In the order of texts; equal for texts that are equal."""
    key = equality_key(text)
    if key.isascii():
        return key.translate(_ASCII_WEIGHTS), ""
    apart = unicodedata.normalize("NFD", key.translate(_PLAIN)).lower()
    return "".join([_weight(character) for character in apart if not unicodedata.combining(character)]), key
