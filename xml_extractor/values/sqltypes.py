"""SQL Server's scalar types: their names, parameters and limits, and the error of a text that is no value of one.

Source: "Data types (Transact-SQL)", Microsoft Learn.
"""

import re
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason

MAX = -1
"""The length of `varchar(max)`, `nvarchar(max)` and `varbinary(max)`."""

XML_SPACE: Final = " \t\r\n"
"""XML's white space characters. Python's `str.strip` would strip others too."""


@dataclass(eq=False)
class InvalidValueError(ValueError):
    """A text is not a value of the expected type.

    Attributes:
        code: A reason code such as `overflow`; each module that raises the error lists its codes.
        explanation: One sentence that does not quote the text.
        truncated: The value cut to fit, where cutting is possible; otherwise None.
        rounded: The value rounded to fit, where rounding is possible; otherwise None.
    """

    code: Reason
    explanation: str
    truncated: Value = None
    rounded: Value = None

    def __str__(self) -> str:
        return f"{self.code}: {self.explanation}"


class Family(Enum):
    """Types that share a Python class and a way of conversion."""

    BIT = "bit"
    INTEGER = "integer"
    DECIMAL = "decimal"
    MONEY = "money"
    FLOAT = "float"
    TEXT = "text"
    BINARY = "binary"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    OFFSET = "offset"
    GUID = "guid"
    XML = "xml"


TEMPORAL: Final = (Family.DATE, Family.TIME, Family.DATETIME, Family.OFFSET)
"""Dates and times."""


class Parameters(Enum):
    """What may stand in the parentheses behind a type's name."""

    NONE = ""
    LENGTH = "(n)"
    LENGTH_OR_MAX = "(n | max)"
    PRECISION_SCALE = "(precision, scale)"
    FRACTION = "(fractional seconds 0 to 7)"
    MANTISSA = "(bits 1 to 53)"


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """What SQL Server documents about a type name; `limit` is the largest length, `default` the one left out."""

    family: Family
    parameters: Parameters = Parameters.NONE
    limit: int = 0
    default: int = 0


TYPES: dict[str, TypeFacts] = {
    "bit": TypeFacts(Family.BIT),
    "tinyint": TypeFacts(Family.INTEGER),
    "smallint": TypeFacts(Family.INTEGER),
    "int": TypeFacts(Family.INTEGER),
    "bigint": TypeFacts(Family.INTEGER),
    "decimal": TypeFacts(Family.DECIMAL, Parameters.PRECISION_SCALE, 38, 18),
    "numeric": TypeFacts(Family.DECIMAL, Parameters.PRECISION_SCALE, 38, 18),
    "money": TypeFacts(Family.MONEY),
    "smallmoney": TypeFacts(Family.MONEY),
    "float": TypeFacts(Family.FLOAT, Parameters.MANTISSA, 53, 53),
    "real": TypeFacts(Family.FLOAT),
    "char": TypeFacts(Family.TEXT, Parameters.LENGTH, 8000, 1),
    "varchar": TypeFacts(Family.TEXT, Parameters.LENGTH_OR_MAX, 8000, 1),
    "nchar": TypeFacts(Family.TEXT, Parameters.LENGTH, 4000, 1),
    "nvarchar": TypeFacts(Family.TEXT, Parameters.LENGTH_OR_MAX, 4000, 1),
    "text": TypeFacts(Family.TEXT),
    "ntext": TypeFacts(Family.TEXT),
    "binary": TypeFacts(Family.BINARY, Parameters.LENGTH, 8000, 1),
    "varbinary": TypeFacts(Family.BINARY, Parameters.LENGTH_OR_MAX, 8000, 1),
    "image": TypeFacts(Family.BINARY),
    "date": TypeFacts(Family.DATE),
    "time": TypeFacts(Family.TIME, Parameters.FRACTION, 7, 7),
    "smalldatetime": TypeFacts(Family.DATETIME),
    "datetime": TypeFacts(Family.DATETIME),
    "datetime2": TypeFacts(Family.DATETIME, Parameters.FRACTION, 7, 7),
    "datetimeoffset": TypeFacts(Family.OFFSET, Parameters.FRACTION, 7, 7),
    "uniqueidentifier": TypeFacts(Family.GUID),
    "xml": TypeFacts(Family.XML),
}
"""Every scalar type that a document can fill. `rowversion` is the server's own to fill, `sql_variant` names no type."""

INTEGER_RANGES: dict[str, tuple[int, int]] = {
    "tinyint": (0, 255),
    "smallint": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
"""Smallest and largest value of each integer type."""

MONEY_LIMITS: dict[str, int] = {"money": 2**63, "smallmoney": 2**31}
"""Values, counted in ten-thousandths, run from -limit to limit - 1."""


@dataclass(frozen=True, slots=True)
class SqlType:
    """A SQL Server scalar type with its parameters.

    Attributes:
        name: Lower-case type name, a key of `TYPES`.
        length: Characters of `char` to `nvarchar`, bytes of `binary` and `varbinary`, `MAX`; 0 for other types.
            `varchar(n)` counts bytes of the code page, `nvarchar(n)` counts UTF-16 code units.
        precision: Decimal digits in all, or mantissa bits of `float`; 0 for other types.
        scale: Decimal digits behind the point, or digits of a second's fraction; 0 for other types.
        is_bare: Whether the type was written without the parameters that it can have. It makes no other type.
    """

    name: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    is_bare: bool = field(default=False, compare=False, repr=False)

    @property
    def family(self) -> Family:
        """The types that share this one's Python class and way of conversion."""
        return TYPES[self.name].family

    def __str__(self) -> str:
        match TYPES[self.name].parameters:
            case Parameters.LENGTH | Parameters.LENGTH_OR_MAX:
                return f"{self.name}({'max' if self.length == MAX else self.length})"
            case Parameters.PRECISION_SCALE:
                return f"{self.name}({self.precision},{self.scale})"
            case Parameters.FRACTION:
                return f"{self.name}({self.scale})"
            case Parameters.MANTISSA:
                return f"{self.name}({self.precision})"
            case _:
                return self.name


_TYPE_TEXT = re.compile(r"\s*([a-z]\w*)\s*(?:\(\s*(\d{1,5}|max)\s*(?:,\s*(\d{1,5})\s*)?\))?\s*", re.IGNORECASE)


def parse_type(text: str) -> SqlType:
    """Read a type as T-SQL writes it, such as `decimal(12,2)`, `varchar(max)` or `datetime2(3)`.

    Raises:
        ValueError: It is no scalar type of SQL Server, or its parameters are out of range; the message says which.
    """
    found = _TYPE_TEXT.fullmatch(text)
    if found is None or found[1].lower() not in TYPES:
        raise ValueError(f"'{text}' is not a SQL Server scalar type")
    name, first, second = found[1].lower(), found[2], found[3]
    facts = TYPES[name]
    if second is not None and facts.parameters is not Parameters.PRECISION_SCALE:
        raise ValueError(f"{name} takes {facts.parameters.value or 'no parameters'}")
    if first is not None and first.lower() == "max":
        if facts.parameters is not Parameters.LENGTH_OR_MAX:
            raise ValueError(f"{name} takes {facts.parameters.value or 'no parameters'}, not max")
        return SqlType(name, length=MAX)
    number = facts.default if first is None else int(first)
    made = _with_parameters(name, facts, number, int(second or 0), first)
    return replace(made, is_bare=True) if first is None and facts.parameters is not Parameters.NONE else made


def _with_parameters(name: str, facts: TypeFacts, number: int, scale: int, given: str | None) -> SqlType:
    smallest = 0 if facts.parameters is Parameters.FRACTION else 1
    if facts.parameters is not Parameters.NONE and not smallest <= number <= facts.limit:
        raise ValueError(f"{name} takes a number from {smallest} to {facts.limit}, not {number}")
    match facts.parameters:
        case Parameters.LENGTH | Parameters.LENGTH_OR_MAX:
            return SqlType(name, length=number)
        case Parameters.PRECISION_SCALE:
            if scale > number:
                raise ValueError(f"the scale of {name}({number},{scale}) is larger than its precision")
            return SqlType(name, precision=number, scale=scale)
        case Parameters.FRACTION:
            return SqlType(name, scale=number)
        case Parameters.MANTISSA:
            return SqlType(name, precision=number)
        case _:
            if given is not None:
                raise ValueError(f"{name} takes no parameters")
            return SqlType(name)
