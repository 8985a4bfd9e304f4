"""A document as a list of tags and texts, which can be cut, joined and damaged anywhere.

An element tree could not hold most of what comes out.
"""

import re
from random import Random

Markup = list[str]
"""Tags, comments, instructions and texts in the order of the document; joined they are the document."""

_TOKEN = re.compile(r"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[.*?\]\]>|<[^>]*>|[^<]+", re.DOTALL)
_NAME = re.compile(r"</?([^\s/>]+)")
ATTRIBUTE = re.compile(r'\s([\w:.\-]+)="([^"]*)"')


def markup_of(document: str) -> Markup:
    """Split a well-formed document into tokens."""
    return _TOKEN.findall(document)


def is_start(token: str) -> bool:
    """Whether it is a start tag, or the tag of an empty element."""
    return token[:1] == "<" and token[1:2] not in ("/", "!", "?")


def is_empty(token: str) -> bool:
    """Whether it is the tag of an empty element."""
    return token.endswith("/>")


def is_text(token: str) -> bool:
    """Whether it is text between tags."""
    return token[:1] != "<"


def name_of(token: str) -> str:
    """Return the name in a tag."""
    found = _NAME.match(token)
    return found[1] if found else ""


def renamed(token: str, name: str) -> str:
    """Return the tag with another name."""
    return _NAME.sub(lambda match: match[0][: -len(match[1])] + name, token, count=1)


def end_of(markup: Markup, start: int) -> int:
    """Return the position after the element that starts here; the end of the document if it is not closed."""
    depth = 0
    for position in range(start, len(markup)):
        token = markup[position]
        if is_start(token):
            depth += not is_empty(token)
        elif token.startswith("</"):
            depth -= 1
        if depth <= 0:
            return position + 1
    return len(markup)


def any_start(markup: Markup, random: Random) -> int:
    """Return the position of a random start tag; of a random token if there are hardly any start tags."""
    for _ in range(50):
        position = random.randrange(len(markup))
        if is_start(markup[position]):
            return position
    return random.randrange(len(markup))


def any_element(markup: Markup, random: Random) -> tuple[int, int]:
    """Return start and end of a random element; rarely of the root."""
    start = any_start(markup, random)
    return start, end_of(markup, start)


def any_with_attributes(markup: Markup, random: Random) -> int | None:
    """Return the position of a random start tag that has attributes."""
    for _ in range(20):
        position = any_start(markup, random)
        if ATTRIBUTE.search(markup[position]):
            return position
    return None


def put_at_end_of_tag(token: str, text: str) -> str:
    """Insert text before the end of a start tag."""
    end = len(token) - (2 if is_empty(token) else 1)
    return token[:end] + text + token[end:]
