"""Rows given to the loader: every value of every type comes back as it went in, whatever else goes with it."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from itertools import count, cycle, islice

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.database.binding import bound
from tests.database.demo_tables import CONTRACT
from tests.database.independent import canonical
from tests.database.known_values import VALUES, any_of
from tests.database.server_differences import as_kept_elsewhere, is_kept_elsewhere
from tests.sqlserver import is_sql_server
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import MappedDocument, Outcome, Row, Status, Value
from xml_extractor.targets.interfaces import TargetConnection
from xml_extractor.targets.loader import Loader, LogIdentity
from xml_extractor.targets.registry import open_target
from xml_extractor.values.sqltypes import TYPES, Family, parse_type

SIZES = [1, 2, 500, 501]
FRACTIONS = [f"{name}({scale})" for name in ("time", "datetime2", "datetimeoffset") for scale in range(8)]
DRAWN = list(dict.fromkeys([*VALUES, *FRACTIONS]))
ROW_NO = ColumnLayout("row_no", parse_type("int"), required=True)


def table_of(type_name: str) -> TableLayout:
    name = "".join(character if character.isalnum() else "_" for character in f"values_{type_name}")
    column = ColumnLayout("value", parse_type(type_name))
    return TableLayout(name, name, (ROW_NO, column), (), ("row_no",), (), "fail")


TABLES = {type_name: table_of(type_name) for type_name in DRAWN}
ALL_TYPES = TableLayout(
    "all_types",
    "values_all_types",
    (ROW_NO, *(ColumnLayout(f"c{number}", parse_type(name)) for number, name in enumerate(VALUES))),
    (),
    (),
    (),
    "fail",
)


class Shelf:
    """A target with a table for each type. Documents and rows get a new number each, so nothing has to be deleted."""

    def __init__(self, connection: TargetConnection, *, on_server: bool) -> None:
        self.connection = connection
        self.on_server = on_server
        self._documents = count(1)
        self._rows = count(1)

    def load(self, table: TableLayout, *documents: Sequence[Row]) -> list[Outcome]:
        """Load documents, given by their rows, in one batch."""
        loader = Loader(self.connection, [table], LogIdentity("values", 1, "", "run"))
        mapped = [MappedDocument(next(self._documents), (tuple(rows),), "", 0.0) for rows in documents]
        return loader.load([bound(self.connection, [table], document) for document in mapped])

    def through(self, table: TableLayout, values: Sequence[Value]) -> list[Value]:
        """The values as they are read, after they have been loaded as one document."""
        rows = [(next(self._rows), value) for value in values]
        (outcome,) = self.load(table, rows)
        assert (outcome.status, outcome.rows) == (Status.LOADED, (len(values),))
        read = {row[0]: row[1] for row in self.connection.read_rows(table)}
        return [read[number] for number, _ in rows]

    def beside_good_ones(self, table: TableLayout, good: Value, value: Value, position: int) -> list[str]:
        """Load a value as one of three documents; says the codes of their rejections, and sees that the others stay."""
        documents = [[(next(self._rows), value if number == position else good)] for number in range(3)]
        outcomes = self.load(table, *documents)
        read = list(self.connection.read_rows(table))
        for (row,), outcome in zip(documents, outcomes, strict=True):
            assert (row[0] in [there[0] for there in read]) == (outcome.status is Status.LOADED)
        return [outcome.failure.code if outcome.failure else "" for outcome in outcomes]


@pytest.fixture(scope="module")
def shelf(shared_address: str) -> Iterator[Shelf]:
    target = open_target(shared_address, CONTRACT)
    tables = [*TABLES.values(), ALL_TYPES]
    target.create(tables)
    target.prepare(tables)
    with closing(target.connect()) as connection:
        yield Shelf(connection, on_server=shared_address.startswith("mssql"))


def assert_equal(shelf: Shelf, read: Sequence[Value], values: Sequence[Value], type_name: str) -> None:
    """As lists are equal, and besides in the Python types and in the offsets of zones."""
    is_xml = parse_type(type_name).family is Family.XML
    is_microsofts = not shelf.on_server or is_sql_server()
    for found, value in zip(read, values if is_microsofts else map(as_kept_elsewhere, values), strict=True):
        assert (canonical(str(found)) if is_xml else found) == (canonical(str(value)) if is_xml else value)
        assert type(found) is type(value)
        if isinstance(value, datetime) and isinstance(found, datetime):
            assert found.utcoffset() == value.utcoffset()


@pytest.mark.parametrize("type_name", VALUES)
def test_a_row_that_is_alone_in_its_call_comes_back(shelf: Shelf, type_name: str) -> None:
    for value in (*VALUES[type_name], None):
        assert_equal(shelf, shelf.through(TABLES[type_name], [value]), [value], type_name)


@pytest.mark.parametrize("type_name", VALUES)
def test_null_and_values_can_follow_each_other_in_one_call(shelf: Shelf, type_name: str) -> None:
    values: list[Value] = [None, *VALUES[type_name], None, None, *reversed(VALUES[type_name])]
    assert_equal(shelf, shelf.through(TABLES[type_name], values), values, type_name)
    assert_equal(shelf, shelf.through(TABLES[type_name], values[1:]), values[1:], type_name)


@pytest.mark.parametrize("type_name", DRAWN)
def test_any_values_come_back_from_calls_of_any_size(shelf: Shelf, type_name: str) -> None:
    @settings(max_examples=20, derandomize=True, deadline=None, database=None)
    @given(st.lists(any_of(parse_type(type_name)), min_size=1, max_size=20), st.sampled_from(SIZES))
    def check(drawn: list[Value], size: int) -> None:
        if shelf.on_server and not is_sql_server():
            drawn = [value for value in drawn if is_kept_elsewhere(value)]
            assume(drawn)
        values = list(islice(cycle(drawn), size))
        assert_equal(shelf, shelf.through(TABLES[type_name], values), values, type_name)

    check()


@pytest.mark.parametrize("name", TYPES)
def test_no_type_is_left_out(name: str) -> None:
    assert any(parse_type(type_name).name == name for type_name in VALUES)


@pytest.mark.parametrize(
    ("type_name", "value", "text"),
    [
        ("decimal(12,2)", Decimal("7.00"), "7.00"),
        ("decimal(12,2)", Decimal("0.10"), "0.10"),
        ("decimal(38,10)", Decimal("-0E-10"), "0E-10"),
        ("decimal(38,18)", Decimal(1), "1.000000000000000000"),
        ("money", Decimal(5), "5.0000"),
    ],
)
def test_decimals_come_back_with_the_scale_of_their_type(shelf: Shelf, type_name: str, value: Value, text: str) -> None:
    assert str(shelf.through(TABLES[type_name], [value])[0]) == text


def test_a_row_of_all_types_comes_back_as_it_went_in(shelf: Shelf) -> None:
    full: Row = tuple(values[0] for values in VALUES.values())
    empty: Row = (None,) * len(VALUES)
    rows = [(number, *row) for number, row in enumerate((empty, full, empty, full, full))]
    shelf.load(ALL_TYPES, rows)
    for read, row in zip(sorted(shelf.connection.read_rows(ALL_TYPES), key=lambda row: str(row[0])), rows, strict=True):
        for type_name, found, value in zip(("int", *VALUES), read, row, strict=True):
            assert_equal(shelf, [found], [value], type_name)


@pytest.mark.parametrize("zero", ["0", "0E-38", "-0"])
def test_zero_is_a_number_of_any_number_of_decimals(shelf: Shelf, zero: str) -> None:
    (found,) = shelf.through(TABLES["decimal(38,38)"], [Decimal(zero)])
    assert found == 0


@pytest.mark.parametrize("type_name", ["nvarchar(40)", "nvarchar(max)", "varchar(40)"])
@pytest.mark.parametrize("text", ["\0", "a\0b", "a\0"])
def test_a_nul_character_is_text_like_any_other(shelf: Shelf, type_name: str, text: str) -> None:
    if shelf.on_server and not is_sql_server():
        pytest.skip("this server is no SQL Server and has no NUL in text")
    assert shelf.through(TABLES[type_name], [text, "after"]) == [text, "after"]


UNFIT: list[tuple[str, Value, str]] = [
    ("nvarchar(40)", "\ud800", "wrong_type"),
    ("nvarchar(max)", "x" * 5000 + "\udfff", "wrong_type"),
    ("bigint", 2**63, "overflow"),
]
UNFIT_FOR_A_SERVER: list[tuple[str, Value, str]] = [
    ("int", 2**31, "overflow"),
    ("tinyint", -1, "overflow"),
    ("nvarchar(40)", "x" * 41, "too_long"),
    ("nvarchar(40)", "😀" * 20 + "x", "too_long"),
    ("varchar(8000)", "x" * 8001, "too_long"),
    ("varbinary(8)", b"123456789", "too_long"),
    ("decimal(12,2)", Decimal("0.001"), "overflow"),
    ("datetime", datetime(1752, 12, 31), "wrong_type"),  # noqa: DTZ001 - it has no zone
]


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize(
    ("type_name", "value", "code"), [*UNFIT, *UNFIT_FOR_A_SERVER], ids=lambda part: ascii(part)[:20]
)
def test_a_value_that_no_conversion_should_let_through_costs_its_document(
    shelf: Shelf, type_name: str, value: Value, code: str, position: int
) -> None:
    if not shelf.on_server and (type_name, value, code) in UNFIT_FOR_A_SERVER:
        pytest.skip("SQLite has no such limit")
    codes = shelf.beside_good_ones(TABLES[type_name], VALUES[type_name][0], value, position)
    assert codes == [code if number == position else "" for number in range(3)]
