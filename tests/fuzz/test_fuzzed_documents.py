"""Any damaged document is mapped to values that its columns can hold, or rejected with a documented reason.

`make fuzz` does the same with many more documents.
"""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conftest import posix_only
from tests.fuzz.contracts import FAULTY, VALID
from tests.fuzz.documents import CORPORA, fuzzed_document
from tests.fuzz.driver import MAPPED, documented_reasons
from tests.fuzz.edge_values import DATES, NOT_XML, NUMBERS, TEXTS
from tests.fuzz.parent import fuzz
from tests.fuzz.value_check import fits
from xml_extractor.documents import Value
from xml_extractor.values.conversions import converter
from xml_extractor.values.sqltypes import TYPES, Family, InvalidValueError, parse_type

DOCUMENTS = 500
MOST_MEMORY = 400 * 2**20

EXAMPLES = {name: [name] for name in TYPES} | {
    "decimal": ["decimal(1,0)", "decimal(12,2)", "decimal(38,38)", "decimal(38,0)"],
    "float": ["float", "float(24)"],
    "char": ["char(1)", "char(10)"],
    "varchar": ["varchar(10)", "varchar(max)"],
    "nchar": ["nchar(1)", "nchar(10)"],
    "nvarchar": ["nvarchar(10)", "nvarchar(max)"],
    "binary": ["binary(1)", "binary(10)"],
    "varbinary": ["varbinary(10)", "varbinary(max)"],
    **{name: [f"{name}({scale})" for scale in (0, 3, 7)] for name in ("time", "datetime2", "datetimeoffset")},
}
FROM_TEXT = [text for name, texts in EXAMPLES.items() for text in texts if TYPES[name].family is not Family.XML]
ZONES = (None, "UTC", "+14:00", "-14:00", "Europe/Berlin")
FORMATS = ((), ("%Y-%m-%d",), ("%m/%d/%Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%S.%f"))
TEMPORAL = (Family.DATE, Family.TIME, Family.DATETIME, Family.OFFSET)


@posix_only("memory is bounded by what POSIX has for it")
def test_broken_documents_are_mapped_to_values_that_fit_or_rejected_with_a_documented_reason() -> None:
    import resource

    # A new process begins with the peak of the one that started it.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report = fuzz(first=0, documents=DOCUMENTS, processes=1)
    assert report.faults == []
    assert report.reasons.total() >= DOCUMENTS - DOCUMENTS // 10, "a file has any number of records"
    stages = {"record", "record, parse", "record, map", "record, fetch", "skipped", "contract"}
    assert {stage for stage, _ in report.reasons} == {MAPPED, "parse", "map", *stages}
    assert {code for stage, code in report.reasons if stage == "contract"} == {VALID, FAULTY}
    assert min(report.reasons[MAPPED, ""], len(report.reasons), report.rows) > 15, (
        "they are neither all bad nor all good"
    )
    assert report.peak - before < MOST_MEMORY


def test_a_seed_always_gives_the_same_document_and_other_seeds_give_others() -> None:
    documents = [fuzzed_document(seed) for seed in range(200)]
    assert documents == [fuzzed_document(seed) for seed in range(200)]
    assert len({document.content for document in documents}) > 180
    assert {document.corpus for document in documents} == set(CORPORA)


def test_the_documented_reasons_are_read_from_their_page() -> None:
    assert {("fetch", "missing"), ("parse", "too_deep"), ("map", "overflow"), ("load", "duplicate_key")} <= (
        documented_reasons()
    )


@given(
    name=st.sampled_from(FROM_TEXT),
    text=st.sampled_from((*NUMBERS, *DATES, *TEXTS, *NOT_XML)) | st.text() | st.from_regex(r"[0-9+\-.:TZ/ eE]{1,40}"),
    zone=st.sampled_from(ZONES),
    formats=st.sampled_from(FORMATS),
    encoding=st.sampled_from(("hex", "base64")),
)
@example("datetimeoffset(7)", "0001-01-01T00:00:00+14:00", None, (), "hex")
@example("datetimeoffset(7)", "9999-12-31T23:59:59-14:00", "UTC", (), "hex")
@settings(max_examples=1000, deadline=None)
def test_any_text_becomes_a_value_that_the_type_holds_or_is_rejected(
    name: str, text: str, zone: str | None, formats: tuple[str, ...], encoding: str
) -> None:
    sql_type = parse_type(name)
    is_temporal = sql_type.family in TEMPORAL
    try:
        convert = converter(
            sql_type, formats=formats if is_temporal else (), time_zone=zone if is_temporal else None, encoding=encoding
        )
    except ValueError:
        return
    try:
        value = convert(text)
    except InvalidValueError as error:
        value = error.truncated
    assert fits(value, sql_type)


NAIVE = datetime(2024, 2, 29, 23, 59, 59, 123000)  # noqa: DTZ001 - most types have no zone
GOOD: list[tuple[str, Value]] = [
    ("int", None),
    ("bit", True),
    ("tinyint", 255),
    ("bigint", -(2**63)),
    ("decimal(4,2)", Decimal("-99.99")),
    ("money", Decimal("922337203685477.5807")),
    ("real", 0.5),
    ("float", 1e-300),
    ("char(3)", "a€ "),
    ("nchar(2)", "🦊"),
    ("varchar(max)", "x" * 9000),
    ("binary(2)", b"ab"),
    ("varbinary(2)", b""),
    ("date", date(1, 1, 1)),
    ("time(3)", time(1, 2, 3, 4000)),
    ("datetime", NAIVE),
    ("smalldatetime", NAIVE.replace(second=0, microsecond=0)),
    ("datetime2(3)", NAIVE),
    ("datetimeoffset(3)", NAIVE.replace(tzinfo=timezone(timedelta(hours=-14)))),
    ("uniqueidentifier", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    ("xml", "a &amp; <b/>"),
]
BAD: list[tuple[str, Value]] = [
    ("bit", 1),
    ("tinyint", -1),
    ("tinyint", True),
    ("smallint", 2**15),
    ("int", 1.0),
    ("int", False),
    ("bigint", 2**63),
    ("decimal(4,2)", Decimal("100.00")),
    ("decimal(4,2)", Decimal("1.0")),
    ("decimal(4,2)", Decimal("-0.00")),
    ("decimal(4,2)", Decimal("NaN")),
    ("money", Decimal("922337203685477.5808")),
    ("smallmoney", 1.5),
    ("real", 0.1),
    ("real", 1e300),
    ("real", 1e-40),
    ("float", float("inf")),
    ("float", 5e-324),
    ("char(3)", "ab"),
    ("char(3)", "Ω  "),
    ("varchar(3)", "abcd"),
    ("nchar(1)", "🦊"),
    ("nvarchar(max)", "\ud800"),
    ("binary(2)", b"a"),
    ("varbinary(2)", "ab"),
    ("date", NAIVE),
    ("time(2)", time(1, 2, 3, 4000)),
    ("time(7)", time(1, tzinfo=UTC)),
    ("datetime", NAIVE.replace(microsecond=124000)),
    ("datetime", NAIVE.replace(year=1752)),
    ("smalldatetime", NAIVE),
    ("smalldatetime", datetime(2079, 6, 7)),  # noqa: DTZ001 - it has no zone
    ("datetime2(2)", NAIVE),
    ("datetime2(7)", NAIVE.replace(tzinfo=UTC)),
    ("datetimeoffset(3)", NAIVE),
    ("datetimeoffset(3)", NAIVE.replace(tzinfo=timezone(timedelta(hours=15)))),
    ("datetimeoffset(3)", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
    ("uniqueidentifier", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    ("xml", "<a>"),
    ("xml", "a & b"),
]


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_the_checker_accepts_values_that_a_type_holds(name: str, value: Value) -> None:
    assert fits(value, parse_type(name))


@pytest.mark.parametrize(("name", "value"), BAD)
def test_the_checker_rejects_values_that_a_type_does_not_hold(name: str, value: Value) -> None:
    assert not fits(value, parse_type(name))
