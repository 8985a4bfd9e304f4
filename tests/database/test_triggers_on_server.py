"""Triggers of the target's tables: a refused row costs its document, and nothing else is lost or stays."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests import sqlserver
from tests.database.binding import insert_rows
from tests.database.demo_tables import CONTRACT, LINES, NOTES, TABLES, loader_of, order, order_ids
from tests.database.server_differences import LOSES_NAMES
from xml_extractor.connections import DatabaseError
from xml_extractor.documents import MappedDocument, Status
from xml_extractor.errors import TargetError
from xml_extractor.targets.interfaces import TargetConnection
from xml_extractor.targets.registry import open_target

pytestmark = pytest.mark.mssql

SIZE = 7
BAD = "refuse me"
LONG = "x" * 5000

REFUSING = f"IF EXISTS (SELECT 1 FROM inserted WHERE article = '{BAD}') RAISERROR('refused', 16, 1)"
ROLLING_BACK = (
    f"IF EXISTS (SELECT 1 FROM inserted WHERE article = '{BAD}') "
    "BEGIN ROLLBACK TRANSACTION; RAISERROR('refused', 16, 1) END"
)
DIVIDING = f"DECLARE @n int = 1 / (SELECT MIN(CASE WHEN article = '{BAD}' THEN 0 ELSE 1 END) FROM inserted)"
BROKEN = "break me"
BREAKING = f"{REFUSING}; IF EXISTS (SELECT 1 FROM inserted WHERE article = '{BROKEN}') INSERT INTO missing VALUES (1)"
SELECTING = "SELECT * FROM inserted"
COUNTING = "SET NOCOUNT OFF; UPDATE {schema}.demo_notes SET text = text WHERE 1 = 0"
PRINTING = "PRINT 'a row was inserted'"


@pytest.fixture
def schema() -> Iterator[str]:
    """A schema with the demo tables."""
    with sqlserver.scratch_schema() as name:
        open_target(sqlserver.in_schema(name), CONTRACT).create(TABLES)
        yield name


@pytest.fixture
def connection(schema: str) -> Iterator[TargetConnection]:
    with closing(open_target(sqlserver.in_schema(schema), CONTRACT).connect()) as opened:
        yield opened


def add_trigger(schema: str, body: str, table: str = "demo_lines") -> None:
    statement = f"CREATE TRIGGER {schema}.watch_{table} ON {schema}.{table} AFTER INSERT AS BEGIN {body} END"
    sqlserver.administrator().execute(statement.format(schema=schema)).close()


def documents(*bad: int) -> list[MappedDocument]:
    return [order(number, lines=1, article=BAD if number in bad else "pen") for number in range(SIZE)]


def rejected(outcomes: object) -> dict[int | str, str]:
    assert isinstance(outcomes, list)
    return {outcome.key: outcome.failure.code for outcome in outcomes if outcome.failure is not None}


@pytest.mark.parametrize("bad", [0, 3, SIZE - 1])
@pytest.mark.parametrize("body", [REFUSING, ROLLING_BACK, DIVIDING], ids=["refuses", "rolls back", "divides by zero"])
def test_a_row_that_a_trigger_refuses_costs_its_document_only(
    schema: str, connection: TargetConnection, body: str, bad: int
) -> None:
    add_trigger(schema, body)
    outcomes = loader_of(connection).load(documents(bad))
    assert rejected(outcomes) == {bad: "constraint"}
    good = [number for number in range(SIZE) if number != bad]
    assert order_ids(connection) == good
    assert sorted(int(str(row[0])) for row in connection.read_rows(LINES)) == good


@pytest.mark.parametrize("bad", range(4))
def test_rows_behind_one_whose_trigger_rolls_back_are_not_committed_by_themselves(
    schema: str, connection: TargetConnection, bad: int
) -> None:
    add_trigger(schema, ROLLING_BACK)
    rows = [(number, 1, BAD if number == bad else "pen") for number in range(4)]
    with connection.transaction():
        insert_rows(connection, TABLES[0], [(number, "Ada") for number in range(4)])
    with pytest.raises(DatabaseError), connection.transaction():
        insert_rows(connection, LINES, rows)
    assert list(connection.read_rows(LINES)) == []


def test_an_error_that_no_document_causes_ends_the_run_with_its_reason_after_rejects_too(
    schema: str, connection: TargetConnection
) -> None:
    add_trigger(schema, BREAKING)
    loader = loader_of(connection)
    assert rejected(loader.load(documents(3))) == {3: "constraint"}
    with pytest.raises(
        TargetError, match="a table is missing" if sqlserver.is_sql_server() else "it rejects a statement"
    ):
        loader.load([order(number + SIZE, lines=1, article=BROKEN) for number in range(SIZE)])
    assert order_ids(connection) == [number for number in range(SIZE) if number != 3]


@pytest.mark.parametrize("text", ["short", LONG], ids=["in place", "at execution"])
@pytest.mark.parametrize("bad", [0, 1, SIZE - 1])
@pytest.mark.parametrize("body", [SELECTING, COUNTING], ids=["selects", "counts"])
def test_no_error_is_lost_behind_the_results_of_a_trigger(
    schema: str, connection: TargetConnection, body: str, bad: int, text: str
) -> None:
    if LOSES_NAMES and text is LONG and bad < SIZE - 1 and not sqlserver.is_sql_server():
        pytest.skip("the server loses the names of tables after several refused arrays with long texts")
    add_trigger(schema, body, "demo_notes")
    loaded = [order(number, lines=0) for number in range(SIZE)]
    loaded = [
        document._replace(rows=(document.rows[0], (), ((99 if document.key == bad else document.key, text),)))
        for document in loaded
    ]
    outcomes = loader_of(connection).load(loaded)
    assert rejected(outcomes) == {bad: "missing_parent"}
    good = [number for number in range(SIZE) if number != bad]
    assert sorted(connection.read_rows(NOTES)) == [(number, text) for number in good]


@pytest.mark.parametrize("body", [SELECTING, COUNTING, PRINTING], ids=["selects", "counts", "prints"])
def test_what_a_trigger_says_disturbs_no_load(schema: str, connection: TargetConnection, body: str) -> None:
    for table in ("demo_orders", "demo_lines", "demo_notes"):
        add_trigger(schema, body, table)
    outcomes = loader_of(connection).load(documents())
    assert {outcome.status for outcome in outcomes} == {Status.LOADED}
    assert order_ids(connection) == list(range(SIZE))


def test_an_error_that_a_message_of_a_trigger_hides_ends_the_run_and_reports_why(
    schema: str, connection: TargetConnection
) -> None:
    add_trigger(schema, PRINTING)
    with pytest.raises(TargetError) as ended:
        loader_of(connection).load(
            [order(number, lines=1, article="pen" if number < 3 else None) for number in range(4)]
        )
    assert "PRINT" in ended.value.tip
    assert order_ids(connection) == []
