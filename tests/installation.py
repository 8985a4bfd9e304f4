"""Install the program in a clean environment, and use it there: `python -m tests.installation [WAY…]`.

Builds the wheel and the source distribution first. Ways: `pip`, `pipx`, `uv`; `wheelhouse`, which installs without any
index; `sdist`, which runs a part of the tests of the source distribution. `make installation` runs all of them.
The commands are those of `documentation/how-to/install-and-upgrade.md`.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from xml_extractor.distribution import DISTRIBUTION, VERSION

ROOT = Path(__file__).parent.parent
PROGRAM = "xml-extractor.exe" if os.name == "nt" else "xml-extractor"
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
QUICK = ("tests/unit/values", "tests/unit/contract", "tests/cases", "tests/acceptance/test_python_api.py")
"""The tests of the source distribution that run here; `make test` in it runs all."""


def call(*command: str | Path, cwd: Path | None = None, variables: Mapping[str, str] | None = None) -> str:
    """Run a command without the settings of this environment, and return what it prints."""
    ignored = ("XML_EXTRACTOR_", "PYTHON", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ignored)}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environment, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(variables or {})},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout)
        done.check_returncode()
    return done.stdout


def environment_in(directory: Path, *packages: str | Path, options: tuple[str, ...] = ()) -> Path:
    """Create a virtual environment with packages, and return the directory of its programs."""
    call(sys.executable, "-m", "venv", directory)
    programs = directory / SCRIPTS
    if packages:
        call(programs / "python", "-m", "pip", "install", "--quiet", *options, *packages)
    return programs


def build(directory: Path) -> tuple[Path, Path]:
    """Build the wheel and the source distribution."""
    programs = environment_in(directory / "build", "build")
    call(programs / "python", "-m", "build", "--outdir", directory / "dist", ROOT)
    (wheel,) = (directory / "dist").glob("*.whl")
    (sdist,) = (directory / "dist").glob("*.tar.gz")
    if (ROOT / ".git").exists():
        kept = set(call("git", "ls-files", cwd=ROOT).splitlines())
        with tarfile.open(sdist) as archive:
            missing = kept - {name.partition("/")[2] for name in archive.getnames()}
        assert not missing, f"the source distribution lacks {sorted(missing)}"
    return wheel, sdist


def use(program: Path, directory: Path) -> None:
    """Do with an installed program what the page on installation shows, and what its other parts need."""
    directory.mkdir()
    assert VERSION in call(program, "--version")
    assert "Documents: 20 in = 20 loaded" in call(program, "demo", "--documents", "20", "--workers", "2", cwd=directory)
    contract = directory / "own.yaml"
    contract.write_text(call(program, "contracts", "ubl_invoice"), encoding="utf-8")
    assert "no faults" in call(program, "check", contract)
    assert '"$schema"' in call(program, "schema")
    call(program, "sample", "ubl_invoice", "5", "--to", directory / "invoices")
    loaded = call(
        program, "run", "--contract", contract, "--source", directory / "invoices", "--target", "sqlite:///rows.db",
        cwd=directory,
    )  # fmt: skip
    assert "Documents: 5 in = 5 loaded" in loaded
    call(program, "report", "--contract", contract, "--target", "sqlite:///rows.db", cwd=directory)


def with_pip(directory: Path, wheel: Path, _sdist: Path) -> None:
    """Install the wheel into a virtual environment, over an older version of itself."""
    programs = environment_in(directory / "venv", wheel)
    call(programs / "python", "-m", "pip", "install", "--quiet", "--upgrade", "--force-reinstall", "--no-deps", wheel)
    use(programs / PROGRAM, directory / "use")


def with_pipx(directory: Path, wheel: Path, _sdist: Path) -> None:
    """Install the wheel as a program of its own with pipx."""
    programs = environment_in(directory / "tool", "pipx")
    variables = {"PIPX_HOME": str(directory / "home"), "PIPX_BIN_DIR": str(directory / "bin")}
    call(programs / "pipx", "install", "--quiet", wheel, variables=variables)
    use(directory / "bin" / PROGRAM, directory / "use")


def with_uv(directory: Path, wheel: Path, _sdist: Path) -> None:
    """Install the wheel as a program of its own with uv."""
    programs = environment_in(directory / "tool", "uv")
    variables = {"UV_TOOL_DIR": str(directory / "home"), "UV_TOOL_BIN_DIR": str(directory / "bin")}
    variables |= {"UV_CACHE_DIR": str(directory / "cache"), "UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never"}
    call(programs / "uv", "tool", "install", "--quiet", wheel, variables=variables)
    use(directory / "bin" / PROGRAM, directory / "use")


def from_wheelhouse(directory: Path, wheel: Path, _sdist: Path) -> None:
    """Collect all wheels in a directory, and install from there, with every index out of reach."""
    programs = environment_in(directory / "connected")
    house = directory / "wheelhouse"
    call(programs / "python", "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", house, wheel)
    offline = environment_in(directory / "offline")
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_EXTRA_INDEX_URL": "", "PIP_CONFIG_FILE": os.devnull}
    install = (offline / "python", "-m", "pip", "install", "--quiet", "--no-index", "--find-links", house, DISTRIBUTION)
    call(*install, variables=nowhere)
    use(offline / PROGRAM, directory / "use")


def from_sdist(directory: Path, _wheel: Path, sdist: Path) -> None:
    """Unpack the source distribution, install it with what its tests need, and run a part of them."""
    with tarfile.open(sdist) as archive:
        archive.extractall(directory, filter="data")
    (source,) = (path for path in directory.iterdir() if path.is_dir())
    needed = ("hypothesis", "jsonschema", "pytest", "pytest-xdist")
    programs = environment_in(directory / "venv", source, *needed)
    call(programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *QUICK, cwd=source)


WAYS: dict[str, Callable[[Path, Path, Path], None]] = {
    "pip": with_pip,
    "pipx": with_pipx,
    "uv": with_uv,
    "wheelhouse": from_wheelhouse,
    "sdist": from_sdist,
}


def main() -> None:
    """Build, then install in each way."""
    parser = argparse.ArgumentParser(prog="python -m tests.installation", description=__doc__)
    parser.add_argument("ways", nargs="*", choices=[[], *WAYS], metavar="WAY", default=[])
    ways = parser.parse_args().ways or [*WAYS]
    with tempfile.TemporaryDirectory() as temporary:
        wheel, sdist = build(Path(temporary))
        for way in ways:
            directory = Path(temporary) / way
            directory.mkdir()
            WAYS[way](directory, wheel, sdist)
            print(f"Installed and used: {way}")


if __name__ == "__main__":
    main()
