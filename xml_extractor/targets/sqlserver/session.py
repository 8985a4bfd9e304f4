"""A connection to SQL Server: opened in the process that uses it, with the settings that loading relies on."""

import pyodbc

from xml_extractor.errors import RunError
from xml_extractor.targets.sqlserver.address import SqlServerAddress
from xml_extractor.targets.sqlserver.driver import find_driver

LOGIN_TIMEOUT = 15
"""Seconds to wait for the server when connecting."""

STATEMENT_TIMEOUT = 600
"""Seconds to wait for the answer to a statement."""

LOCK_TIMEOUT = 60
"""Seconds to wait for a lock."""

SETTINGS = (
    # With XACT_ABORT ON an error in the middle of an array of rows would end the transaction at once, and what stands
    # behind the bad row would be executed outside it. Off, all of it is rolled back by whoever gets the error.
    "SET XACT_ABORT OFF; "
    "SET NOCOUNT ON; "
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; "
    f"SET LOCK_TIMEOUT {LOCK_TIMEOUT * 1000}; "
    "SET LANGUAGE us_english"  # messages name columns in words that `errors` reads
)


def open_session(address: SqlServerAddress) -> pyodbc.Connection:
    """Connect; each statement is a transaction of its own until `autocommit` is switched off.

    Raises:
        pyodbc.Error: The server cannot be reached, or refuses.
        RunError: There is no driver.
    """
    pyodbc.pooling = False
    driver = find_driver(pyodbc.drivers())
    if not driver and not {"DRIVER", "DSN"} & set(address.words):
        raise RunError("no ODBC driver for SQL Server is installed", "`xml-extractor doctor` says how to get one")
    connection = pyodbc.connect(address.connection_string(driver), timeout=LOGIN_TIMEOUT, autocommit=True)
    try:
        connection.timeout = STATEMENT_TIMEOUT
        # As UTF-16 from the driver, so that the locale of this process does not matter.
        connection.setdecoding(pyodbc.SQL_CHAR, encoding="utf-16le", ctype=pyodbc.SQL_WCHAR)
        connection.execute(SETTINGS).close()
    except BaseException:
        connection.close()
        raise
    return connection
