"""Find Microsoft's ODBC driver: an installed one, or the one inside the Python package `mssql-python-odbc`."""

import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

INSTALLED = ("ODBC Driver 18 for SQL Server", "ODBC Driver 17 for SQL Server")
"""Names of drivers that are supported, the best first."""

PACKAGE = "mssql_python_odbc"
"""The Python package that brings the driver's library along."""

_ARCHITECTURES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
_LINUX_KINDS = {
    "debian": "debian_ubuntu",
    "ubuntu": "debian_ubuntu",
    "suse": "suse",
    "sles": "suse",
    "alpine": "alpine",
}


def find_driver(installed: Sequence[str]) -> str:
    """Return the driver to use as the keyword DRIVER of a connection string: a name or a path; empty if there is none.

    Args:
        installed: The names of the drivers that are registered with the driver manager.
    """
    for name in INSTALLED:
        if name in installed:
            return name
    return next(map(str, packaged_drivers()), "")


def packaged_drivers() -> Iterator[Path]:
    """Yield the libraries for this system in the Python package, if it is installed.

    None on Windows: its driver manager takes only drivers that are registered.
    """
    spec = find_spec(PACKAGE)
    if spec is None or sys.platform == "win32":
        return
    for location in spec.submodule_search_locations or ():
        yield from sorted((Path(location) / "libs" / _system() / "lib").glob(_library()))


def _library() -> str:
    return "libmsodbcsql*.dylib" if sys.platform == "darwin" else "libmsodbcsql*.so*"


def _system() -> Path:
    """Return the directory of the package for this system, such as `linux/debian_ubuntu/x86_64`."""
    machine = platform.machine().lower()
    architecture = _ARCHITECTURES.get(machine, machine)
    return Path("macos", architecture) if sys.platform == "darwin" else Path("linux", _linux_kind(), architecture)


def _linux_kind() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "debian_ubuntu"
    words = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((_LINUX_KINDS[word] for word in words if word in _LINUX_KINDS), "rhel")
