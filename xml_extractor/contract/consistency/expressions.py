"""Check the T-SQL of a contract: expressions of columns, conditions of tables and of the source."""

import re
from collections.abc import Iterator

from xml_extractor.contract.consistency.columns import origins_of
from xml_extractor.contract.consistency.references import needed_too_early
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, differing_in_case
from xml_extractor.contract.model import Column
from xml_extractor.tsql import (
    ExpressionError,
    compile_assignment,
    compile_condition,
    compile_expression,
    is_search_condition,
)
from xml_extractor.values.sqltypes import SqlType, parse_type

_QUOTE = "'"
_TEXT = parse_type("nvarchar(max)")


def expression_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of the expressions of columns, and inputs that the expression does not use."""
    for path, _, _, column in draft.columns():
        yield from _input_name_faults(draft, path, column)
        if column.expression is not None:
            yield from _expression_faults(draft, path, column, column.expression)
        elif column.inputs and draft.whole(path) and not origins_of(column):
            message = "inputs have no effect without an expression"
            yield draft.text.fault((*path, "inputs"), message, expected="an expression, or no inputs", key=True)


def condition_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of the conditions of tables, whose names are the columns of the row."""
    for path, table_name, table in draft.tables():
        if table.when is None:
            continue
        key_path, names, unknown = (*path, "when"), dict[str, SqlType](), list[str]()
        for name, column in table.columns.items():
            target = draft.type_of((*path, "columns", name), column)
            if target is None or draft.lost((*path, "columns", name)):
                unknown.append(name)
            elif not column.generated:
                names[name] = target
        if draft.lost((*path, "columns")) or _mentions(table.when, unknown):
            continue
        try:
            condition = compile_condition(table.when, names)
        except ExpressionError as error:
            yield from _faults(draft, key_path, error)
            continue
        for name in condition.names:
            yield from needed_too_early(draft, key_path, table_name, name, name)


def _input_name_faults(draft: Draft, path: KeyPath, column: Column) -> Iterator[Fault]:
    for first, second in differing_in_case(column.inputs):
        found, expected = f"the inputs '{first}' and '{second}'", "names that differ in more than case"
        yield draft.text.fault((*path, "inputs", second), found=found, expected=expected, key=True)


def _expression_faults(draft: Draft, path: KeyPath, column: Column, text: str) -> Iterator[Fault]:
    key_path, names, unknown = (*path, "expression"), dict[str, SqlType](), list[str]()
    for name, rule in column.inputs.items():
        target = draft.type_of((*path, "inputs", name), rule)
        if target is None or draft.lost((*path, "inputs", name)):
            unknown.append(name)
        else:
            names[name] = target
    if _mentions(text, unknown) or not draft.whole((*path, "inputs")):
        return
    try:
        expression = compile_expression(text, names)
    except ExpressionError as error:
        yield from _faults(draft, key_path, error)
        return
    used = {name.casefold() for name in expression.names}
    for name in names:
        if name.casefold() not in used:
            message, expected = "the expression does not use this input", "its name in the expression, or no such input"
            yield draft.text.fault((*path, "inputs", name), message, expected=expected, key=True)
    target = column.type
    if target is not None and not draft.lost((*path, "type")):
        try:
            compile_assignment(expression.type, _TEXT if column.transform or column.lookup else target)
        except ExpressionError as error:
            explanation = error.faults[0].message
            found = f"an expression of type {expression.type}"
            yield draft.text.fault(
                key_path, found=found, expected=f"one that can be converted to {target} ({explanation})"
            )


def _mentions(text: str, names: list[str]) -> bool:
    words = {word.casefold() for word in re.findall(r"\w+", text)}
    return any(name.casefold() in words or not name.isidentifier() for name in names)


def _faults(draft: Draft, key_path: KeyPath, error: ExpressionError) -> Iterator[Fault]:
    for fault in error.faults:
        found = f"'{fault.found.strip(_QUOTE)}'" if fault.found else ""
        yield draft.text.fault(
            key_path,
            fault.message,
            found="" if found in fault.message else found,
            expected=fault.expected,
            suggestion=fault.suggestion,
            within=(fault.line, fault.column),
        )


def where_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the fault of a `where` that is not a single search condition."""
    where, path = draft.contract.source.where, ("source", "where")
    if where is not None and not draft.lost(path) and not is_search_condition(where):
        example = "a search condition of T-SQL, such as status = 'NEW' AND received_at > '2026-01-01'"
        yield draft.text.fault(path, "this is not a single search condition", expected=example)
