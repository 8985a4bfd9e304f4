"""What the program does with servers whose functions return other values than those of SQL Server."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.database.demo_tables import NOTES, ORDERS
from xml_extractor.connections import DatabaseError, ErrorClass
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.values.sqltypes import Family, parse_type

pytest.importorskip("pyodbc", reason="pyodbc cannot be loaded: unixODBC is missing", exc_type=ImportError)
probes = pytest.importorskip("xml_extractor.targets.sqlserver.knowledge", exc_type=ImportError)
statements = pytest.importorskip("xml_extractor.targets.sqlserver.statements", exc_type=ImportError)

Results = list[list[tuple[Any, ...]]]


class Server:
    """A connection to a server that answers like SQL Server, but for what `change` does with the results."""

    def __init__(self, change: Callable[[Results], Results] = lambda results: results) -> None:
        self.change = change
        self.statements: list[str] = []

    def results(self, statement: str, values: Sequence[Any], _types: Sequence[Any]) -> Results:
        self.statements.append(statement)
        if "OPENJSON" not in statement:
            # What CONVERT(varchar(34), ..., 121) writes of the texts that are bound.
            return self.change([[tuple(value.replace("T", " ") if _is_time(value) else value for value in values)]])
        samples = tuple(_as_read(name, value) for name, value in probes.SAMPLES)
        nested = [("0", "1", 1, "€"), ("1", "0", 2, "[]"), ("1", "0", 3, None)]
        return self.change([[(probes._ANY_TEXT,)], [samples], nested])


def _is_time(value: object) -> bool:
    return isinstance(value, str) and value[:4] == "2026"


def _as_read(name: str, value: Any) -> Any:
    if name.endswith("(7)"):
        text = str(value.isoformat(*([] if name.startswith("time") else [" "]))) + "0"
        return f"{text[:-7]} {text[-7:-1]}" if "offset" in name else text
    return value


def with_sample(name: str, value: object) -> Callable[[Results], Results]:
    position = [sample for sample, _ in probes.SAMPLES].index(name)

    def change(results: Results) -> Results:
        text, [row], nested = results
        return [text, [(*row[:position], value, *row[position + 1 :])], nested]

    return change


def table_of(*types: str) -> TableLayout:
    columns = tuple(ColumnLayout(f"c{number}", parse_type(name)) for number, name in enumerate(types))
    return TableLayout("t", "t", columns, (), (), (), "fail")


def test_a_server_that_returns_what_was_sent_gets_everything_as_json() -> None:
    server = Server()
    support = probes.json_support(server)
    assert (support.any_text, support.nested) == (True, True)
    assert support.families == set(Family)
    assert len(server.statements) == 1
    assert support.carries(ORDERS)
    assert support.carries(NOTES)


@pytest.mark.parametrize(
    ("sample", "value", "types"),
    [
        ("varbinary(16)", bytes(range(240, 256)).hex().encode()[:16], ["varbinary(16)", "image", "binary(4)"]),
        ("varbinary(max)", None, ["varbinary(max)"]),
        ("decimal(28,9)", 0, ["decimal(5,2)"]),
        ("float", 0.3, ["float", "real"]),
        ("date", None, ["date"]),
        ("datetime", None, ["datetime2(3)", "smalldatetime"]),
        ("datetime2(7)", "2026-03-25 09:30:59.1234570", ["datetime2(7)"]),
        ("time(7)", "09:30:59.0000000", ["time(0)"]),
        ("nvarchar(20)", "?", ["varchar(5)", "nvarchar(max)"]),
        ("xml", "<a><b>Ünï€ 𝄞</b></a>", ["xml"]),
    ],
)
def test_types_that_arrive_changed_are_not_sent_as_json(sample: str, value: object, types: list[str]) -> None:
    support = probes.json_support(Server(with_sample(sample, value)))
    for name in types:
        assert not support.carries(table_of("int", name)), name
    assert support.carries(table_of("int", "bit", "money"))


@pytest.mark.parametrize(
    "nested", [[], [("0", "1", 1, "?"), ("1", "0", 2, "[]"), ("1", "0", 3, None)], [("1", "0", 2, "[]")]]
)
def test_arrays_within_arrays_that_arrive_changed_are_known(nested: list[tuple[Any, ...]]) -> None:
    support = probes.json_support(Server(lambda results: [*results[:2], nested]))
    assert (support.nested, support.carries(ORDERS)) == (False, True)


def test_a_server_that_knows_no_json_gets_none() -> None:
    def fail(_results: Results) -> Results:
        raise DatabaseError(ErrorClass.FATAL, "error_208", "a table is missing: OPENJSON")

    support = probes.json_support(Server(fail))
    assert support == (False, frozenset(), False)
    assert not support.carries(table_of("int"))


def test_a_connection_that_is_lost_meanwhile_is_no_answer() -> None:
    def fail(_results: Results) -> Results:
        raise DatabaseError(ErrorClass.TRANSIENT, "connection_lost", "the connection was lost")

    with pytest.raises(DatabaseError):
        probes.json_support(Server(fail))


def test_conversions_of_the_columns_types_are_asked_for_once() -> None:
    server = Server()
    types = ("int", "datetime2(7)", "time(3)", "datetimeoffset(0)", "datetime2(7)", "xml", "nvarchar(9)")
    assert probes.conversion_differences(server, [table_of("int", "bit")]) == []
    assert server.statements == []
    statement_of = statements.parameter(parse_type("xml")).place
    assert statement_of == "CONVERT(xml, ?, 1)"
    probes.conversion_differences(server, [table_of(*types), table_of("time(3)")])
    (statement,) = server.statements
    assert statement.count("?") == 4


def test_a_column_whose_values_the_server_changes_is_an_error() -> None:
    server = Server(lambda _results: [[("<a><b>Ünï€ 𝄞</b></a>",)]])
    (difference,) = probes.conversion_differences(server, [table_of("int", "xml")])
    assert (difference.severity, difference.table, difference.column) == ("error", "t", "c1")
    assert "converts text to xml" in difference.needed
