"""Completion in shells: the scripts of the page on installation, and what they ask the program for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, posix_only

PAGE = ROOT / "documentation" / "how-to" / "install-and-upgrade.md"

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("XML_EXTRACTOR", "_XML"))},
    "PYTHONPATH": str(ROOT),
}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The directory of a program `xml-extractor`."""
    path = tmp_path / "bin" / "xml-extractor"
    path.parent.mkdir()
    code = "from xml_extractor.cli import main; main()"
    path.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{code}' \"$@\"\n", encoding="utf-8")
    path.chmod(0o755)
    return path.parent


def shell(program: Path, script: str, name: str = "bash") -> str:
    variables = {**ENVIRONMENT, "PATH": f"{program}{os.pathsep}{os.environ['PATH']}", "HOME": str(program.parent)}
    done = subprocess.run([name, "-c", script], env=variables, capture_output=True, text=True, check=True)
    return done.stdout


@posix_only("Windows has no bash of its own")
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "expected"), [("xml-extractor sta", {"status"}), ("xml-extractor run --insert-m", {"--insert-mode"})]
)
def test_bash_completes_commands_and_options(words: str, expected: set[str], program: Path) -> None:
    (line,) = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("eval ")]
    last = len(words.split()) - 1
    script = f"""
        {line}
        complete -p xml-extractor > /dev/null
        COMP_WORDS=({words}); COMP_CWORD={last}
        _xml_extractor_completion xml-extractor
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    assert set(shell(program, script).split()) == expected


@posix_only("a script for shells of POSIX systems")
@pytest.mark.parametrize("kind", ["zsh", "fish"])
def test_other_shells_get_their_scripts(kind: str, program: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"{kind}_source" in page
    script = shell(program, f"_XML_EXTRACTOR_COMPLETE={kind}_source xml-extractor", "sh")
    assert "_XML_EXTRACTOR_COMPLETE" in script
    if shutil.which(kind):
        subprocess.run([kind, "-n", "-c", script], check=True)
