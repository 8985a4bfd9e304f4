"""Expressions put together at random: whatever compiles has a value of its type, or fails with an explained error."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.tsql.tsql_evaluation import CLOCK
from xml_extractor.documents import Value
from xml_extractor.tsql import EvaluationError, ExpressionError, ExpressionFault, compile_expression
from xml_extractor.values.sqltypes import INTEGER_RANGES, MAX, Family, SqlType, parse_type

NAMES: dict[str, tuple[str, Value]] = {
    "i": ("int", -7),
    "big": ("bigint", 2**62),
    "tiny": ("tinyint", 200),
    "bit1": ("bit", True),
    "dec2": ("decimal(10,2)", Decimal("-12.35")),
    "dec38": ("decimal(38,10)", Decimal("1234567890123456789012345678.0123456789")),
    "cash": ("money", Decimal("-3.1416")),
    "ratio": ("float", 1e-7),
    "single": ("real", 0.5),
    "word": ("varchar(12)", "aBc é "),
    "digits": ("varchar(12)", " 12.5"),
    "wide": ("nvarchar(12)", "Ω😀x"),
    "fixed": ("char(6)", "ab"),
    "raw": ("varbinary(8)", b"\x01\xff"),
    "day1": ("date", date(2024, 2, 29)),
    "clock1": ("time(3)", time(23, 59, 59, 999000)),
    "old": ("datetime", datetime.fromisoformat("2024-02-29 23:59:59.997")),
    "small": ("smalldatetime", datetime.fromisoformat("2024-02-29 23:59")),
    "new": ("datetime2(7)", datetime.fromisoformat("9999-12-31 23:59:59.999999")),
    "zoned": ("datetimeoffset(2)", datetime(1, 1, 1, tzinfo=UTC)),
    "id": ("uniqueidentifier", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    "doc": ("xml", "<a/>"),
    "memo": ("text", "long"),
    "nothing": ("int", None),
}
TYPES = {name: parse_type(written) for name, (written, _) in NAMES.items()}
VALUES = [value for _, value in NAMES.values()]

LITERALS = [
    "0",
    "1",
    "-1",
    "2147483647",
    "99999999999",
    "1.5",
    "0.001",
    "1e5",
    "'a'",
    "'10'",
    "'2024-02-29'",
    "N'Ω'",
    "0x41",
    "NULL",
    "''",
]
TARGETS = [
    *("bit", "tinyint", "int", "bigint", "decimal(5,2)", "decimal(38,20)", "money", "smallmoney", "float", "real"),
    *(
        "varchar(4)",
        "char(4)",
        "nvarchar(40)",
        "nchar(3)",
        "varchar(max)",
        "varbinary(4)",
        "binary(4)",
        "date",
        "time(0)",
    ),
    *("datetime", "smalldatetime", "datetime2(3)", "datetimeoffset", "uniqueidentifier", "xml", "text"),
]
PARTS = ["year", "q", "month", "dy", "dd", "wk", "dw", "hh", "mi", "ss", "ms", "mcs", "ns", "tz", "isowk"]


def _calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one, two, three = inner, st.tuples(inner, inner), st.tuples(inner, inner, inner)
    target, part = st.sampled_from(TARGETS), st.sampled_from(PARTS)
    style = st.sampled_from(["0", "1", "2", "3", "103", "112", "121", "126", "99"])
    return st.one_of(
        st.tuples(st.sampled_from("+-*/%"), two).map(lambda found: f"({found[1][0]} {found[0]} {found[1][1]})"),
        one.map(lambda found: f"(-{found})" if not found.startswith("-") else found),
        st.tuples(st.sampled_from(["CAST", "TRY_CAST"]), one, target).map(
            lambda found: f"{found[0]}({found[1]} AS {found[2]})"
        ),
        st.tuples(target, one, style).map(lambda found: f"CONVERT({found[0]}, {found[1]}, {found[2]})"),
        st.tuples(
            st.sampled_from(
                ["LEN", "UPPER", "LOWER", "TRIM", "LTRIM", "RTRIM", "YEAR", "EOMONTH", "ABS", "FLOOR", "CEILING"]
            ),
            one,
        ).map(lambda found: f"{found[0]}({found[1]})"),
        st.tuples(
            st.sampled_from(
                ["LEFT", "RIGHT", "CHARINDEX", "CONCAT", "ISNULL", "COALESCE", "NULLIF", "ROUND", "EOMONTH"]
            ),
            two,
        ).map(lambda found: f"{found[0]}({found[1][0]}, {found[1][1]})"),
        st.tuples(st.sampled_from(["SUBSTRING", "REPLACE", "CHARINDEX", "ROUND", "DATEFROMPARTS"]), three).map(
            lambda found: f"{found[0]}({', '.join(found[1])})"
        ),
        st.tuples(st.sampled_from(["DATEADD", "DATEDIFF"]), part, two).map(
            lambda found: f"{found[0]}({found[1]}, {found[2][0]}, {found[2][1]})"
        ),
        st.tuples(part, one).map(lambda found: f"DATEPART({found[0]}, {found[1]})"),
        st.tuples(st.sampled_from(["=", "<", ">=", "LIKE", "NOT LIKE"]), two, two).map(
            lambda found: f"IIF({found[1][0]} {found[0]} {found[1][1]}, {found[2][0]}, {found[2][1]})"
        ),
        st.tuples(three, one).map(
            lambda found: (
                f"CASE WHEN {found[0][0]} IN ({found[0][1]}, {found[0][2]}) THEN {found[1]} ELSE {found[0][0]} END"
            )
        ),
    )


EXPRESSIONS = st.recursive(st.sampled_from([*NAMES, *LITERALS]), _calls, max_leaves=6)

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
    assert type(value) is CLASSES[data_type.family], (data_type, value)
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


def _outcome(text: str, values: list[Value]) -> Outcome:
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


@settings(max_examples=400, deadline=None)
@given(EXPRESSIONS)
@example("LEFT(wide, 2)")
@example("RTRIM(0x41)")
@example("DATEADD(ns, 2147483647, new)")
@example("DATEDIFF(ns, zoned, new)")
def test_an_expression_has_faults_or_fails_with_a_code_or_has_a_value_of_its_type(text: str) -> None:
    _assert_orderly(_outcome(text, VALUES))


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS)
def test_an_expression_of_nulls_is_as_orderly(text: str) -> None:
    _assert_orderly(_outcome(text, [None] * len(VALUES)))
