"""The shape of the package: who may import whom, how large a thing may be, who owns a heavy dependency."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "xml_extractor"
MODULES = sorted(PACKAGE.rglob("*.py"))
PRODUCT = [*MODULES, ROOT / "production_processor.py", *sorted((ROOT / "env_prep").rglob("*.py"))]

LAYERS = [
    {"__main__"},
    {"cli"},
    {"processing", "doctor"},
    {"parsing", "mapping", "sources", "reporting"},
    {"targets", "schema", "processing_log"},
    {"contract"},
    {"tsql"},
    {"values", "samples"},
    {"documents", "errors", "settings"},
]
"""From the top. A module imports from layers below its own, never from a neighbour or from above."""

NEIGHBOURS_ALLOWED = {
    ("settings", "errors"),
    *(
        (one, other)
        for one in ("targets", "schema", "processing_log")
        for other in ("targets", "schema", "processing_log")
    ),
}
"""The bottom layer's own order."""

OWNERS = {
    "click": {"cli", "env_prep"},
    "pyodbc": {"targets.sqlserver", "doctor.sqlserver", "sources.sqlserver", "sources.sqlserver_writer"},
    "sqlite3": {"targets.sqlite", "doctor.sqlite", "sources.sqlite", "sources.sqlite_writer"},
    "multiprocessing": {"processing"},
    "sqlglot": {"tsql"},
    "ruamel": {"contract"},
    "rich": {"reporting", "cli"},
    "sqlalchemy": {"doctor", "sources", "targets", "schema", "env_prep"},
    "matplotlib": {"env_prep"},
}
PARSER_NAMES = {"XMLParser", "XMLPullParser", "fromstring", "parse", "iterparse", "XML", "HTML", "HTMLParser"}

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60


def layer_of(part: str) -> int:
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [alias.name for alias in node.names]


def dependencies(path: Path) -> set[str]:
    """The modules of the package that a module imports, with `from package import module` resolved."""
    known = {name_of(module) for module in MODULES}
    found = set()
    for module, names in imported(path):
        if module.split(".")[0] == "xml_extractor":
            submodules = {f"{module}.{name}" for name in names} & known
            found |= submodules or {module}
    return found - {name_of(path)}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_from_layers_below_its_own(path: Path) -> None:
    part = part_of(name_of(path))
    if not part:
        return
    for module in dependencies(path):
        other = part_of(module)
        if other and other != part and (part, other) not in NEIGHBOURS_ALLOWED:
            assert layer_of(part) < layer_of(other), f"{name_of(path)} imports {module}"


def test_modules_import_each_other_in_no_cycle() -> None:
    graph = {name_of(path): dependencies(path) for path in MODULES}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_a_heavy_dependency_has_one_owner(path: Path) -> None:
    inside = name_of(path).removeprefix("xml_extractor.")
    for module, _ in imported(path):
        owners = OWNERS.get(module.split(".")[0])
        if owners:
            assert any(inside == owner or inside.startswith(f"{owner}.") for owner in owners), f"{inside}: {module}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_parsing_uses_the_parsers_of_lxml(path: Path) -> None:
    if part_of(name_of(path)) == "parsing":
        return
    used = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "etree"
    }
    assert not used & PARSER_NAMES


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, f"{node.name} at line {node.lineno}"


def test_the_layers_name_every_part_of_the_package() -> None:
    parts = {part_of(name_of(path)) for path in MODULES} - {""}
    assert parts == set().union(*LAYERS)


def test_the_embedded_run_does_not_import_pyodbc(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from xml_extractor.contract import read_contract\n"
        "from xml_extractor.cli.commands import cli\n"
        "from xml_extractor.targets.registry import open_target\n"
        "open_target('sqlite:///x.db', read_contract('card_application'))\n"
        "sys.exit('pyodbc' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=False).returncode == 0
