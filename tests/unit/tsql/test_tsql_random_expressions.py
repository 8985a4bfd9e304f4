"""Expressions put together at random: whatever compiles has a value of its type, or fails with an explained error."""

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.expression_inputs import ROWS, TYPES
from tests.random_expressions import CHOICES, FORMS, WORDS, Part, expressions
from tests.unit.tsql.tsql_evaluation import CLOCK
from xml_extractor.documents import Value
from xml_extractor.tsql import EvaluationError, ExpressionError, ExpressionFault, compile_expression
from xml_extractor.tsql.compiler import ALLOWED_FUNCTIONS
from xml_extractor.values.sqltypes import INTEGER_RANGES, MAX, Family, SqlType

CLASSES: dict[Family, type] = {
    Family.BIT: bool,
    Family.INTEGER: int,
    Family.DECIMAL: Decimal,
    Family.MONEY: Decimal,
    Family.FLOAT: float,
    Family.TEXT: str,
    Family.BINARY: bytes,
    Family.DATE: date,
    Family.TIME: time,
    Family.DATETIME: datetime,
    Family.OFFSET: datetime,
    Family.GUID: str,
    Family.XML: str,
}


def _assert_value_of(data_type: SqlType, value: Value) -> None:
    assert type(getattr(value, "plain", value)) is CLASSES[data_type.family], (data_type, value)
    match value:
        case bool():
            return
        case int():
            least, most = INTEGER_RANGES[data_type.name]
            assert least <= value <= most
        case Decimal():
            scale = data_type.scale if data_type.family is Family.DECIMAL else 4
            assert value.as_tuple().exponent == -scale, (data_type, value)
            assert data_type.family is Family.MONEY or len(value.as_tuple().digits) <= max(data_type.precision, 1)
        case str() if data_type.length not in {0, MAX}:
            assert len(value.encode("utf-16-le")) // 2 <= data_type.length
        case bytes() if data_type.length not in {0, MAX}:
            assert len(value) <= data_type.length
        case datetime():
            assert (value.tzinfo is not None) == (data_type.family is Family.OFFSET)
            assert data_type.name != "datetime" or value.microsecond // 1000 % 10 in {0, 3, 7}
            assert data_type.name != "smalldatetime" or value.second == 0


class Outcome(NamedTuple):
    faults: tuple[ExpressionFault, ...] = ()
    code: str = ""
    type: SqlType | None = None
    value: Value = None


def _outcome(text: str, values: Sequence[Value]) -> Outcome:
    try:
        compiled = compile_expression(text, TYPES)
    except ExpressionError as error:
        return Outcome(faults=error.faults)
    try:
        return Outcome(type=compiled.type, value=compiled.evaluate(values, CLOCK))
    except EvaluationError as error:
        return Outcome(code=error.code, type=compiled.type)


def _assert_orderly(outcome: Outcome) -> None:
    if outcome.type is None:
        assert outcome.faults
        assert all(fault.message and fault.line == 1 and fault.column >= 1 for fault in outcome.faults)
    elif outcome.value is not None:
        _assert_value_of(outcome.type, outcome.value)
    else:
        assert outcome.code in {"", "overflow", "divide_by_zero", "conversion_failed", "truncation", "invalid_argument"}


def test_random_expressions_call_every_function() -> None:
    forms = [form for of_kind in FORMS.values() for form in of_kind]
    words = re.findall(r"\w+", " ".join([*CHOICES, *forms, *(word for of_kind in WORDS.values() for word in of_kind)]))
    assert set(ALLOWED_FUNCTIONS) - {"TRY_CAST", "TRY_CONVERT"} <= set(words)
    assert {"{try}CAST", "{try}CONVERT"} <= {form.partition("(")[0] for form in forms}


@settings(max_examples=400, deadline=None)
@given(expressions(), st.sampled_from(ROWS))
@example(Part("LEFT(wide, 2)"), ROWS[0])
@example(Part("RTRIM(0x41)"), ROWS[0])
@example(Part("DATEADD(ns, 2147483647, new)"), ROWS[0])
@example(Part("DATEDIFF(ns, zoned, new)"), ROWS[0])
def test_an_expression_has_faults_or_fails_with_a_code_or_has_a_value_of_its_type(
    part: Part, row: tuple[Value, ...]
) -> None:
    _assert_orderly(_outcome(part.text, row))


@settings(max_examples=200, deadline=None)
@given(expressions())
def test_an_expression_of_nulls_is_as_orderly(part: Part) -> None:
    _assert_orderly(_outcome(part.text, [None] * len(TYPES)))
