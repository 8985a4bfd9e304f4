"""Every kind of difference between the tables that a contract needs and those that are there."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.database.demo_tables import LINES, NOTES, ORDERS, TABLES
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Value
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import LOG_TABLE
from xml_extractor.schema.comparison import differences, raise_errors
from xml_extractor.schema.model import ActualColumn, ActualForeignKey, ActualTable, Difference, Severity
from xml_extractor.values.sqltypes import SqlType, parse_type

STATE = ColumnLayout("state", parse_type("tinyint"), constants=(1, 2, 3))
TO_STATES = ActualForeignKey(("state",), "dbo", "states", ("id",))


def column(needed: ColumnLayout) -> ActualColumn:
    """A column that is as needed."""
    return ActualColumn(
        needed.name,
        needed.type,
        str(needed.type),
        nullable=not needed.required,
        identity=needed.identity or needed.generated,
        code_page=1252 if needed.type.name in ("char", "varchar", "text") else None,
    )


def made(layout: TableLayout) -> ActualTable:
    """A table that is as needed."""
    tables = {table.name: table.table for table in (*TABLES, layout)}
    return ActualTable(
        layout.table,
        tuple(column(needed) for needed in (*layout.columns, *layout.generated)),
        key=layout.key,
        foreign_keys=tuple(
            ActualForeignKey(key.columns, "dbo", tables[key.table], key.references) for key in layout.foreign_keys
        ),
        schema="dbo",
    )


def with_column(table: ActualTable, column_name: str, /, **changes: Any) -> ActualTable:
    """The table with a column that is different, or with one more."""
    if column_name not in {there.name for there in table.columns}:
        return replace(table, columns=(*table.columns, replace(ActualColumn(column_name), **changes)))
    columns = tuple(replace(there, **changes) if there.name == column_name else there for there in table.columns)
    return replace(table, columns=columns)


def without_column(table: ActualTable, name: str) -> ActualTable:
    return replace(table, columns=tuple(there for there in table.columns if there.name != name))


def typed(type_name: str, **changes: Any) -> dict[str, Any]:
    """A column of another type."""
    return {"type": parse_type(type_name), "declared": type_name, **changes}


def compare(
    layouts: Sequence[TableLayout],
    *actual: ActualTable,
    code_page: str = "cp1252",
    lacking: Sequence[Value] | None = (),
) -> list[Difference]:
    """Compare with the tables that are there, and else with tables as needed."""

    def missing_codes(_key: ActualForeignKey, _type: SqlType, codes: Sequence[Value]) -> Sequence[Value] | None:
        return None if lacking is None else [code for code in codes if code in lacking]

    there = {layout.table: made(layout) for layout in layouts} | {table.name: table for table in actual}
    return differences(layouts, there, dialect_name="mssql", code_page=code_page, missing_codes=missing_codes)


def sentences(found: Sequence[Difference]) -> list[str]:
    return [str(difference) for difference in found]


DIFFERENT: list[tuple[str, TableLayout, ActualTable, str]] = [
    (
        "a column is missing",
        ORDERS,
        without_column(made(ORDERS), "customer"),
        (
            "error: orders.customer in dbo.demo_orders: expected a column of type nvarchar(40), found none; "
            "ALTER TABLE dbo.demo_orders ADD customer nvarchar(40) NULL"
        ),
    ),
    (
        "a column that the database should number is missing",
        NOTES,
        without_column(made(NOTES), "note_id"),
        (
            "error: notes.note_id in dbo.demo_notes: expected an IDENTITY column of type bigint, found none; "
            "ALTER TABLE dbo.demo_notes ADD note_id bigint NOT NULL IDENTITY"
        ),
    ),
    (
        "a column is too short",
        LINES,
        with_column(made(LINES), "article", **typed("varchar(10)", nullable=False)),
        (
            "error: lines.article in dbo.demo_lines: expected varchar(20), found varchar(10), which is shorter; "
            "ALTER TABLE dbo.demo_lines ALTER COLUMN article varchar(20) NOT NULL, "
            "or set `type: varchar(10)` in the contract"
        ),
    ),
    (
        "a column takes values of another kind",
        ORDERS,
        with_column(made(ORDERS), "order_id", **typed("date")),
        (
            "error: orders.order_id in dbo.demo_orders: expected int, found date, which holds another kind of values; "
            "ALTER TABLE dbo.demo_orders ALTER COLUMN order_id int NOT NULL, or set `type: date` in the contract"
        ),
    ),
    (
        "a column fills values up",
        LINES,
        with_column(made(LINES), "article", **typed("char(20)")),
        (
            "warning: lines.article in dbo.demo_lines: expected varchar(20), found char(20), "
            "which pads values with spaces; ALTER TABLE dbo.demo_lines ALTER COLUMN article varchar(20) NOT NULL, "
            "or set `type: char(20)` in the contract"
        ),
    ),
    (
        "a column has a type that no contract names",
        ORDERS,
        with_column(made(ORDERS), "customer", type=None, declared="sql_variant"),
        (
            "warning: orders.customer in dbo.demo_orders: expected nvarchar(40), found sql_variant, a type that cannot "
            "be compared; test with a few documents whether it takes the values"
        ),
    ),
    (
        "a column refuses the NULL that documents may have",
        ORDERS,
        with_column(made(ORDERS), "customer", nullable=False),
        (
            "warning: orders.customer in dbo.demo_orders: expected a nullable column, found NOT NULL, so "
            "documents without a value are rejected; set `required: true` or a `default` in the contract, or "
            "ALTER TABLE dbo.demo_orders ALTER COLUMN customer nvarchar(40) NULL"
        ),
    ),
    (
        "a column that nothing fills must have a value",
        ORDERS,
        with_column(made(ORDERS), "region", **typed("char(2)", nullable=False)),
        (
            "error: orders.region in dbo.demo_orders: expected a column that can be omitted, found char(2) NOT NULL "
            "without a default; fill it in the contract, or add a default in the database"
        ),
    ),
    (
        "a column that the contract fills is numbered by the database",
        ORDERS,
        with_column(made(ORDERS), "order_id", identity=True),
        (
            "error: orders.order_id in dbo.demo_orders: expected a column that the contract can fill, found IDENTITY; "
            "set `identity: true` in the contract; or, unless other tables take its value, let the database generate "
            "it with `generated: true`"
        ),
    ),
    (
        "a column that should be an IDENTITY is none",
        replace(ORDERS, columns=(replace(ORDERS.columns[0], identity=True), ORDERS.columns[1])),
        made(ORDERS),
        (
            "error: orders.order_id in dbo.demo_orders: expected an IDENTITY column, found a column without IDENTITY; "
            "remove `identity: true` from the contract"
        ),
    ),
    (
        "a generated column has nothing that fills it",
        NOTES,
        with_column(made(NOTES), "note_id", identity=False),
        (
            "error: notes.note_id in dbo.demo_notes: expected a column that the database fills, found bigint without "
            "IDENTITY or default; give it a value in the contract instead of `generated: true`"
        ),
    ),
    (
        "a computed column is filled",
        ORDERS,
        with_column(made(ORDERS), "customer", computed=True, declared="the computed column customer"),
        (
            "error: orders.customer in dbo.demo_orders: expected a writable column, found the computed "
            "column customer, which only the database writes; remove it from the contract"
        ),
    ),
    (
        "a rowversion is filled",
        ORDERS,
        with_column(made(ORDERS), "customer", type=None, computed=True, declared="rowversion"),
        (
            "error: orders.customer in dbo.demo_orders: expected a writable column, found rowversion, which "
            "only the database writes; remove it from the contract"
        ),
    ),
    (
        "a column has another code page",
        LINES,
        with_column(made(LINES), "article", code_page=1250),
        (
            "error: lines.article in dbo.demo_lines: expected the code page cp1252, found cp1250; set "
            "`code_page: cp1250` in the contract, or give the column a collation with the other code page"
        ),
    ),
    (
        "a column has the code page of UTF-8",
        LINES,
        with_column(made(LINES), "article", code_page=65001),
        (
            "error: lines.article in dbo.demo_lines: expected the code page cp1252, found utf-8; set "
            "`code_page: utf-8` in the contract, or give the column a collation with the other code page"
        ),
    ),
    (
        "a key is missing",
        LINES,
        replace(made(LINES), key=()),
        (
            "warning: lines in dbo.demo_lines: expected a primary key or unique index over (order_id, line_no) and no "
            "other column, found none; ALTER TABLE dbo.demo_lines ADD PRIMARY KEY (order_id, line_no)"
        ),
    ),
    (
        "a key is missing by which old rows should be kept",
        replace(LINES, on_conflict="keep"),
        replace(made(LINES), key=("order_id",), unique_keys=(("line_no", "order_id", "article"),)),
        (
            "error: lines in dbo.demo_lines: expected a primary key or unique index over (order_id, line_no) and no "
            "other column, found PRIMARY KEY (order_id), UNIQUE (line_no, order_id, article); "
            "CREATE UNIQUE INDEX ux_demo_lines_key ON dbo.demo_lines (order_id, line_no)"
        ),
    ),
    (
        "a unique index drops rows",
        LINES,
        replace(made(LINES), drops_duplicates=True),
        (
            "error: lines in dbo.demo_lines: expected unique indexes that reject duplicate rows, found one with "
            "IGNORE_DUP_KEY = ON, which drops them without an error; rebuild the index with IGNORE_DUP_KEY = OFF"
        ),
    ),
    (
        "a foreign key of the contract is missing",
        LINES,
        replace(made(LINES), foreign_keys=()),
        (
            "warning: lines in dbo.demo_lines: expected FOREIGN KEY (order_id) REFERENCES dbo.demo_orders (order_id), "
            "found none, so rows without a parent are accepted; "
            "ALTER TABLE dbo.demo_lines ADD FOREIGN KEY (order_id) REFERENCES dbo.demo_orders (order_id)"
        ),
    ),
    (
        "a table refers to one that is loaded later",
        ORDERS,
        replace(made(ORDERS), foreign_keys=(ActualForeignKey(("order_id",), "dbo", "demo_notes", ("order_id",)),)),
        (
            "error: orders.order_id in dbo.demo_orders: expected no reference to a table that is loaded later, found "
            "FOREIGN KEY (order_id) REFERENCES dbo.demo_notes; move table notes before table orders in the contract"
        ),
    ),
    (
        "a table is a view",
        NOTES,
        replace(made(NOTES), kind="view", key=(), foreign_keys=()),
        (
            "warning: notes in dbo.demo_notes: expected a table, found a view, whose keys, defaults and IDENTITY "
            "columns are not visible; compare the underlying table with the contract yourself"
        ),
    ),
    (
        "a table is in another database",
        NOTES,
        ActualTable("demo_notes", schema="dbo", kind="elsewhere"),
        (
            "warning: notes in dbo.demo_notes: expected a table, found a synonym for an object of another database; "
            "compare it with the contract yourself"
        ),
    ),
]


@pytest.mark.parametrize(
    ("layout", "actual", "sentence"), [case[1:] for case in DIFFERENT], ids=[case[0] for case in DIFFERENT]
)
def test_each_difference_says_where_what_and_what_to_do(
    layout: TableLayout, actual: ActualTable, sentence: str
) -> None:
    tables = [layout if table.name == layout.name else table for table in TABLES]
    assert sentences(compare(tables, actual)) == [sentence]


FITTING: list[tuple[str, TableLayout, ActualTable]] = [
    ("names in another case", ORDERS, with_column(made(ORDERS), "customer", name="Customer")),
    ("a wider type", ORDERS, with_column(made(ORDERS), "order_id", **typed("bigint"))),
    ("a column more that may be NULL", ORDERS, with_column(made(ORDERS), "region", **typed("char(2)"))),
    (
        "a column more with a default",
        ORDERS,
        with_column(made(ORDERS), "region", **typed("char(2)", nullable=False, has_default=True)),
    ),
    (
        "a column more that the database numbers",
        ORDERS,
        with_column(made(ORDERS), "row_id", **typed("int", nullable=False, identity=True)),
    ),
    (
        "a rowversion that the contract does not fill",
        ORDERS,
        with_column(made(ORDERS), "version", type=None, nullable=False, computed=True),
    ),
    ("a generated column with a default", NOTES, with_column(made(NOTES), "note_id", identity=False, has_default=True)),
    ("a generated column that is computed", NOTES, with_column(made(NOTES), "note_id", identity=False, computed=True)),
    ("a unique index for the key", LINES, replace(made(LINES), key=(), unique_keys=(("Line_No", "Order_Id"),))),
    (
        "a national column with another code page",
        LINES,
        with_column(made(LINES), "article", **typed("nvarchar(20)", code_page=1250)),
    ),
    (
        "a column that may not be NULL and never is",
        replace(ORDERS, columns=(ORDERS.columns[0], replace(ORDERS.columns[1], can_be_null=False))),
        with_column(made(ORDERS), "customer", nullable=False),
    ),
    (
        "dropped duplicates where old rows are kept",
        replace(LINES, on_conflict="keep"),
        replace(made(LINES), drops_duplicates=True),
    ),
    (
        "a reference to a later table by a column that the contract does not fill",
        ORDERS,
        replace(
            with_column(made(ORDERS), "last_note", **typed("bigint")),
            foreign_keys=(ActualForeignKey(("last_note",), "dbo", "demo_notes", ("note_id",)),),
        ),
    ),
    (
        "a reference to the table itself",
        ORDERS,
        replace(made(ORDERS), foreign_keys=(ActualForeignKey(("order_id",), "dbo", "demo_orders", ("order_id",)),)),
    ),
]


@pytest.mark.parametrize(("layout", "actual"), [case[1:] for case in FITTING], ids=[case[0] for case in FITTING])
def test_what_loads_as_well_is_no_difference(layout: TableLayout, actual: ActualTable) -> None:
    tables = [layout if table.name == layout.name else table for table in TABLES]
    assert compare(tables, actual) == []


def test_tables_as_needed_do_not_differ() -> None:
    assert compare((LOG_TABLE, *TABLES)) == []


def test_a_table_that_is_missing_is_an_error_where_no_run_makes_it() -> None:
    there = {table.table: made(table) for table in (ORDERS, NOTES)}
    assert sentences(differences(TABLES, there, dialect_name="mssql")) == [
        (
            "error: lines in demo_lines: expected a table, found none that this user can see; create it with "
            "`xml-extractor init`, or, if it exists, grant this user permissions on it"
        )
    ]
    assert sentences(differences(TABLES, there, dialect_name="sqlite")) == [
        "warning: lines in demo_lines: expected a table, found none; the next run creates it"
    ]


def test_children_of_a_missing_table_are_compared_all_the_same() -> None:
    there = {table.table: made(table) for table in (LINES, NOTES)}
    there["demo_lines"] = without_column(there["demo_lines"], "article")
    assert [(found.table, found.column) for found in differences(TABLES, there, dialect_name="mssql")] == [
        ("orders", ""),
        ("lines", "article"),
    ]


def test_all_differences_are_found_at_once_errors_first() -> None:
    notes = replace(made(NOTES), foreign_keys=())
    orders = without_column(with_column(made(ORDERS), "region", nullable=False, declared="int"), "customer")
    lines = with_column(made(LINES), "article", **typed("varchar(5)"), code_page=1251)
    assert [(found.severity, found.table, found.column) for found in compare(TABLES, notes, orders, lines)] == [
        (Severity.ERROR, "orders", "customer"),
        (Severity.ERROR, "orders", "region"),
        (Severity.ERROR, "lines", "article"),
        (Severity.ERROR, "lines", "article"),
        (Severity.WARNING, "notes", ""),
    ]


def test_names_are_quoted_in_remedies_where_they_must_be() -> None:
    layout = TableLayout("t", "Group", (ColumnLayout("order by", parse_type("int")),), (), (), (), "fail")
    (found,) = compare([layout], ActualTable("Group", schema="o'hara load"))
    assert found.database_table == "o'hara load.Group"
    assert found.remedy == "ALTER TABLE [o'hara load].[Group] ADD [order by] int NULL"


def test_code_pages_go_by_many_names_and_are_compared_only_if_known() -> None:
    assert compare(TABLES, code_page="windows-1252") == []
    lines = with_column(made(LINES), "article", code_page=65001)
    assert compare(TABLES, lines, code_page="UTF8") == []
    assert compare(TABLES, lines, code_page="") == []
    assert compare(TABLES, with_column(made(LINES), "article", code_page=None)) == []


def test_the_processing_log_must_have_its_key_and_may_have_any_code_page() -> None:
    log = with_column(made(LOG_TABLE), "status", code_page=1251)
    assert compare((LOG_TABLE, *TABLES), log) == []
    (found,) = compare((LOG_TABLE, *TABLES), replace(log, key=()))
    assert (found.severity, found.table) == (Severity.ERROR, "processing_log")
    assert found.needed == "a primary key or unique index over (contract, document_key) and no other column"


def with_state(key: ActualForeignKey = TO_STATES) -> tuple[TableLayout, ActualTable]:
    layout = replace(ORDERS, columns=(*ORDERS.columns, STATE))
    return layout, replace(made(layout), foreign_keys=(key,))


def test_codes_that_a_lookup_table_lacks_are_named() -> None:
    layout, actual = with_state()
    assert sentences(compare([layout], actual, lacking=(2, 3))) == [
        (
            "error: orders.state in dbo.demo_orders: expected all values of the contract in dbo.states "
            "(id), found 2 of 3 missing: 2, 3; add them to that table, or remove them from the contract"
        )
    ]
    assert compare([layout], actual) == []


def test_at_most_ten_codes_are_named() -> None:
    state = replace(STATE, type=parse_type("varchar(3)"), constants=tuple(f"S{number:02}" for number in range(12)))
    layout = replace(ORDERS, columns=(*ORDERS.columns, state))
    actual = replace(made(layout), foreign_keys=(TO_STATES,))
    (found,) = compare([layout], actual, lacking=state.constants[1:])
    assert found.found == ("11 of 12 missing: 'S01', 'S02', 'S03', 'S04', 'S05', 'S06', 'S07', 'S08', 'S09', 'S10', …")
    (found,) = compare([layout], actual, lacking=state.constants[2:])
    assert found.found.endswith("'S10', 'S11'")


def test_a_lookup_table_that_may_not_be_read_is_a_warning() -> None:
    layout, actual = with_state()
    (found,) = compare([layout], actual, lacking=None)
    assert (found.severity, found.column) == (Severity.WARNING, "state")
    assert found.remedy == "grant SELECT on it, and check again"


@pytest.mark.parametrize(
    "key",
    [
        ActualForeignKey(("state", "order_id"), "dbo", "states", ("id", "order_id")),
        ActualForeignKey(("order_id",), "dbo", "states", ("id",)),
        ActualForeignKey(("state",), "", "", ("",)),
        ActualForeignKey(("state",), "dbo", "demo_orders", ("order_id",)),
    ],
    ids=["of two columns", "of a column of documents' values", "to a table unseen", "to a table of the contract"],
)
def test_codes_are_not_looked_for_where_a_foreign_key_does_not_say_where(key: ActualForeignKey) -> None:
    layout, actual = with_state(key)
    assert [found for found in compare([layout], actual, lacking=STATE.constants) if found.column] == []


def test_of_a_view_and_of_nothing_seen_only_what_is_known_is_compared() -> None:
    view = replace(made(LINES), kind="view", key=(), foreign_keys=())
    view = with_column(with_column(view, "article", **typed("varchar(5)")), "extra", nullable=False, identity=None)
    assert [(found.severity, found.column) for found in compare(TABLES, view)] == [
        (Severity.ERROR, "article"),
        (Severity.WARNING, ""),
        (Severity.WARNING, "extra"),
    ]
    assert "ALTER" not in compare(TABLES, view)[0].remedy


def test_errors_end_a_run_with_all_of_them_and_warnings_do_not() -> None:
    found = compare(TABLES, without_column(made(ORDERS), "customer"), replace(made(LINES), foreign_keys=()))
    with pytest.raises(TargetError) as refused:
        raise_errors("mssql://host/loads", [*found, replace(found[0], column="order_id")])
    first, *others = refused.value.message.splitlines()
    assert first == "the tables of mssql://host/loads do not fit the contract"
    assert [line.partition(" in ")[0] for line in others] == ["error: orders.customer", "error: orders.order_id"]
    assert "xml-extractor init --sql" in refused.value.tip
    raise_errors("mssql://host/loads", [found[1]])


def test_tables_that_are_all_missing_are_one_line_with_one_remedy() -> None:
    with pytest.raises(TargetError) as refused:
        raise_errors("mssql://host/loads", differences((LOG_TABLE, *TABLES), {}, dialect_name="mssql"))
    assert refused.value.message == (
        "mssql://host/loads lacks these tables, or this user has no permission on them: "
        "processing_log, demo_orders, demo_lines, demo_notes"
    )
    assert "xml-extractor init" in refused.value.tip


def test_a_foreign_key_that_one_of_two_tables_lacks_is_not_missed() -> None:
    other = replace(LINES, name="other", foreign_keys=())
    without = replace(made(LINES), foreign_keys=())
    assert compare([ORDERS, LINES, other], made(ORDERS), without) == []
    assert len(compare([ORDERS, LINES, replace(LINES, name="other")], made(ORDERS), without)) == 2
