"""The pages say what the code does: everything there is stands in them, and nothing that is not there."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from env_prep.baseline import command, variants
from env_prep.baseline.command import baseline_command
from tests import errors_page, reasons_page
from xml_extractor import errors
from xml_extractor.cli import commands
from xml_extractor.cli.addresses import PASSWORD_VARIABLES
from xml_extractor.cli.commands import cli
from xml_extractor.cli.run import run_command
from xml_extractor.cli.run_options import setting_names
from xml_extractor.connections import ATTEMPTS
from xml_extractor.content import Kind
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Column, Contract, Document, Input, Lookup, SourceTable, Table
from xml_extractor.contract.reading import read_contract, shipped_contracts
from xml_extractor.contract.run_values import RUN_VALUE_TYPES
from xml_extractor.contract.shape import keys_of
from xml_extractor.parsing.rules import MAX_DEPTH
from xml_extractor.processing import chunks, insert_queue
from xml_extractor.processing.worker_pool import TASKS_PER_PROCESS
from xml_extractor.processing_log.log_table import KEY_LENGTH, LOG_TABLE
from xml_extractor.processing_log.run_history import HISTORY_TABLE
from xml_extractor.reasons import Reason
from xml_extractor.samples import KINDS
from xml_extractor.tsql import compile_expression
from xml_extractor.tsql.compiler import ALLOWED_FUNCTIONS
from xml_extractor.values.formats import DIRECTIVES
from xml_extractor.values.sqltypes import TYPES
from xml_extractor.values.transforms import TRANSFORMS

ROOT = Path(__file__).parent.parent
DOCUMENTATION = ROOT / "documentation"
PAGES = [
    *sorted(DOCUMENTATION.rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
]
GUIDE = "how-to/write-a-contract.md"

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
CELL = re.compile(r"(?<!\\)\|")


def command_named(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


COMMANDS = {name: command_named(name) for name in commands.COMMANDS}

Metrics = Mapping[str, Any]


def test_the_group_shows_the_summary_of_each_command() -> None:
    for name, shown in COMMANDS.items():
        assert (shown.help or "").partition("\n\n")[0] == commands.COMMANDS[name].help


def text_of(page: str) -> str:
    return (DOCUMENTATION / page).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    text = text_of(page)
    found = next(match for match in HEADING.finditer(text) if match[2] == heading)
    ends = (match.start() for match in HEADING.finditer(text, found.end()) if len(match[1]) <= len(found[1]))
    return text[found.end() : next(ends, len(text))]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in a text, without their headings."""
    lines = BLOCK.sub("", text).splitlines()
    tables = [line for line in lines if line.startswith("|")]
    rules = {number for number, line in enumerate(tables) if set(line) <= set("|- ")}
    headings = {number - 1 for number in rules}
    bodies = [line for number, line in enumerate(tables) if number not in rules | headings]
    return [[cell.strip().replace("\\|", "|") for cell in CELL.split(line)[1:-1]] for line in bodies]


def words(cell: str) -> list[str]:
    return CODE.findall(cell)


def listed(page: str, heading: str) -> list[str]:
    """What the first column of the tables below a heading names."""
    return [word for row in rows(section(page, heading)) for word in words(row[0])]


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def flags(command: click.Command) -> set[str]:
    return {flag for option in command.params for flag in (*option.opts, *option.secondary_opts) if flag[0] == "-"}


def described(option: click.Option) -> tuple[str, str]:
    """An option as its row says it: flags and default."""
    default = option.show_default if isinstance(option.show_default, str) else option.default
    if option.is_flag:
        default = (option.opts if option.default else option.secondary_opts)[0] if option.secondary_opts else "no"
    shown = str(default) if isinstance(default, str | int | Path) else "none"
    return "/".join((*option.opts, *option.secondary_opts)), shown


def run_options() -> list[click.Option]:
    return [option for option in run_command.params if isinstance(option, click.Option)]


def test_each_option_of_a_run_has_its_row_with_its_default() -> None:
    table = {
        row[0].strip("`"): row for row in rows(section("reference/options.md", "A run")) if row[0].startswith("`--")
    }
    assert set(table) == {described(option)[0] for option in run_options()}
    for option in run_options():
        flag, default = described(option)
        _, shown_default, meaning = table[flag]
        elsewhere, _, on_windows = shown_default.replace("`", "").partition(", on Windows ")
        assert (on_windows if on_windows and os.name == "nt" else elsewhere) == default, flag
        assert meaning


def test_each_option_of_a_run_is_a_variable_and_a_key_of_the_same_name() -> None:
    for option in run_options():
        name = option.opts[0].removeprefix("--").replace("-", "_")
        assert option.envvar == f"XML_EXTRACTOR_{name.upper()}"
        assert name in setting_names() or name == "config"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_has_its_section_with_its_options(name: str) -> None:
    command = COMMANDS[name]
    text = section("reference/options.md", "A run" if name == "run" else f"`xml-extractor {name}`")
    named = {flag for row in rows(text) for word in words(row[0]) for flag in word.split("/") if flag.startswith("--")}
    assert named == flags(command)
    for argument in command.params:
        if isinstance(argument, click.Argument):
            assert (argument.metavar or f"{argument.name}").upper() in text


OF_SPARK_SUBMIT = ("--archives", "--conf", "--deploy-mode", "--executor-cores", "--executor-memory", "--num-executors")
OF_OTHER_PROGRAMS = (
    *("--editable", "--strict", "--numprocesses", "--check", "--rm", "--volume", "--user", "--env", "--tag"),
    *("--build-arg", "--dest", "--dist", "--only-binary", "--no-index", "--find-links", "--upgrade", "--platform"),
    *("--python-version", "--repo", *OF_SPARK_SUBMIT),
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_only_commands_options_and_variables_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = {flag for command in (*COMMANDS.values(), baseline_command) for flag in flags(command)}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z](?![\w-])", text))
    assert named - known <= {"--help", "--version", *OF_OTHER_PROGRAMS}
    variables = {str(option.envvar) for option in run_options()}
    assert set(re.findall(r"(?<!_)XML_EXTRACTOR_\w+", text)) <= {*variables, *PASSWORD_VARIABLES}
    called = re.findall(
        r"xml-extractor ([a-z]\w*)", "\n".join((*CODE.findall(text), *(code for _, code in BLOCK.findall(text))))
    )
    assert set(called) <= set(COMMANDS)


def test_each_option_of_the_baseline_has_its_row_and_each_exit_code() -> None:
    page = "how-to/compare-speed-with-a-baseline.md"
    assert set(listed(page, "Options")) == flags(baseline_command)
    codes = {command.EXIT_OK, command.EXIT_SLOWER, errors.EXIT_USAGE, errors.EXIT_FAILED, errors.EXIT_INTERRUPTED}
    assert {row[0] for row in rows(section(page, "Options"))} >= {str(code) for code in codes}
    assert set(re.findall(r"--[a-z-]+", section(page, "Other settings"))) >= {*map(variants.flag, variants.NAMES)}


def test_make_has_the_targets_that_pages_name() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"(?:`|\$ )make (\w+)", page.read_text(encoding="utf-8"))) <= targets


def test_shipped_contracts_and_kinds_of_samples_are_named() -> None:
    text = text_of("reference/options.md")
    assert all(f"`{name}`" in text for name in (*shipped_contracts(), *KINDS))
    kinds = rows(section("how-to/load-archives-and-directories.md", "Containers"))
    named = {word for row in kinds for word in row[0].split(", ")}
    assert named == {kind.value.split()[1] for kind in Kind if kind is not Kind.XML}


@pytest.mark.parametrize("name", shipped_contracts())
def test_the_page_of_a_shipped_contract_names_its_version_tables_and_keys(name: str) -> None:
    contract = read_contract(name)
    page = f"reference/contracts/{name}.md"

    assert f"\nVersion {contract.version}. " in text_of(page)
    found = [(words(row[0])[0], words(row[1])) for row in rows(text_of(page)) if len(row) == 3]
    assert found == [(layout.name, list(layout.key)) for layout in layouts(contract)]
    assert f"(contracts/{name}.md)" in section("reference/options.md", "`xml-extractor contracts`")


def test_each_exit_code_has_its_row() -> None:
    codes = {str(value) for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert {row[0] for row in rows(text_of("reference/exit-codes.md"))} == codes


CONTRACT_KEYS: dict[str, set[str]] = {
    "Top level": set(keys_of(Contract)),
    "`document`": set(keys_of(Document)),
    "`source`": set(keys_of(SourceTable)),
    "`tables`": set(keys_of(Table)),
    "Transforms": {*TRANSFORMS, "lookup"},
    "Lookups": set(keys_of(Lookup)),
}


@pytest.mark.parametrize("heading", CONTRACT_KEYS)
def test_each_key_of_a_part_of_the_contract_has_its_row(heading: str) -> None:
    assert sorted(listed("reference/contract.md", heading)) == sorted(CONTRACT_KEYS[heading])


def test_each_key_of_columns_and_inputs_has_its_row() -> None:
    origins = listed("reference/contract.md", "`columns`: where a value comes from")
    runs = set(RUN_VALUE_TYPES)
    conversions = section("reference/contract.md", "`columns`: how text becomes a value").partition("### Transforms")[0]
    keys = {word for row in rows(conversions) for word in words(row[0])}
    assert (set(origins) - runs) | keys == set(keys_of(Column))
    assert runs <= set(origins)
    named = set(words(conversions[conversions.index("An input is") :]))
    assert set(keys_of(Input)) <= named


def test_each_value_of_a_run_has_its_type() -> None:
    table = {
        words(row[0])[0]: row[1]
        for row in rows(section("reference/contract.md", "`columns`: where a value comes from"))
    }
    assert all(f"`{kind}`" in table[name] for name, kind in RUN_VALUE_TYPES.items())


def test_each_type_has_its_row() -> None:
    named = {
        name.partition("(")[0]
        for row in rows(text_of("reference/types.md").partition("## Dates")[0])
        for name in words(row[0])
    }
    assert named == set(TYPES)


def test_each_directive_of_dates_has_its_row() -> None:
    assert set(listed("reference/types.md", "Dates and times")) == {*(f"%{letter}" for letter in DIRECTIVES), "%%"}


def test_each_function_of_expressions_has_its_row() -> None:
    assert sorted(listed("reference/expressions.md", "Functions")) == sorted(ALLOWED_FUNCTIONS)


EXAMPLES = [row for row in rows(text_of("reference/expressions.md")) if len(row) == 4]


@pytest.mark.parametrize(("rule", "example", "kind", "value"), EXAMPLES, ids=[row[1] for row in EXAMPLES])
def test_examples_of_expressions_have_the_type_and_the_value_shown(
    rule: str, example: str, kind: str, value: str
) -> None:
    expression = compile_expression(words(example)[0], {})
    found = expression.evaluate((), datetime(2026, 3, 5, 1, 30))  # noqa: DTZ001 - the clock of a run is UTC without a zone
    assert rule
    assert str(expression.type) == kind.strip("`")
    assert ("NULL" if found is None else str(found)) == value.strip("`")


CONTRACTS = [
    (page, text)
    for page in PAGES
    for language, text in blocks(page)
    if language == "yaml" and text.startswith("contract:")
]


WORKED = re.findall(
    r"^## (.+?)$.*?```xml\n(.*?)```\n\n```yaml\n(.*?)```\n\n```text\n(.*?)```", text_of(GUIDE), re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize(("heading", "document", "contract", "shown"), WORKED, ids=[part[0] for part in WORKED])
def test_documents_and_contracts_of_the_guide_give_the_rows_shown(
    heading: str, document: str, contract: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("document.xml").write_text(document, encoding="utf-8")
    Path("contract.yaml").write_text(contract, encoding="utf-8")
    result = CliRunner().invoke(cli, ["preview", "document.xml", "--contract", "contract.yaml"], standalone_mode=False)
    assert [line.rstrip() for line in result.output.strip().splitlines()] == shown.splitlines(), heading


def test_each_topic_of_the_guide_has_a_document_a_contract_and_rows() -> None:
    assert [part[0] for part in WORKED] == [match[2] for match in HEADING.finditer(text_of(GUIDE)) if match[1] == "##"]


def test_each_column_of_the_processing_log_has_its_row() -> None:
    log, _, history = text_of("reference/processing-log.md").partition("\n## The run history")
    for text, table in ((log, LOG_TABLE), (history, HISTORY_TABLE)):
        columns = [word for row in rows(text) for word in words(row[0])]
        assert columns == [column.name for column in table.columns]


def documents(page: str) -> list[str]:
    return [text for language, text in blocks(DOCUMENTATION / page) if language == "xml"]


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that loads the tutorial's first document and rejects the second."""
    directory = tmp_path_factory.mktemp("run")
    contract = next(text for page, text in CONTRACTS if page.name == "first-load.md")
    (directory / "orders.yaml").write_text(contract, encoding="utf-8")
    (directory / "orders").mkdir()
    for number, document in zip((1001, 1002), documents("tutorial/first-load.md"), strict=True):
        (directory / "orders" / f"{number}.xml").write_text(document, encoding="utf-8")
    options = ["--contract", "orders.yaml", "--source", "orders", "--target", "sqlite:///orders.db", "--workers", "1"]
    completed = subprocess.run(
        [sys.executable, "-m", "xml_extractor", "run", *options], cwd=directory, check=False, timeout=120
    )
    assert completed.returncode == errors.EXIT_REJECTS
    return directory


@pytest.fixture(scope="module")
def metrics(finished_run: Path) -> Metrics:
    path = finished_run / "metrics" / "latest.json"
    found: Metrics = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_each_field_of_the_metrics_file_has_its_row(metrics: Metrics) -> None:
    first_table = text_of("reference/metrics.md").partition("\n## ")[0]
    assert [word for row in rows(first_table) for word in words(row[0])] == list(metrics)


@pytest.mark.parametrize(
    "heading", ["documents", "rejects", "stage_seconds", "queue", "insert_threads", "series", "settings", "machine"]
)
def test_each_count_of_the_metrics_file_has_its_row(metrics: Metrics, heading: str) -> None:
    part = metrics[heading][0] if isinstance(metrics[heading], list) else metrics[heading]
    assert sorted(listed("reference/metrics.md", f"`{heading}`")) == sorted(part)


LOGGERS = ("debug", "info", "warning", "error", "exception", "critical")


def log_calls() -> Iterator[tuple[str, str]]:
    """Level and template of all log lines of the package, except the lines of a stack."""
    for path in (ROOT / "xml_extractor").rglob("*.py"):
        names: dict[str, str] = {}
        nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if hasattr(node, "lineno")]
        for node in sorted(nodes, key=lambda node: node.lineno):
            match node:
                case ast.Assign(targets=[ast.Name(name)], value=ast.Constant(str(text))):
                    names[name] = text
                case ast.Call(func=ast.Attribute(value=ast.Name("logger"), attr=level), args=[template, *_]) if (
                    level in LOGGERS
                ):
                    text = names[template.id] if isinstance(template, ast.Name) else ast.literal_eval(template)
                    if text != "%s":
                        yield level.upper(), text


def test_each_log_line_has_its_row() -> None:
    templates = list(log_calls())
    table = [(words(row[0])[0], row[1]) for row in rows(text_of("reference/log-lines.md"))]
    assert len(set(templates)) == len(table) >= 5
    for level, template in templates:
        first_line = re.escape(template.partition("\n")[0])
        pattern = re.sub(r"%(?:\\\.\d)?[sdf]", ".+", first_line)
        assert [row for row in table if re.fullmatch(pattern, row[0]) and row[1] == level], template


def test_the_first_table_of_commands_lists_each_command_once() -> None:
    table = rows(text_of("reference/options.md").partition("\n## ")[0])
    assert sorted(word for row in table for word in words(row[0])) == sorted(COMMANDS)


def test_the_page_of_errors_is_generated_from_the_code() -> None:
    pytest.importorskip("pyodbc", reason="the driver manager is not installed", exc_type=ImportError)
    assert errors_page.PAGE.read_text(encoding="utf-8") == errors_page.errors_page(), "python -m tests.errors_page"


def test_each_error_has_a_hint_unless_it_lists_faults() -> None:
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and name.endswith("Error")}
    found = list(errors_page.Reader().errors(kinds - {"ContractError", "StopRequestedError"}))
    assert len(found) > 100
    assert [error for error in found if not error.tip] == []


def test_the_page_on_troubleshooting_names_each_exit_code_and_links_what_exists() -> None:
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert {row[0] for row in rows(section("how-to/troubleshooting.md", "By exit code"))} == {*map(str, codes)}
    symptoms = section("how-to/troubleshooting.md", "Everything is rejected")
    assert {word for word in words(symptoms) if "_" in word and "-" not in word} <= {*Reason}


def test_the_page_of_reasons_is_generated_from_the_enum() -> None:
    assert reasons_page.PAGE.read_text(encoding="utf-8") == reasons_page.reasons_page()


def test_reasons_that_other_pages_name_exist() -> None:
    for page in ("types.md", "contract.md", "expressions.md"):
        named = set(re.findall(r"`([a-z]+_[a-z_]+)`(?=[)|;, ])", text_of(f"reference/{page}")))
        assert {name for name in named if name.startswith(("not_", "too_", "missing_", "unknown_"))} <= {*Reason}


def anchors(path: Path) -> set[str]:
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", match[2].lower()).replace(" ", "-") for match in HEADING.finditer(text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_index_lists_every_page() -> None:
    index = (DOCUMENTATION / "README.md").read_text(encoding="utf-8")
    assert set(LINK.findall(index)) == {
        path.relative_to(DOCUMENTATION).as_posix() for path in DOCUMENTATION.glob("*/**/*.md")
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_only_modules_that_exist(page: Path) -> None:
    for name in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", page.read_text(encoding="utf-8")):
        assert (ROOT / name).exists() or (ROOT / "xml_extractor" / name).exists(), name


def test_the_path_of_a_document_names_functions_that_exist() -> None:
    path = rows(section("explanation/architecture.md", "The path of a document"))
    steps = [row for row in path if len(row) == len(("step", "function", "module"))]
    assert len(steps) >= 5
    for _, functions, module in steps:
        source = (ROOT / "xml_extractor" / words(module)[0]).read_text(encoding="utf-8")
        for name in words(functions):
            assert all(re.search(rf"^ *(?:def|class) {part}\b", source, re.MULTILINE) for part in name.split(".")), name


def test_the_diagram_and_the_table_of_the_path_name_functions_and_classes_that_exist() -> None:
    diagram = text_of("explanation/data-path.svg")
    shown = re.findall(r">(_?[A-Za-z]+(?:[._]\w+)+|[A-Z]\w+Queue)<", diagram)
    path = section("explanation/architecture.md", "The path of a document")
    named = {*shown, *(word for row in rows(path) for word in words(row[1]))}
    defined = {
        node.name
        for module in (ROOT / "xml_extractor").rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert len(named) >= 8
    assert {part for name in named for part in name.split(".")} <= defined


def test_changes_that_are_not_released_have_their_section() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_numbers_in_the_page_on_processes_are_those_of_the_code() -> None:
    text = " ".join(text_of("explanation/concurrency.md").split())
    assert f"at most {chunks.MAX_CHUNK} documents" in text
    assert f"at most {insert_queue.MAX_BATCH_DOCUMENTS} documents or {insert_queue.MAX_BATCH_ROWS:,} rows" in text
    assert f"{chunks.CHUNKS_PER_WORKER} chunks for each worker" in text
    assert f"never more than {chunks.MAX_WINDOW:,} ahead" in text
    assert f"or {insert_queue.MAX_QUEUED_BYTES // 2**20} MiB" in text
    assert f"replaces a worker after {TASKS_PER_PROCESS:,} chunks" in text
    assert f"After {ATTEMPTS} attempts" in text_of("reference/log-lines.md")


def test_limits_of_documents_are_those_of_the_code() -> None:
    assert f"default {Document.model_fields['max_bytes'].default}" in section("reference/contract.md", "`document`")
    assert f"deeper than {MAX_DEPTH} levels" in text_of("reference/reasons.md")
    assert f"at most {KEY_LENGTH} characters" in text_of("reference/processing-log.md")
