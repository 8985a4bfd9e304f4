"""Expressions have on a SQL Server the value, the type and the failure that they have here."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests import sqlserver
from tests.database.expression_comparison import Disagreement, cases_of, disagreements, is_left_open
from tests.database.expression_server import Server, product_answer
from tests.expression_inputs import ROWS
from tests.random_expressions import Part, expressions
from xml_extractor.values.sqltypes import Family

pytestmark = pytest.mark.mssql

EXAMPLES = 1600
SEED = 2024

_BINARY, _TEXT, _MONEY = {Family.BINARY}, {Family.TEXT}, {Family.MONEY}
_MOMENTS = {Family.DATE, Family.TIME, Family.DATETIME, Family.OFFSET}
_CHOICE = r"(CASE|IIF|COALESCE|ISNULL|NULLIF).*"
_TRY = r"TRY_(CAST|CONVERT)\(.*"
_TO_BINARY = r"(TRY_)?(CAST\(.* AS (var)?binary.*|CONVERT\((var)?binary.*)"
_TO_TEXT = r"(TRY_)?(CAST\(.* AS n?(var)?char.*|CONVERT\(n?(var)?char.*)"
_TO_MOMENT = r"(TRY_)?(CAST\(.* AS (date|time|smalldate).*|CONVERT\((date|time|smalldate).*)"
_WRITTEN = (
    r"(CONCAT|CONCAT_WS|STUFF|REPLICATE|REVERSE|TRANSLATE|LEN|LEFT|RIGHT|CHARINDEX|L?TRIM|RTRIM|UPPER|LOWER|REPLACE)\(.*"
    r"|.* (NOT )?LIKE .*"
)
_ARITHMETIC = r"\(\{\w+\} [-+*/%] \{\w+\}\)"
_COMPARED = r".* (=|<>|!=|<|<=|>|>=|!<|!>|(NOT )?IN|(NOT )?BETWEEN) .*"
_LENGTHS = {"char", "varchar", "nchar", "nvarchar", "binary", "varbinary"}
_PARAMETERS = {"decimal", "time", "datetime2", "datetimeoffset"}


@dataclass(frozen=True, slots=True)
class Difference:
    """Where another server that speaks T-SQL departs from SQL Server's documentation.

    Attributes:
        documented: What SQL Server does.
        form: The forms of the parts for which it is so, as a regular expression.
        about: What differs, as a regular expression.
        message: What the server says, as a regular expression that is searched.
        when: What else must hold.
    """

    documented: str
    form: str = ".*"
    about: str = ".*"
    message: str = ""
    when: Callable[[Disagreement], bool] = lambda _found: True

    def explains(self, found: Disagreement) -> bool:
        return (
            re.fullmatch(self.form, found.part.form) is not None
            and re.fullmatch(self.about, found.about) is not None
            and re.search(self.message, found.server.message) is not None
            and self.when(found)
        )


def _has(families: set[Family]) -> Callable[[Disagreement], bool]:
    return lambda found: any(operand.type.family in families for operand in found.operands)


def _gives(*bases: str) -> Callable[[Disagreement], bool]:
    return lambda found: found.product.base in bases


def _same_base(found: Disagreement) -> bool:
    product, server = found.product, found.server
    bases = {"decimal" if base == "numeric" else base for base in (product.base, server.base) if base}
    shapes = (product.shape, server.shape)
    return len(bases) == 1 and None not in shapes and len({shape.values for shape in shapes if shape}) == 1


def _differs_in_length(found: Disagreement) -> bool:
    return _same_base(found) and found.product.base in _LENGTHS


def _differs_in_parameters(found: Disagreement) -> bool:
    return _same_base(found) and found.product.base.replace("numeric", "decimal") in _PARAMETERS


def _of_other_decimals(found: Disagreement) -> bool:
    """Arithmetic in which a number is no decimal, or a constant."""
    return _differs_in_parameters(found) and any(
        operand.type.family is not Family.DECIMAL or not operand.names for operand in found.operands
    )


def _varies(found: Disagreement) -> bool:
    """The result is char, nchar or binary, and on the server varchar, nvarchar or varbinary."""
    return found.server.base in {f"var{found.product.base}", found.product.base.replace("nchar", "nvarchar")}


def _has_other_operands(found: Disagreement) -> bool:
    """An operand has another type on the server, other decimals or no value: which is a difference of its own."""
    shapes = [(operand.product.shape, operand.server.shape) for operand in found.operands]
    return any(
        other is None or (one is not None and (one.values, one.scale) != (other.values, other.scale))
        for one, other in shapes
    )


def _is_null_there(found: Disagreement) -> bool:
    return found.product.value is not None and found.server.value is None


def _has_other_decimals(found: Disagreement) -> bool:
    """The values are the same, but for the number of decimals."""
    values = (found.product.value, found.server.value)
    decimals = [value for value in values if isinstance(value, Decimal)]
    least = min((value.as_tuple().exponent for value in decimals), key=lambda exponent: -int(exponent), default=0)
    return len(decimals) == len(values) and abs(decimals[0] - decimals[1]) <= Decimal(1).scaleb(int(least))


def _of(name: str) -> Callable[[Disagreement], bool]:
    return lambda found: any(operand.type.name == name for operand in found.operands)


def _fails_here(found: Disagreement) -> bool:
    return bool(found.product.failures)


def _overflows(found: Disagreement) -> bool:
    return found.product.failures == {"overflow"}


def _refuses_text(found: Disagreement) -> bool:
    return found.product.value is None and _has(_TEXT)(found)


def _is_larger_than_38_digits(found: Disagreement) -> bool:
    return _overflows(found) and found.product.base == "decimal"


def _of_other_moments(found: Disagreement) -> bool:
    """A date or time of another type than date and datetime is among the operands."""
    return any(
        operand.type.family in _MOMENTS and operand.type.name not in {"date", "datetime"} for operand in found.operands
    )


def _fails_here_for_text(found: Disagreement) -> bool:
    return _fails_here(found) and _has(_TEXT)(found)


def _is_null_here(found: Disagreement) -> bool:
    return found.product.value is None


def _is_null_alone(found: Disagreement) -> bool:
    return found.product.value is None and not any(operand.names for operand in found.operands)


def _is_at_the_end(found: Disagreement) -> bool:
    return any(str(operand.product.value).startswith("9999-12-31 23:59:59.9") for operand in found.operands)


def _is_decimal_there(found: Disagreement) -> bool:
    return found.server.shape is not None and found.server.shape.values == "Decimal"


def _does_not_fit(found: Disagreement) -> bool:
    return found.product.value is None or str(found.product.value).strip() == "*"


def _differs_in_spaces(found: Disagreement) -> bool:
    return str(found.product.value).rstrip(" ") == str(found.server.value).rstrip(" ")


def _has_space_at_the_end(found: Disagreement) -> bool:
    return any(str(operand.product.value).endswith(" ") for operand in found.operands)


def _has_sharp_s(found: Disagreement) -> bool:
    return any("ß" in str(operand.product.value) for operand in found.operands)


def _has_supplementary_character(found: Disagreement) -> bool:
    return any("😀" in str(operand.product.value) for operand in found.operands)


def _has_question_mark(found: Disagreement) -> bool:
    return "?" in str(found.product.value)


DIFFERENCES: tuple[Difference, ...] = (
    # Types of results
    Difference("A number with an exponent is a float.", r"1e5|2\.5e-3", "type"),
    Difference("An integer beyond int is numeric.", "99999999999", "type"),
    Difference("0.001 is numeric(3,3).", r"0\.001", "type"),
    Difference("Text and binaries have a length.", r"(?!(CAST|CONVERT)\().*", "type", when=_differs_in_length),
    Difference("char + char is char.", rf"{_ARITHMETIC}|NULLIF.*", "type", when=_varies),
    Difference(
        "Choices and functions keep precision and scale, and digits of a second.",
        rf"{_CHOICE}|{_TRY}|CONVERT\(time.*|(ABS|FLOOR|CEILING|ROUND|DATEADD)\(.*",
        "type",
        when=_differs_in_parameters,
    ),
    Difference("Numbers of all types have a precision and a scale.", _ARITHMETIC, "type", when=_of_other_decimals),
    Difference("LEN and CHARINDEX are bigint for large text.", r"(LEN|CHARINDEX)\(.*", "type", when=_gives("bigint")),
    Difference(
        "tinyint and smallmoney are results of choices, of ABS and of remainders.",
        rf"{_CHOICE}|{_ARITHMETIC}|ABS.*",
        "type",
        when=_gives("tinyint", "smallmoney"),
    ),
    Difference("-tinyint is smallint.", r"\(-\{number\}\)", "type|failure", when=_gives("smallint")),
    Difference(
        "ROUND, FLOOR and CEILING keep int, bigint, money and float.",
        r"(ROUND|FLOOR|CEILING)\(.*",
        "type",
        when=_gives("int", "bigint", "money", "float"),
    ),
    Difference("PATINDEX is bigint for large text only.", r"PATINDEX\(.*", "type", when=_gives("int", "bigint")),
    Difference("The precision of a moment of parts is its scale.", r"\w+FROMPARTS\(.*", "type"),
    Difference("NULLIF has the type of its first value.", r"NULLIF\(.*", "type|value"),
    Difference("Floats and dates go before decimals.", r"COALESCE\(.*", when=_is_decimal_there),
    Difference("Arithmetic with NULL alone is int.", _ARITHMETIC, "type", when=_is_null_alone),
    Difference("A float goes before all other numbers.", _ARITHMETIC, "type", when=_gives("float", "real")),
    Difference(
        "Money goes before integers.", r"\(.* [%*/] .*\)", "type|value|failure", when=_gives("money", "smallmoney")
    ),
    Difference("varbinary(max) has no length.", r"CAST\(.* AS varbinary\(max\)\)", "type"),
    Difference("The operands have the types and scales above.", about="type|value|failure", when=_has_other_operands),
    # Failures
    Difference("Errors have documented numbers.", about="class", message=r"\(33557097\)"),
    Difference(
        "The chart of conversions has them.",
        about="failure",
        message=r"cannot cast type|cannot coerce|could not convert type|operator (is not unique|does not exist)",
    ),
    Difference("Results of a choice are converted.", _CHOICE, "failure", message="CHAR/NCHAR data is not defined"),
    Difference("The longest result of a choice has room.", _CHOICE, "failure", message="truncated|value too long"),
    Difference(
        "Only the result that is taken is converted.",
        _CHOICE,
        "failure",
        message="invalid input syntax|tinyint_check|cannot cast value|out of range",
    ),
    Difference("The result that is taken is converted.", _CHOICE, "failure", when=_fails_here_for_text),
    Difference(
        "Values fit their types.",
        about="failure|class",
        message="not supply an error|Protocol error|Invalid (date|time)|TCP Provider|link failure|sql_variant_property",
    ),
    Difference("ISNULL has the type of its first value.", r"ISNULL\(.*", "value"),
    Difference(
        "A choice has the type with the highest precedence.",
        _CHOICE,
        "type|value",
        when=_has({Family.BIT, Family.BINARY}),
    ),
    Difference(
        "A choice of datetimeoffset or datetime2 with others is one.",
        _CHOICE,
        "type|value",
        when=_gives("datetimeoffset", "datetime2"),
    ),
    Difference("Dates go before floats.", r"CASE .*", "type|value", when=_gives("datetime", "smalldatetime")),
    Difference("NULL alone is an int.", about="failure", message="input has type unknown|operator is not unique"),
    Difference("NULL of a function is NULL.", "(LEFT|RIGHT).*", "failure", message="Invalid length parameter"),
    # Numbers
    Difference("Quotients and products have the result's scale.", _ARITHMETIC, "value", when=_has_other_decimals),
    Difference("A decimal has 38 digits.", _ARITHMETIC, "failure", when=_is_larger_than_38_digits),
    Difference("Text that meets a decimal gets its scale.", rf"{_ARITHMETIC}|{_COMPARED}", when=_fails_here_for_text),
    Difference("Text has no hexadecimal digits.", r"CAST\(.*(int|real|float)\)", "failure", when=_fails_here_for_text),
    Difference("A decimal has no exponent in text.", r"(TRY_)?CAST\(.*", "value|failure", when=_refuses_text),
    Difference("ROUND fails when its type is too small, and only then.", r"ROUND\(.*", "failure"),
    Difference("ROUND of NULL is NULL.", r"ROUND\(.*", "value", when=_is_null_here),
    Difference("ROUND of a float is a float.", r"ROUND\(.*", "value", when=_gives("float")),
    Difference(
        "Money is rounded when it becomes an integer.",
        r"(TRY_)?CONVERT\(.*int,.*|TRY_CAST\(.*int\)|CAST\(.* AS tinyint\)",
        "value",
        when=_has(_MONEY),
    ),
    Difference("Text becomes money.", r"(TRY_)?(CAST|CONVERT)\(.*money.*", "value|failure", when=_has(_TEXT)),
    Difference("A real keeps its bits as a float.", r"TRY_CONVERT\(float,.*", "value"),
    Difference(
        "Blank text is 0, but for decimals.",
        about="failure",
        message='invalid input syntax for type numeric: ""',
        when=_gives("money", "smallmoney"),
    ),
    Difference(
        "Decimals are cut when they become integers.",
        _TRY,
        "value",
        when=_gives("tinyint", "smallint", "int", "bigint"),
    ),
    Difference(
        "A datetime overflows small integers.", r"CAST\(.* AS (small|tiny)int\)", "failure", when=_has(_MOMENTS)
    ),
    Difference("A datetime has 300 ticks a second.", rf"(TRY_)?CAST.*|{_CHOICE}", "value", when=_of("datetime")),
    Difference("A smalldatetime is a whole minute.", r"CAST\(.*", "value", when=_of("smalldatetime")),
    Difference(
        "A number that is added to a smalldatetime is one.",
        _ARITHMETIC,
        "failure",
        when=_gives("smalldatetime", "datetime"),
    ),
    Difference(
        "smallmoney has 32 bits.", rf"ABS.*|{_CHOICE}|{_ARITHMETIC}|\(-.*", "failure", when=_gives("smallmoney")
    ),
    Difference("tinyint goes before binaries, and stays tinyint.", _ARITHMETIC, "failure", when=_gives("tinyint")),
    Difference("CEILING and FLOOR of money are money.", r"(CEILING|FLOOR)\(.*", "failure", when=_gives("money")),
    Difference(
        "A decimal that is too large is refused.",
        r"CAST\(.* AS decimal.*|CONVERT\(decimal.*",
        "failure",
        when=_overflows,
    ),
    Difference("A float has 17 digits as a decimal.", _TRY, "value", when=_has_other_decimals),
    Difference(
        "A bit becomes a float, to be compared with one.", rf"{_COMPARED}|CASE.*", "value", when=_has({Family.BIT})
    ),
    Difference("Text with a sign is a bit.", about="failure", message="invalid input syntax for type bit"),
    Difference(
        "A moment of parts has seven digits of a second.",
        r"\w+FROMPARTS\(.*, 7\)",
        "failure|value",
        message="cast to SMALLINT|^$",
    ),
    # Binaries
    Difference("Binaries are joined by +.", r"\(\{\w+\} \+ \{\w+\}\)", when=_gives("binary", "varbinary")),
    Difference("Binary zeros are characters.", about="failure", message="invalid byte sequence for encoding"),
    Difference("Binary zeros are characters.", rf"{_WRITTEN}|{_CHOICE}|{_COMPARED}", "value", when=_has(_BINARY)),
    Difference("Binaries are cut and filled on the right.", _TO_BINARY, "value|failure"),
    Difference("Styles 1 and 2 write hexadecimal digits.", _TO_TEXT, "value|failure", when=_has(_BINARY)),
    Difference(
        "Binaries are cut on the left for integers.", rf"(TRY_)?CONVERT\(.*int.*|{_ARITHMETIC}", when=_has(_BINARY)
    ),
    # Text
    Difference("Empty text has no first character.", r"(UNICODE|ASCII)\(.*", "value", when=_is_null_here),
    Difference("TRANSLATE compares as the collation does.", r"TRANSLATE\(.*", "value"),
    Difference("CHAR(0) is a character.", r"N?CHAR\(.*", "failure", message="null character not permitted"),
    Difference("LTRIM and RTRIM take characters to trim.", r"[LR]TRIM\(\{text\}, \{text\}\)", "failure|value"),
    Difference(
        "Spaces at the end count for LIKE if a side is Unicode.", r".* LIKE .*", "value", when=_has_space_at_the_end
    ),
    Difference("TRIM takes a side.", r"TRIM\((LEADING|TRAILING|BOTH) .*", "failure", message="syntax error"),
    Difference("TRIM compares as the collation does.", r"TRIM\(\{text\} FROM .*", "value"),
    Difference("A decimal has all its digits as text.", _WRITTEN, "value", when=_has({Family.DECIMAL})),
    Difference("REPLACE converts numbers.", r"REPLACE\(.*", "failure", message="invalid for argument"),
    Difference("A character beyond U+FFFF is two.", about="value", when=_has_supplementary_character),
    Difference("No letter becomes two in upper case.", r"UPPER\(.*", "value", when=_has_sharp_s),
    Difference("Money has 2 decimals as text.", rf"{_WRITTEN}|{_TO_TEXT}", "value|failure", when=_has(_MONEY)),
    Difference("A float has 6 digits as text.", rf"{_WRITTEN}|{_TO_TEXT}", "value|failure", when=_has({Family.FLOAT})),
    Difference("Dates have styles 0 and 121 as text.", _WRITTEN, "value|failure", when=_has(_MOMENTS)),
    Difference("Dates and times have styles as text.", _TO_TEXT, "value|failure", when=_of_other_moments),
    Difference(
        "Styles 126 and 127 leave out a fraction of zero.", r"CONVERT\(.*, 12[67]\)", "value", when=_of("datetime")
    ),
    Difference("CONVERT has styles.", r"CONVERT\(n?(var)?char(\(\w+\))?, (?!\{|old|day1).*", "value|failure"),
    Difference("Text that is too short for a value is refused.", _TO_TEXT, "failure|value", when=_has({Family.GUID})),
    Difference("A number that is too long for text is * or refused.", _TO_TEXT, when=_does_not_fit),
    Difference("varchar has the characters of its code page.", _TO_TEXT, "value", when=_has_question_mark),
    Difference("char(n) is filled.", rf"{_TO_TEXT}|{_CHOICE}", "value", when=_differs_in_spaces),
    # Dates and times
    Difference(
        "Text that is blank or a time alone is a date, and one that is a date alone a time.",
        about="failure",
        message=r"(invalid input syntax|Conversion failed).*(date|time)|out of range|input has type unknown",
        when=_has(_TEXT),
    ),
    Difference("CONVERT of text to a date has styles.", r"(TRY_)?CONVERT\((date|time|smalldate).*", "value|failure"),
    Difference("TRY_CAST converts what CAST converts.", _TRY, "value|failure", when=_is_null_there),
    Difference("A time is rounded to midnight.", about="value", when=lambda found: found.server.value == "24:0:0"),
    Difference("A number in text is no date.", r"DATEPART.*", "failure", when=_fails_here_for_text),
    Difference("A time becomes a datetime, to be compared with one.", _COMPARED, "value", when=_has({Family.TIME})),
    Difference(
        "Numbers become datetime, and are rounded.",
        r"(DATEPART|YEAR|MONTH|DAY)\(.*",
        "value",
        when=_has({Family.DECIMAL}),
    ),
    Difference("DATEDIFF counts Sundays.", r"DATEDIFF\((wk|week),.*", "value"),
    Difference("EOMONTH takes any date.", r"EOMONTH.*", "failure|class", message="has no parameters"),
    Difference("Text has at most 3 digits of a second for datetime.", _TO_MOMENT, "class"),
    Difference("DATEDIFF drops the time zone of text.", r"DATEDIFF\(.*", "failure|value", when=_has(_TEXT)),
    Difference("A time zone is refused as smalldatetime.", _TO_MOMENT, "failure", when=_fails_here_for_text),
    Difference(
        "There is no moment to round to after the last one.",
        rf"{_TO_MOMENT}|{_CHOICE}",
        "value|failure",
        when=_is_at_the_end,
    ),
    Difference(
        "DATEADD and DATEDIFF take all values of all types.",
        r"DATE(ADD|DIFF)\(.*|.*BETWEEN.*",
        "failure|class",
        message=r"out of range|caused an overflow",
    ),
    Difference(
        "A date becomes a smalldatetime, to be compared with one.",
        rf"{_COMPARED}|CASE.*|NULLIF.*",
        "failure",
        when=_of("smalldatetime"),
    ),
    Difference(
        "DATEDIFF takes numbers as datetime, text as datetime2.",
        r"DATEDIFF.*",
        "value",
        when=_has(_TEXT | _MONEY | {Family.INTEGER, Family.DECIMAL, Family.FLOAT}),
    ),
    Difference("Spaces at the end do not count in a list.", r"\{text\} (NOT )?IN .*", "value"),
    Difference("DATEADD adds months to the local date.", r"DATEADD\((q|month),.*", "value", when=_has({Family.OFFSET})),
    Difference("DATEADD ends with the calendar.", r"DATEADD\(.*", "failure", when=_overflows),
    Difference("DATEADD rounds to the digits of a second of its type.", r"DATEADD\(m?[cn]?s,.*", "value"),
)


UNANSWERED = re.compile(r"TRY_CAST\(.* AS char\b|TRY_CONVERT\(char\b")
"""What another server never answers."""


def sendable(part: Part) -> bool:
    return not UNANSWERED.search(part.text)


def explained(found: Disagreement) -> bool:
    return any(difference.explains(found) for difference in DIFFERENCES)


def drawn(count: int, number: int) -> list[Part]:
    """As many different expressions, always the same ones for a number."""
    parts: dict[Part, None] = {}

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(expressions())
    def draw(part: Part) -> None:
        parts[part] = None

    draw()
    return list(parts)


@pytest.fixture
def server() -> Iterator[Server]:
    opened = Server(sqlserver.session)
    yield opened
    opened.close()


def test_an_expression_has_the_servers_value_type_and_failure(server: Server) -> None:
    cases = cases_of([part for part in drawn(EXAMPLES, SEED) if server.is_sql_server or sendable(part)])
    found = [one for ways in disagreements(server, cases) for one in ways if not is_left_open(one)]
    unexplained = [one for one in found if server.is_sql_server or not explained(one)]
    assert not unexplained, "\n".join(map(str, unexplained))
    assert len(cases) > EXAMPLES // 3


@pytest.mark.parametrize("text", ["GETUTCDATE()", "SYSUTCDATETIME()"])
def test_the_clock_has_the_servers_type(server: Server, text: str) -> None:
    product, (answer,) = product_answer(text, ROWS[0]), server.answers([text], 0)
    assert product is not None
    assert (product.base, product.shape) == (answer.base, answer.shape)
