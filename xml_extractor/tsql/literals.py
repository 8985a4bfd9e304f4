"""Constants of T-SQL and their types.

Source: "Constants (Transact-SQL)", Microsoft Learn.
"""

from decimal import Decimal

from xml_extractor.tsql.codepage import in_codepage, to_units
from xml_extractor.tsql.faults import RefusalError
from xml_extractor.tsql.result_types import MOST_DIGITS, text_type
from xml_extractor.tsql.typed import INT, Typed, constant
from xml_extractor.values.sqltypes import INTEGER_RANGES, MAX, SqlType

_LONGEST = {"varchar": 8000, "nvarchar": 4000, "varbinary": 8000}


def text_literal(text: str) -> Typed:
    """`'abc'`, a `varchar` of its length."""
    kept = in_codepage(text)
    return constant(_sized("varchar", len(kept)), kept)


def national_literal(text: str) -> Typed:
    """`N'abc'`, an `nvarchar` of its length."""
    return constant(_sized("nvarchar", len(to_units(text))), text)


def binary_literal(digits: str) -> Typed:
    """`0x1F`, a `varbinary` of its length; an odd number of digits gets a zero in front."""
    content = bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))
    return constant(_sized("varbinary", len(content)), content)


def _sized(name: str, length: int) -> SqlType:
    return text_type(name, MAX if length > _LONGEST[name] else max(1, length))


def number_literal(text: str) -> Typed:
    """`12`, an int; `12.50` and integers beyond int, a `numeric` of their digits; `1e3`, a float.

    Raises:
        RefusalError: It has more than 38 digits, or is no number of T-SQL.
    """
    if "e" in text.lower():
        return _float_literal(text)
    integral, point, fraction = text.partition(".")
    if not (integral + fraction).isdigit():
        raise RefusalError(f"'{text}' is not a number", text)
    integral = integral.lstrip("0")
    if not point and int(text) <= INTEGER_RANGES["int"][1]:
        return constant(INT, int(text), digits=max(1, len(integral)))
    precision = max(1, len(integral) + len(fraction))
    if precision > MOST_DIGITS:
        raise RefusalError(f"a number has at most {MOST_DIGITS} digits", text)
    return constant(
        SqlType("numeric", precision=precision, scale=len(fraction)), Decimal(f"{integral or 0}.{fraction}")
    )


def _float_literal(text: str) -> Typed:
    try:
        number = float(text)
    except ValueError:
        raise RefusalError(f"'{text}' is not a number", text) from None
    if number in {float("inf"), float("-inf")}:
        raise RefusalError(f"{text} does not fit float", text)
    return constant(SqlType("float", precision=53), number)
