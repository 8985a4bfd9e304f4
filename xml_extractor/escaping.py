"""Escapes for what the authors of documents choose: keys, names of files, members and elements, texts of servers.

Every boundary to a terminal, a log or a file that people read applies them: control characters, escape sequences,
separators of lines and marks of direction would change how the rest of the output looks, or forge lines of it.
"""

import json


def escaped(text: str, keep: str = "") -> str:
    r"""Return a text in which characters that are not printable are escaped as in JSON, such as `\u001b`.

    Args:
        text: One line.
        keep: Characters to keep, such as the line feeds of JSON that is indented.
    """
    if text.isprintable():
        return text
    return "".join(part if part.isprintable() or part in keep else json.dumps(part)[1:-1] for part in text)
