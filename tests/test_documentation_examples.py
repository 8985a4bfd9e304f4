"""Examples in pages are executed: commands, contracts, statements, settings. What cannot be executed here is marked.

The mark is a comment above the block: `<!-- not executed: REASON -->`, or `<!-- executed by tests/FILE.py -->`.
"""

import contextlib
import gzip
import json
import os
import re
import shlex
import shutil
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import click
import pytest
from click.testing import CliRunner
from lxml import etree

from env_prep.baseline.command import baseline_command
from xml_extractor.cli import commands
from xml_extractor.cli.commands import cli
from xml_extractor.cli.run import run_command
from xml_extractor.contract.reading import check_text, shipped_text
from xml_extractor.contract.yaml_text import YamlText

ROOT = Path(__file__).parent.parent
DOCUMENTATION = ROOT / "documentation"
PAGES = sorted((*DOCUMENTATION.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"))

WHOLE_PAGES = {
    "morning-runbook.md": "tests/acceptance/morning.py",
    "replace-an-existing-loader.md": "tests/acceptance/test_replaced_loader.py",
    "orchestrators.md": "tests/acceptance/test_orchestrators.py",
    "python-api.md": "tests/acceptance/test_python_api.py",
    "first-load.md": "tests/acceptance/test_tutorial.py",
    "write-a-contract.md": "tests/test_documentation.py",
}
"""Pages that another test executes from the first block to the last."""

BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.DOTALL | re.MULTILINE)
MARK = re.compile(r"<!-- (not executed|executed by|example output):? (.+?) -->\s*\Z", re.DOTALL)
FILE_NAME = re.compile(r"`([\w-]+\.(?:xml|yaml))`")
OF_THE_PROGRAM = re.compile(
    r"(xml-extractor|establish_baseline\.py)(?:\.exe)?((?: +(?!--password-file)[^\s|>&]+)+)",
)
OF_A_SERVER = re.compile(r"mssql:|--server|--odbc")
PRINTED = ("text", "json")
QUOTED_FROM_CODE = "how-to/extend.md"
EXIT_CODES = (None, 0, 1)
"""Codes of commands that did what they are for: 1 reports rejects."""


class Block(NamedTuple):
    """A fenced block: its language, its text without indentation, the text before it, and its mark."""

    language: str
    text: str
    before: str
    mark: str
    reason: str


def blocks(page: Path) -> Iterator[Block]:
    text, position = page.read_text(encoding="utf-8"), 0
    for match in BLOCK.finditer(text):
        before = text[position : match.start()]
        marked = MARK.search(before)
        lines = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        yield Block(match["language"], lines, before, *(marked.groups() if marked else ("", "")))
        position = match.end()


def command_lines(text: str) -> list[list[str]]:
    """The commands of a block, as their words."""
    joined = text.replace("\\\n", " ")
    lines = [line.removeprefix("$ ") for line in joined.splitlines()]
    return [found for line in lines if (found := shlex.split(line, comments=True))]


def parse(arguments: list[str]) -> None:
    """Check that a command exists, and accepts these options and values."""
    name, *rest = arguments
    command_named(name).make_context(name, rest)


def command_named(name: str) -> click.Command:
    assert name in commands.COMMANDS, name
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


class Desk:
    """The directory of somebody who works through a page, and the output of the last command."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self.output = ""
        self.executed = 0

    def work_through(self) -> None:
        """Execute each block, in order; those of the front page in an empty directory."""
        if self._page == ROOT / "README.md":
            Path("new").mkdir()
            os.chdir("new")
        for block in blocks(self._page):
            if not block.mark:
                getattr(self, f"_{block.language or 'text'}")(block)

    def _console(self, block: Block) -> None:
        self.output = ""
        for words in command_lines(block.text):
            self._command(words)

    _sh = _console

    def _command(self, words: list[str]) -> None:
        match words:
            case ["export", assignment]:
                name, _, value = assignment.partition("=")
                os.environ[name] = os.path.expandvars(value)
            case ["code=$?"] | ["exit", "$code"]:
                pass
            case ["mkdir", "-p", name]:
                Path(name).mkdir(parents=True, exist_ok=True)
            case ["source", ".venv/bin/activate"] | ["make", _]:
                pass  # the environment of this test; each target of make is executed by the tests of the project
            case ["xml-extractor", *arguments]:
                self._invoke(arguments)
            case ["python", "production_processor.py", *arguments]:
                self._invoke(["run", *arguments])
            case [_, address, "|", "xml-extractor", *arguments]:
                self._invoke(arguments, Path(Path(address).name).read_bytes())
            case _:
                pytest.fail(f"{self._page.name}: mark the block with the reason why it is not executed: {words}")

    def _invoke(self, words: list[str], standard_input: bytes = b"") -> None:
        words = [self._run_id() if word == "rejects/RUN-ID" else os.path.expandvars(word) for word in words]
        arguments, _, written = (list(part) for part in partition(words, ">"))
        if any("parquet:" in word for word in arguments) and find_spec("pyarrow") is None:
            parse(arguments)
            return
        if OF_A_SERVER.search(" ".join((*arguments, os.environ.get("XML_EXTRACTOR_TARGET", "")))):
            parse(arguments)
            return
        result = CliRunner().invoke(cli, arguments, input=standard_input, standalone_mode=False)
        assert result.exception is None, (arguments, result.exception)
        assert result.return_value in EXIT_CODES, (arguments, result.output)
        self.output += result.output
        self.executed += 1
        for name in written:
            Path(name).write_text(result.output, encoding="utf-8")

    @staticmethod
    def _run_id() -> str:
        """The directory of the rejects of the last run."""
        return str(max(path for path in Path("rejects").iterdir() if path.is_dir()))

    def _text(self, block: Block) -> None:
        """Compare what a page shows with what its last command printed."""
        if self.output:
            printed = [line.rstrip() for line in self.output.splitlines()]
            missing = [line for line in block.text.splitlines() if line.rstrip() and line.rstrip() not in printed]
            assert missing == [], self.output

    def _json(self, block: Block) -> None:
        """Compare lines of a list of rejects with those that the last run wrote."""
        listed = (Path(self._run_id()) / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
        for line in block.text.splitlines():
            assert any(json.loads(line).items() <= json.loads(written).items() for written in listed), listed
        self.executed += 1

    def _yaml(self, block: Block) -> None:
        """Check a contract, and save it under its name; complete a part of one before."""
        text = block.text
        if not text.startswith("contract:"):
            parsed: Any = YamlText(self._page.name, text).data
            whole = {"contract": "part", "version": 1, "document": {"root": "Order"}, **(parsed or {})}
            whole.setdefault("tables", {"t": {"rows": ".", "columns": {"c": {"path": "@c", "type": "int"}}}})
            text = json.dumps(whole, default=float)
        assert [str(fault) for fault in check_text(self._page.name, text)[1]] == []
        self.executed += 1
        for name in FILE_NAME.findall(block.before)[-1:]:
            Path(name).write_text(text, encoding="utf-8")

    def _xml(self, block: Block) -> None:
        etree.fromstring(block.text.encode())
        for name in FILE_NAME.findall(block.before)[-1:]:
            Path(name).write_text(block.text, encoding="utf-8")

    def _toml(self, block: Block) -> None:
        """Give each setting to the command, as the option of its name."""
        names = {option.name: option.opts[0] for option in run_command.params}
        settings = [(names[name], value) for name, value in tomllib.loads(block.text).items()]
        run_command.make_context("run", [word for name, value in settings for word in (name, str(value))])
        self.executed += 1

    def _sql(self, block: Block) -> None:
        with closing(sqlite3.connect("orders.db")) as database:
            rows = database.execute(block.text).fetchall()
        self.output = "\n".join("|".join(map(str, row)) for row in rows)
        self.executed += 1

    def _python(self, block: Block) -> None:
        """Compare what a page quotes with the code; execute other examples, if their packages are installed."""
        if self._page != DOCUMENTATION / QUOTED_FROM_CODE:
            with contextlib.suppress(ModuleNotFoundError):
                exec(compile(block.text, self._page.name, "exec"), {})
            return
        code = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "xml_extractor").rglob("*.py"))
        code = re.sub(r"^(\w+): .+ = ", r"\1 = ", code.replace("(self, ", "("), flags=re.MULTILINE)
        code = " ".join(code.split())
        for line in block.text.splitlines():
            assert " ".join(line.split()) in code
        self.executed += 1


def partition(words: list[str], sign: str) -> tuple[list[str], list[str], list[str]]:
    """Split words at the first one that is a sign."""
    at = words.index(sign) if sign in words else len(words)
    return words[:at], words[at : at + 1], words[at + 1 :]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages take for granted: the contract and the documents of the tutorial, loaded; and more documents."""
    desk = tmp_path_factory.mktemp("desk")
    tutorial: dict[str, list[str]] = {"yaml": [], "xml": []}
    for block in blocks(DOCUMENTATION / "tutorial" / "first-load.md"):
        if block.language in tutorial:
            tutorial[block.language].append(block.text)
    contract = tutorial["yaml"][0]
    (desk / "contracts").mkdir()
    (desk / "customers.yaml").write_text(shipped_text("card_application"), encoding="utf-8")
    for name in ("orders.yaml", "contracts/orders.yaml", "contract.yaml"):
        (desk / name).write_text(contract, encoding="utf-8")
    (desk / "document.xml").write_text(tutorial["xml"][0], encoding="utf-8")
    for folder in ("orders", "inbox", "incoming/2026-03"):
        (desk / folder).mkdir(parents=True)
        for number, text in zip((1001, 1002), tutorial["xml"], strict=True):
            (desk / folder / f"{number}.xml").write_text(text, encoding="utf-8")
    with ZipFile(desk / "incoming" / "feed-1.zip", "w") as archive:
        archive.writestr("data/1.xml", tutorial["xml"][0])
    shutil.make_archive(str(desk / "incoming"), "gztar", desk / "incoming")
    (desk / "feed.xml.gz").write_bytes(gzip.compress(tutorial["xml"][0].encode()))
    with contextlib.chdir(desk):
        for place in ("sqlite:///xml_extractor.db", "sqlite:///documents.db", "documents"):
            _run("sample", "card_application", "3", "--to", place)
        documents = ("--contract", "card_application", "--source", "sqlite:///documents.db")
        _run("run", *documents, "--target", "sqlite:///warehouse.db", "--workers", "1")
        of_orders = ("--contract", "orders.yaml", "--source", "orders", "--target", "sqlite:///orders.db")
        for day in ("20260226", "20260305"):
            _run("run", *of_orders, "--workers", "1", "--reject-values", "--reprocess", "all")
            with closing(sqlite3.connect("orders.db")) as database, database:
                changed = "SET run_id = ? || substr(run_id, 19) WHERE run_id NOT LIKE '%T013000000-%'"
                for table in ("processing_log", "processing_log_runs"):
                    database.execute(f"UPDATE {table} {changed}", (f"{day}T013000000",))
    return desk


def _run(*arguments: str) -> None:
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.return_value in EXIT_CODES, result.output


@pytest.fixture
def desk(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working directory; with one worker, so that runs need no other process."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("XML_EXTRACTOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XML_EXTRACTOR_WORKERS", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return tmp_path


NOT_WORKED_THROUGH = [page for page in PAGES if page.name not in WHOLE_PAGES]


@pytest.mark.parametrize("page", NOT_WORKED_THROUGH, ids=lambda page: page.stem)
def test_each_block_of_a_page_is_executed_or_marked(page: Path, desk: Path) -> None:
    Desk(page).work_through()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_in_blocks_that_are_not_executed_exist_with_their_options(page: Path, desk: Path) -> None:
    for block in blocks(page):
        if block.mark and block.language not in PRINTED:
            for program, found in OF_THE_PROGRAM.findall(block.text):
                words = shlex.split(found.replace("\\", "/"), comments=True)
                if program == "establish_baseline.py":
                    baseline_command.make_context(program, words)
                else:
                    parse(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_options_named_with_a_command_are_options_of_it(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for name, rest in re.findall(rf"`(?:xml-extractor )?({'|'.join(commands.COMMANDS)})((?: [^`]*)?)`", text):
        options = {flag for option in command_named(name).params for flag in (*option.opts, *option.secondary_opts)}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, (name, rest)


def test_tests_that_pages_name_exist_and_read_the_page() -> None:
    named = [(page, block.reason) for page in PAGES for block in blocks(page) if block.mark == "executed by"]
    named += [(page, WHOLE_PAGES[page.name]) for page in PAGES if page.name in WHOLE_PAGES]
    for page, test in named:
        assert page.stem in (ROOT / test).read_text(encoding="utf-8"), (page.name, test)


@pytest.mark.parametrize("name", ["document-to-rows.svg", "document-to-rows-narrow.svg"])
def test_the_picture_of_the_front_page_shows_its_document_and_its_rows(name: str, desk: Path) -> None:
    assert f"documentation/explanation/{name}" in (ROOT / "README.md").read_text(encoding="utf-8")
    for block in blocks(ROOT / "README.md"):
        if block.language in ("xml", "yaml"):
            Path(FILE_NAME.findall(block.before)[-1]).write_text(block.text, encoding="utf-8")
    preview = ["preview", "order.xml", "--contract", "orders.yaml"]
    rows = CliRunner().invoke(cli, preview, standalone_mode=False).output
    tables = [re.sub(r": \d+ rows?$", "", line) for line in rows.splitlines()]
    cells = [cell for line in tables for cell in re.split(r" {2,}", line.strip()) if cell]

    picture = (DOCUMENTATION / "explanation" / name).read_text(encoding="utf-8")
    shown = [unescape(text) for text in re.findall(r"<text[^>]*>([^<]+)</text>", picture)]
    lines = [line.strip() for line in Path("order.xml").read_text(encoding="utf-8").splitlines()]
    beginning = shown.index(lines[0])
    assert shown[beginning : beginning + len(lines)] == lines
    assert [text for text in shown if text in cells] == cells


def test_each_option_is_used_by_a_test_or_by_an_example_that_is_executed() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    texts += [
        block.text for page in PAGES for block in blocks(page) if block.language in ("console", "sh") and not block.mark
    ]
    tests = "\n".join(texts)
    options = [
        [flag for flag in (*option.opts, *option.secondary_opts) if flag.startswith("--")]
        for name in commands.COMMANDS
        for option in command_named(name).params
    ]
    unused = [flags for flags in options if flags and not re.search(rf"(?:{'|'.join(flags)})(?![\w-])", tests)]
    assert unused == []
