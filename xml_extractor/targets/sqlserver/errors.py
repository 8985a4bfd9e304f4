"""The classes of SQL Server's errors.

Sources: "Database Engine events and errors" and "Troubleshoot transient connection errors", Microsoft Learn;
"Appendix A: ODBC Error Codes", ODBC Programmer's Reference.
"""

import re
from collections.abc import Sequence
from decimal import DecimalException

import pyodbc

from xml_extractor.connections import DatabaseError, ErrorClass
from xml_extractor.contract.layout import TableLayout
from xml_extractor.reasons import Reason

TRANSACTION_ENDED = 2**31 - 1
"""The number that our statements throw if the transaction has ended; the largest number that THROW accepts."""

_DATA = {
    **dict.fromkeys((2627, 2601), (Reason.DUPLICATE_KEY, "a row with this key already exists")),
    515: (Reason.MISSING_VALUE, "the column must have a value"),
    547: (Reason.CHECK_FAILED, "a CHECK constraint of the table does not hold"),
    550: (Reason.CHECK_FAILED, "the view that is inserted into would not show the row"),
    **dict.fromkeys((2628, 8152), (Reason.TOO_LONG, "a value is longer than its column")),
    511: (Reason.TOO_LARGE, "the row is larger than the database allows"),
    1946: (Reason.TOO_LARGE, "the row's key is larger than an index allows"),
    **dict.fromkeys(
        (8169, 241, 245, 295, 206, 8114), (Reason.WRONG_TYPE, "the column in the database has another type")
    ),
    **dict.fromkeys((242, 296, 298, 517), (Reason.WRONG_TYPE, "a date is out of the range of its column")),
    8023: (Reason.WRONG_TYPE, "the column's type cannot hold the value"),
    **dict.fromkeys(
        (220, 232, 234, 237, 244, 248, 292, 8115), (Reason.OVERFLOW, "a number is too large for its column")
    ),
    **dict.fromkeys((535, 537, 3623, 8134), (Reason.CONSTRAINT, "the table cannot compute something for the row")),
    **dict.fromkeys(range(9400, 9500), (Reason.WRONG_TYPE, "the text of an xml column is not well-formed XML")),
    6335: (Reason.WRONG_TYPE, "the text of an xml column has elements in more than 128 levels"),
    6359: (Reason.WRONG_TYPE, "the text of an xml column has a DOCTYPE"),
    **dict.fromkeys(range(6900, 6970), (Reason.WRONG_TYPE, "the schema of an xml column does not allow the text")),
    3609: (Reason.CONSTRAINT, "a trigger of the table rejects the row"),
}
"""Native numbers of data errors, with reason and explanation."""

_OF_TRIGGERS = range(50_000, 2**24)
"""Numbers of errors that THROW and RAISERROR raise."""

IS_DATA_ERROR = (
    f"ERROR_NUMBER() IN ({', '.join(map(str, _DATA))}) "
    f"OR ERROR_NUMBER() BETWEEN {_OF_TRIGGERS.start} AND {_OF_TRIGGERS.stop - 1}"
)
"""The condition, within a CATCH block, that a document causes the error."""

_DATA_STATES = {
    "22001": (Reason.TOO_LONG, "a value is longer than its column"),
    "22003": (Reason.OVERFLOW, "a number is too large for its column"),
    "22007": (Reason.WRONG_TYPE, "a date is out of the range of its column"),
    "22008": (Reason.WRONG_TYPE, "a date is out of the range of its column"),
    "22018": (Reason.WRONG_TYPE, "the column in the database has another type"),
    "23000": (Reason.CONSTRAINT, "a constraint of the database is violated"),
}
"""SQLSTATEs of data errors without a known native number."""

_UNSENT = {
    "String data, right truncation": (Reason.TOO_LONG, "a value is longer than its column"),
    "Converting decimal loses precision": (Reason.OVERFLOW, "a number has more decimals than its column"),
    "Numeric overflow": (Reason.OVERFLOW, "a number is too large for its column"),
}
"""Texts that pyodbc gives instead of a SQLSTATE, up to a colon, for a value that does not fit its parameter."""

_WARNING = "01"
"""The class of SQLSTATEs that are warnings. If an error has one, pyodbc has read only the first message."""

_CONSTRAINT = 547
_DUPLICATE = 2627
_NAMES_A_COLUMN = (515, 2628)
_REFUSED_BY_TRIGGER = 3609
_UNIQUE = (2601, 2627)
_RULE = re.compile(
    r"""(unique index|UNIQUE KEY constraint|CHECK constraint|FOREIGN KEY constraint)(?: (?=["']))["'](.+?)["']"""
)
"""The kind and the name of a rule in a message, before any value."""

_NAMES_AN_OBJECT = (208, 229, 230, 1088, 2714)
_OBJECT = re.compile(r"""\b(?:object|name|named) (["'])(.+?)\1""")
_TRANSIENT = {
    1205: ("deadlock", "it was chosen as the victim of a deadlock"),
    1222: ("locked", "a lock could not be acquired in time"),
    1204: ("busy", "the server has no lock left"),
    **dict.fromkeys((701, 802, 8651), ("busy", "the server is short of memory")),
    8628: ("busy", "the server did not get memory to compile the statement in time"),
    **dict.fromkeys((1203, 1221), ("locked", "the server released a lock that was not held")),
    **dict.fromkeys((601, 617, 669), ("locked", "data was moved while the statement read it")),
    8645: ("busy", "the server did not get memory for the statement in time"),
    **dict.fromkeys((3960, 41302, 41305, 41325), ("locked", "another transaction changed the same row")),
    3961: ("locked", "a table was changed by another transaction"),
    3966: ("locked", "the transaction was rolled back by the server"),
    41839: ("busy", "too many transactions depend on each other"),
    TRANSACTION_ENDED: ("transaction_ended", "the server ended the transaction"),
    596: ("connection_lost", "the session was killed"),
    6005: ("connection_lost", "the server is shutting down"),
    **dict.fromkeys((17187, 18401), ("not_ready", "the server is still starting")),
    17142: ("not_ready", "the server is paused"),
    **dict.fromkeys((17197, 17830), ("not_ready", "the server did not complete the login in time")),
    **dict.fromkeys((615, 921, 942, 945, 4060), ("not_ready", "the database cannot be opened")),
    **dict.fromkeys((922, 927), ("not_ready", "the database is still being recovered or restored")),
    **dict.fromkeys((923, 924), ("not_ready", "the database is in single-user or restricted mode")),
    952: ("not_ready", "the database is changing its state"),
    **dict.fromkeys((954, 955, 956, 957), ("not_ready", "the database is mirrored, and not ready on this server")),
    **dict.fromkeys(
        (976, 978, 982, 983, 988, 991, 4221, 35250), ("not_ready", "the replica of the database is not ready")
    ),
    **dict.fromkeys((40020, 42108, 42109), ("not_ready", "the database is moving, paused or resuming")),
    **dict.fromkeys((40143, 40166, 40540), ("not_ready", "the database is moving to another server")),
    40197: ("not_ready", "the service has a transient fault"),
    40501: ("busy", "the service is busy"),
    40613: ("not_ready", "the database is not available"),
    10928: ("busy", "the database has reached a limit of its service tier"),
    10929: ("busy", "the server is too busy"),
    49918: ("busy", "the service has no free resources"),
    49919: ("busy", "the service has too many operations in progress"),
    49920: ("busy", "the service is too busy"),
    40549: ("busy", "the session was ended because its transaction took too long"),
    40550: ("busy", "the session was ended because it had too many locks"),
    40551: ("busy", "the session was ended because it used too much of tempdb"),
    40552: ("busy", "the session was ended because it used too much of the log"),
    40553: ("busy", "the session was ended because it used too much memory"),
}
"""Native numbers of transient errors, with code and explanation."""

_TRANSIENT_STATES = {
    "40001": ("deadlock", "it was chosen as the victim of a deadlock"),
    "HYT00": ("timeout", "the server did not answer in time"),
    "HYT01": ("timeout", "the server did not answer in time"),
    "08S01": ("connection_lost", "the connection was lost"),
    "08001": ("connection_lost", "the server cannot be reached"),
    "08003": ("connection_lost", "the connection was lost"),
    "08004": ("connection_lost", "the server refused the connection"),
    "08007": ("connection_lost", "the connection was lost"),
}

_NETWORK = re.compile(
    r"(TCP|Named Pipes|Shared Memory|Session|SMux) Provider|[Cc]ommunication link failure|"
    r"TDS stream|Unknown token|driver did not supply an error"
)
"""Messages of the driver about the network, whose numbers are those of the operating system."""

LOST = ("connection_lost", "timeout", "not_ready")
"""Codes of errors after which a connection is given up."""

_GRANT = "grant it; `xml-extractor init --sql --grant-to USER` prints what is needed"
_MAKE_TABLES = "create the tables with `xml-extractor init`; `xml-extractor check --target` shows all differences"
_LOG_IN = "check user and password; the server's error log has details"

_FATAL = {
    208: ("a table is missing", _MAKE_TABLES),
    207: ("a column is missing", _MAKE_TABLES),
    213: ("a table has other columns", _MAKE_TABLES),
    271: ("a column is computed and cannot be written", "remove it from the contract"),
    544: ("a key is an IDENTITY column", "set `identity: true` for it in the contract, or omit it there"),
    8106: ("a table has no IDENTITY column", "remove `identity: true` from the contract"),
    1088: ("a table is missing, or this user may not alter it", _GRANT),
    1934: ("a setting of the session does not fit an index of a table", "see the server's documentation of error 1934"),
    2714: ("a table exists that this user has no permission to see", _GRANT),
    229: ("this user lacks a permission on a table", _GRANT),
    230: ("this user lacks a permission on a column", _GRANT),
    262: ("this user lacks a permission in the database", _GRANT),
    **dict.fromkeys((297, 300), ("this user lacks a permission", _GRANT)),
    916: ("this login has no user in the database", "create a user for it; see the page on permissions"),
    2760: ("the schema is missing, or this user may not use it", _GRANT),
    4064: ("the default database of the login cannot be opened", "name a database with --database or in the address"),
    911: ("the database does not exist", "name another with --database or in the address"),
    18456: ("the server refuses the login", _LOG_IN),
    18452: ("the server refuses the Windows login", "log in with --username, or from a trusted domain"),
    18470: ("the login is disabled", "ask for it to be enabled"),
    18486: ("the login is locked", "ask for it to be unlocked"),
    18487: ("the password has expired", "set a new one"),
    18488: ("the password must be changed", "set a new one"),
    17892: ("a logon trigger refuses the login", "ask the administrator of the server"),
    40615: ("the server's firewall blocks this machine", "add its address to the firewall's rules"),
    40914: ("the server's firewall blocks this network", "add a rule for it"),
    9002: ("the transaction log is full", "back up the log or let it grow, and run the same command again"),
    **dict.fromkeys((1101, 1105), ("the database is full", "free space, and run the same command again")),
    5149: ("a file of the database cannot grow", "free space on the server's disk, and run the same command again"),
    1827: ("the database has reached the size limit of its edition", "use another edition, or remove data"),
    40544: ("the database has reached its size limit", "raise it or remove data, and run the same command again"),
    3906: ("the database is read-only", "name another, or make it writable"),
    823: ("the server cannot read or write its disk", "see the server's error log"),
    824: ("the database is damaged", "restore it from a backup"),
    33028: ("a key that encrypts a column cannot be opened", "see the server's error log"),
}
"""Native numbers of fatal errors, with explanation and tip."""

_CERTIFICATE = re.compile(r"SSL Provider|certificate verify failed|certificate chain", re.IGNORECASE)
_TRUST = (
    "install the certificate of its issuer on this machine, or, where the network is trusted, add "
    "TrustServerCertificate=yes to the address"
)
_MESSAGE = re.compile(r"\[SQL Server\](?P<text>.*?) ?\((?P<number>\d+)\) \(SQL", re.DOTALL)
_VALUES = re.compile(r"""(['"]).*\1|\(.*\)|\d+""", re.DOTALL)
_NAMES_ONLY = frozenset((102, 105, 156, 170, 174, 195, 207, 208, 209, 229, 230, 319, 4104, 4121, 4145, 8117))
"""Numbers of messages that quote words of the statement or names, and no values."""
_NATIVE = re.compile(r"\((-?\d+)\) \(SQL")
_COLUMN = re.compile(r"""column (["'])(.+?)\1""")
_DOCTOR = "`xml-extractor doctor` reports what is missing and how to get it"

_SETUP = (
    (
        re.compile(r"\[IM002\]"),
        "no_data_source",
        "this machine has no ODBC data source (DSN) or driver with this name",
        "see odbc.ini, or on Windows the ODBC data sources; or name the server instead",
    ),
    (
        re.compile(r"\[IM003\]|Can't open lib"),
        "no_driver",
        "the ODBC driver, or a library that it needs, cannot be loaded",
        _DOCTOR,
    ),
    (
        re.compile(r"Encryption not supported on"),
        "no_encryption",
        "the server does not encrypt connections",
        "have it enabled there, or, where the network is trusted, add Encrypt=no to the address",
    ),
    (
        re.compile(r"SSPI Provider|Kerberos"),
        "no_ticket",
        "the operating system has no credentials for it",
        "get a Kerberos ticket with kinit, or log in with --username",
    ),
    (
        re.compile(r"Invalid value specified for connection string attribute"),
        "wrong_address",
        "a keyword of its address has an invalid value",
        "check Encrypt, TrustServerCertificate and the other keywords that are yes or no",
    ),
)
"""Patterns of messages about connecting, with code, explanation and tip."""


class TooLongError(Exception):
    """A value is longer than its column; it was not sent."""


def classify(error: Exception, table: TableLayout | None = None) -> DatabaseError | None:
    """Return what an exception of pyodbc means; None if it is not the database's. No word of the server's is repeated.

    Args:
        error: Any exception.
        table: The table that was inserted into.
    """
    classified = _classified(error, table)
    if classified is not None:
        classified.table = table
    return classified


def classify_number(number: int, message: str, table: TableLayout) -> DatabaseError:
    """Return what an error means that the server caught when it inserted into this table."""
    classified = _by_number(number, message, table) or _by_state("", [number], "")
    classified.table = table
    return classified


def _classified(error: Exception, table: TableLayout | None) -> DatabaseError | None:
    if isinstance(error, TooLongError | OverflowError | DecimalException | UnicodeEncodeError):
        code = Reason.TOO_LONG if isinstance(error, TooLongError) else Reason.OVERFLOW
        code = Reason.WRONG_TYPE if isinstance(error, UnicodeEncodeError) else code
        return DatabaseError(ErrorClass.DATA, code, "SQL Server cannot hold a value of the row")
    if not isinstance(error, pyodbc.Error):
        return None
    state, message = _state_and_message(error)
    if state in _UNSENT:
        return DatabaseError(ErrorClass.DATA, *_UNSENT[state])
    if state.startswith("08") and _CERTIFICATE.search(message):
        return DatabaseError(ErrorClass.FATAL, "certificate", "this machine does not trust its certificate", tip=_TRUST)
    setup = _setup_error(message)
    if setup is not None:
        return setup
    numbers = [int(number) for number in _NATIVE.findall(message)]
    known = (_by_number(number, message, table) for number in numbers)
    classified = next(filter(None, known), None) or _by_state(state, numbers, message)
    if classified.error_class is not ErrorClass.TRANSIENT:
        classified.server_text = _server_text(message)
    return classified


def _server_text(message: str) -> str:
    """Return number and text of the server's first message; what may be a value stays only where it is a name."""
    found = _MESSAGE.search(message)
    if found is None:
        return ""
    number, text = int(found["number"]), found["text"].strip()
    if number in _OF_TRIGGERS:
        return f"error {number}"
    return f"error {number}: {text if number in _NAMES_ONLY else _VALUES.sub('…', text)}"


def _setup_error(message: str) -> DatabaseError | None:
    """Return what a message of the driver about connecting means; None for other messages, which may quote values."""
    if "(SQLDriverConnect)" not in message or "[SQL Server]" in message:
        return None
    for pattern, code, explanation, tip in _SETUP:
        if pattern.search(message):
            return DatabaseError(ErrorClass.FATAL, code, explanation, tip=tip)
    return None


def _by_state(state: str, numbers: Sequence[int], message: str) -> DatabaseError:
    if state in _TRANSIENT_STATES:
        return DatabaseError(ErrorClass.TRANSIENT, *_TRANSIENT_STATES[state])
    if "[SQL Server]" not in message and _NETWORK.search(message):
        return DatabaseError(ErrorClass.TRANSIENT, *_TRANSIENT_STATES["08S01"])
    if state in _DATA_STATES:
        return DatabaseError(ErrorClass.DATA, *_DATA_STATES[state])
    if state.startswith(_WARNING):
        explanation = "a message of a trigger hides why it rejects a row"
        return DatabaseError(ErrorClass.FATAL, state, explanation, tip="remove PRINT from the triggers of the tables")
    which = ", ".join([f"SQLSTATE {state}", *(f"error {number}" for number in numbers if number > 0)])
    tip = "check that its tables fit the contract"
    return DatabaseError(ErrorClass.FATAL, state, f"it rejects a statement ({which})", tip=tip)


def _state_and_message(error: pyodbc.Error) -> tuple[str, str]:
    texts = [argument for argument in error.args if isinstance(argument, str)]
    return (texts[0].partition(":")[0], texts[-1]) if texts else ("", "")


def _by_number(number: int, message: str, table: TableLayout | None) -> DatabaseError | None:
    if number in _TRANSIENT:
        return DatabaseError(ErrorClass.TRANSIENT, *_TRANSIENT[number])
    if number in _FATAL:
        explanation, tip = _FATAL[number]
        named = _OBJECT.search(message) if number in _NAMES_AN_OBJECT else None
        where = f": {named[2]}" if named else ""
        return DatabaseError(ErrorClass.FATAL, f"error_{number}", f"{explanation}{where}", tip=tip)
    if number in _OF_TRIGGERS:
        code, explanation = _DATA[_REFUSED_BY_TRIGGER]
        return DatabaseError(ErrorClass.DATA, code, f"{explanation} (error {number})")
    if number not in _DATA:
        return None
    code, explanation = _DATA[number]
    rule = _RULE.search(message)
    if number == _CONSTRAINT and "CHECK constraint" not in message:
        code, explanation = Reason.MISSING_PARENT, "the row refers to a row of another table that does not exist"
    elif rule is not None and number in _UNIQUE:
        explanation = "a row with the same values already exists"
    if rule is not None:
        explanation += f" ({' '.join(filter(None, rule.groups()))})"
    return DatabaseError(ErrorClass.DATA, code, explanation, column=_column(number, message, table))


def _column(number: int, message: str, table: TableLayout | None) -> str:
    """Return the column at fault: the one that the message names, or the only one of the key."""
    if number in _NAMES_A_COLUMN:
        found = _COLUMN.search(message)
        return found[2] if found else ""
    of_primary_key = number == _DUPLICATE and "UNIQUE KEY" not in message
    return table.key[0] if of_primary_key and table is not None and len(table.key) == 1 else ""
