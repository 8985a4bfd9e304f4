"""How text becomes a value: transforms, formats, time zones, and what happens to a value that does not fit."""

from collections.abc import Iterator

from xml_extractor.contract.consistency.types import source_type, type_of
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean, one_of, shown
from xml_extractor.contract.model import Column, Input, Transform
from xml_extractor.tsql import ExpressionError, compile_assignment
from xml_extractor.values.conversions import converter
from xml_extractor.values.sqltypes import MAX, Family, SqlType, parse_type
from xml_extractor.values.transforms import TRANSFORMS, transform_step

_TEMPORAL = (Family.DATE, Family.TIME, Family.DATETIME, Family.OFFSET)
_CUTTABLE = (*_TEMPORAL, Family.TEXT, Family.BINARY, Family.DECIMAL, Family.MONEY)
_NEVER_KEYS = ("text", "ntext", "image", "xml")
_FEWEST_KEY_BYTES = 16


def conversion_faults(draft: Draft) -> Iterator[Fault]:
    """Options of conversions that the type does not have, or that are wrong in themselves."""
    for path, _, rule in draft.rules():
        for index, transform in enumerate(rule.transform):
            yield from _transform_faults(draft, (*path, "transform", index), transform)
        target = type_of(draft, path, rule)
        if target is not None and not draft.lost((*path, "type")):
            yield from _format_faults(draft, path, rule, target)
            yield from _encoding_faults(draft, path, rule, target)
            yield from _assignment_faults(draft, path, rule, target)
        yield from _on_invalid_faults(draft, path, rule, target)


def _transform_faults(draft: Draft, path: KeyPath, transform: Transform) -> Iterator[Fault]:
    known, name = (*TRANSFORMS, "lookup"), transform.name
    if name not in known:
        meant = did_you_mean(name, known)
        found = f"the unknown transform '{name}'"
        yield draft.written.fault(path, found=found, expected=one_of(known), suggestion=meant)
    elif name == "lookup":
        if not isinstance((transform.options or {}).get("name"), str):
            yield draft.written.fault((*path, name), found=f"{name} without a name", expected="{lookup: name}")
    else:
        try:
            transform_step(name, transform.options)
        except ValueError as error:
            yield draft.written.fault((*path, name), str(error), found=shown(draft.written.data((*path, name))))


def _format_faults(draft: Draft, path: KeyPath, rule: Column | Input, target: SqlType) -> Iterator[Fault]:
    is_temporal = target.family in _TEMPORAL
    for key, is_given in (("formats", bool(rule.formats)), ("time_zone", rule.time_zone is not None)):
        if is_given and not is_temporal:
            message = f"{key} is for dates and times, and the type is {target}"
            yield draft.written.fault((*path, key), message, expected="a date or time type, or no such key", key=True)
    if not is_temporal:
        return
    time_zone = rule.time_zone
    if time_zone is not None:
        try:
            converter(target, time_zone=time_zone)
        except ValueError as error:
            yield draft.written.fault((*path, "time_zone"), str(error))
            time_zone = "UTC"
    for index, text in enumerate(rule.formats):
        try:
            converter(target, formats=(text,), time_zone=time_zone)
        except ValueError as error:
            yield draft.written.fault((*path, "formats", index), str(error))


def _encoding_faults(draft: Draft, path: KeyPath, rule: Column | Input, target: SqlType) -> Iterator[Fault]:
    if "encoding" in rule.model_fields_set and target.family is not Family.BINARY:
        message = f"encoding is for binary types, and the type is {target}"
        yield draft.written.fault((*path, "encoding"), message, expected="a binary type, or no such key", key=True)


def _assignment_faults(draft: Draft, path: KeyPath, rule: Column | Input, target: SqlType) -> Iterator[Fault]:
    source = source_type(draft, path, rule)
    if source is None or source == target or rule.transform or rule.lookup:
        return
    try:
        compile_assignment(source, target)
    except ExpressionError as error:
        explanation = error.faults[0].message
        expected = f"a type to which {source} can be converted ({explanation})"
        yield draft.written.fault((*path, "type"), found=str(target), expected=expected)


def _on_invalid_faults(draft: Draft, path: KeyPath, rule: Column | Input, target: SqlType | None) -> Iterator[Fault]:
    place, choice = (*path, "on_invalid"), rule.on_invalid
    if choice == "default" and rule.default is None and draft.whole((*path, "default")):
        yield draft.written.fault(place, found="default", expected="a default too")
    elif choice == "truncate":
        if target is not None and target.family not in _CUTTABLE:
            expected = "reject, null or default"
            yield draft.written.fault(
                place, f"a value of type {target} cannot be cut", found="truncate", expected=expected
            )
        elif rule.path is None and not rule.transform and draft.whole(path):
            message = "only text of the document is cut to fit"
            yield draft.written.fault(place, message, found="truncate", expected="reject, null or default")
    elif choice == "null" and isinstance(rule, Column) and (rule.required or rule.key):
        message = f"NULL rejects the document, because the column is {'required' if rule.required else 'a key'}"
        yield draft.written.fault(place, message, found="null", expected="reject, default or truncate")


def key_type_faults(draft: Draft) -> Iterator[Fault]:
    """Types that a derived, a generated, an IDENTITY or any key column cannot have."""
    document = draft.contract.document
    if document.key is None and "key_type" in document.model_fields_set and draft.whole(("document",)):
        message = "nothing is read without key"
        yield draft.written.fault(("document", "key_type"), message, expected="key too, or no such key", key=True)
    if document.key_type.name in _NEVER_KEYS or document.key_type.length == MAX:
        found = str(document.key_type)
        expected = "a type that a key can have"
        yield draft.written.fault(("document", "key_type"), found=found, expected=expected)
    for path, _, _, column in draft.columns():
        target, place = type_of(draft, path, column), (*path, "type")
        if target is None or draft.lost(place):
            continue
        if column.derived and not _can_be_derived(target):
            expected = "bigint, uniqueidentifier, binary(16), char(32) or longer for a derived key"
            yield draft.written.fault(place, found=str(target), expected=expected)
        elif (column.generated or column.identity) and not _can_be_identity(target):
            expected = "tinyint, smallint, int, bigint or decimal without decimals for an IDENTITY column"
            yield draft.written.fault(place, found=str(target), expected=expected)
        elif column.key and (target.name in _NEVER_KEYS or target.length == MAX):
            yield draft.written.fault(place, found=str(target), expected="a type that a key can have")


def identity_faults(draft: Draft) -> Iterator[Fault]:
    """More than one IDENTITY column in a table, or one that would have to be changed, which no database does."""
    for path, _, table in draft.tables():
        found = [name for name, column in table.columns.items() if column.identity or column.generated]
        for name, column in table.columns.items():
            if column.identity and not column.key and table.on_conflict == "replace":
                message = f"the IDENTITY column '{name}' cannot be replaced, because it is no part of the key"
                place = (*path, "on_conflict")
                yield draft.written.fault(place, message, found="replace", expected="fail or keep")
        for name in found[1:]:
            message = f"the table has the IDENTITY column '{found[0]}' already"
            expected = "one identity or generated column in a table"
            key = "generated" if table.columns[name].generated else "identity"
            yield draft.written.fault((*path, "columns", name, key), message, expected=expected, key=True)


def _can_be_derived(target: SqlType) -> bool:
    is_long = target.length == MAX or target.length >= _FEWEST_KEY_BYTES
    is_long_text = target.length == MAX or target.length >= 2 * _FEWEST_KEY_BYTES
    return (
        target in (parse_type("bigint"), parse_type("uniqueidentifier"), parse_type("binary(16)"))
        or (target.name == "varbinary" and is_long)
        or (target.name in ("char", "varchar", "nchar", "nvarchar") and is_long_text)
    )


def _can_be_identity(target: SqlType) -> bool:
    is_whole_decimal = target.family is Family.DECIMAL and target.scale == 0
    return target.family is Family.INTEGER or is_whole_decimal
