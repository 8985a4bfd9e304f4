"""What the product and a SQL Server say of expressions: value and type, or a failure."""

import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.expression_inputs import INPUTS, ROWS, TYPES
from tests.unit.tsql.tsql_evaluation import CLOCK
from xml_extractor.documents import Value
from xml_extractor.tsql import EvaluationError, ExpressionError, compile_expression
from xml_extractor.values.sqltypes import MAX, Family, SqlType

if TYPE_CHECKING:
    import pyodbc

FAILURES: Mapping[int, frozenset[str]] = {
    **dict.fromkeys((8134,), frozenset({"divide_by_zero"})),
    **dict.fromkeys((220, 232, 234, 237, 248, 292, 517, 535, 542, 8115, 8170), frozenset({"overflow"})),
    **dict.fromkeys((235, 241, 245, 293, 295, 8114, 8169), frozenset({"conversion_failed"})),
    **dict.fromkeys((236, 242, 244, 294, 296, 298), frozenset({"conversion_failed", "overflow"})),
    **dict.fromkeys((289, 506, 536, 537), frozenset({"invalid_argument"})),
    **dict.fromkeys(range(9400, 9500), frozenset({"conversion_failed"})),
}
"""Native numbers of errors to codes of failures. Source: "Database Engine events and errors", Microsoft Learn."""

_COLLATION = "SQL_Latin1_General_CP1_CI_AS"
_TIME, _OFFSET = -154, -155
_SECONDS_TO_WAIT = 30
_ERROR_NUMBER = re.compile(r"\((\d+)\) \(SQL")
_DRIVERS_SIZES = {
    "bit": 1,
    "tinyint": 3,
    "smallint": 5,
    "int": 10,
    "bigint": 19,
    "smallmoney": 10,
    "money": 19,
    "real": 24,
    "float": 53,
    "text": 2**31 - 1,
    "ntext": 2**30 - 1,
    "image": 2**31 - 1,
    "date": 10,
    "smalldatetime": 16,
    "datetime": 23,
    "uniqueidentifier": 36,
    "xml": 0,
}
_FRACTION_STARTS = {"time": 8, "datetime2": 19, "datetimeoffset": 26}
_SCALES = {"money": 4, "smallmoney": 4, "datetime": 3}
_CLASSES = {
    Family.BIT: "bool",
    Family.INTEGER: "int",
    Family.DECIMAL: "Decimal",
    Family.MONEY: "Decimal",
    Family.FLOAT: "float",
    Family.BINARY: "bytearray",
    Family.DATE: "date",
    Family.DATETIME: "datetime",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What ODBC says about a column of a result: the class of its values, its size, its scale."""

    values: str
    size: int
    scale: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What one of the two says of an expression.

    Attributes:
        value: Its value, if it has one.
        shape: Its type, as ODBC describes it; None for an expression that the server could not evaluate.
        base: The name of its type; empty where the server cannot say it.
        failures: The codes that its failure may have; empty for one with a value.
        message: What it says about the failure.
    """

    value: object = None
    shape: Shape | None = None
    base: str = ""
    failures: frozenset[str] = frozenset()
    message: str = ""


def product_answer(text: str, row: Sequence[Value]) -> Answer | None:
    """The product's answer; None if it refuses the expression. Times have six digits, as pyodbc reads them."""
    try:
        compiled = compile_expression(text, TYPES)
    except ExpressionError:
        return None
    shape, base = _shape(compiled.type), compiled.type.name
    try:
        value = compiled.evaluate(row, CLOCK)
        return Answer(getattr(value, "plain", value), shape, base)
    except EvaluationError as error:
        return Answer(shape=shape, base=base, failures=frozenset({error.code}), message=str(error))


def _shape(data_type: SqlType) -> Shape:
    """How Microsoft's ODBC driver describes a type; times are strings, because a converter reads them."""
    name = data_type.name
    size = _DRIVERS_SIZES.get(name, data_type.precision or data_type.length)
    if name in _FRACTION_STARTS:
        size = _FRACTION_STARTS[name] + (1 + data_type.scale if data_type.scale else 0)
    return Shape(_CLASSES.get(data_type.family, "str"), 0 if size == MAX else size, _SCALES.get(name, data_type.scale))


def of_condition(text: str) -> str:
    """A condition as a value: 1, 0, or NULL for UNKNOWN."""
    return f"CASE WHEN {text} THEN 1 WHEN NOT ({text}) THEN 0 END"


class Server:
    """A session in which the names of `INPUTS` are columns of a table, with `ROWS`.

    Attributes:
        is_sql_server: Whether the product is Microsoft's.
    """

    def __init__(self, connect: Callable[[], "pyodbc.Connection"]) -> None:
        self._connect = connect
        self._open()

    def _open(self) -> None:
        self._connection = connection = self._connect()
        connection.timeout = _SECONDS_TO_WAIT
        connection.add_output_converter(_TIME, _time_of)
        connection.add_output_converter(_OFFSET, _offset_moment_of)
        (version,) = connection.execute("SELECT @@VERSION").fetchall()
        self.is_sql_server = str(version[0]).startswith("Microsoft")
        columns = ", ".join(f"{name} {written}{_collation(TYPES[name])}" for name, (written, _) in INPUTS.items())
        connection.execute(f"CREATE TABLE #inputs (n int NOT NULL, {columns})").close()
        values = ", ".join(_converted_parameter(TYPES[name], written) for name, (written, _) in INPUTS.items())
        for number, row in enumerate(ROWS):
            connection.execute(f"INSERT INTO #inputs VALUES ({number}, {values})", *map(_as_text, row)).close()

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def answers(self, texts: Sequence[str], row: int) -> list[Answer]:
        """The server's answers to some expressions on one row.

        All go in one statement; if it fails, in two halves, until the failing one is alone.
        """
        import pyodbc

        if not texts:
            return []
        try:
            return self._values(texts, self._shapes(texts), row)
        except pyodbc.Error as error:
            self._recover()
            if len(texts) == 1:
                return [_failed(error)]
        middle = len(texts) // 2
        return [*self.answers(texts[:middle], row), *self.answers(texts[middle:], row)]

    def _recover(self) -> None:
        import pyodbc

        try:
            self._connection.execute("SELECT 1").close()
        except pyodbc.Error:
            self._open()

    def _shapes(self, texts: Iterable[str]) -> list[Shape]:
        with closing(self._connection.execute(f"SELECT {', '.join(texts)} FROM #inputs WHERE n < 0")) as cursor:
            return [Shape(column[1].__name__, column[3], column[5]) for column in cursor.description]

    def _values(self, texts: Sequence[str], shapes: Sequence[Shape], row: int) -> list[Answer]:
        columns = [
            f"CONVERT(varchar(99), {text})" if _is_decimal(shape) else text
            for text, shape in zip(texts, shapes, strict=True)
        ]
        names = [f"CAST({_base_type(text)} AS varchar(40))" for text in texts]
        query = f"SELECT {', '.join((*columns, *names))} FROM #inputs WHERE n = {row}"
        with closing(self._connection.execute(query)) as cursor:
            (found,) = cursor.fetchall()
        return [
            Answer(Decimal(value) if value is not None and _is_decimal(shape) else value, shape, base or "")
            for value, base, shape in zip(found[: len(texts)], found[len(texts) :], shapes, strict=True)
        ]


def _is_decimal(shape: Shape) -> bool:
    """Whether it is a decimal, whose digits are read as text: they may be more than the description says."""
    return shape.values == "Decimal" and (shape.size, shape.scale) not in {(19, 4), (10, 4)}


def _base_type(text: str) -> str:
    """An expression for the name of an expression's type; NULL for types that no sql_variant holds."""
    data_type = compile_expression(text, TYPES).type
    large = data_type.length == MAX or data_type.name in {"text", "ntext", "image", "xml"}
    return "NULL" if large else f"SQL_VARIANT_PROPERTY({text}, 'BaseType')"


def _failed(error: "pyodbc.Error") -> Answer:
    message = str(error.args[-1])
    found = _ERROR_NUMBER.search(message)
    number = int(found[1]) if found else 0
    return Answer(failures=FAILURES.get(number, frozenset({f"error {number}"})), message=message)


def _collation(data_type: SqlType) -> str:
    return f" COLLATE {_COLLATION}" if data_type.family is Family.TEXT else ""


def _converted_parameter(data_type: SqlType, written: str) -> str:
    value = "CONVERT(varbinary(20), ?, 1)" if data_type.family is Family.BINARY else "?"
    return f"CAST({value} AS {written})"


def _as_text(value: Value) -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return str(int(value))
        case bytes():
            return f"0x{value.hex()}"
        case datetime() if value.tzinfo is None and value.microsecond % 1000 == 0:
            return value.isoformat(" ", "milliseconds")
        case datetime():
            return value.isoformat(" ")
        case _:
            return str(value)


def _time_of(content: bytes) -> object:
    hour, minute, second, nanoseconds = struct.unpack("<3H2xI", content)
    try:
        return time(hour, minute, second, nanoseconds // 1000)
    except ValueError:
        return f"{hour}:{minute}:{second}"  # no time of day, and so equal to none


def _offset_moment_of(content: bytes) -> object:
    *fields, nanoseconds, hours, minutes = struct.unpack("<h5HI2h", content)
    year, month, day, hour, minute, second = fields
    zone = timezone(timedelta(hours=hours, minutes=minutes))
    try:
        return datetime(year, month, day, hour, minute, second, nanoseconds // 1000, zone)
    except ValueError:
        return f"{year}-{month}-{day} {hour}:{minute}:{second}"
