"""A contract, compiled once for all documents of a process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract, Table
from xml_extractor.documents import Value
from xml_extractor.errors import ContractError
from xml_extractor.mapping.columns import ColumnPlan, compile_column
from xml_extractor.mapping.context import TableContext
from xml_extractor.mapping.paths import FindRows, ReadText, compile_rows, compile_text, finds_elements
from xml_extractor.mapping.scope import Origin, RowScope
from xml_extractor.tsql import compile_condition
from xml_extractor.values.conversions import converter
from xml_extractor.values.sqltypes import InvalidValueError


@dataclass(frozen=True, slots=True)
class RulePlan:
    """A compiled row rule."""

    path: str
    find: FindRows


@dataclass(frozen=True, slots=True)
class DistinctPlan:
    """Which rows count as equal, by the numbers of their columns, and which of them stays."""

    columns: tuple[int, ...]
    keep: Literal["first", "last"]


@dataclass(frozen=True, slots=True)
class TablePlan:
    """A compiled table. Columns are named by their number in a row.

    Attributes:
        parent: The number of the table from whose rows the row rules start; None for the document's root element.
        searches: How many searches for elements its columns share.
        computes: The columns' closures, in the order of a row.
        when: Whether a computed row is to be kept; None keeps all.
    """

    name: str
    parent: int | None
    rules: tuple[RulePlan, ...]
    columns: tuple[ColumnPlan, ...]
    computes: tuple[Origin, ...]
    searches: int
    at_least_one: tuple[int, ...]
    when: Callable[[RowScope], bool | None] | None
    distinct: DistinctPlan | None
    required: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled contract: how a document's key is found, and its tables in load order."""

    contract: Contract
    read_key: ReadText | None
    convert_key: Callable[[str], Value]
    tables: tuple[TablePlan, ...]


def compile_plan(contract: Contract) -> Plan:
    """Compile a contract that is known to be consistent.

    Raises:
        ContractError: A constant of the contract does not fit its column.
    """
    document = contract.document
    return Plan(
        contract=contract,
        read_key=None if document.key is None else compile_text(document.key, contract.namespaces),
        convert_key=converter(document.key_type, code_page=contract.code_page),
        tables=tuple(_table_plan(contract, name, table) for name, table in contract.tables.items()),
    )


def _table_plan(contract: Contract, name: str, table: Table) -> TablePlan:
    tables = {layout.name: layout for layout in layouts(contract)}
    layout = tables[name]
    context = TableContext(contract, name, tables, elements_only=_finds_only_elements(contract, name))
    columns = tuple(_column_plan(column.name, table, context) for column in layout.columns)
    numbers = {column.name: number for number, column in enumerate(layout.columns)}
    distinct = table.distinct
    return TablePlan(
        name=name,
        parent=None if table.parent is None else context.table_index(table.parent),
        rules=tuple(RulePlan(rule.path, compile_rows(rule.path, contract.namespaces)) for rule in table.rows),
        columns=columns,
        computes=tuple(column.compute for column in columns),
        searches=len(context.searches),
        at_least_one=tuple(numbers[column] for column in table.at_least_one),
        when=None if table.when is None else _condition(table.when, columns),
        distinct=None if distinct is None else DistinctPlan(tuple(numbers[by] for by in distinct.by), distinct.keep),
        required=tuple(numbers[column.name] for column in layout.columns if column.required),
    )


def _finds_only_elements(contract: Contract, name: str) -> bool:
    table = contract.tables[name]
    starts_at_elements = table.parent is None or _finds_only_elements(contract, table.parent)
    return all(finds_elements(rule.path) and (rule.path != "." or starts_at_elements) for rule in table.rows)


def _column_plan(name: str, table: Table, context: TableContext) -> ColumnPlan:
    try:
        return compile_column(name, table.columns[name], context)
    except InvalidValueError as error:
        raise ContractError(f"tables.{context.name}.columns.{name}: a constant does not fit: {error}") from None


def _condition(text: str, columns: tuple[ColumnPlan, ...]) -> Callable[[RowScope], bool | None]:
    evaluate = compile_condition(text, {column.name: column.target for column in columns}).evaluate
    return lambda row: evaluate(row.values, row.document.clock)
