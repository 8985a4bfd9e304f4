"""Texts of documents at the edges of every type: what a target holds in the end, and what is rejected, and why."""

from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import date, datetime, time
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

import pytest

from tests.database import independent
from tests.database.binding import bound
from tests.database.edge_documents import CASES, EDGES, GROUP_OF, GROUPS, MODES, Case, Processor, edge_contract
from tests.database.edges import Refused, Result
from tests.database.independent import Found, plain
from tests.database.server_differences import ELSEWHERE, as_found_elsewhere, counted_elsewhere, expected_elsewhere
from tests.sqlserver import is_sql_server
from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.documents import Outcome, Row, Status, Value
from xml_extractor.targets.loader import Loader, LogIdentity
from xml_extractor.targets.registry import open_target
from xml_extractor.values.sqltypes import TYPES, Family, SqlType, parse_type

TYPES_OF_COLUMNS = {name: parse_type(edge.rule["type"]) for name, edge in EDGES.items()}
CODE_PAGE_TYPES = ("char", "varchar", "text")


class Loaded(NamedTuple):
    """What became of all cases.

    Attributes:
        on_server: Whether the target is a SQL Server, or speaks its protocol.
        outcomes: By the number of the case.
        read: By table and number of the case, the values as the product reads them, by column.
        found: The same as read without the product.
    """

    on_server: bool
    outcomes: dict[int, Outcome]
    read: dict[str, dict[int, dict[str, Value]]]
    found: dict[str, dict[int, dict[str, Found]]]

    def __repr__(self) -> str:
        """Short, for reports of failed tests."""
        return f"{len(self.outcomes)} outcomes"


@pytest.fixture(scope="module")
def loaded(shared_address: str, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """All cases, loaded in one batch."""
    contract = edge_contract(tmp_path_factory.mktemp("edges"))
    tables = layouts(contract)
    target = open_target(shared_address, contract)
    target.create(tables)
    target.prepare(tables)
    processor = Processor(contract)
    with closing(target.connect()) as connection:
        loader = Loader(connection, tables, LogIdentity("edges", 1, "hash", "run"))
        outcomes = loader.load([bound(connection, tables, processor.process(case)) for case in CASES])
        read = {table.name: _by_number(table, connection.read_rows(table)) for table in tables}
    found = {
        table.name: independent.read(
            shared_address, table.table, [(column.name, column.type) for column in table.columns[1:]]
        )
        for table in tables
    }
    return Loaded(shared_address.startswith("mssql"), {int(outcome.key): outcome for outcome in outcomes}, read, found)


def _by_number(table: TableLayout, rows: Iterable[Row]) -> dict[int, dict[str, Value]]:
    names = [column.name for column in table.columns[1:]]
    return {int(str(row[0])): dict(zip(names, row[1:], strict=True)) for row in rows}


_SHOWN: list[tuple[type, Callable[[Any], str]]] = [
    (bool, lambda value: str(int(value))),
    (Decimal, lambda value: format(value, "f")),
    (float, independent.number_text),
    (bytes, bytes.hex),
    (datetime, lambda value: value.isoformat(" ")),
    (time, lambda value: value.isoformat()),
    (date, date.isoformat),
]


def abridged(text: str | None) -> str | None:
    """A long text by its length and hash, because no reader can compare megabytes, nor pytest show how they differ."""
    if text is None or len(text) <= 1000:
        return text
    return f"{text[:40]}... {len(text)} characters, {blake2b(text.encode(), digest_size=16).hexdigest()}"


def shown(value: Value, sql_type: SqlType) -> str | None:
    """A value as read by the product, in its plainest form."""
    for kind, show in _SHOWN:
        if isinstance(value, kind):
            return plain(show(value), sql_type)
    return None if value is None else plain(str(value), sql_type)


def expected_of(case: Case, loaded: Loaded) -> Result:
    """What SQL Server's documentation says, unless the server is another one and known to differ."""
    expected = case.expected(on_server=loaded.on_server)
    if loaded.on_server and not is_sql_server():
        there = ELSEWHERE.get((case.column, case.text))
        return there or expected_elsewhere(expected, TYPES_OF_COLUMNS[case.column])
    return expected


def in_plainest_form(text: str, sql_type: SqlType) -> str | None:
    return independent.number_text(float(text)) if sql_type.family is Family.FLOAT else plain(text, sql_type)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_what_a_document_says_is_stored_exactly_or_rejected(case: Case, loaded: Loaded) -> None:
    expected, outcome = expected_of(case, loaded), loaded.outcomes[case.number]
    if isinstance(expected, Refused):
        assert outcome.failure is not None
        assert (outcome.failure.code, outcome.failure.stage) == expected
        return
    assert (outcome.status, outcome.failure) == (Status.LOADED, None)
    sql_type = TYPES_OF_COLUMNS[case.column]
    wanted = in_plainest_form(expected, sql_type) if isinstance(expected, str) else None
    is_microsofts = not loaded.on_server or is_sql_server()
    for mode in MODES:
        table = f"{GROUP_OF[case.column]}_{mode}"
        found = loaded.found[table][case.number][case.column]
        assert abridged(shown(loaded.read[table][case.number][case.column], sql_type)) == abridged(wanted)
        assert abridged(found.text if is_microsofts else as_found_elsewhere(found.text, sql_type)) == abridged(wanted)
        if wanted is not None and loaded.on_server and sql_type.family in (Family.TEXT, Family.BINARY):
            assert found.length == bytes_in(wanted, sql_type)


def bytes_in(text: str, sql_type: SqlType) -> int:
    """What DATALENGTH says of a value."""
    if sql_type.family is Family.BINARY:
        return len(text) // 2
    if not is_sql_server():
        return counted_elsewhere(text, sql_type)
    return len(text.encode("cp1252" if sql_type.name in CODE_PAGE_TYPES else "utf-16-le"))


def test_columns_that_a_document_does_not_mention_are_null(loaded: Loaded) -> None:
    columns = {case.number: case.column for case in CASES}
    for rows in loaded.read.values():
        for number, row in rows.items():
            assert [name for name, value in row.items() if value is not None] in ([], [columns[number]])
    for found in loaded.found.values():
        for number, values in found.items():
            assert [name for name, value in values.items() if value.text is not None] in ([], [columns[number]])


@pytest.mark.parametrize("name", TYPES)
def test_every_type_has_its_edges(name: str) -> None:
    assert any(sql_type.name == name for sql_type in TYPES_OF_COLUMNS.values())


def test_all_documents_are_accounted_for_and_rejected_ones_leave_nothing(loaded: Loaded) -> None:
    assert sorted(loaded.outcomes) == [case.number for case in CASES]
    for group in GROUPS:
        numbers = {
            case.number
            for case in CASES
            if GROUP_OF[case.column] == group and loaded.outcomes[case.number].status is Status.LOADED
        }
        for mode in MODES:
            assert set(loaded.read[f"{group}_{mode}"]) == set(loaded.found[f"{group}_{mode}"]) == numbers
