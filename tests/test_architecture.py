"""The shape of the package: who may import whom, how large a thing may be, who owns a heavy dependency."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from fractions import Fraction
from functools import cache, partial
from graphlib import TopologicalSorter
from pathlib import Path
from types import FrameType

from xml_extractor.cli.sample import create_samples
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.processing import parallel_coordinator
from xml_extractor.processing.chunks import Chunk, ChunkResult, RunContext
from xml_extractor.processing.insert_queue import Acknowledgement, BackgroundInsertThread, InsertQueue
from xml_extractor.processing.insert_threads import open_loader
from xml_extractor.processing.worker import Worker, worker_of_process
from xml_extractor.settings import RunSettings
from xml_extractor.sources.registry import open_source
from xml_extractor.targets.registry import open_target

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "xml_extractor"
MODULES = sorted(PACKAGE.rglob("*.py"))
PRODUCT = [*MODULES, ROOT / "production_processor.py", *sorted((ROOT / "env_prep").rglob("*.py"))]

LAYERS = [
    {"__main__"},
    {"cli"},
    {"api"},
    {"pipeline"},
    {"processing", "doctor"},
    {"quality", "telemetry"},
    {"records"},
    {"parsing", "mapping", "sources", "reporting"},
    {"targets"},
    {"schema"},
    {"processing_log"},
    {"connections"},
    {"contract"},
    {"tsql"},
    {"values", "samples"},
    {
        "documents",
        "errors",
        "reasons",
        "settings",
        "distribution",
        "atomic_files",
        "escaping",
        "source_code",
        "stopping",
        "urls",
        "content",
    },
]
"""From the top. A module imports from layers below its own, never from a neighbour or from above."""

NEIGHBOURS_ALLOWED = {
    ("settings", "errors"),
    ("documents", "reasons"),
    ("stopping", "errors"),
}
"""The bottom layer's own order."""

OWNERS = {
    "click": {"cli", "env_prep"},
    "pyodbc": {"targets.sqlserver", "sources", "doctor.sqlserver"},
    "sqlite3": {"targets.sqlite", "sources", "doctor.files"},
    "multiprocessing": {"processing"},
    "sqlglot": {"tsql"},
    "yaml": {"contract"},
    "rich": {"reporting", "cli"},
    "pyarrow": {"targets.parquet"},
    "pyspark": {"processing.spark"},
    "py4j": {"processing.spark"},
    "sqlalchemy": {"doctor", "sources", "targets", "schema", "env_prep"},
    "openlineage": {"telemetry"},
    "opentelemetry": {"telemetry"},
}
PARSER_NAMES = {"XMLParser", "XMLPullParser", "fromstring", "parse", "iterparse", "XML", "HTML", "HTMLParser"}

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60

MAX_FILES_TO_MAP_A_CHUNK = 25
MAX_FILES_TO_LOAD_A_BATCH = 10
"""Modules of the package in which a chunk of card applications runs code: fetch to enqueue, and dequeue to commit."""


def layer_of(part: str) -> int:
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(tree_of(path)):
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


def test_a_module_imports_only_from_layers_below_its_own() -> None:
    pairs = [(name_of(path), module) for path in MODULES for module in dependencies(path)]
    assert [f"{one} imports {other}" for one, other in pairs if not is_allowed(part_of(one), part_of(other))] == []


def is_allowed(part: str, other: str) -> bool:
    if not part or not other or part == other or (part, other) in NEIGHBOURS_ALLOWED:
        return True
    return layer_of(part) < layer_of(other)


def test_modules_import_each_other_in_no_cycle() -> None:
    graph = {name_of(path): dependencies(path) for path in MODULES}
    assert list(TopologicalSorter(graph).static_order())


def test_a_heavy_dependency_has_one_owner() -> None:
    used = [(name_of(path).removeprefix("xml_extractor."), module) for path in PRODUCT for module, _ in imported(path)]
    assert [f"{inside} imports {module}" for inside, module in used if not owns(inside, module)] == []


def owns(inside: str, module: str) -> bool:
    owners = OWNERS.get(module.split(".", maxsplit=1)[0], {inside})
    return any(inside == owner or inside.startswith(f"{owner}.") for owner in owners)


def test_only_parsing_uses_the_parsers_of_lxml() -> None:
    used = [
        f"{name_of(path)} uses etree.{node.attr}"
        for path in MODULES
        if part_of(name_of(path)) != "parsing"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "etree"
        if node.attr in PARSER_NAMES
    ]
    assert used == []


def test_modules_and_functions_stay_small() -> None:
    sizes = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PRODUCT}
    assert {name: lines for name, lines in sizes.items() if lines > MAX_MODULE_LINES} == {}
    functions = [
        (f"{name_of(path)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1)
        for path in PRODUCT
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]
    assert {name: lines for name, lines in functions if lines > MAX_FUNCTION_LINES} == {}


def test_the_layers_name_every_part_of_the_package() -> None:
    parts = {part_of(name_of(path)) for path in MODULES} - {""}
    assert parts == set().union(*LAYERS)


def test_the_embedded_run_does_not_import_pyodbc(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from xml_extractor.contract.reading import read_contract\n"
        "from xml_extractor.cli.commands import cli\n"
        "from xml_extractor.targets.registry import open_target\n"
        "open_target('sqlite:///x.db', read_contract('card_application'))\n"
        "sys.exit('pyodbc' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=False).returncode == 0


HEAVY = {
    *("asyncio", "lxml", "multiprocessing", "pydantic", "pyodbc", "rich"),
    *("sqlalchemy", "sqlglot", "yaml"),
}
COMPLETION = {
    "_XML_EXTRACTOR_COMPLETE": "bash_complete",
    "COMP_WORDS": "xml-extractor preview --",
    "COMP_CWORD": "2",
}


def test_help_version_and_completion_import_no_heavy_module() -> None:
    program = (
        "import sys; from xml_extractor.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    calls: list[tuple[list[str], dict[str, str], str]] = [
        (["--version"], {}, "xml-extractor"),
        (["--help"], {}, "Loads:"),
        (["run", "--help"], {}, "--workers"),
        ([], COMPLETION, "--explain"),
    ]
    for arguments, variables, shown in calls:
        ended = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            check=False,
            capture_output=True,
            text=True,
        )
        assert shown in ended.stdout
        assert {module.split(".")[0] for module in ended.stderr.split()} & HEAVY == set(), arguments


@contextmanager
def files_that_run() -> Iterator[set[str]]:
    """Collect the modules of the package that run code in the block, in this thread."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(str(PACKAGE)):
            found.add(Path(path).relative_to(PACKAGE).as_posix())

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)


def test_a_chunk_passes_few_files(tmp_path: Path) -> None:
    source = f"sqlite:///{tmp_path / 'source.db'}"
    create_samples("card_application", 40, source, 1, Fraction(0))
    settings = RunSettings("card_application", source, f"sqlite:///{tmp_path / 'target.db'}")
    contract = read_contract(settings.contract)
    open_target(settings.target, contract).prepare(layouts(contract))
    started_at = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC
    context = RunContext("run", started_at, settings, contract, "0" * 64, "source", source)
    with closing(open_source(source, contract, contract.document.max_bytes)) as opened:
        (page,) = opened.key_pages(40)
    chunks = [Chunk(number, tuple(page.keys[20 * number : 20 * number + 20])) for number in range(2)]
    with InsertQueue() as queue, closing(Worker(context, queue, tmp_path)) as worker:
        worker_of_process.set(worker)
        parallel_coordinator._process_work_item(chunks[0])
        with files_that_run() as mapping:
            result = parallel_coordinator._process_work_item(chunks[1])
        assert isinstance(result, ChunkResult)
        assert (result.failure, result.outcomes) == (None, None)
        acknowledged: list[Acknowledgement] = []
        failures: list[Exception] = []
        opener = partial(open_loader, context)
        thread = BackgroundInsertThread(queue, opener, acknowledged.append, failures.append)
        with opener() as loader:
            thread._stopping.set()
            with files_that_run() as loading:
                thread._drain(loader)
    assert failures == []
    assert [acknowledgement.sequence for acknowledgement in acknowledged] == [0, 1]
    assert len(mapping) <= MAX_FILES_TO_MAP_A_CHUNK, "\n".join(sorted(mapping))
    assert len(loading) <= MAX_FILES_TO_LOAD_A_BATCH, "\n".join(sorted(loading))
