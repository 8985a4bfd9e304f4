"""Tables and documents that the tests of targets share: orders with lines, and notes by the database's own key."""

from collections.abc import Sequence

from xml_extractor.contract.layout import ColumnLayout, ForeignKey, TableLayout
from xml_extractor.contract.model import Contract
from xml_extractor.documents import Failure, MappedDocument, Rejection
from xml_extractor.reasons import Reason, Stage
from xml_extractor.targets.interfaces import TargetConnection
from xml_extractor.targets.loader import Loader, LogIdentity
from xml_extractor.values.sqltypes import parse_type

CONTRACT = Contract.model_validate(
    {
        "contract": "orders",
        "version": 3,
        "document": {"root": "order"},
        "tables": {"orders": {"rows": ".", "columns": {"order_id": {"path": "@id", "type": "int", "key": True}}}},
    }
)

ORDERS = TableLayout(
    name="orders",
    table="demo_orders",
    columns=(
        ColumnLayout("order_id", parse_type("int"), required=True, path="@id"),
        ColumnLayout("customer", parse_type("nvarchar(40)"), path="Customer/@name"),
    ),
    generated=(),
    key=("order_id",),
    foreign_keys=(),
    on_conflict="fail",
)
LINES = TableLayout(
    name="lines",
    table="demo_lines",
    columns=(
        ColumnLayout("order_id", parse_type("int"), required=True, path="../@id"),
        ColumnLayout("line_no", parse_type("smallint"), required=True, path="@no"),
        ColumnLayout("article", parse_type("varchar(20)"), required=True, path="@article"),
    ),
    generated=(),
    key=("order_id", "line_no"),
    foreign_keys=(ForeignKey(("order_id",), "orders", ("order_id",)),),
    on_conflict="fail",
)
NOTES = TableLayout(
    name="notes",
    table="demo_notes",
    columns=(
        ColumnLayout("order_id", parse_type("int"), required=True),
        ColumnLayout("text", parse_type("nvarchar(max)")),
    ),
    generated=(ColumnLayout("note_id", parse_type("bigint"), generated=True),),
    key=("note_id",),
    foreign_keys=(ForeignKey(("order_id",), "orders", ("order_id",)),),
    on_conflict="fail",
)
TABLES = (ORDERS, LINES, NOTES)


def order(number: int, lines: int = 2, order_id: int | None = None, article: str | None = "pen") -> MappedDocument:
    """A good document; another `order_id`, or no `article`, makes it a bad one."""
    key = number if order_id is None else order_id
    rows = (
        ((key, f"customer {number}"),),
        tuple((key, line, article) for line in range(1, lines + 1)),
        ((key, f"note of {number}"),),
    )
    return MappedDocument(number, rows, f"{number:032x}", 0.25)


def unreadable_order(number: int) -> Rejection:
    """A document that was rejected before it came to the loader."""
    failure = Failure(Stage.PARSE, Reason.MALFORMED, "the document is not well-formed")
    return Rejection(number, failure, f"{number:032x}", 0.125)


def loader_of(
    connection: TargetConnection, tables: Sequence[TableLayout] = TABLES, run_id: str = "run 1", batch_rows: int = 500
) -> Loader:
    """A loader of a run."""
    return Loader(connection, tables, LogIdentity("orders", 3, "c0ffee", run_id), batch_rows)


def order_ids(connection: TargetConnection) -> list[int]:
    """The keys of the orders that the target holds."""
    return sorted(row[0] for row in connection.read_rows(ORDERS) if isinstance(row[0], int))
