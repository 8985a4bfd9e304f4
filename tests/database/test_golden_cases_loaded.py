"""What a golden case maps is what every target holds after the load; a reject leaves its row in the log.

All cases share one target: tables of one case are told from those of others by its number in their names, and its
documents by its name in the processing log.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import sqlserver
from tests.cases.test_golden_cases import DOCUMENTS, RUN, SOURCE_KEY, content_of
from tests.database.binding import bound, read_log
from tests.database.conftest import TARGETS, empty_targets
from tests.database.demo_tables import CONTRACT
from tests.database.server_differences import as_kept_elsewhere
from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import MappedDocument, Outcome, ProcessedDocument, Rejection, Row, Status
from xml_extractor.mapping import MappingError, compile_plan, map_document
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.schema.model import Severity
from xml_extractor.targets.interfaces import Target, TargetConnection
from xml_extractor.targets.loader import Loader, LogIdentity
from xml_extractor.targets.registry import open_target
from xml_extractor.urls import parse_url

COLLATED = "code-page-of-the-contract-counts"
"""The case whose code page is not that of the databases that we test with."""


class Case(NamedTuple):
    """A golden case: what its document becomes, and tables of its own to load it into."""

    name: str
    document: ProcessedDocument
    tables: tuple[TableLayout, ...]


def case_of(folder: Path) -> Case:
    contract = read_contract(str(folder / "contract.yaml"))
    number = DOCUMENTS.index(folder)
    tables = tuple(_of_case(table, number) for table in layouts(contract))
    return Case(folder.name, processed(contract, content_of(folder)), tables)


def _of_case(table: TableLayout, number: int) -> TableLayout:
    keys = tuple(replace(key, table=f"{number}_{key.table}") for key in table.foreign_keys)
    return replace(table, name=f"{number}_{table.name}", table=f"case{number}_{table.table}", foreign_keys=keys)


def processed(contract: Contract, content: bytes | str) -> ProcessedDocument:
    try:
        root = DocumentParser(parsing_rules(contract)).parse(content)
        rows = map_document(compile_plan(contract), root, SOURCE_KEY, RUN)
    except (ParseError, MappingError) as error:
        return Rejection(SOURCE_KEY, error.failure, "c0ffee", 0.5)
    return MappedDocument(SOURCE_KEY, rows, "c0ffee", 0.5)


CASES = {folder.name: case_of(folder) for folder in DOCUMENTS}


class Shared(NamedTuple):
    """A target with the tables of all cases.

    Attributes:
        schema: Where they are on the server; empty for SQLite.
    """

    schema: str
    target: Target
    connection: TargetConnection


@pytest.fixture(scope="module", params=TARGETS)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A target that all cases share, because connecting takes longer than loading a case."""
    with empty_targets(request.param, tmp_path_factory.mktemp("cases")) as addresses:
        address = addresses()
        target = open_target(address, CONTRACT)
        target.create([table for case in CASES.values() for table in case.tables])
        with closing(target.connect()) as connection:
            schema = parse_url(address).query.get("schema", "")
            yield Shared(str(schema), target, connection)


def load(case: Case, connection: TargetConnection, run_id: str = "run-1") -> Outcome:
    loader = Loader(connection, case.tables, LogIdentity(case.name, 1, "f00d", run_id))
    (outcome,) = loader.load([bound(connection, case.tables, case.document)])
    return outcome


def collate(case: Case, shared: Shared) -> None:
    """Give the case's column the code page of its contract, after seeing that a run would not start without it."""
    if not shared.schema:
        return
    contract = read_contract(str(next(folder for folder in DOCUMENTS if folder.name == COLLATED) / "contract.yaml"))
    target = open_target(sqlserver.in_schema(shared.schema), contract)
    found = [(difference.severity, difference.column) for difference in target.differences(case.tables)]
    assert found == [(Severity.ERROR, "name")]
    table = f"{shared.schema}.{case.tables[0].table}"
    columns = "name varchar(4) COLLATE Polish_CI_AS, utf8 nvarchar(4)"
    for statement in (f"DROP TABLE {table}", f"CREATE TABLE {table} ({columns})"):
        sqlserver.administrator().execute(statement).close()
    assert target.differences(case.tables) == []


def written(rows: Iterable[Row]) -> list[str]:
    """Rows in whatever order the database gives them, with types, scales and zones of their values."""
    return sorted(map(repr, rows))


def has_rows_with_one_key(case: Case, document: MappedDocument) -> bool:
    for table, rows in zip(case.tables, document.rows, strict=True):
        key = [number for number, column in enumerate(table.columns) if column.name in table.key]
        keys = Counter(tuple(row[number] for number in key) for row in rows)
        if key and table.on_conflict == "fail" and max(keys.values(), default=0) > 1:
            return True
    return False


@pytest.mark.parametrize("name", CASES)
def test_a_target_holds_what_a_document_was_mapped_to_and_of_a_reject_its_row_in_the_log(
    name: str, shared: Shared
) -> None:
    case = CASES[name]
    if name == COLLATED:
        collate(case, shared)
    outcome = load(case, shared.connection)
    entry = ProcessingLog(shared.connection).entries(name, [str(SOURCE_KEY)])[str(SOURCE_KEY)]
    found = [written(shared.connection.read_rows(table)) for table in case.tables]
    assert entry.status is outcome.status
    if isinstance(case.document, Rejection) or has_rows_with_one_key(case, case.document):
        assert outcome.status is Status.REJECTED
        assert outcome.failure is not None
        assert (entry.stage, entry.reason, entry.row_count) == (outcome.failure.stage, outcome.failure.reason, 0)
        assert found == [[] for _ in case.tables]
    else:
        assert (outcome.status, outcome.rows) == (Status.LOADED, tuple(map(len, case.document.rows)))
        assert (entry.stage, entry.reason, entry.row_count) == ("", "", sum(outcome.rows))
        is_microsofts = not shared.schema or sqlserver.is_sql_server()
        kept = tuple if is_microsofts else lambda row: tuple(map(as_kept_elsewhere, row))
        expected = [written(map(kept, rows)) for rows in case.document.rows]
        fillers = Counter(table.table for table in case.tables)
        for table, there, rows in zip(case.tables, found, expected, strict=True):
            assert there == rows if fillers[table.table] == 1 else not Counter(rows) - Counter(there)


def test_rows_with_one_key_in_a_document_are_refused_by_the_target(shared: Shared) -> None:
    outcome = load(CASES["one-row-per-listed-value"], shared.connection, "run-2")
    entries = ProcessingLog(shared.connection).entries("one-row-per-listed-value", [str(SOURCE_KEY)])
    assert outcome.status in {Status.REJECTED, Status.ALREADY_DONE}
    assert entries[str(SOURCE_KEY)].reason.startswith("duplicate_key at ")


def test_the_tables_that_were_made_for_all_cases_are_as_the_contracts_need_them(shared: Shared) -> None:
    tables = [table for name, case in CASES.items() for table in case.tables if name != COLLATED]
    assert [str(difference) for difference in shared.target.differences(tables)] == []


def test_each_case_has_one_row_in_the_log(shared: Shared) -> None:
    loaded = {entry.contract for entry in read_log(shared.connection)}
    for name, case in CASES.items():
        if name not in loaded:
            load(case, shared.connection)
    assert sorted(entry.contract for entry in read_log(shared.connection)) == sorted(CASES)
