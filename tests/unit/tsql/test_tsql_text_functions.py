from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tsql.tsql_evaluation import Inputs, assert_same, evaluated, failure_of, faults_of, holds, type_of
from xml_extractor.documents import Value

CASES: list[tuple[str, Value, str]] = [
    ("LEN('abc')", 3, "int"),
    ("LEN('abc   ')", 3, "int"),
    ("LEN('  abc')", 5, "int"),
    ("LEN('')", 0, "int"),
    ("LEN(NULL)", None, "int"),
    ("LEN(N'a😀')", 3, "int"),
    ("LEN(12345)", 5, "int"),
    ("LEN(CAST(5 AS char(10)))", 1, "int"),
    ("LEN(CAST('abc' AS varchar(max)))", 3, "bigint"),
    ("LEFT('abcdef', 3)", "abc", "varchar(3)"),
    ("LEFT('abc', 5)", "abc", "varchar(3)"),
    ("LEFT('abc', 0)", "", "varchar(1)"),
    ("LEFT(N'abc', 2)", "ab", "nvarchar(2)"),
    ("LEFT(12345, 2)", "12", "varchar(2)"),
    ("LEFT('abc', NULL)", None, "varchar(3)"),
    ("RIGHT('abcdef', 3)", "def", "varchar(3)"),
    ("RIGHT('abc', 5)", "abc", "varchar(3)"),
    ("RIGHT('abc', 0)", "", "varchar(1)"),
    ("RIGHT('0000' + CAST(42 AS varchar(10)), 5)", "00042", "varchar(5)"),
    ("SUBSTRING('abcdef', 2, 3)", "bcd", "varchar(3)"),
    ("SUBSTRING('abcdef', 0, 3)", "ab", "varchar(3)"),
    ("SUBSTRING('abcdef', -2, 3)", "", "varchar(3)"),
    ("SUBSTRING('abcdef', -1, 4)", "ab", "varchar(4)"),
    ("SUBSTRING('abcdef', 4, 10)", "def", "varchar(6)"),
    ("SUBSTRING('abcdef', 7, 2)", "", "varchar(2)"),
    ("SUBSTRING('abcdef', 2, 0)", "", "varchar(1)"),
    ("SUBSTRING(0x0102030405, 2, 2)", b"\x02\x03", "varbinary(2)"),
    ("SUBSTRING(N'abcdef', 2, 3)", "bcd", "nvarchar(3)"),
    ("CHARINDEX('b', 'abcabc')", 2, "int"),
    ("CHARINDEX('B', 'abcabc')", 2, "int"),
    ("CHARINDEX('b', 'abcabc', 3)", 5, "int"),
    ("CHARINDEX('b', 'abcabc', 0)", 2, "int"),
    ("CHARINDEX('b', 'abcabc', -5)", 2, "int"),
    ("CHARINDEX('x', 'abc')", 0, "int"),
    ("CHARINDEX('', 'abc')", 0, "int"),
    ("CHARINDEX('é', 'cafe')", 0, "int"),
    ("CHARINDEX(N'b', N'😀b')", 3, "int"),
    ("CHARINDEX('b', CAST('abc' AS varchar(max)))", 2, "bigint"),
    ("CHARINDEX(NULL, 'abc')", None, "int"),
    ("REPLACE('abcABC', 'b', 'x')", "axcAxC", "varchar(8000)"),
    ("REPLACE('abc', '', 'x')", "abc", "varchar(8000)"),
    ("REPLACE('abc', 'b', '')", "ac", "varchar(8000)"),
    ("REPLACE('aaa', 'aa', 'b')", "ba", "varchar(8000)"),
    ("REPLACE('abc', 'b', NULL)", None, "varchar(8000)"),
    ("REPLACE('abc', N'b', 'x')", "axc", "nvarchar(4000)"),
    ("REPLACE(CAST('abc' AS varchar(max)), 'b', 'x')", "axc", "varchar(max)"),
    ("REPLACE('caf\u00e9', 'e', 'x')", "caf\u00e9", "varchar(8000)"),
    ("UPPER('abcß')", "ABCß", "varchar(4)"),
    ("UPPER('éÿµ')", "ÉŸµ", "varchar(3)"),
    ("UPPER(N'ω')", "Ω", "nvarchar(1)"),
    ("UPPER(CAST('ab' AS char(3)))", "AB ", "varchar(3)"),
    ("LOWER('ABCÄ')", "abcä", "varchar(4)"),
    ("LOWER(NULL)", None, "varchar(1)"),
    ("TRIM('  a b  ')", "a b", "varchar(7)"),
    ("TRIM(N'  a ')", "a", "nvarchar(4)"),
    ("LTRIM('  a ')", "a ", "varchar(4)"),
    ("RTRIM('  a ')", "  a", "varchar(4)"),
    ("TRIM('\ta\t')", "\ta\t", "varchar(3)"),
    ("TRIM('.,! ' FROM '#     test    .')", "#     test", "varchar(15)"),
    ("TRIM(LEADING '.' FROM '..a..')", "a..", "varchar(5)"),
    ("TRIM(TRAILING '.' FROM '..a..')", "..a", "varchar(5)"),
    ("TRIM(BOTH '.' FROM '..a..')", "a", "varchar(5)"),
    ("LTRIM('00123', '0')", "123", "varchar(5)"),
    ("RTRIM('1.500', '0')", "1.5", "varchar(5)"),
    ("TRIM('x' FROM 'XaX')", "a", "varchar(3)"),
    ("CONCAT('Happy ', 'Birthday ', 11, '/', '25')", "Happy Birthday 11/25", "varchar(29)"),
    ("CONCAT('a', NULL, 'b')", "ab", "varchar(3)"),
    ("CONCAT(NULL, NULL)", "", "varchar(2)"),
    ("CONCAT('a', N'b')", "ab", "nvarchar(2)"),
    ("CONCAT('a', CAST('b' AS varchar(max)))", "ab", "varchar(max)"),
    ("CONCAT_WS(',', 'a', NULL, 1, 2.50)", "a,1,2.50", "varchar(21)"),
    ("CONCAT_WS(', ', NULL, NULL)", "", "varchar(4)"),
    ("CONCAT_WS(NULL, 'a', 'b')", "ab", "varchar(3)"),
    ("CONCAT_WS(N'-', 'a', '')", "a-", "nvarchar(3)"),
    ("CONCAT_WS('-', 'a', CAST('b' AS varchar(max)))", "a-b", "varchar(max)"),
    ("STUFF('abcdef', 2, 3, 'ijklmn')", "aijklmnef", "varchar(12)"),
    ("STUFF('abc', 2, 0, N'x')", "axbc", "nvarchar(4)"),
    ("STUFF('abc', 2, 9, '')", "a", "varchar(4)"),
    ("STUFF('abc', 3, 1, NULL)", "ab", "varchar(4)"),
    ("STUFF('abc', 0, 1, 'x')", None, "varchar(4)"),
    ("STUFF('abc', -1, 1, 'x')", None, "varchar(4)"),
    ("STUFF('abc', 4, 0, 'x')", None, "varchar(4)"),
    ("STUFF('abc', 1, -1, 'x')", None, "varchar(4)"),
    ("STUFF('abc', NULL, 1, 'x')", None, "varchar(4)"),
    ("STUFF(1234, 2, 2, '-')", "1-4", "varchar(12)"),
    ("STUFF(0x010203, 2, 1, 0xFFFE)", b"\x01\xff\xfe\x03", "varbinary(5)"),
    ("STUFF(N'😀b', 3, 1, 'c')", "😀c", "nvarchar(4)"),
    ("PATINDEX('%ter%', 'interesting data')", 3, "int"),
    ("PATINDEX('%TER%', 'interesting data')", 3, "int"),
    ("PATINDEX('%en_ure%', 'Please ensure the door is locked!')", 8, "int"),
    ("PATINDEX('%[^ 0-9A-z]%', 'Please ensure the door is locked!')", 33, "int"),
    ("PATINDEX('ter%', 'interesting')", 0, "int"),
    ("PATINDEX('in%', 'interesting')", 1, "int"),
    ("PATINDEX('%ing', 'interesting')", 9, "int"),
    ("PATINDEX('%i%g', 'interesting')", 1, "int"),
    ("PATINDEX('%t%t%t', 'interest t')", 3, "int"),
    ("PATINDEX('%a%b', 'ab abc')", 0, "int"),
    ("PATINDEX('%', 'abc')", 1, "int"),
    ("PATINDEX('', 'abc')", 0, "int"),
    ("PATINDEX('%a%', '')", 0, "int"),
    ("PATINDEX('%abc', 'abc  ')", 1, "int"),
    ("PATINDEX(N'%abc', 'abc  ')", 0, "int"),
    ("PATINDEX('%[a', 'abc')", 0, "int"),
    ("PATINDEX(N'%b%', N'😀b')", 3, "int"),
    ("PATINDEX('%b%', CAST('abc' AS varchar(max)))", 2, "bigint"),
    ("PATINDEX('%b%', CAST(NULL AS varchar(5)))", None, "int"),
    ("TRANSLATE('2*[3+4]/{7-2}', '[]{}', '()()')", "2*(3+4)/(7-2)", "varchar(13)"),
    ("TRANSLATE('aAb', 'ab', 'xy')", "xxy", "varchar(3)"),
    ("TRANSLATE('aa', 'aa', 'xy')", "xx", "varchar(2)"),
    ("TRANSLATE('a', 'a', N'Ω')", "?", "varchar(1)"),
    ("TRANSLATE('a', NULL, 'b')", None, "varchar(1)"),
    ("REPLICATE('ab', 3)", "ababab", "varchar(8000)"),
    ("REPLICATE(N'ab', 0)", "", "nvarchar(4000)"),
    ("REPLICATE('ab', -1)", None, "varchar(8000)"),
    ("REPLICATE(0, 4)", "0000", "varchar(8000)"),
    ("LEN(REPLICATE('abc', 4000000000))", 8000, "int"),
    ("LEN(REPLICATE(CAST('abc' AS varchar(max)), 4000))", 12000, "bigint"),
    ("REVERSE('abc ')", " cba", "varchar(4)"),
    ("SPACE(3)", "   ", "varchar(8000)"),
    ("CHAR(10)", "\n", "char(1)"),
    ("CHAR(128)", "€", "char(1)"),
    ("CHAR(256)", None, "char(1)"),
    ("NCHAR(937)", "Ω", "nchar(1)"),
    ("NCHAR(65536)", None, "nchar(1)"),
    ("ASCII('€uro')", 128, "int"),
    ("ASCII('')", None, "int"),
    ("UNICODE(N'Ω')", 937, "int"),
    ("UNICODE(N'😀')", 0xD83D, "int"),
    ("CONCAT(N'a', CAST('b' AS varchar(max)))", "ab", "nvarchar(max)"),
    ("CONCAT(14, 1234.56789e0)", "141234.57", "varchar(34)"),
    ("CONCAT(CAST(1.5 AS money), '!')", "1.50!", "varchar(23)"),
    ("CONCAT(CAST('2024-01-31' AS date), 'T')", "2024-01-31T", "varchar(11)"),
    ("CONCAT(12.50, '')", "12.50", "varchar(7)"),
    ("CONCAT(CAST('ab' AS char(4)), '|')", "ab  |", "varchar(5)"),
]


@pytest.mark.parametrize(("text", "value", "data_type"), CASES)
def test_a_text_function_has_the_documented_result_and_type(text: str, value: Value, data_type: str) -> None:
    assert_same(evaluated(text), value)
    assert type_of(text) == data_type


FAILURES = [
    ("LEFT('abc', -1)", "invalid_argument"),
    ("RIGHT('abc', -1)", "invalid_argument"),
    ("SUBSTRING('abc', 1, -1)", "invalid_argument"),
    ("LEFT(N'a😀', 2)", "invalid_argument"),
    ("LEFT('abc', 'x')", "conversion_failed"),
]


@pytest.mark.parametrize(("text", "code"), FAILURES)
def test_an_argument_out_of_range_fails_when_it_is_evaluated(text: str, code: str) -> None:
    assert failure_of(text) == code


REFUSED = [
    "LEN(CAST('a' AS text))",
    "CONCAT_WS(1, 'a', 'b')",
    "PATINDEX('%1%', 123)",
    "PATINDEX(NULL, 'abc')",
    "STUFF(0x0102, 1, 1, 'a')",
    "LEN(CAST(1 AS money))",
    "LEN(CAST('<a/>' AS xml))",
    "UPPER(CAST('a' AS ntext))",
    "CONCAT('a', CAST('a' AS text))",
    "CONCAT('a', CAST('<a/>' AS xml))",
    "LEFT('abc', CAST('2024-01-31' AS date))",
    "SUBSTRING(12345, 1, 2)",
    "SUBSTRING(CAST('2024-01-31' AS date), 1, 4)",
    "SUBSTRING(NULL, 1, 2)",
    "TRIM(12345)",
    "TRIM(0x41)",
    "TRIM(0 FROM '00123')",
    "LTRIM('00123', 0)",
    "RTRIM('1.500', 0)",
]


@pytest.mark.parametrize("text", REFUSED)
def test_a_text_function_refuses_types_that_it_does_not_take(text: str) -> None:
    assert len(faults_of(text)) == 1


FAILING = [
    ("TRANSLATE('abc', 'ab', 'x')", "invalid_argument"),
    ("NCHAR(55357)", "invalid_argument"),
    ("REVERSE(N'😀')", "invalid_argument"),
    ("STUFF(REPLICATE('a', 8000), 1, 0, 'b')", "truncation"),
    ("REPLICATE(CAST('abc' AS varchar(max)), 4000000000)", "invalid_argument"),
]


@pytest.mark.parametrize(("text", "code"), FAILING)
def test_a_text_function_fails_for_values_that_it_does_not_take(text: str, code: str) -> None:
    assert failure_of(text) == code


def test_a_pattern_of_many_parts_costs_no_more_than_its_parts_one_after_the_other() -> None:
    inputs: Inputs = {"a": ("varchar(max)", "ab" * 20_000)}
    parts = "%a%b" * 30
    assert evaluated(f"PATINDEX('{parts}%c%', a)", inputs) == 0
    assert evaluated(f"PATINDEX('{parts}%', a)", inputs) == 1
    assert holds(f"a LIKE '{parts}%c'", inputs) is False
    assert holds(f"a LIKE '{parts}'", inputs) is True


@given(text=st.text("abc", max_size=8), pattern=st.text("ab%_", max_size=6))
def test_a_pattern_is_found_where_the_rest_of_the_text_is_like_it(text: str, pattern: str) -> None:
    starts = range(len(text)) if pattern.startswith("%") else range(min(1, len(text)))
    core = pattern.lstrip("%")
    found = [
        start + 1
        for start in starts
        if holds("a LIKE p", {"a": ("nvarchar(20)", text[start:]), "p": ("nvarchar(20)", core)})
        or (pattern and not core)
    ]
    inputs: Inputs = {"a": ("nvarchar(20)", text), "p": ("nvarchar(20)", pattern)}
    assert evaluated("PATINDEX(p, a)", inputs) == (found[0] if found else 0)


def test_the_length_of_a_part_is_the_texts_when_the_number_is_not_known() -> None:
    assert type_of("LEFT(a, n)", {"a": "varchar(20)", "n": "int"}) == "varchar(20)"
    assert type_of("SUBSTRING(a, 1, n)", {"a": "nchar(20)", "n": "int"}) == "nvarchar(20)"


def test_large_text_is_cut_by_substring() -> None:
    assert evaluated("SUBSTRING(a, 2, 2)", {"a": ("text", "abcd")}) == "bc"
    assert type_of("SUBSTRING(a, 2, 2)", {"a": "text"}) == "varchar(2)"


def test_what_is_replaced_may_grow_to_8000_bytes_only() -> None:
    inputs: Inputs = {"a": ("varchar(8000)", "a" * 8000)}
    assert evaluated("LEN(REPLACE(a, 'a', 'bb'))", inputs) == 8000
    assert evaluated("LEN(REPLACE(CAST(a AS varchar(max)), 'a', 'bb'))", inputs) == 16000


def test_names_of_every_type_can_be_put_into_a_text() -> None:
    inputs: Inputs = {
        "a": ("int", 1),
        "b": ("decimal(5,2)", Decimal("2.50")),
        "c": ("bit", True),
        "d": ("nvarchar(5)", "ü"),
        "e": ("float", 0.5),
    }
    assert evaluated("CONCAT(a, '-', b, '-', c, '-', d, '-', e)", inputs) == "1-2.50-1-ü-0.5"


@given(text=st.text(alphabet="aAbB éÉ.", max_size=12), count=st.integers(0, 15))
def test_left_and_the_rest_make_up_the_text(text: str, count: int) -> None:
    inputs: Inputs = {"a": ("nvarchar(20)", text), "n": ("int", count)}
    assert evaluated("LEFT(a, n) + SUBSTRING(a, n + 1, 100)", inputs) == text
    assert evaluated("LEN(a + '|') - 1", inputs) == len(text)
    assert evaluated("REPLACE(a, 'a', '')", inputs) == text.replace("a", "").replace("A", "")
