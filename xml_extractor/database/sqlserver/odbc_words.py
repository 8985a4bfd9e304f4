"""ODBC connection strings: `KEYWORD=value;KEYWORD={value with ; or }}}`.

Source: "SQLDriverConnect Function", ODBC Programmer's Reference.
"""

import re
from collections.abc import Mapping

_PAIR = re.compile(r"\s*(?P<word>[^=;{}]+?)\s*=\s*(?:\{(?P<braced>(?:[^}]|\}\})*)\}|(?P<plain>[^;]*?))\s*(?:;|\Z)")
_NEEDS_BRACES = re.compile(r"[\[\]{}(),;?*=!@]|^\s|\s$")


def read_connection_string(text: str) -> dict[str, str]:
    """The values by keyword in upper case; of a keyword that is there twice the first counts, as in ODBC.

    Raises:
        ValueError: It is no connection string; the message does not repeat it.
    """
    words: dict[str, str] = {}
    position = 0
    text = text.strip().rstrip(";")
    while position < len(text):
        found = _PAIR.match(text, position)
        if found is None:
            raise ValueError(f"character {position + 1} of the connection string begins no KEYWORD=value")
        value = found["plain"] if found["braced"] is None else found["braced"].replace("}}", "}")
        words.setdefault(found["word"].upper(), value)
        position = found.end()
    return words


def write_connection_string(words: Mapping[str, str]) -> str:
    """The connection string of values by keyword."""
    return ";".join(f"{word}={_written(value)}" for word, value in words.items())


def _written(value: str) -> str:
    return f"{{{value.replace('}', '}}')}}}" if _NEEDS_BRACES.search(value) else value
