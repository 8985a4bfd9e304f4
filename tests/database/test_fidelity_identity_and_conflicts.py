"""Rows whose key is there already, and columns that the database would number: what stays, for keys of every type."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import count, product
from typing import Literal

import pytest

from tests import sqlserver
from tests.database.binding import bind, bound, insert_rows
from tests.database.demo_tables import CONTRACT
from tests.database.known_values import VALUES
from tests.database.server_differences import NOT_FOUND_AGAIN, as_kept_elsewhere, is_kept_elsewhere
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import MappedDocument, Row, Value
from xml_extractor.targets.interfaces import TargetConnection
from xml_extractor.targets.loader import Loader, LogIdentity
from xml_extractor.targets.registry import open_target
from xml_extractor.targets.shared_rows import disagreeing
from xml_extractor.values.sqltypes import Family, parse_type

OnConflict = Literal["fail", "keep", "replace"]

MODES: list[OnConflict] = ["fail", "keep", "replace"]
NEVER_KEYS = ("text", "ntext", "image", "xml")
LONGEST_KEY_BYTES = 900
KEY_TYPES = [
    name
    for name in VALUES
    if name not in NEVER_KEYS and "max" not in name and parse_type(name).length * 2 <= LONGEST_KEY_BYTES
]
OTHERS = ("int", "varchar(40)", "nvarchar(max)", "varbinary(max)", "decimal(38,10)", "time(3)", "datetimeoffset(7)")


def name_of(*parts: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in "_".join(parts))


def keyed(type_name: str, mode: OnConflict) -> TableLayout:
    columns = (ColumnLayout("k", parse_type(type_name), required=True), ColumnLayout("v", parse_type("nvarchar(40)")))
    name = name_of("key", type_name, mode)
    return TableLayout(name, name, columns, (), ("k",), (), mode)


def wide(mode: OnConflict) -> TableLayout:
    keys = (ColumnLayout("k", parse_type("int"), required=True), ColumnLayout("l", parse_type("nvarchar(5)"), True))
    others = tuple(ColumnLayout(f"c{number}", parse_type(name)) for number, name in enumerate(OTHERS))
    # A key that is not in front: statements name the columns in another order than rows have them.
    columns = (others[0], keys[0], *others[1:-1], keys[1], others[-1])
    return TableLayout(f"wide_{mode}", f"wide_{mode}", columns, (), ("k", "l"), (), mode)


def numbered(name: str, mode: OnConflict = "fail", type_name: str = "int") -> TableLayout:
    number = ColumnLayout("n", parse_type(type_name), required=True, identity=True)
    return TableLayout(name, name, (number, ColumnLayout("v", parse_type("nvarchar(40)"))), (), ("n",), (), mode)


def by_the_database(table: TableLayout) -> TableLayout:
    """The same table, for documents that leave its numbers to the database."""
    number, *others = table.columns
    return replace(table, columns=tuple(others), generated=(replace(number, identity=False, generated=True),), key=())


KEYED = {(name, mode): keyed(name, mode) for name, mode in product(KEY_TYPES, MODES)}
WIDE = {mode: wide(mode) for mode in MODES}
FIRST, SECOND = numbered("first"), numbered("second", type_name="decimal(18,0)")
THIRD, FOURTH = numbered("third"), numbered("fourth", "keep")
NUMBERED = {mode: numbered(f"numbered_{mode}", mode) for mode in MODES}
TABLES = [*KEYED.values(), *WIDE.values(), FIRST, SECOND, THIRD, FOURTH, *NUMBERED.values()]


@pytest.fixture(scope="module")
def address(shared_address: str) -> str:
    """Of a target with all tables."""
    target = open_target(shared_address, CONTRACT)
    target.create(TABLES)
    target.prepare(TABLES)
    return shared_address


@pytest.fixture(scope="module")
def connection(address: str) -> Iterator[TargetConnection]:
    with closing(open_target(address, CONTRACT).connect()) as opened:
        yield opened


Load = Callable[..., list[str]]


@pytest.fixture(scope="module")
def load(connection: TargetConnection) -> Load:
    """Loads documents, given by their rows of each table, in one batch; says the codes of their rejections."""
    numbers = count(1)

    def load_documents(tables: Sequence[TableLayout], *documents: Sequence[Sequence[Row]]) -> list[str]:
        loader = Loader(connection, tables, LogIdentity("conflicts", 1, "", "run"))
        mapped = [MappedDocument(next(numbers), tuple(map(tuple, rows)), "", 0.0) for rows in documents]
        return [
            outcome.failure.code if outcome.failure else ""
            for outcome in loader.load([bound(connection, tables, each) for each in mapped])
        ]

    return load_documents


def rows_of(connection: TargetConnection, table: TableLayout) -> list[Row]:
    return sorted(connection.read_rows(table), key=repr)


def two_columns(connection: TargetConnection, table: TableLayout) -> list[tuple[Value, Value]]:
    return [(first, second) for first, second in connection.read_rows(table)]


def distinct(type_name: str) -> list[Value]:
    """Values that are different keys for SQL Server, under any collation."""
    match parse_type(type_name).family:
        case Family.TEXT if type_name.startswith("n"):
            return ["ab", "Größe"[: parse_type(type_name).length], "日本"]
        case Family.TEXT:
            return list({str(value).rstrip(): value for value in VALUES[type_name]}.values())
        case Family.BINARY:
            values = [value for value in VALUES[type_name] if isinstance(value, bytes)]
            return list({value.rstrip(b"\0"): value for value in values}.values())
        case _:
            return VALUES[type_name]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("type_name", KEY_TYPES)
def test_a_key_of_any_type_is_found_again(
    address: str, connection: TargetConnection, load: Load, type_name: str, mode: OnConflict
) -> None:
    table, keys, kept = KEYED[type_name, mode], distinct(type_name), distinct(type_name)
    if address.startswith("mssql") and not sqlserver.is_sql_server():
        if type_name in NOT_FOUND_AGAIN:
            pytest.skip("this server is no SQL Server and keeps other digits than it was sent")
        keys = list({as_kept_elsewhere(key): key for key in filter(is_kept_elsewhere, keys)}.values())
        kept = list(map(as_kept_elsewhere, keys))
    assert load([table], [[(key, "old") for key in keys]]) == [""]
    codes = load([table], *[[[(key, "new")]] for key in keys])
    assert codes == ["duplicate_key" if mode == "fail" else ""] * len(keys)
    assert dict(two_columns(connection, table)) == dict.fromkeys(kept, "new" if mode == "replace" else "old")
    if mode == "keep":
        rows = bind(connection, table, [(key, "new") for key in keys if key in kept])
        assert disagreeing(connection, [table], [[rows]], {(0, 0): len(rows)}) == {(0, 0): len(rows)}


FILLED: Row = (5, 1, "text", "long " * 2000, b"\0" * 9000, None, None, "k", datetime(2026, 3, 5).astimezone())


@pytest.mark.parametrize("mode", MODES)
def test_all_columns_of_a_row_are_kept_or_replaced_and_null_is_a_value(
    connection: TargetConnection, load: Load, mode: OnConflict
) -> None:
    table = WIDE[mode]
    empty: Row = (None, 1, None, None, None, None, None, "k", None)
    short: Row = (0, 1, "", "", b"", None, None, "k", None)
    left: dict[OnConflict, Row] = {"fail": FILLED, "keep": FILLED, "replace": empty}
    assert load([table], [[FILLED]]) == [""]
    assert load([table], [[empty]]) == ["duplicate_key" if mode == "fail" else ""]
    assert rows_of(connection, table) == [left[mode]]
    load([table], [[short]])
    assert rows_of(connection, table) == [short if mode == "replace" else FILLED]
    other: Row = (*FILLED[:7], "l", FILLED[8])
    codes = load([table], [[other, short]], [[other]])
    assert codes == ["duplicate_key" if mode == "fail" else "", ""]
    assert other in rows_of(connection, table)


@pytest.mark.parametrize(("mode", "left"), [("keep", "1"), ("replace", "5")])
def test_of_rows_with_one_key_in_a_call_the_first_or_the_last_stays(
    connection: TargetConnection, load: Load, mode: OnConflict, left: str
) -> None:
    table = KEYED["uniqueidentifier", mode]
    key = "00000000-0000-0000-0000-00000000000A"
    others = [f"00000000-0000-0000-0001-{number:012X}" for number in range(600)]
    rows: list[Row] = [(key, "1"), (key, "2"), *((other, "x") for other in others), (key, "3")]
    assert load([table], [rows], [[(key, "4")]], [[(key, "5")]]) == ["", "", ""]
    there = dict(two_columns(connection, table))
    assert there[key] == left
    assert all(there[other] == "x" for other in others)


@pytest.mark.parametrize("mode", ["keep", "replace"])
def test_long_values_behind_a_row_that_is_kept_or_replaced_are_all_sent(
    connection: TargetConnection, load: Load, mode: OnConflict
) -> None:
    table = WIDE[mode]

    def row(number: int, text: str) -> Row:
        return (number, number, None, text, text.encode(), None, None, "x", None)

    texts = ["y" * 20_000, "short", "", "z" * 4001]
    load([table], [[row(100 + number, "old") for number in (1, 3)]])
    rows = [row(100 + number, text) for number, text in enumerate(texts)]
    assert load([table], [rows]) == [""]
    there = {number: text for number, _, _, text, *_ in connection.read_rows(table)}
    old = {1, 3} if mode == "keep" else set()
    assert [there[100 + number] for number in range(4)] == ["old" if n in old else text for n, text in enumerate(texts)]


def test_numbers_of_documents_fill_identity_columns_of_several_tables_in_one_batch(
    connection: TargetConnection, load: Load
) -> None:
    numbers = [7, -1, 2**31 - 1, 0, 3]
    documents = [[[(number, f"a{number}")], [(number * 1000, f"b{number}")]] for number in numbers]
    assert load([FIRST, SECOND], *documents) == [""] * len(numbers)
    assert rows_of(connection, FIRST) == sorted([(number, f"a{number}") for number in numbers], key=repr)
    assert [(int(str(n)), v) for n, v in connection.read_rows(SECOND) if v == "b-1"] == [(-1000, "b-1")]
    assert load([SECOND, FIRST], [[(1, "b")], [(1, "a")]], [[(2, "b")], []], [[], [(2, "a")]]) == ["", "", ""]
    assert len(rows_of(connection, FIRST)) == len(rows_of(connection, SECOND)) == len(numbers) + 2


@pytest.mark.parametrize("mode", MODES)
def test_an_identity_column_may_be_the_key_that_is_kept_or_replaced(
    connection: TargetConnection, load: Load, mode: OnConflict
) -> None:
    table = NUMBERED[mode]
    load([table], [[(10, "old"), (11, "old")]])
    codes = load([table], [[(10, "new"), (12, "new")]], [[(13, "new")]])
    assert codes == ["duplicate_key" if mode == "fail" else "", ""]
    left: dict[OnConflict, list[Row]] = {
        "fail": [(10, "old"), (11, "old"), (13, "new")],
        "keep": [(10, "old"), (11, "old"), (12, "new"), (13, "new")],
        "replace": [(10, "new"), (11, "old"), (12, "new"), (13, "new")],
    }
    assert rows_of(connection, table) == left[mode]


def test_the_database_numbers_rows_again_when_documents_do_not(connection: TargetConnection, load: Load) -> None:
    def number_all() -> None:
        for table in (FOURTH, THIRD):
            known = {number for number, _ in two_columns(connection, table)}
            with connection.transaction():
                insert_rows(connection, by_the_database(table), [("numbered by the database",)])
            (made,) = {number for number, _ in two_columns(connection, table)} - known
            assert isinstance(made, int)

    number_all()
    assert load([THIRD, FOURTH], [[(401, "x")], [(501, "x")]]) == [""]
    number_all()
    assert load([THIRD, FOURTH], [[(450, "x")], [(550, "x")]], [[(450, "y")], []]) == ["", "duplicate_key"]
    number_all()


CYRILLIC = "CREATE TABLE {schema}.cyrillic_{mode} (k varchar(9) COLLATE {name} NOT NULL PRIMARY KEY, {others})"
CYRILLIC_OTHERS = "v varchar(9) COLLATE {name}, w varchar(max) COLLATE {name}"


@pytest.mark.mssql
@pytest.mark.parametrize("mode", MODES)
def test_text_goes_into_the_code_page_of_its_column_whatever_that_of_the_database_is(
    address: str, connection: TargetConnection, mode: OnConflict
) -> None:
    if not address.startswith("mssql"):
        pytest.skip("SQLite has no code pages")
    schema = sqlserver.schema_of(address)
    name = "Cyrillic_General_CI_AS"
    others = CYRILLIC_OTHERS.format(name=name)
    sqlserver.administrator().execute(CYRILLIC.format(schema=schema, mode=mode, name=name, others=others)).close()
    types = {"k": "varchar(9)", "v": "varchar(9)", "w": "varchar(max)"}
    columns = tuple(ColumnLayout(column, parse_type(type_name)) for column, type_name in types.items())
    table = TableLayout("cyrillic", f"cyrillic_{mode}", columns, (), ("k",), (), mode)
    with connection.transaction():
        insert_rows(connection, table, [("ж", "щ", "ё" * 9000), ("й", "ъ", "ы")])
    assert sorted(connection.read_rows(table)) == [("ж", "щ", "ё" * 9000), ("й", "ъ", "ы")]
    if mode != "fail":
        with connection.transaction():
            insert_rows(connection, table, [("ж", "новое", "э"), ("ю", "я", "")])
        left = ("ж", "новое", "э") if mode == "replace" else ("ж", "щ", "ё" * 9000)
        assert sorted(connection.read_rows(table)) == [left, ("й", "ъ", "ы"), ("ю", "я", "")]
