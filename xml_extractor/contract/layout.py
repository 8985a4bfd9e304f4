"""The target tables that a contract declares: columns in order, keys, constants, and what depends on the run."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from xml_extractor.contract.model import POSITION_TYPE, Column, Contract, Scalar, Table, ValueRule
from xml_extractor.contract.run_values import RUN_VALUE_TYPES, RunValue
from xml_extractor.documents import Value
from xml_extractor.errors import ContractError
from xml_extractor.values.conversions import constant
from xml_extractor.values.sqltypes import Family, InvalidValueError, SqlType


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """A column of a target table.

    Attributes:
        required: Whether NULL rejects the document.
        identity: Whether it is an IDENTITY column that gets the document's value.
        generated: Whether the database generates the value.
        path: The contract's XPath, for messages.
        can_be_null: Whether the contract allows a NULL value.
        constants: Values that the contract itself declares for it, such as those of its lookup.
    """

    name: str
    type: SqlType
    required: bool = False
    identity: bool = False
    generated: bool = False
    path: str = ""
    can_be_null: bool = True
    # The hash of a layout is computed for each insert call, so its cost must not depend on the size of lookups.
    constants: tuple[Value, ...] = field(default=(), hash=False)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns of a table that hold the primary key of another table, by their names in the contract."""

    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableLayout:
    """A target table.

    Attributes:
        name: Its name in the contract.
        table: Its name in the database, with its schema if the contract names one.
        columns: The columns that are inserted; a row of a mapped document has its values in this order.
        generated: Columns whose values the database generates.
        key: Names of the primary key's columns; may be empty.
    """

    name: str
    table: str
    columns: tuple[ColumnLayout, ...]
    generated: tuple[ColumnLayout, ...]
    key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]
    on_conflict: Literal["fail", "keep", "replace"]

    def __hash__(self) -> int:
        """Return a hash of the names alone, as tables are keys of caches that each batch asks."""
        return hash((self.name, self.table))

    @property
    def inserts_always(self) -> bool:
        """Whether a row whose key is there is an error; otherwise it is kept or replaced."""
        return self.on_conflict == "fail" or not self.key

    @property
    def is_shared(self) -> bool:
        """Whether documents share rows: they are added when they are absent, and stay when a document is replaced."""
        return self.on_conflict == "keep"

    @property
    def identity(self) -> str:
        """The name of the IDENTITY column that gets the document's value, or empty."""
        return next((column.name for column in self.columns if column.identity), "")


def is_deferred(contract: Contract, table: str, column: Column) -> bool:
    """Return whether a column refers to a row that may come later, so that its value is known last."""
    if column.reference is None:
        return False
    names = list(contract.tables)
    return names.index(column.reference.partition(".")[0]) >= names.index(table)


def layouts(contract: Contract) -> tuple[TableLayout, ...]:
    """Return the target tables of a consistent contract in load order.

    Raises:
        ContractError: A constant of the contract does not fit its column.
    """
    return tuple(_layout(contract, name) for name in contract.tables)


def has_markup(contract: Contract) -> bool:
    """Return whether a column or input of type xml takes markup of the document."""
    columns = [column for table in contract.tables.values() for column in table.columns.values()]
    rules: list[ValueRule] = [rule for column in columns for rule in (column, *column.inputs.values())]
    return any(rule.path is not None and rule.type is not None and rule.type.family is Family.XML for rule in rules)


def rule_type(contract: Contract, rule: ValueRule) -> SqlType:
    """Return the type of a rule's value: its own, or that of the parent column, run value or position."""
    if rule.type is not None:
        return rule.type
    if rule.parent is not None:
        table, column = rule.parent.split(".")
        return rule_type(contract, contract.tables[table].columns[column])
    if isinstance(rule, Column) and rule.reference is not None:
        table, column = rule.reference.split(".")
        return rule_type(contract, contract.tables[table].columns[column])
    if rule.run == "document_key" and contract.document.key is not None:
        return contract.document.key_type
    if rule.run is not None:
        return RUN_VALUE_TYPES[rule.run]
    return POSITION_TYPE


def _layout(contract: Contract, name: str) -> TableLayout:
    table = contract.tables[name]
    columns = [_column(contract, name, column_name) for column_name in table.columns]
    return TableLayout(
        name=name,
        table=table.table or name,
        columns=tuple(column for column in columns if not column.generated),
        generated=tuple(column for column in columns if column.generated),
        key=tuple(column_name for column_name, column in table.columns.items() if column.key),
        foreign_keys=_foreign_keys(contract, table.columns),
        on_conflict=table.on_conflict,
    )


def _column(contract: Contract, table: str, name: str) -> ColumnLayout:
    column = contract.tables[table].columns[name]
    target = rule_type(contract, column)
    return ColumnLayout(
        name=name,
        type=target,
        required=column.required or column.key,
        identity=column.identity,
        generated=column.generated is True,
        path=column.path or column.at or "",
        can_be_null=can_be_null(contract, column, table),
        constants=_constants(contract, table, name, target),
    )


def _constants(contract: Contract, table: str, name: str, target: SqlType) -> tuple[Value, ...]:
    try:
        return constants_of(contract, contract.tables[table], name, target)
    except InvalidValueError as error:
        raise ContractError(f"tables.{table}.columns.{name}: a constant does not fit: {error}") from None


def _foreign_keys(contract: Contract, columns: Mapping[str, Column]) -> tuple[ForeignKey, ...]:
    by_parent: dict[str, dict[str, str]] = {}
    for name, column in columns.items():
        if column.parent is not None:
            parent, parent_column = column.parent.split(".")
            by_parent.setdefault(parent, {})[parent_column] = name
    found = []
    for parent, names in by_parent.items():
        key = tuple(name for name, column in contract.tables[parent].columns.items() if column.key)
        if key and all(name in names for name in key):
            found.append(ForeignKey(tuple(names[name] for name in key), parent, key))
    return tuple(found)


def constants_of(contract: Contract, table: Table, name: str, target: SqlType) -> tuple[Value, ...]:
    """Return the values that a consistent contract declares for a column, converted to its type, in their order.

    They come from `value`, `set`, `default`, and the lookup that gives the column's value.
    """
    written = _written_constants(contract, table, name)
    return tuple(dict.fromkeys(constant(target, value, code_page=contract.code_page) for value in written))


def _written_constants(contract: Contract, table: Table, name: str) -> Iterator[Scalar]:
    column, lookup = table.columns[name], table.columns[name].last_lookup
    found: list[Scalar | None] = []
    if lookup is not None:
        codes = contract.lookups[lookup]
        found = [*codes.values.values(), codes.blank, codes.unknown]
    elif not column.transform:
        found = [column.value, *(rule.set_values[name] for rule in table.rows if name in rule.set_values)]
    yield from (value for value in (*found, column.default) if value is not None)


def can_be_null(contract: Contract, column: Column, table: str) -> bool:
    """Return whether the contract allows a document to give a column of a table a NULL."""
    if column.required or column.key:
        return False
    if column.is_null:
        return True
    if "null" in column.on_invalid or column.default is not None:
        return "null" in column.on_invalid
    lookup = column.last_lookup
    if lookup is not None:
        codes = contract.lookups[lookup]
        return codes.blank is None or ("unknown" in codes.model_fields_set and codes.unknown is None)
    return bool(column.transform) or _has_nullable_origin(contract, column, table)


def _has_nullable_origin(contract: Contract, column: Column, table: str) -> bool:
    if column.parent is not None:
        above, _, name = column.parent.partition(".")
        # The rows at the top of a recursive table are contained in none.
        return above == table or can_be_null(contract, contract.tables[above].columns[name], above)
    never_null = (column.value, column.run, column.set_by_rule, column.position, column.derived)
    return all(value is None for value in never_null)


OF_THE_RUN: frozenset[RunValue] = frozenset(("run_id", "load_time", "source_name"))

_CLOCK = re.compile(r"\b(?:GETUTCDATE|SYSUTCDATETIME)\b", re.IGNORECASE)
"""Functions of expressions that read the time of the run."""


def run_columns(contract: Contract, values: Collection[RunValue] = OF_THE_RUN) -> dict[str, frozenset[str]]:
    """Return the columns that depend on one of these values of the run, by table."""
    found: dict[str, set[str]] = {name: set() for name in contract.tables}
    has_grown = True
    while has_grown:  # a reference may lead to a table that comes later
        has_grown = False
        for name, table in contract.tables.items():
            for column_name, column in table.columns.items():
                if column_name not in found[name] and _depends(name, column, values, found):
                    found[name].add(column_name)
                    has_grown = True
    return {name: frozenset(columns) for name, columns in found.items()}


def _depends(table: str, column: Column, values: Collection[RunValue], found: dict[str, set[str]]) -> bool:
    if column.expression is not None and "load_time" in values and _CLOCK.search(column.expression):
        return True
    if column.reference is not None and _is_in(column.reference, found):
        return True
    rules: list[ValueRule] = [column, *column.inputs.values()]
    own = [rule.column for rule in column.inputs.values() if rule.column is not None]
    return any(rule.run in values or (rule.parent is not None and _is_in(rule.parent, found)) for rule in rules) or any(
        name in found[table] for name in own
    )


def _is_in(reference: str, found: dict[str, set[str]]) -> bool:
    table, _, column = reference.partition(".")
    return column in found[table]
