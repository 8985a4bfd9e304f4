"""What this machine needs for SQL Server, what of it is there, and how to get the rest. Needs no unixODBC itself.

Sources: "Install the Microsoft ODBC driver for SQL Server (Linux)", the same for macOS, and "Download ODBC Driver for
SQL Server", Microsoft Learn.
"""

import ctypes
import platform
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from xml_extractor.targets.findings import Finding, failed, missing, ok
from xml_extractor.targets.sqlserver.driver import find_driver

_PAGE = "https://learn.microsoft.com/sql/connect/odbc/linux-mac/installing-the-microsoft-odbc-driver-for-sql-server"
_PACKAGE = "pip install 'xml-extractor[odbc-driver]'"

SYSTEMS = ("Windows", "Debian and Ubuntu", "Red Hat Enterprise Linux and its kin", "macOS", "another Linux")
WINDOWS, DEBIAN, RED_HAT, MACOS, OTHER_LINUX = SYSTEMS

MANAGER = {
    WINDOWS: "the driver manager is a part of Windows; pip install --force-reinstall pyodbc",
    DEBIAN: "sudo apt-get install unixodbc",
    RED_HAT: "sudo dnf install unixODBC",
    MACOS: "brew install unixodbc",
    OTHER_LINUX: "install the package unixODBC of your distribution",
}
"""How to get the ODBC driver manager, which pyodbc needs."""

DRIVER = {
    WINDOWS: "winget install Microsoft.msodbcsql.18, or https://learn.microsoft.com/sql/connect/odbc/download-odbc-driver-for-sql-server",
    DEBIAN: f"sudo ACCEPT_EULA=Y apt-get install msodbcsql18, after {_PAGE}; or {_PACKAGE}",
    RED_HAT: f"sudo ACCEPT_EULA=Y dnf install msodbcsql18, after {_PAGE}; or {_PACKAGE}",
    MACOS: "brew tap microsoft/mssql-release https://github.com/Microsoft/homebrew-mssql-release && "
    f"HOMEBREW_ACCEPT_EULA=Y brew install msodbcsql18; or {_PACKAGE}",
    OTHER_LINUX: f"{_PACKAGE}; or see {_PAGE}",
}
"""How to get Microsoft's ODBC driver."""

LIBRARIES = {
    WINDOWS: "install the driver anew",
    DEBIAN: "sudo apt-get install libkrb5-3 libgssapi-krb5-2",
    RED_HAT: "sudo dnf install krb5-libs",
    MACOS: "brew install openssl",
    OTHER_LINUX: "install the libraries of Kerberos 5",
}
"""How to get the libraries that the driver needs."""


def this_system() -> str:
    """The one of `SYSTEMS` that this is."""
    if sys.platform in {"win32", "darwin"}:
        return WINDOWS if sys.platform == "win32" else MACOS
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return OTHER_LINUX
    words = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if words & {"debian", "ubuntu"}:
        return DEBIAN
    return RED_HAT if words & {"rhel", "fedora", "centos"} else OTHER_LINUX


def examine_installation() -> Iterator[Finding]:
    """Look at pyodbc, the driver manager and the drivers."""
    system = this_system()
    try:
        pyodbc = import_module("pyodbc")
    except ImportError as error:
        yield _not_loaded(error, system)
        return
    yield ok(f"pyodbc {version('pyodbc')}")
    installed: list[str] = pyodbc.drivers()
    yield ok(f"ODBC drivers that are installed: {', '.join(installed) or 'none'}")
    driver = find_driver(installed)
    if not driver:
        yield missing("there is no ODBC driver for SQL Server", DRIVER[system])
    elif driver in installed:
        yield ok(f"{driver} is used")
    else:
        yield _loaded(Path(driver), system)


def how_to_install() -> Iterator[tuple[str, list[str]]]:
    """All systems, each with how to get the driver manager and the driver."""
    return ((system, [MANAGER[system], DRIVER[system]]) for system in SYSTEMS if system != OTHER_LINUX)


def _not_loaded(error: ImportError, system: str) -> Finding:
    if "libodbc" in str(error):
        text = f"pyodbc cannot be loaded: the ODBC driver manager is not installed ({error.msg})"
        return missing(text, MANAGER[system])
    if isinstance(error, ModuleNotFoundError):
        return missing("pyodbc is not installed", "pip install pyodbc")
    return failed(f"pyodbc cannot be loaded: {error.msg}", "pip install --force-reinstall pyodbc")


def _loaded(library: Path, system: str) -> Finding:
    """Whether the driver's library finds all it needs: the driver manager itself says only `file not found`."""
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return failed(f"the ODBC driver {library.name} cannot be loaded: {error}", LIBRARIES[system])
    return ok(f"{library} is used")
