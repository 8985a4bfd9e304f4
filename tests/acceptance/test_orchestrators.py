"""The examples for orchestrators are those of their page, and the workflow's steps do what they say.

`python -m tests.orchestrators` executes the others, where the orchestrators are installed.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import orchestrators
from tests.conftest import ROOT, posix_only
from xml_extractor.contract.yaml_text import YamlText

EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_file())
PAGE = ROOT / "documentation" / "how-to" / "orchestrators.md"
WORKFLOW = ROOT / "examples" / "github-actions.yml"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_page_shows_the_example(path: Path) -> None:
    assert f"\n{path.read_text(encoding='utf-8')}```\n" in PAGE.read_text(encoding="utf-8")
    if path.suffix == ".py":
        compile(path.read_text(encoding="utf-8"), path.name, "exec")
        assert path.name.partition("_")[0] in orchestrators.RUN


def load_job() -> dict[str, Any]:
    workflow: Any = YamlText(WORKFLOW.name, WORKFLOW.read_text(encoding="utf-8")).data
    job: dict[str, Any] = workflow["jobs"]["load"]
    return job


def step(name: str) -> str:
    return next(str(each["run"]) for each in load_job()["steps"] if each.get("name") == name)


@posix_only("runners of the workflow have bash")
@pytest.mark.parametrize(("limit", "code"), [("50%", 0), ("0", 4)])
def test_the_workflow_warns_of_rejects_and_fails_when_they_are_too_many(limit: str, code: int, tmp_path: Path) -> None:
    orchestrators.orders(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}
    environment |= {
        **{name: str(value) for name, value in load_job()["env"].items() if "secrets." not in str(value)},
        "XML_EXTRACTOR_TARGET": "sqlite:///orders.db",
        "XML_EXTRACTOR_MAX_REJECTS": limit,
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "PYTHONPATH": str(ROOT),
    }
    called = f'xml-extractor() {{ {shlex.quote(sys.executable)} -m xml_extractor "$@"; }}\n'
    steps = [step("Check the contract"), step("Load")]
    ended = [
        subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", called + each],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for each in steps
    ]
    assert [each.returncode for each in ended] == [0, code], ended[1].stderr
    assert ("::warning::" in ended[1].stdout) is (code == 0)
    assert re.search("2 in = 1 loaded", (tmp_path / "summary").read_text(encoding="utf-8"))
