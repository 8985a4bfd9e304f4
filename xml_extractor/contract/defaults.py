"""The `defaults` of a contract and of its tables: keys of columns and inputs, given to those that do not have them.

A default applies where it has an effect, so that no column has a fault because of it: transforms to text of the
document, but not to numbers that XPath computes; formats to the types that they fit; the choices of `on_invalid` to
values for which they are possible. An invalid key always rejects the document, unless its column has an `on_invalid` of
its own.
"""

from typing import Any, TypeVar

from xml_extractor.contract.model import (
    TEXT_INPUT_TYPE,
    Choice,
    Column,
    Contract,
    Defaults,
    Document,
    Input,
    OnInvalid,
    ValueRule,
)
from xml_extractor.contract.xpath import XPathError, kind_of, parse_xpath
from xml_extractor.values.conversions import CAN_BE, converter
from xml_extractor.values.sqltypes import TEMPORAL, Family, SqlType, parse_type

_Rule = TypeVar("_Rule", bound=ValueRule)


def with_defaults(contract: Contract) -> Contract:
    """Return a contract whose columns and inputs have the defaults that apply to them."""
    if contract.defaults is None and all(table.defaults is None for table in contract.tables.values()):
        return contract
    tables = {}
    for name, table in contract.tables.items():
        given = {**_given(contract.defaults), **_given(table.defaults)}
        columns = {column_name: _with_inputs(column, given) for column_name, column in table.columns.items()}
        tables[name] = table.model_copy(update={"columns": columns})
    return contract.model_copy(update={"tables": tables, "document": _document(contract)})


def _document(contract: Contract) -> Document:
    document, given = contract.document, _given(contract.defaults)
    if document.revision is None:
        return document
    given.pop("on_invalid", None)
    order = tuple(_with(rule, given) for rule in document.revision.order)
    return document.model_copy(update={"revision": document.revision.model_copy(update={"order": order})})


def text_rule(contract: Contract, path: str) -> ValueRule:
    """Return the rule of text that is not a column's: of a value of `revision.of`, or of the key of a record."""
    given = _given(contract.defaults)
    given.pop("on_invalid", None)
    return _with(Input(path=path, type=parse_type("nvarchar(max)")), given)


def key_rule(contract: Contract) -> ValueRule:
    """Return the rule of the document's key, which an invalid value rejects whatever `on_invalid` says."""
    rule = Input(path=contract.document.key, type=contract.document.key_type)
    given = _given(contract.defaults)
    given.pop("on_invalid", None)
    return _with(rule, given)


def _given(defaults: Defaults | None) -> dict[str, Any]:
    return {} if defaults is None else {key: value for key, value in defaults if value is not None}


def _with_inputs(column: Column, given: dict[str, Any]) -> Column:
    inputs = {name: _with(rule, given) for name, rule in column.inputs.items()}
    return _with(column, given).model_copy(update={"inputs": inputs} if inputs else {})


def _with(rule: _Rule, given: dict[str, Any]) -> _Rule:
    """Return a rule with the defaults that have an effect on it and that it does not have itself."""
    target = rule.type or (TEXT_INPUT_TYPE if isinstance(rule, Input) and rule.path is not None else None)
    missing = {key: value for key, value in given.items() if key not in rule.model_fields_set}
    if target is None:
        return rule
    if rule.path is not None and target.family is not Family.XML and "transform" in missing and _reads_text(rule):
        rule = rule.model_copy(update={"transform": missing["transform"]})
    is_text = rule.path is not None or bool(rule.transform)
    if is_text and target.family is Family.TEXT and "blank" in missing:
        rule = rule.model_copy(update={"blank": missing["blank"]})
    if is_text and target.family in TEMPORAL and rule.last_lookup is None:
        rule = _with_conversion(rule, target, missing)
    is_key = isinstance(rule, Column) and rule.key
    if not is_key and (is_text or (isinstance(rule, Column) and rule.expression is not None)):
        choices = _possible(rule, target, missing.get("on_invalid", ()), is_text=is_text)
        rule = rule.model_copy(update={"on_invalid": choices} if choices else {})
    return rule


def _reads_text(rule: ValueRule) -> bool:
    """Return whether a rule reads text of the document, rather than a number or truth value that XPath computes."""
    try:
        return kind_of(parse_xpath(rule.each or rule.path or "")) not in ("number", "boolean")
    except (XPathError, RecursionError):
        return True


def _with_conversion(rule: _Rule, target: SqlType, missing: dict[str, Any]) -> _Rule:
    time_zone = missing.get("time_zone")
    if time_zone is not None and _fits(target, time_zone=time_zone):
        rule = rule.model_copy(update={"time_zone": time_zone})
    formats = tuple(
        text
        for text in missing.get("formats", ())
        if _fits(target, formats=(text,), time_zone=rule.time_zone, partial=rule.partial)
    )
    return rule.model_copy(update={"formats": formats} if formats else {})


def _fits(target: SqlType, **options: Any) -> bool:
    try:
        converter(target, **options)
    except ValueError:
        return False
    return True


def _possible(rule: ValueRule, target: SqlType, choices: OnInvalid, *, is_text: bool) -> OnInvalid:
    def is_possible(choice: Choice) -> bool:
        if choice == "null":
            return not (isinstance(rule, Column) and rule.required)
        if choice == "default":
            return rule.default is not None
        return choice not in CAN_BE or (is_text and target.family in CAN_BE[choice])

    return tuple(choice for choice in choices if is_possible(choice))
