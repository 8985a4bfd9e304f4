"""Check how values are computed and converted: T-SQL, transforms, formats, encodings, and invalid values."""

import re
from collections.abc import Iterator

from xml_extractor.contract.consistency.columns import origins_of
from xml_extractor.contract.consistency.tables import needed_too_early
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, differing_in_case, shown
from xml_extractor.contract.model import Column, Defaults, Input, OnInvalid, Transform
from xml_extractor.tsql import (
    ExpressionError,
    compile_assignment,
    compile_condition,
    compile_expression,
    is_search_condition,
)
from xml_extractor.values.conversions import CAN_BE, converter
from xml_extractor.values.formats import is_partial_format
from xml_extractor.values.sqltypes import TEMPORAL, Family, SqlType, parse_type
from xml_extractor.values.temporal import check_format
from xml_extractor.values.transforms import TRANSFORMS, transform_step

_DATE = parse_type("date")
_PARTICIPLES = {"truncate": "truncated", "round": "rounded"}
_ALWAYS_POSSIBLE = ("reject", "null", "default")
"""The choices of `on_invalid` that are possible for every value, so that none is tried after them."""


def conversion_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of transforms and of options that do not fit the type."""
    for path, rule in draft.values():
        for index, transform in enumerate(rule.transform):
            yield from _transform_faults(draft, (*path, "transform", index), transform)
        target = draft.type_of(path, rule)
        if target is not None and not draft.lost((*path, "type")):
            yield from _format_faults(draft, path, rule, target)
            yield from _encoding_faults(draft, path, rule, target)
            yield from _assignment_faults(draft, path, rule, target)
        yield from _on_invalid_faults(draft, path, rule, target)


def _transform_faults(draft: Draft, path: KeyPath, transform: Transform) -> Iterator[Fault]:
    known, name = (*TRANSFORMS, "lookup"), transform.name
    if name not in known:
        yield draft.text.unknown(path, "transform", name, known)
    elif name == "lookup":
        if not isinstance((transform.options or {}).get("name"), str):
            yield draft.text.fault((*path, name), found=f"{name} without a name", expected="{lookup: name}")
    else:
        try:
            transform_step(name, transform.options)
        except ValueError as error:
            yield draft.text.fault((*path, name), str(error), found=shown(draft.text.data_at((*path, name))))


def _format_faults(draft: Draft, path: KeyPath, rule: Column | Input, target: SqlType) -> Iterator[Fault]:
    is_temporal = target.family in TEMPORAL
    given = {"formats": bool(rule.formats), "partial": bool(rule.partial), "time_zone": rule.time_zone is not None}
    for key, is_given in given.items():
        if is_given and not is_temporal:
            message = f"{key} is for dates and times, and the type is {target}"
            yield draft.text.fault((*path, key), message, expected=f"a date or time type, or no {key}", key=True)
    if not is_temporal:
        return
    time_zone = rule.time_zone
    if time_zone is not None:
        try:
            converter(target, time_zone=time_zone)
        except ValueError as error:
            yield draft.text.fault((*path, "time_zone"), str(error))
            time_zone = "UTC"
    faults = {}
    for index, text in enumerate(rule.formats):
        try:
            converter(target, formats=(text,), time_zone=time_zone, partial=rule.partial)
        except ValueError as error:
            faults[index] = draft.text.fault((*path, "formats", index), str(error))
    yield from faults.values()
    is_used = any(is_partial_format(text) for text in rule.formats)
    if rule.partial is not None and not faults and not is_used and draft.whole((*path, "formats")):
        message, expected = "partial has no effect", "a format without day, such as %Y-%m, or no partial"
        yield draft.text.fault((*path, "partial"), message, expected=expected, key=True)


def _encoding_faults(draft: Draft, path: KeyPath, rule: Column | Input, target: SqlType) -> Iterator[Fault]:
    if "encoding" in rule.model_fields_set and target.family is not Family.BINARY:
        message = f"encoding is for binary types, and the type is {target}"
        yield draft.text.fault((*path, "encoding"), message, expected="a binary type, or no encoding", key=True)


def _assignment_faults(draft: Draft, path: KeyPath, rule: Column | Input, target: SqlType) -> Iterator[Fault]:
    source = draft.source_type(path, rule)
    if source is None or source == target or rule.transform or rule.lookup:
        return
    try:
        compile_assignment(source, target)
    except ExpressionError as error:
        explanation = error.faults[0].message
        expected = f"a type to which {source} can be converted ({explanation})"
        yield draft.text.fault((*path, "type"), found=str(target), expected=expected)


def _on_invalid_faults(draft: Draft, path: KeyPath, rule: Column | Input, target: SqlType | None) -> Iterator[Fault]:
    choices = rule.on_invalid
    faults = list(_choice_faults(draft, path, choices))
    yield from faults
    for index, choice in enumerate(choices if not faults else ()):
        key_path = draft.entry_path((*path, "on_invalid"), index)
        if choice == "default" and rule.default is None and draft.whole((*path, "default")):
            expected = "a default, or another on_invalid"
            yield draft.text.fault(key_path, found="default without a default value", expected=expected)
        elif choice in CAN_BE and target is not None and target.family not in CAN_BE[choice]:
            message = f"a value of type {target} cannot be {_PARTICIPLES[choice]}"
            yield draft.text.fault(key_path, message, found=choice, expected="reject, null or default")
        elif choice in CAN_BE and rule.path is None and not rule.transform and draft.whole(path):
            message = f"only text of the document can be {_PARTICIPLES[choice]}"
            yield draft.text.fault(key_path, message, found=choice, expected="reject, null or default")
        elif choice == "null" and isinstance(rule, Column) and (rule.required or rule.key):
            message = f"NULL rejects the document, because the column is {'required' if rule.required else 'a key'}"
            yield draft.text.fault(key_path, message, found="null", expected="reject, default, truncate or round")


def defaults_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of the defaults of the contract and of its tables."""
    given: list[tuple[KeyPath, Defaults | None]] = [(("defaults",), draft.contract.defaults)]
    given += [((*path, "defaults"), table.defaults) for path, _, table in draft.tables()]
    for path, defaults in given:
        if defaults is None or draft.lost(path):
            continue
        for index, transform in enumerate(defaults.transform or ()):
            yield from _transform_faults(draft, (*path, "transform", index), transform)
            name = (transform.options or {}).get("name")
            known = draft.contract.lookups
            if transform.name == "lookup" and isinstance(name, str) and name not in known:
                yield draft.text.unknown((*path, "transform", index, "lookup"), "lookup", name, known)
        for index, text in enumerate(defaults.formats or ()):
            try:
                check_format(text)
            except ValueError as error:
                yield draft.text.fault((*path, "formats", index), str(error))
        if defaults.time_zone is not None:
            try:
                converter(_DATE, time_zone=defaults.time_zone)
            except ValueError as error:
                yield draft.text.fault((*path, "time_zone"), str(error))
        yield from _choice_faults(draft, path, defaults.on_invalid or ())


def _choice_faults(draft: Draft, path: KeyPath, choices: OnInvalid) -> Iterator[Fault]:
    for index, choice in enumerate(choices):
        earlier = choices[:index]
        last = next((other for other in earlier if other in _ALWAYS_POSSIBLE), None)
        if choice in earlier or last:
            key_path, message = draft.entry_path((*path, "on_invalid"), index), f"{choice} is never tried"
            expected = f"no choice after {last}" if last else "each choice once"
            yield draft.text.fault(key_path, message, expected=expected)


def null_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the columns of which each value is NULL and rejects the document."""
    for path, _, _, column in draft.columns():
        if column.is_null and (column.required or column.key):
            message = f"NULL rejects every document, because the column is {'required' if column.required else 'a key'}"
            yield draft.text.fault((*path, "value"), message, found="null", expected="a constant")


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
