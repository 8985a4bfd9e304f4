"""The columns whose values depend on the run that loads a document, rather than on the document alone."""

import re
from collections.abc import Collection

from xml_extractor.contract.model import Column, Contract, ValueRule
from xml_extractor.contract.run_values import RunValue

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
