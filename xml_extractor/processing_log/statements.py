"""What the processing log is asked: the parts of its statements that all databases have in common.

Values are bound, each by a `?`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from xml_extractor.documents import Status
from xml_extractor.targets.interfaces import RejectSelection

DONE = f"status <> '{Status.RETRY}'"
"""The condition that a document with a row is done, and not to be tried again."""

PUT_BACK = f"status = '{Status.RETRY}'"
"""The assignment by which a rejected document is put back."""

SAME_ROW = ("contract", "document_key", "status", "attempts", "run_id")
"""Columns that are equal in a row only as long as nobody has replaced it or put it back."""

COUNTS = "run_id, status, contract_version, contract_hash, COUNT(*), MAX(finished_at)"
"""The fields of `LogCount`, to select by `COUNTED`."""

COUNTED = "WHERE contract = ? GROUP BY run_id, status, contract_version, contract_hash"

KEYS_IN_STATEMENT = 500
"""Keys that one statement names at most; SQLite before 3.32 takes 999 parameters, SQL Server 2100."""


class Where(NamedTuple):
    """A condition on rows of the log, and the values of its parameters."""

    sql: str
    values: tuple[str | int, ...]


def rejects(selection: RejectSelection) -> Iterator[Where]:
    """The conditions, one after the other, that find the rows of these documents."""
    conditions = ["contract = ?", f"status = '{Status.REJECTED}'"]
    values: list[str | int] = [selection.contract]
    if selection.code:
        # A reason begins with its code, and ` at table.column` or `: explanation` follows.
        conditions.append("(reason LIKE ? ESCAPE '!' OR reason LIKE ? ESCAPE '!')")
        values += [f"{_literally(selection.code)}{end}%" for end in (" ", ":")]
    if selection.stage:
        conditions.append("stage = ?")
        values.append(selection.stage)
    if selection.below_attempts is not None:
        conditions.append("attempts < ?")
        values.append(selection.below_attempts)
    where = " AND ".join(conditions)
    if not selection.keys:
        yield Where(where, tuple(values))
    keys = list(dict.fromkeys(selection.keys))
    for first in range(0, len(keys), KEYS_IN_STATEMENT):
        some = keys[first : first + KEYS_IN_STATEMENT]
        places = ", ".join("?" * len(some))
        yield Where(f"{where} AND document_key IN ({places})", (*values, *some))


def _literally(text: str) -> str:
    """A text as a pattern of LIKE that only it matches."""
    for character in "!%_[":
        text = text.replace(character, f"!{character}")
    return text
