"""The type of a result: precedence of types, precision and scale of decimals, lengths of text.

Sources: "Data type precedence (Transact-SQL)", "Precision, scale, and length (Transact-SQL)", "CASE (Transact-SQL)" and
"float and real (Transact-SQL)", Microsoft Learn.
"""

from collections.abc import Sequence
from functools import reduce

from xml_extractor.tsql.errors import CompileError
from xml_extractor.tsql.typed import Typed
from xml_extractor.values.sqltypes import MAX, Family, SqlType

_PRECEDENCE = (
    *("xml", "datetimeoffset", "datetime2", "datetime", "smalldatetime", "date", "time", "float", "real", "decimal"),
    *("numeric", "money", "smallmoney", "bigint", "int", "smallint", "tinyint", "bit", "ntext", "text", "image"),
    *("uniqueidentifier", "nvarchar", "nchar", "varchar", "char", "varbinary", "binary"),
)
_RANK = {name: rank for rank, name in enumerate(_PRECEDENCE)}

NUMBERS = frozenset({Family.BIT, Family.INTEGER, Family.DECIMAL, Family.MONEY, Family.FLOAT})
EXACT_NUMBERS = NUMBERS - {Family.FLOAT}
MOMENTS = frozenset({Family.DATE, Family.TIME, Family.DATETIME, Family.OFFSET})
LEGACY_MOMENTS = frozenset({"datetime", "smalldatetime"})
LARGE_OBJECTS = frozenset({"text", "ntext", "image"})
UNICODE = frozenset({"nchar", "nvarchar", "ntext"})

MOST_DIGITS = 38
_LEAST_SCALE_KEPT = 6
_MOST_INTEGRAL_DIGITS = 32
_REAL_BITS = 24

_SHAPES = {
    "bit": (1, 0),
    "tinyint": (3, 0),
    "smallint": (5, 0),
    "int": (10, 0),
    "bigint": (19, 0),
    "money": (19, 4),
    "smallmoney": (10, 4),
}

_DISPLAY_LENGTHS = {
    "bit": 1,
    "tinyint": 3,
    "smallint": 6,
    "int": 11,
    "bigint": 20,
    "money": 22,
    "smallmoney": 12,
    "float": 23,
    "real": 14,
    "uniqueidentifier": 36,
    "date": 10,
    "time": 16,
    "smalldatetime": 19,
    "datetime": 19,
    "datetime2": 27,
    "datetimeoffset": 34,
}

_LARGE = {
    **dict.fromkeys(("char", "varchar", "text"), "varchar"),
    **dict.fromkeys(("nchar", "nvarchar", "ntext"), "nvarchar"),
    **dict.fromkeys(("binary", "varbinary", "image"), "varbinary"),
}


def normal(data_type: SqlType) -> SqlType:
    """Return the type that SQL Server uses for a declared one: `real` for a float up to 24 bits, else `float(53)`."""
    if data_type.name != "float":
        return data_type
    return SqlType("real") if data_type.precision <= _REAL_BITS else SqlType("float", precision=53)


def decimal_type(precision: int, scale: int, name: str = "decimal") -> SqlType:
    """Return a decimal type of at most 38 digits; the scale is reduced in favour of the digits before the point."""
    if precision > MOST_DIGITS:
        scale = max(0, min(scale, MOST_DIGITS - (precision - scale)))
        precision = MOST_DIGITS
    return SqlType(name, precision=precision, scale=scale)


def shape(part: Typed) -> tuple[int, int]:
    """Return the precision and scale of an operand of decimal arithmetic; an integer literal has its own digits."""
    return (part.digits, 0) if part.digits else _shape_of(part.type)


def _shape_of(data_type: SqlType) -> tuple[int, int]:
    if data_type.family is Family.DECIMAL:
        return data_type.precision, data_type.scale
    return _SHAPES[data_type.name]


def sum_type(left: tuple[int, int], right: tuple[int, int]) -> SqlType:
    """Return the decimal type of `+` and `-`."""
    scale = max(left[1], right[1])
    integral = max(left[0] - left[1], right[0] - right[1])
    precision = scale + integral + 1
    if precision > MOST_DIGITS:
        scale = min(scale, MOST_DIGITS - integral)
    return SqlType("decimal", precision=min(precision, MOST_DIGITS), scale=scale)


def product_type(left: tuple[int, int], right: tuple[int, int]) -> SqlType:
    """Return the decimal type of `*`."""
    return _reduced(left[0] + right[0] + 1, left[1] + right[1])


def quotient_type(left: tuple[int, int], right: tuple[int, int]) -> SqlType:
    """Return the decimal type of `/`."""
    scale = max(_LEAST_SCALE_KEPT, left[1] + right[0] + 1)
    return _reduced(left[0] - left[1] + right[1] + scale, scale)


def remainder_type(left: tuple[int, int], right: tuple[int, int]) -> SqlType:
    """Return the decimal type of `%`."""
    scale = max(left[1], right[1])
    return decimal_type(min(left[0] - left[1], right[0] - right[1]) + scale, scale)


def _reduced(precision: int, scale: int) -> SqlType:
    if precision <= MOST_DIGITS:
        return SqlType("decimal", precision=precision, scale=scale)
    integral = precision - scale
    if integral < _MOST_INTEGRAL_DIGITS:
        return SqlType("decimal", precision=MOST_DIGITS, scale=min(scale, MOST_DIGITS - integral))
    return SqlType("decimal", precision=MOST_DIGITS, scale=min(scale, _LEAST_SCALE_KEPT))


def higher(left: SqlType, right: SqlType) -> SqlType:
    """Return the type with the higher precedence."""
    return left if _RANK[left.name] <= _RANK[right.name] else right


def common_type(left: SqlType, right: SqlType) -> SqlType:
    """Return the common type of two compared values, or of two results of a CASE."""
    winner, other = (left, right) if higher(left, right) is left else (right, left)
    match winner.family:
        case Family.DECIMAL if other.family in NUMBERS:
            return _common_decimal(winner, other)
        case Family.TEXT if other.family in {Family.TEXT, Family.BINARY}:
            return text_type(winner.name, *(length_of(part) for part in (winner, other)))
        case Family.BINARY if other.family is Family.BINARY:
            return text_type(winner.name, winner.length, other.length)
        case Family.TIME | Family.DATETIME | Family.OFFSET if winner.name not in LEGACY_MOMENTS:
            return SqlType(winner.name, scale=max(winner.scale, _fraction_digits(other)))
        case _:
            return winner


def common_type_of(parts: Sequence[Typed], function: str) -> SqlType:
    """Return the type of a CASE, COALESCE or IIF with these results; the word NULL does not count.

    Raises:
        CompileError: All of them are the word NULL.
    """
    types = [part.type for part in parts if not part.null]
    if not types:
        raise CompileError(f"at least one result of {function} must be something other than NULL")
    return reduce(common_type, types, reduce(higher, types))


def _common_decimal(winner: SqlType, other: SqlType) -> SqlType:
    (precision, scale), (other_precision, other_scale) = _shape_of(winner), _shape_of(other)
    most_scale = max(scale, other_scale)
    name = "numeric" if winner.name == other.name == "numeric" else "decimal"
    return decimal_type(max(precision - scale, other_precision - other_scale) + most_scale, most_scale, name)


def _fraction_digits(data_type: SqlType) -> int:
    if data_type.name == "datetime":
        return 3
    return data_type.scale if data_type.family in {Family.TIME, Family.DATETIME, Family.OFFSET} else 0


def longest(name: str) -> int:
    """Return the largest length of a type other than `max`, in characters or bytes."""
    return 4000 if name in UNICODE else 8000


def text_type(name: str, *lengths: int) -> SqlType:
    """Return the text or binary type that holds the longest of the lengths."""
    if MAX in lengths:
        return SqlType(_LARGE[name], length=MAX)
    return SqlType(name, length=min(max(lengths), longest(name)))


def joined_type(left: SqlType, right: SqlType) -> SqlType:
    """Return the type of two texts or two binaries concatenated with `+`."""
    name = higher(left, right).name
    lengths = (length_of(left), length_of(right))
    return text_type(name, MAX) if MAX in lengths else text_type(name, max(1, sum(lengths)))


def length_of(data_type: SqlType) -> int:
    """Return the characters that a text type holds, or that a value of another type needs as text."""
    match data_type.family:
        case Family.TEXT | Family.BINARY:
            return MAX if data_type.name in LARGE_OBJECTS else data_type.length
        case Family.DECIMAL:
            return data_type.precision + 2
        case Family.XML:
            return MAX
        case _:
            return _DISPLAY_LENGTHS[data_type.name]


def varying(data_type: SqlType, length: int | None = None) -> SqlType:
    """Return the `varchar`, `nvarchar` or `varbinary` of a text or binary type, with its own or the given length."""
    kept = length_of(data_type) if length is None else length
    name = _LARGE[data_type.name]
    return SqlType(name, length=MAX if kept == MAX else max(1, min(kept, longest(name))))


def written_type(data_type: SqlType) -> SqlType:
    """Return the `varchar` that holds every value of a type other than text."""
    return SqlType("varchar", length=length_of(data_type))


def is_unicode(data_type: SqlType) -> bool:
    """Return whether a type stores text as UTF-16 units instead of bytes of the code page."""
    return data_type.name in UNICODE
