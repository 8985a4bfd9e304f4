"""Values of every type that have to come back as they went in: chosen ones, and strategies over the whole range."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Context, Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from xml_extractor.documents import Value
from xml_extractor.values.sqltypes import INTEGER_RANGES, MAX, MONEY_LIMITS, Family, SqlType
from xml_extractor.values.times import combine, later, parse_time

EAST = timezone(timedelta(hours=14))
WEST = timezone(-timedelta(hours=9, minutes=30))
SECOND = datetime(2026, 2, 28, 23, 59, 58)  # noqa: DTZ001 - datetime columns have no zone
FIRST = datetime(1, 1, 1)  # noqa: DTZ001 - datetime columns have no zone
LAST = datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001 - datetime columns have no zone

VALUES: dict[str, list[Value]] = {
    "bit": [True, False],
    "tinyint": [0, 1, 255],
    "smallint": [-(2**15), 0, 2**15 - 1],
    "int": [-(2**31), 0, 2**31 - 1],
    "bigint": [-(2**63), 2**53 + 1, 2**63 - 1],
    "decimal(1,0)": [Decimal(0), Decimal(-9), Decimal(9)],
    "decimal(12,2)": [Decimal("0.10"), Decimal("-9999999999.99"), Decimal("9999999999.99"), Decimal("7.00")],
    "decimal(15,0)": [Decimal(999999999999999), Decimal(-999999999999999)],
    "decimal(15,2)": [Decimal("9999999999999.99"), Decimal("0.29"), Decimal("4503599627370.49")],
    "decimal(15,15)": [Decimal("0.123456789012345"), Decimal("0.000000000000001"), Decimal("-0.999999999999999")],
    "decimal(16,2)": [Decimal("99999999999999.99"), Decimal("0.10")],
    "decimal(18,0)": [Decimal(999999999999999999)],
    "decimal(38,0)": [Decimal("9" * 38), Decimal("-" + "9" * 38)],
    "decimal(38,10)": [Decimal("9" * 28 + "." + "9" * 10), Decimal("-0.0000000001"), Decimal("-0E-10")],
    "decimal(38,18)": [Decimal("9" * 20 + "." + "9" * 18), Decimal("0.000000000000000001"), Decimal("1E+3")],
    "decimal(38,38)": [Decimal("0." + "1234567890" * 3 + "12345678")],
    "numeric(9,4)": [Decimal("12345.6789"), Decimal("-0.0001")],
    "money": [Decimal("922337203685477.5807"), Decimal("-922337203685477.5808"), Decimal("0.0001"), Decimal(5)],
    "smallmoney": [Decimal("214748.3647"), Decimal("-214748.3648")],
    "float": [0.1, -1.7976931348623157e308, 2.2250738585072014e-308, 1e15, 3.0, 0.30000000000000004],
    "float(24)": [0.5, 16777216.0],
    "real": [0.5, -3.4028234663852886e38],
    "char(3)": ["abc", "a  "],
    "varchar(40)": ["", " ", "O'Brien", "100%", "123", "007", "1e5", "NULL", "a\r\n\tb"],
    "varchar(8000)": ["", "x" * 4000, "é" * 4001, "€" * 8000],
    "varchar(max)": ["x" * 100_000, "", "y"],
    "nchar(2)": ["äß"],
    "nvarchar(40)": ["Größe", "日本語", "😀", "e\u0301", "\u00e9", "trailing  ", "\ufeffmark", "😀" * 20],
    "nvarchar(4000)": ["ж" * 4000, "😀" * 2000],
    "nvarchar(max)": ["ж" * 50_000, "", "😀" * 2000, "😀" * 2001],
    "text": ["text"],
    "ntext": ["ntext ж"],
    "binary(4)": [b"\x00\x01\xfe\xff"],
    "varbinary(8)": [b"", b"\x00", b"text"],
    "varbinary(8000)": [b"\xff" * 8000, b""],
    "varbinary(max)": [bytes(range(256)) * 400, b"", b"\x00" * 8000, b"\x00" * 8001],
    "image": [b"\x89PNG"],
    "date": [date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)],
    "time(0)": [time(0, 0), time(23, 59, 59)],
    "time(3)": [time(12, 30, 0, 1000), time(12, 30, 0, 999000)],
    "time(7)": [time(23, 59, 59, 999999), time(0, 0, 0, 1), parse_time("23:59:58.1234567")],
    "smalldatetime": [datetime(1900, 1, 1), datetime(2079, 6, 6, 23, 59)],  # noqa: DTZ001 - it has no zone
    "datetime": [SECOND, SECOND.replace(microsecond=3000), SECOND.replace(microsecond=997000)],
    "datetime2(0)": [FIRST, SECOND],
    "datetime2(1)": [SECOND.replace(microsecond=900000)],
    "datetime2(3)": [SECOND, SECOND.replace(microsecond=1000), LAST.replace(microsecond=999000)],
    "datetime2(5)": [SECOND.replace(microsecond=10)],
    "datetime2(6)": [SECOND.replace(microsecond=1)],
    "datetime2(7)": [FIRST, SECOND, LAST, later(SECOND, 1_234_567), later(FIRST, 1)],
    "datetimeoffset(0)": [SECOND.replace(tzinfo=UTC), SECOND.replace(tzinfo=EAST)],
    "datetimeoffset(3)": [SECOND.replace(microsecond=123000, tzinfo=WEST)],
    "datetimeoffset(7)": [
        LAST.replace(tzinfo=UTC),
        SECOND.replace(microsecond=1, tzinfo=EAST),
        later(SECOND, 1_234_567).replace(tzinfo=WEST),
    ],
    "uniqueidentifier": ["6F9619FF-8B86-D011-B42D-00C04FC964FF"],
    "xml": ["<a>ж &amp; <b/></a>"],
}
"""By type."""

IN_CODE_PAGE = bytes(set(range(1, 256)) - {0x81, 0x8D, 0x8F, 0x90, 0x9D}).decode("cp1252")
LONG = st.sampled_from([1, 2, 3999, 4000, 4001, 7999, 8000, 8001, 20_000])
FIRST_DATETIME = datetime(1753, 1, 1)  # noqa: DTZ001 - datetime columns have no zone
FIRST_SMALLDATETIME = datetime(1900, 1, 1)  # noqa: DTZ001 - datetime columns have no zone
TICKS_OF_DAY = 24 * 60 * 60 * 300
UNITS_OF_DAY = 24 * 60 * 60 * 10**7
"""Of 100 nanoseconds."""
MINUTES_OF_SMALLDATETIME = 2**16 * 24 * 60


def _integers(sql_type: SqlType) -> SearchStrategy[Any]:
    return st.integers(*INTEGER_RANGES[sql_type.name])


def _decimals(sql_type: SqlType) -> SearchStrategy[Any]:
    largest = 10**sql_type.precision - 1
    return st.integers(-largest, largest).map(lambda number: _scaled(number, sql_type.scale))


def _money(sql_type: SqlType) -> SearchStrategy[Any]:
    limit = MONEY_LIMITS[sql_type.name]
    return st.integers(-limit, limit - 1).map(lambda number: _scaled(number, 4))


def _scaled(number: int, scale: int) -> Decimal:
    return Decimal(number).scaleb(-scale, Context(prec=40))


def _floats(sql_type: SqlType) -> SearchStrategy[Any]:
    is_real = sql_type.name == "real" or sql_type.precision <= 24
    numbers = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, width=32 if is_real else 64)
    return numbers.map(lambda number: number or 0.0)


def _texts(sql_type: SqlType) -> SearchStrategy[Any]:
    """Short ones; where the type has room for them, also some of the lengths at which the way of binding changes."""
    is_national = sql_type.name.startswith("n")
    alphabet = st.characters(exclude_categories=["Cs"], exclude_characters="\0") if is_national else IN_CODE_PAGE
    limit = sql_type.length if sql_type.length > 0 else 2**31
    short = st.text(alphabet, max_size=min(limit, 12))
    long = st.builds(lambda text, length: text * (length // len(text)), st.text(alphabet, min_size=1, max_size=3), LONG)
    texts = st.one_of(short, long) if limit > 1000 else short
    width = limit if sql_type.name in ("char", "nchar") else 0

    def fit(text: str) -> str:
        if not is_national:
            return text[:limit].ljust(width)
        cut = text.encode("utf-16-le")[: 2 * limit].decode("utf-16-le", "ignore")
        return cut + " " * (width - len(cut.encode("utf-16-le")) // 2)

    return texts.map(fit)


def _bytes(sql_type: SqlType) -> SearchStrategy[Any]:
    limit = sql_type.length if sql_type.length not in (0, MAX) else 2**31
    short = st.binary(max_size=min(limit, 12))
    values = st.one_of(short, st.builds(lambda some, n: some * n, st.binary(min_size=1, max_size=1), LONG))
    width = limit if sql_type.name == "binary" else 0
    return (values if limit > 1000 else short).map(lambda value: value[:limit].ljust(width, b"\0"))


def _times(sql_type: SqlType) -> SearchStrategy[time]:
    unit = 10 ** (7 - sql_type.scale)
    return st.integers(0, UNITS_OF_DAY // unit - 1).map(lambda units: later(FIRST, units * unit).time())


def _datetimes(sql_type: SqlType) -> SearchStrategy[Any]:
    match sql_type.name:
        case "smalldatetime":
            minutes = st.integers(0, MINUTES_OF_SMALLDATETIME - 1)
            return minutes.map(lambda number: FIRST_SMALLDATETIME + timedelta(minutes=number))
        case "datetime":
            days = st.integers(0, (LAST - FIRST_DATETIME).days)
            ticks = st.integers(0, TICKS_OF_DAY - 1)
            return st.builds(_datetime, days, ticks)
        case _:
            return st.builds(combine, st.dates(), _times(sql_type))


def _datetime(day: int, tick: int) -> datetime:
    """As SQL Server shows it: of three ticks, which are 10 milliseconds, one ends in 0, one in 3 and one in 7."""
    return FIRST_DATETIME + timedelta(days=day, milliseconds=(tick * 10 + 1) // 3)


def _offsets(sql_type: SqlType) -> SearchStrategy[Any]:
    """The instant has to be within the years 1 to 9999 in UTC too."""
    days = st.dates(FIRST.date() + timedelta(days=1), LAST.date() - timedelta(days=1))
    zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    return st.builds(lambda *parts, zone: combine(*parts).replace(tzinfo=zone), days, _times(sql_type), zone=zones)


def _xml(_sql_type: SqlType) -> SearchStrategy[Any]:
    characters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<>&\"'\ufffe\uffff")
    return st.builds("<a b='{}'> {} <c/></a>".format, *[st.text(characters, max_size=12)] * 2)


_STRATEGIES: dict[Family, Callable[[SqlType], SearchStrategy[Any]]] = {
    Family.BIT: lambda _: st.booleans(),
    Family.INTEGER: _integers,
    Family.DECIMAL: _decimals,
    Family.MONEY: _money,
    Family.FLOAT: _floats,
    Family.TEXT: _texts,
    Family.BINARY: _bytes,
    Family.DATE: lambda _: st.dates(),
    Family.TIME: _times,
    Family.DATETIME: _datetimes,
    Family.OFFSET: _offsets,
    Family.GUID: lambda _: st.uuids().map(lambda value: str(value).upper()),
    Family.XML: _xml,
}


def any_of(sql_type: SqlType) -> SearchStrategy[Value]:
    """Any value of a type, and now and then NULL."""
    return st.one_of(st.none(), *[_STRATEGIES[sql_type.family](sql_type)] * 4)
