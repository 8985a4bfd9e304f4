"""Choose among the nodes that a path finds, or combine them: `select` and `each` of a contract."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from xml_extractor.contract.model import Choice, OnInvalid, Select, ValueRule
from xml_extractor.documents import Value
from xml_extractor.mapping.nodes import Node
from xml_extractor.mapping.numbers import decimal_sum
from xml_extractor.mapping.origins import TableContext, reading_for
from xml_extractor.mapping.paths import ReadText, compile_text
from xml_extractor.mapping.plan import Note, Origin
from xml_extractor.mapping.readers import Selection, SelectValue
from xml_extractor.mapping.steps import TOLERATED_AS, blank_to_null, fuse, steps_of, text_steps, value_for
from xml_extractor.reasons import Reason
from xml_extractor.tsql.collation import order_key
from xml_extractor.values.sqltypes import Family, InvalidValueError, SqlType

_OF_VALUES = ("min", "max")
"""Selections that compare values of the column's type; the others choose or combine texts."""

_Fitted = tuple[Any, Choice | None]
"""A value, and the choice of `on_invalid` that made it fit; None if it fits."""


def selection_origin(rule: ValueRule, target: SqlType, context: TableContext) -> Origin:
    """Read what a rule with `select` or `each` selects; `rest_of` are the steps that remain."""
    contract, path = context.contract, rule.path or ""
    find, reading = context.find(path), reading_for(target)
    text_of = compile_text(rule.each or ".", contract.namespaces, reading, context.frame)
    if rule.select in ("first", "last"):
        select = _one(text_of, 0 if rule.select == "first" else -1)
    elif rule.select in _OF_VALUES:
        value_of, choose = _value_of(rule, target, context, text_of), _chooser(rule.select, target)
        select = _extreme(value_of, choose, rule.on_invalid, context.note)
    else:
        select = _all(_value_of(rule, target, context, text_of), _combination(rule))
    each = f", each {rule.each}" if rule.each else ""
    own_type = target if rule.select in _OF_VALUES else None
    read = Selection(find, select, context.children(path))
    return Origin(read, own_type, f"path {path}{each}, select {rule.select}", partial(context.find, path))


def rest_of(rule: ValueRule) -> ValueRule:
    """Return a rule without the steps that a selection applies to each node."""
    if rule.select in ("first", "last"):
        return rule
    lookup = rule.last_lookup if rule.select == "only" else None
    return rule.model_copy(update={"transform": (), "lookup": lookup})


def _one(text_of: ReadText, index: int) -> SelectValue:
    return lambda found: text_of(found[index]) if found else None


def _all(value_of: Callable[[Node], Value], combine: Callable[[list[Any]], Value]) -> SelectValue:
    def select(found: Sequence[Node]) -> Value:
        values = [value for node in found if (value := value_of(node)) is not None]
        return combine(values) if values else None

    return select


def _value_of(rule: ValueRule, target: SqlType, context: TableContext, text_of: ReadText) -> Callable[[Node], Value]:
    """Build the function from a node to its value, which is None for a blank node."""
    if rule.select in _OF_VALUES:
        steps = steps_of(
            rule.model_copy(update={"default": None, "blank": "null"}), None, target, context.contract, context.note
        )
    else:
        steps = text_steps(rule, context.contract, context.note, with_last_lookup=rule.select != "only")
    _, apply = fuse(steps)

    def value_of(node: Node) -> Value:
        text = blank_to_null(text_of(node) or "")
        return text if text is None or apply is None else apply(text)

    return value_of


def _extreme(
    value_of: Callable[[Node], Value],
    choose: Callable[[list[_Fitted]], _Fitted],
    on_invalid: OnInvalid,
    note: Note,
) -> SelectValue:
    """Choose the smallest or largest value, and note if it was rounded or truncated."""

    def fitted(node: Node) -> _Fitted:
        try:
            return value_of(node), None
        except InvalidValueError as error:
            value, choice = value_for(error, on_invalid, None)
            if choice not in ("round", "truncate"):
                raise InvalidValueError(error.code, error.explanation) from None
            return value, choice

    def select(found: Sequence[Node]) -> Value:
        values = [fits for node in found if (fits := fitted(node))[0] is not None]
        if not values:
            return None
        value: Value
        value, choice = choose(values)
        if choice is not None:
            note(TOLERATED_AS[choice])
        return value

    return select


def _combination(rule: ValueRule) -> Callable[[list[Any]], Value]:
    combinations: dict[Select, Callable[[list[Any]], Value]] = {
        "only": _only,
        "join": (rule.separator or "").join,
        "sum": _sum,
    }
    return combinations[rule.select]


def _chooser(select: Select, target: SqlType) -> Callable[[list[_Fitted]], _Fitted]:
    key = order_key if target.family is Family.TEXT else lambda value: value
    return partial(min if select == "min" else max, key=lambda fitted: key(fitted[0]))


def _only(values: Sequence[Value]) -> Value:
    if len(values) > 1:
        raise InvalidValueError(Reason.SEVERAL_VALUES, "the path finds more than one node with a value")
    return values[0]


def _sum(texts: Sequence[str]) -> Value:
    total = decimal_sum(texts)
    if total == "NaN":
        raise InvalidValueError(Reason.NOT_A_NUMBER, "a node is not a number in plain notation")
    return total
