"""The classes of SQLite's errors. Source: "Result and Error Codes", sqlite.org."""

import re
import sqlite3

from xml_extractor.connections import DatabaseError, ErrorClass
from xml_extractor.contract.layout import TableLayout
from xml_extractor.reasons import Reason

_DATA = {
    "SQLITE_CONSTRAINT_PRIMARYKEY": (Reason.DUPLICATE_KEY, "a row with this key already exists"),
    "SQLITE_CONSTRAINT_UNIQUE": (Reason.DUPLICATE_KEY, "a row with this key already exists"),
    "SQLITE_CONSTRAINT_ROWID": (Reason.DUPLICATE_KEY, "a row with this key already exists"),
    "SQLITE_CONSTRAINT_FOREIGNKEY": (
        Reason.MISSING_PARENT,
        "the row refers to a row of another table that does not exist",
    ),
    "SQLITE_CONSTRAINT_NOTNULL": (Reason.MISSING_VALUE, "the column must have a value"),
    "SQLITE_CONSTRAINT_CHECK": (Reason.CHECK_FAILED, "a CHECK constraint of the table does not hold"),
    "SQLITE_CONSTRAINT_DATATYPE": (Reason.WRONG_TYPE, "the column in the database has another type"),
    "SQLITE_CONSTRAINT_TRIGGER": (Reason.CONSTRAINT, "a trigger of the table rejects the row"),
    "SQLITE_MISMATCH": (Reason.WRONG_TYPE, "the column in the database has another type"),
    "SQLITE_TOOBIG": (Reason.TOO_LARGE, "the row is larger than the database allows"),
}
"""Codes of data errors, with reason and explanation."""

_FATAL = {
    "SQLITE_FULL": ("the disk is full", "free space on the disk, and run the same command again"),
    "SQLITE_READONLY": ("it cannot be written", "check that file and directory are writable by this user"),
    "SQLITE_PERM": ("it cannot be written", "check that file and directory are writable by this user"),
    "SQLITE_CANTOPEN": ("it cannot be opened", "check that it is a file, in a directory that this user can write"),
    "SQLITE_CORRUPT": ("the database file is damaged", "restore it from a backup, or load into a new file"),
    "SQLITE_NOTADB": ("the file is not a SQLite database", "name another file"),
    "SQLITE_IOERR": ("the disk cannot be read or written", "check the disk"),
    "SQLITE_NOMEM": ("there is not enough memory", "run with fewer workers"),
    "SQLITE_SCHEMA": ("its tables were changed", "run the same command again"),
}
"""Primary codes of fatal errors, with explanation and tip."""

_TRANSIENT = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")
_RULE = re.compile(r"(CHECK constraint) failed: (\w+)$|UNIQUE constraint failed: (index) '(.+)'$")
"""A CHECK constraint with a name, or an index over expressions; of other unique indexes only the columns are named."""

_NAMES_A_COLUMN = ("UNIQUE constraint failed: ", "NOT NULL constraint failed: ")


def classify(error: Exception, table: TableLayout | None = None) -> DatabaseError | None:
    """Return what an exception of sqlite3 means; None if it is not the database's.

    Args:
        error: Any exception.
        table: The table that was inserted into.
    """
    classified = _classified(error)
    if classified is not None:
        classified.table = table
    return classified


def _classified(error: Exception) -> DatabaseError | None:
    if isinstance(error, OverflowError | UnicodeEncodeError):
        code = Reason.WRONG_TYPE if isinstance(error, UnicodeEncodeError) else Reason.OVERFLOW
        return DatabaseError(ErrorClass.DATA, code, "SQLite cannot hold a value of the row")
    name = getattr(error, "sqlite_errorname", "")
    if not isinstance(error, sqlite3.Error) or not name:
        return None
    if name in _DATA:
        code, explanation = _DATA[name]
        rule = _RULE.match(str(error))
        named = f" ({' '.join(filter(None, rule.groups()))})" if rule else ""
        return DatabaseError(ErrorClass.DATA, code, f"{explanation}{named}", column=_column(str(error)))
    if name.startswith("SQLITE_CONSTRAINT"):
        return DatabaseError(ErrorClass.DATA, Reason.CONSTRAINT, "a constraint of the database is violated")
    if name.startswith(_TRANSIENT):
        return DatabaseError(ErrorClass.TRANSIENT, "locked", "another program has locked the database")
    primary = "_".join(name.split("_")[:2])
    explanation, tip = _FATAL.get(primary, (f"it rejects a statement: {error}", "check its tables"))
    classified = DatabaseError(ErrorClass.FATAL, name, explanation, tip=tip)
    if primary == "SQLITE_ERROR":
        classified.server_text = f"{error.sqlite_errorcode} {error}"
    return classified


def _column(message: str) -> str:
    """Return the only column that a message names, as in `UNIQUE constraint failed: contact.contact_id`."""
    for beginning in _NAMES_A_COLUMN:
        if message.startswith(beginning) and "," not in message:
            return message.rpartition(".")[2]
    return ""
