"""What a column can hold as far as the contract itself says it: values of its own, and whether NULL is among them."""

from collections.abc import Iterator

from xml_extractor.contract.model import Column, Contract, Scalar, Table, ValueRule
from xml_extractor.documents import Value
from xml_extractor.values.conversions import constant
from xml_extractor.values.sqltypes import SqlType


def last_lookup(rule: ValueRule) -> str | None:
    """The lookup that gives a rule's value; one before other transforms gives text to them."""
    if rule.lookup is not None:
        return rule.lookup
    if rule.transform and rule.transform[-1].name == "lookup":
        name = (rule.transform[-1].options or {}).get("name")
        return name if isinstance(name, str) else None
    return None


def constants_of(contract: Contract, table: Table, name: str, target: SqlType) -> tuple[Value, ...]:
    """The values that a consistent contract gives a column by itself, in its order and as the column holds them.

    They come from `value`, `set`, `default`, and the lookup that gives the column's value. Without one of these, or
    for what documents give, there are none.
    """
    written = _written_constants(contract, table, name)
    return tuple(dict.fromkeys(constant(target, value, code_page=contract.code_page) for value in written))


def _written_constants(contract: Contract, table: Table, name: str) -> Iterator[Scalar]:
    column, lookup = table.columns[name], last_lookup(table.columns[name])
    found: list[Scalar | None] = []
    if lookup is not None:
        codes = contract.lookups[lookup]
        found = [*codes.values.values(), codes.blank, codes.unknown]
    elif not column.transform:
        found = [column.value, *(rule.set_values[name] for rule in table.rows if name in rule.set_values)]
    yield from (value for value in (*found, column.default) if value is not None)


def can_be_null(contract: Contract, column: Column) -> bool:
    """Whether a document could give the column a NULL, as far as it can be told without one."""
    if column.required or column.key:
        return False
    if column.on_invalid == "null" or column.default is not None:
        return column.on_invalid == "null"
    lookup = last_lookup(column)
    if lookup is not None:
        codes = contract.lookups[lookup]
        return codes.blank is None or ("unknown" in codes.model_fields_set and codes.unknown is None)
    return bool(column.transform) or _has_nullable_origin(contract, column)


def _has_nullable_origin(contract: Contract, column: Column) -> bool:
    if column.parent is not None:
        table, _, name = column.parent.partition(".")
        return can_be_null(contract, contract.tables[table].columns[name])
    never_null = (column.value, column.run, column.set_by_rule, column.position, column.derived)
    return all(value is None for value in never_null)
