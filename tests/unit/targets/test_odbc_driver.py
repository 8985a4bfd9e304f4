"""Which ODBC driver is used: an installed one of Microsoft's, or the one in the Python package."""

import platform
import sys
from pathlib import Path

import pytest

from xml_extractor.targets.sqlserver import address
from xml_extractor.targets.sqlserver.address import find_driver, packaged_drivers

EIGHTEEN, SEVENTEEN = "ODBC Driver 18 for SQL Server", "ODBC Driver 17 for SQL Server"
LIBRARIES = (
    "linux/debian_ubuntu/x86_64/lib/libmsodbcsql-18.6.so.2.1",
    "linux/debian_ubuntu/x86_64/lib/libodbcinst.so.2",
    "linux/debian_ubuntu/arm64/lib/libmsodbcsql-18.6.so.2.1",
    "linux/rhel/x86_64/lib/libmsodbcsql-18.6.so.2.1",
    "linux/suse/x86_64/lib/libmsodbcsql-18.6.so.2.1",
    "linux/alpine/arm64/lib/libmsodbcsql-18.6.so.2.1",
    "macos/arm64/lib/libmsodbcsql.18.dylib",
    "macos/x86_64/lib/libmsodbcsql.18.dylib",
    "windows/x64/msodbcsql18.dll",
)
"""As in the wheels of the package."""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the same files as the real one has for all systems together, under another name."""
    name = "odbc_driver_for_tests"
    for library in LIBRARIES:
        path = tmp_path / name / "libs" / library
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(address, "PACKAGE", name)
    return tmp_path / name / "libs"


@pytest.mark.parametrize(
    ("installed", "found"),
    [
        ([EIGHTEEN, SEVENTEEN], EIGHTEEN),
        ([SEVENTEEN, EIGHTEEN, "FreeTDS"], EIGHTEEN),
        (["SQL Server", SEVENTEEN], SEVENTEEN),
    ],
)
def test_the_newest_installed_driver_is_used(installed: list[str], found: str, package: Path) -> None:
    assert package.is_dir()
    assert find_driver(installed) == found


@pytest.mark.parametrize(
    ("system", "machine", "release", "library"),
    [
        ("linux", "x86_64", {"ID": "debian"}, LIBRARIES[0]),
        ("linux", "x86_64", {"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, LIBRARIES[0]),
        ("linux", "aarch64", {"ID": "ubuntu"}, LIBRARIES[2]),
        ("linux", "x86_64", {"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, LIBRARIES[3]),
        ("linux", "x86_64", {"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, LIBRARIES[4]),
        ("linux", "aarch64", {"ID": "alpine"}, LIBRARIES[5]),
        ("linux", "x86_64", None, LIBRARIES[0]),
        ("darwin", "arm64", None, LIBRARIES[6]),
        ("darwin", "x86_64", None, LIBRARIES[7]),
    ],
)
def test_without_an_installed_driver_the_one_in_the_package_is_used(
    system: str,
    machine: str,
    release: dict[str, str] | None,
    library: str,
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def os_release() -> dict[str, str]:
        if release is None:
            raise OSError
        return release

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "freedesktop_os_release", os_release)
    assert find_driver(["FreeTDS"]) == str(package / library)


@pytest.mark.parametrize(("system", "machine"), [("win32", "AMD64"), ("linux", "riscv64")])
def test_a_system_for_which_the_package_has_no_library_has_no_driver(
    system: str, machine: str, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert package.is_dir()
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert find_driver([]) == ""


def test_without_driver_and_package_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "PACKAGE", "no_such_package_of_drivers")
    assert list(packaged_drivers()) == []
    assert find_driver(["FreeTDS", "SQL Server"]) == ""
