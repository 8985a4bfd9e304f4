"""What the driver manager and the driver say of themselves, when nobody has asked the server yet.

Source: "Appendix A: ODBC Error Codes", ODBC Programmer's Reference; the messages are those of unixODBC and of
Microsoft's driver 18.
"""

import re

from xml_extractor.targets.interfaces import Blame, Refusal

_DOCTOR = "`xml-extractor doctor` says what is missing and how to get it"

_KNOWN = (
    (
        re.compile(r"\[IM002\]"),
        "no_data_source",
        "this machine has no ODBC data source (DSN) or driver of this name",
        "see odbc.ini, or on Windows the ODBC data sources; or name the server instead",
    ),
    (
        re.compile(r"\[IM003\]|Can't open lib"),
        "no_driver",
        "the ODBC driver, or a library that it needs, cannot be loaded",
        _DOCTOR,
    ),
    (
        re.compile(r"SSPI Provider|Kerberos"),
        "no_ticket",
        "the operating system has no login for it",
        "get a Kerberos ticket with kinit, or log in with --username",
    ),
    (
        re.compile(r"Invalid value specified for connection string attribute"),
        "wrong_address",
        "a keyword of its address has a value that the driver does not know",
        "see Encrypt, TrustServerCertificate and the other keywords that are yes or no",
    ),
)
"""Patterns of messages, with code, explanation and tip."""


def explain_setup(message: str) -> Refusal | None:
    """What a message about connecting means; None if it is about something else, or the server's.

    Only those are looked at, because others may quote values.
    """
    if "(SQLDriverConnect)" not in message or "[SQL Server]" in message:
        return None
    for pattern, code, explanation, tip in _KNOWN:
        if pattern.search(message):
            return Refusal(Blame.DATABASE, code, explanation, tip=tip)
    return None
