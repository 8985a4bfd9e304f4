"""A column's rule, compiled to one closure from a row's scope to the column's value.

Every value goes the same way: origin, then the steps in the order of `steps_of`, then `on_invalid` for what was
refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from xml_extractor.contract.layout import rule_type
from xml_extractor.contract.model import TEXT_INPUT_TYPE, Column, Contract, Input, OnInvalid, Scalar, ValueRule
from xml_extractor.documents import Value
from xml_extractor.mapping.context import TableContext
from xml_extractor.mapping.failures import REFUSALS, Refusal, UnusableValueError, failure_of, see_that_memory_sufficed
from xml_extractor.mapping.keys import derived_key
from xml_extractor.mapping.origins import (
    Source,
    column_source,
    constant_source,
    parent_source,
    path_source,
    position_source,
    run_source,
    set_source,
)
from xml_extractor.mapping.scope import Origin, RowScope
from xml_extractor.mapping.steps import Fused, Step, blank_to_null, fuse
from xml_extractor.mapping.value_steps import steps_of
from xml_extractor.tsql import compile_expression
from xml_extractor.values.conversions import constant
from xml_extractor.values.sqltypes import XML_SPACE, InvalidValueError, SqlType


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """A compiled rule of a column, or of an expression's input.

    Attributes:
        path: The contract's XPath, for messages; may be empty.
        inputs: Of an expression: its inputs.
        compute: The value of a row: origin, steps and `on_invalid` in one.
    """

    name: str
    path: str
    target: SqlType
    source: Source
    inputs: tuple["ColumnPlan", ...]
    steps: tuple[Step, ...]
    on_invalid: OnInvalid
    default: Value
    compute: Origin


def compile_column(name: str, column: Column, context: TableContext) -> ColumnPlan:
    """Compile a column of the context's table.

    Raises:
        InvalidValueError: A constant of the rule does not fit the column.
    """
    target = rule_type(context.contract, column)
    inputs = tuple(_compile_input(input_name, rule, context) for input_name, rule in column.inputs.items())
    source = _rule_source(column, target, context) or _column_source(name, column, target, inputs, context)
    return _plan(name, column, target, source, inputs, context.contract)


def _compile_input(name: str, rule: Input, context: TableContext) -> ColumnPlan:
    source = _rule_source(rule, rule.type or TEXT_INPUT_TYPE, context) or column_source(rule.column or "", context)
    target = rule.type or source.type or TEXT_INPUT_TYPE
    return _plan(name, rule, target, source, (), context.contract)


def _rule_source(rule: ValueRule, target: SqlType, context: TableContext) -> Source | None:
    if rule.path is not None:
        return path_source(rule.path, target, context)
    if rule.parent is not None:
        return parent_source(rule.parent, context)
    if rule.run is not None:
        return run_source(rule.run, context)
    return None


def _column_source(
    name: str, column: Column, target: SqlType, inputs: tuple[ColumnPlan, ...], context: TableContext
) -> Source:
    contract = context.contract
    rules = contract.tables[context.name].rows
    if column.expression is not None:
        return _expression_source(column.expression, inputs, _own_columns(column, inputs, context))
    if column.derived is not None:
        paths = tuple(rule.path for rule in rules)
        return Source(derived_key(target, contract.contract, context.name, paths), target, "derived")
    if column.set_by_rule is not None:
        return set_source([_constant(target, rule.set_values.get(name), contract) for rule in rules], target)
    if column.position is not None:
        return position_source()
    return constant_source(_constant(target, column.value, contract), target)


def _own_columns(column: Column, inputs: tuple[ColumnPlan, ...], context: TableContext) -> list[int]:
    """The numbers of the columns of the same row that the inputs are; empty if one is something else."""
    names = [rule.column for rule in column.inputs.values() if rule.column is not None]
    if len(names) < len(inputs) or any(rule.steps for rule in inputs):
        return []
    return [context.column(context.name, name)[0] for name in names]


def _expression_source(expression: str, inputs: tuple[ColumnPlan, ...], own_columns: list[int]) -> Source:
    compiled = compile_expression(expression, {rule.name: rule.target for rule in inputs})
    evaluate = compiled.evaluate
    if own_columns:
        take = _taken(own_columns)
        return Source(
            lambda scope: evaluate(take(scope.values), scope.document.clock), compiled.type, f"expression {expression}"
        )
    computes = tuple(_naming_path(rule) if rule.path or rule.steps else rule.compute for rule in inputs)

    def origin(scope: RowScope) -> Value:
        return evaluate([compute(scope) for compute in computes], scope.document.clock)

    return Source(origin, compiled.type, f"expression {expression}")


def _taken(numbers: list[int]) -> Callable[[list[Value]], Sequence[Value]]:
    """What takes these of a row's values, all at once."""
    return itemgetter(*numbers) if len(numbers) > 1 else itemgetter(slice(numbers[0], numbers[0] + 1))


def _constant(target: SqlType, value: Scalar | None, contract: Contract) -> Value:
    return None if value is None else constant(target, value, code_page=contract.code_page)


def _naming_path(rule: ColumnPlan) -> Origin:
    compute, path = rule.compute, rule.path

    def compute_or_say_where(scope: RowScope) -> Value:
        try:
            return compute(scope)
        except REFUSALS as refusal:
            failure = failure_of(refusal, path)
            raise UnusableValueError(failure.code, failure.explanation, failure.path) from None

    return compute_or_say_where


def _plan(
    name: str, rule: ValueRule, target: SqlType, source: Source, inputs: tuple[ColumnPlan, ...], contract: Contract
) -> ColumnPlan:
    steps = steps_of(rule, source.type, target, contract)
    default = _constant(target, rule.default, contract)
    compute = _tolerant(_composed(source.origin, steps), rule.on_invalid, default)
    return ColumnPlan(name, rule.path or "", target, source, inputs, steps, rule.on_invalid, default, compute)


def _composed(origin: Origin, steps: tuple[Step, ...]) -> Origin:
    if steps and steps[0].apply is blank_to_null:
        return _composed_of_text(origin, fuse(steps[1:]))
    null, apply = fuse(steps)
    if apply is None and null is None:
        return origin

    def compute(scope: RowScope) -> Value:
        value = origin(scope)
        if value is None:
            return null
        return value if apply is None else apply(value)

    return compute


def _composed_of_text(origin: Origin, behind_blank: Fused) -> Origin:
    """As `_composed` with `blank_to_null` in line: nearly all values go this way, and the call costs more than it."""
    null, apply = behind_blank

    def compute(scope: RowScope) -> Value:
        text: Any = origin(scope)
        if not text or (text.isspace() and not text.strip(XML_SPACE)):
            return null
        return text if apply is None else apply(text)

    return compute


def _tolerant(compute: Origin, on_invalid: OnInvalid, default: Value) -> Origin:
    if on_invalid == "reject":
        return compute

    def compute_anyway(scope: RowScope) -> Value:
        try:
            return compute(scope)
        except REFUSALS as refusal:
            return value_for(refusal, on_invalid, default)

    return compute_anyway


def raw_value(column: ColumnPlan, row: RowScope) -> Value:
    """What a refused column has in the document, before any step; None if it has nothing.

    Of an expression, this is the first input that is refused, or else its only one. Where several are good, there is
    no such value.
    """
    only = column.inputs[0] if len(column.inputs) == 1 else None
    refused = next((rule for rule in column.inputs if _is_refused(rule, row)), only)
    if refused is not None:
        return raw_value(refused, row)
    try:
        return None if column.inputs else column.source.origin(row)
    except REFUSALS:
        return None


def _is_refused(column: ColumnPlan, row: RowScope) -> bool:
    try:
        column.compute(row)
    except REFUSALS:
        return True
    return False


def value_for(refusal: Refusal, on_invalid: OnInvalid, default: Value) -> Value:
    """What `on_invalid` puts in the place of a refused value.

    Raises:
        Refusal: Nothing: the refusal stands.
        MemoryError: It is none; see `see_that_memory_sufficed`.
    """
    see_that_memory_sufficed(refusal)
    if on_invalid == "null":
        return None
    if on_invalid == "default":
        return default
    truncated = refusal.truncated if isinstance(refusal, InvalidValueError) else None
    if on_invalid == "reject" or truncated is None:
        raise refusal
    return truncated
