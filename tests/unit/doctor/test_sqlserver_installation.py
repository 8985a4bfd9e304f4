"""What SQL Server needs on this machine: what is there, what is missing, and how to get it here."""

import platform
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from xml_extractor.doctor import sqlserver as examiner
from xml_extractor.doctor.examination import State
from xml_extractor.doctor.sqlserver import (
    DRIVER,
    LIBRARIES,
    MANAGER,
    SYSTEMS,
    examine_installation,
    how_to_install,
    this_system,
)
from xml_extractor.targets.sqlserver.address import find_driver

ROOT = Path(__file__).parents[3]
NO_MANAGER = "libodbc.so.2: cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    ("system", "release", "found"),
    [
        ("win32", None, "Windows"),
        ("darwin", None, "macOS"),
        ("linux", {"ID": "debian"}, "Debian and Ubuntu"),
        ("linux", {"ID": "linuxmint", "ID_LIKE": "ubuntu"}, "Debian and Ubuntu"),
        ("linux", {"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "Red Hat Enterprise Linux and derivatives"),
        ("linux", {"ID": "fedora"}, "Red Hat Enterprise Linux and derivatives"),
        ("linux", {"ID": "arch"}, "other Linux"),
        ("linux", None, "other Linux"),
    ],
)
def test_this_system_is_known(
    system: str, release: dict[str, str] | None, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def os_release() -> dict[str, str]:
        if release is None:
            raise OSError
        return release

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "freedesktop_os_release", os_release)
    assert this_system() == found


def test_each_system_has_its_way_to_what_is_missing() -> None:
    for ways in (MANAGER, DRIVER, LIBRARIES):
        assert set(ways) == set(SYSTEMS)
    assert [system for system, _ in how_to_install()] == [*SYSTEMS[:-1]]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (
            f"raise ImportError({NO_MANAGER!r})",
            "missing pyodbc cannot be loaded: the ODBC driver manager is not installed",
        ),
        ("raise ImportError('wrong ELF class')", "failed pyodbc cannot be loaded: wrong ELF class"),
        ("raise ModuleNotFoundError('pyodbc')", "missing pyodbc is not installed"),
    ],
)
def test_a_pyodbc_that_cannot_be_loaded_is_one_line_with_the_way_to_mend_it(
    module: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / "pyodbc.py").write_text(module)
    program = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        "from xml_extractor.doctor.sqlserver import examine_installation\n"
        "for found in examine_installation(): print(found.state.value, found.text); assert found.tip"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.startswith(text)
    assert len(shown.splitlines()) == 1


class TestDriver:
    @pytest.fixture(autouse=True)
    def needs_pyodbc(self) -> None:
        """Skip where pyodbc cannot be loaded."""
        if find_spec("pyodbc") is None:
            pytest.skip("pyodbc is not installed")

    def test_without_one_it_is_said_how_to_get_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(examiner, "find_driver", lambda _: "")
        *there, last = examine_installation()
        assert [found.state for found in there] == [State.OK, State.OK]
        assert (last.state, last.text) == (State.MISSING, "there is no ODBC driver for SQL Server")
        assert last.tip == DRIVER[this_system()]

    def test_a_library_that_cannot_be_loaded_is_said(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        library = tmp_path / "libmsodbcsql-18.6.so.2.1"
        library.write_bytes(b"no library")
        monkeypatch.setattr(examiner, "find_driver", lambda _: str(library))
        *_, last = examine_installation()
        assert last.state is State.FAILED
        assert last.text.startswith(f"the ODBC driver {library.name} cannot be loaded: ")
        assert last.tip == LIBRARIES[this_system()]

    def test_one_that_is_there_is_used(self) -> None:
        import pyodbc

        found = find_driver(pyodbc.drivers())
        if not found:
            pytest.skip("there is no ODBC driver for SQL Server")
        *_, last = examine_installation()
        assert (last.state, last.text) == (State.OK, f"{found} is used")
