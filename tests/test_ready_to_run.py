"""What runs the product elsewhere: the server to try with, the checks of each push, and the pages about both."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from tests import release
from xml_extractor.cli.run import run_command
from xml_extractor.connections import ErrorClass
from xml_extractor.contract.yaml_text import YamlText
from xml_extractor.distribution import VERSION

ROOT = Path(__file__).parent.parent
COMPOSE = "compose.yaml"
WORKFLOW = ".github/workflows/test.yml"
RELEASE = ".github/workflows/release.yml"
HOW_TO = ROOT / "documentation" / "how-to"

SECRET = re.compile(r"(?:password|pwd)(?:=|: +)(\S+)", re.IGNORECASE)
VARIABLE = re.compile(r"XML_EXTRACTOR_[A-Z_]+")
GROUP = re.compile(r"'\.\[([\w,-]+)\]'")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def loaded(name: str) -> Mapping[str, Any]:
    found = YamlText(name, text_of(name)).data
    assert isinstance(found, dict)
    return found


def steps(job: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = loaded(WORKFLOW)["jobs"][job]["steps"]
    return found


def commands(job: str) -> list[str]:
    return [line.strip() for step in steps(job) for line in str(step.get("run", "")).splitlines()]


def recipe(target: str) -> list[str]:
    """The commands of a target of the Makefile, without where they are."""
    (lines,) = re.findall(rf"^{target}:.*\n((?:\t.+\n)+)", text_of("Makefile"), re.MULTILINE)
    (pytest_command,) = re.findall(r"^PYTEST := (.+)$", text_of("Makefile"), re.MULTILINE)
    expanded = [line.strip().replace("$(PYTEST)", pytest_command) for line in lines.splitlines()]
    return [line.removeprefix("$(BIN)/") for line in expanded]


def mappings(node: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, Mapping):
        yield node
    parts = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    for part in parts:
        yield from mappings(part)


class TestServerToTryWith:
    def test_only_this_machine_can_reach_it_and_its_data_outlive_it(self) -> None:
        server = loaded(COMPOSE)["services"]["mssql"]
        assert server["ports"] == ["127.0.0.1:1433:1433"]
        (volume,) = server["volumes"]
        assert volume.split(":") == [*loaded(COMPOSE)["volumes"], "/var/opt/mssql"]

    def test_without_a_password_nothing_starts_and_the_remedy_is_said(self) -> None:
        for service in loaded(COMPOSE)["services"].values():
            required = re.fullmatch(r"\$\{MSSQL_SA_PASSWORD:\?(.+)\}", service["environment"]["MSSQL_SA_PASSWORD"])
            assert required
            assert ".env" in required[1]
        assert ".env" in text_of(".gitignore").splitlines()

    def test_it_counts_as_started_when_one_can_log_in_and_then_gets_its_database(self) -> None:
        services = loaded(COMPOSE)["services"]
        kind, program, *arguments = services["mssql"]["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "sqlcmd")
        assert {"-C", "-b"} <= set(arguments)
        assert services["mssql"]["environment"]["PATH"].startswith("/opt/mssql-tools18/bin:/opt/mssql-tools/bin:")
        maker = services["create-database"]
        assert maker["depends_on"] == {"mssql": {"condition": "service_healthy"}}
        (made,) = re.findall(r"CREATE DATABASE (\w+)", " ".join(maker["command"]))
        assert f"/{made}?" in (HOW_TO / "load-into-sql-server.md").read_text(encoding="utf-8")

    def test_it_is_the_server_that_each_push_is_tested_with(self) -> None:
        images = {service["image"] for service in loaded(COMPOSE)["services"].values()}
        assert images == {loaded(WORKFLOW)["jobs"]["linux"]["services"]["mssql"]["image"]}


class TestChecksOfEachPush:
    def test_they_run_at_pushes_and_pull_requests_and_may_only_read(self) -> None:
        workflow = loaded(WORKFLOW)
        assert set(workflow["on"]) == {"push", "pull_request"}
        assert workflow["permissions"] == {"contents": "read"}

    def test_they_are_those_of_make_test(self) -> None:
        assert "make test" in commands("linux")
        whole = recipe("lint") + recipe("test")
        assert whole[0].startswith("ruff")
        assert [command for command in commands("embedded") if command in whole] == whole

    def test_systems_and_versions_of_python_are_those_that_are_promised(self) -> None:
        project = tomllib.loads(text_of("pyproject.toml"))["project"]
        matrix = loaded(WORKFLOW)["jobs"]["embedded"]["strategy"]["matrix"]
        assert set(matrix["os"]) == {"ubuntu-latest", "windows-latest", "macos-latest"}
        promised = {name.rpartition(" ")[2] for name in project["classifiers"] if "Python :: 3." in name}
        assert set(matrix["python"]) == promised
        assert min(matrix["python"]) == project["requires-python"].removeprefix(">=")
        ends = {(system, version) for system in matrix["os"] for version in (min(promised), max(promised))}
        assert not ends & {(left_out["os"], left_out["python"]) for left_out in matrix["exclude"]}

    def test_actions_are_pinned_to_a_major_version(self) -> None:
        used = [step["uses"] for job in loaded(WORKFLOW)["jobs"] for step in steps(job) if "uses" in step]
        assert used
        assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action) for action in used)

    def test_the_first_load_is_the_one_of_the_guide(self) -> None:
        page = (HOW_TO / "load-into-sql-server.md").read_text(encoding="utf-8")
        guided = re.findall(r"^\$ (xml-extractor .+)$", page, re.MULTILINE)
        assert [command for command in commands("first-load") if command.startswith("xml-extractor")] == guided
        assert "docker compose up -d" in commands("first-load")
        assert "$ docker compose up -d\n" in page


class TestReleases:
    def test_version_and_changes_agree_and_a_tag_must_too(self) -> None:
        assert release.trouble_with(f"v{VERSION}") == ""
        assert release.trouble_with("v9.9.9")
        found = release.releases(text_of("CHANGELOG.md"))
        days = [day for day in found.values() if day is not None]
        assert len(days) == len(found.keys() - {"Unreleased"})
        assert days == sorted(days, reverse=True)

    def test_distributions_are_used_before_and_attested_after_they_are_built(self) -> None:
        jobs = loaded(RELEASE)["jobs"]
        commands_of = [str(step.get("run", step.get("uses"))) for step in jobs["build"]["steps"]]
        order = [
            next(number for number, text in enumerate(commands_of) if wanted in text)
            for wanted in (
                "tests.release",
                "tests.installation",
                "python -m build",
                "cyclonedx",
                "attest-build",
                "attest-sbom",
            )
        ]
        assert order == sorted(order)
        assert jobs["publish"]["needs"] == "build"
        assert loaded(RELEASE)["permissions"] == {"contents": "read"}


class TestImage:
    def test_its_processes_are_not_root_and_the_driver_is_a_choice(self) -> None:
        lines = text_of("Dockerfile").splitlines()
        user = next(line.split()[1] for line in lines if line.startswith("USER "))
        assert user not in ("0", "root")
        assert lines.index(f"USER {user}") < next(n for n, line in enumerate(lines) if line.startswith("ENTRYPOINT"))
        assert "ARG ACCEPT_EULA" in lines
        assert any(f'id xml-extractor -u)" = {user}' in command for command in commands("image"))

    def test_hadolint_has_no_complaints(self) -> None:
        linter = Path(sys.executable).parent / "hadolint"
        if not linter.exists():
            pytest.skip("hadolint is not installed")
        linted = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
        assert (linted.returncode, linted.stdout) == (0, "")

    def test_it_is_built_of_the_program_alone(self) -> None:
        ignored = text_of(".dockerignore").splitlines()
        assert ignored[0] == "*"
        copied = re.findall(r"^COPY (?!--)(.+) \S+$", text_of("Dockerfile"), re.MULTILINE)
        names = {name for line in copied for name in line.split()}
        assert names == {line[1:] for line in ignored if line.startswith("!")}


@pytest.mark.parametrize("name", [COMPOSE, WORKFLOW])
def test_no_password_is_written_down(name: str) -> None:
    """Each is a reference, or made by a command."""
    found = SECRET.findall(text_of(name))
    assert found
    assert all("$" in value for value in found), found
    for mapping in mappings(loaded(name)):
        secrets = {key: value for key, value in mapping.items() if "PASSWORD" in str(key)}
        assert all(re.match(r"\$\{", str(value)) for value in secrets.values()), secrets


def literals(folder: str) -> set[str]:
    """The variables that modules below a folder name, this one left out."""
    paths = [path for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)]
    return set(re.findall(rf'"({VARIABLE.pattern})"', "\n".join(path.read_text(encoding="utf-8") for path in paths)))


def test_variables_of_the_checks_are_those_of_the_code_and_of_the_tests() -> None:
    named = set(VARIABLE.findall(text_of(WORKFLOW)))
    options = {str(option.envvar) for option in run_command.params if isinstance(option, click.Option)}
    assert named <= options | literals("xml_extractor") | literals("tests")
    assert named & literals("tests") - options - literals("xml_extractor") == {"XML_EXTRACTOR_TEST_MSSQL"}


def test_groups_of_dependencies_that_are_installed_exist() -> None:
    groups = tomllib.loads(text_of("pyproject.toml"))["project"]["optional-dependencies"]
    texts = [text_of(WORKFLOW), text_of("Makefile"), *(page.read_text(encoding="utf-8") for page in HOW_TO.glob("*"))]
    named = {group for text in texts for found in GROUP.findall(text) for group in found.split(",")}
    assert {"dev", "odbc-driver"} <= named
    assert named <= set(groups)


def errors_of_azure(heading: str) -> list[tuple[str, ErrorClass]]:
    """Errors that the page on Azure lists below a heading, with what the code makes of them."""
    pyodbc = pytest.importorskip("pyodbc", reason="the driver manager is not installed", exc_type=ImportError)
    from xml_extractor.targets.sqlserver.errors import classify

    _, _, rest = (HOW_TO / "azure-sql.md").read_text(encoding="utf-8").partition(heading)
    cells = re.findall(r"^\| ([^|]*`[^|]*) \|", rest.split("\n\n|")[1], re.MULTILINE)
    found = []
    for error in re.findall(r"`(\w+)`", " ".join(cells)):
        state, number = ("HY000", error) if re.fullmatch(r"[1-9]\d*", error) else (error, "0")
        classified = classify(pyodbc.Error(state, f"[{state}] refused ({number}) (SQLExecDirectW)"))
        assert classified is not None
        found.append((error, classified.error_class))
    return found


def test_errors_of_azure_that_the_page_calls_transient_are() -> None:
    transient = errors_of_azure("## Transient errors")
    assert len(transient) > 20
    assert [error for error in transient if error[1] is not ErrorClass.TRANSIENT] == []


def test_errors_of_azure_that_the_page_calls_fatal_are() -> None:
    fatal = errors_of_azure("Fatal errors end")
    assert len(fatal) == 4
    assert [error for error in fatal if error[1] is not ErrorClass.FATAL] == []
