from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tsql.tsql_evaluation import CLOCK, Inputs, failure_of, faults_of, holds
from xml_extractor.tsql import EvaluationError, ExpressionError, compile_condition
from xml_extractor.values.sqltypes import parse_type

COMPARISONS: list[tuple[str, bool | None]] = [
    ("1 = 1", True),
    ("1 <> 1", False),
    ("1 != 2", True),
    ("1 < 2", True),
    ("2 <= 2", True),
    ("3 > 2", True),
    ("2 >= 3", False),
    ("1 !< 2", False),
    ("2 !> 2", True),
    ("1 = 1.0", True),
    ("1 < 1.5", True),
    ("0.1 = 0.1e0", True),
    ("CAST(0.1 AS real) = 0.1", True),
    ("CAST(0.1 AS real) = 0.1e0", False),
    ("CAST(2 AS money) = 2", True),
    ("CAST(1 AS bit) = 1", True),
    ("CAST(1 AS bit) = 'true'", True),
    ("CAST(1 AS bit) = 2", False),
    ("'10' = 10", True),
    ("' 10 ' = 10", True),
    ("'2' < 10", True),
    ("'2' < '10'", False),
    ("'1.50' = 1.5", True),
    ("1 = NULL", None),
    ("NULL = NULL", None),
    ("NULL <> 1", None),
    ("1 + NULL = 1", None),
    ("0x01 = 0x0100", True),
    ("0x01 < 0x02", True),
    ("0x0A = 10", True),
    ("'2024-01-31' = CAST('20240131' AS date)", True),
    ("CAST('2024-01-31' AS date) < '2024-02-01'", True),
    ("CAST('2024-01-31' AS date) = CAST('2024-01-31 00:00' AS datetime)", True),
    ("CAST('2024-01-31 10:00' AS datetime) > CAST('2024-01-31' AS date)", True),
    ("CAST('2024-01-31 10:00:00.003' AS datetime) = CAST('2024-01-31 10:00:00.003' AS datetime2)", False),
    ("CAST('2024-01-31 10:00 +02:00' AS datetimeoffset) = '2024-01-31 08:00 +00:00'", True),
    ("CAST('2024-01-31 10:00 +00:00' AS datetimeoffset) = CAST('2024-01-31 10:00' AS datetime2)", True),
    ("CAST('10:00' AS time) < '10:01'", True),
    ("CAST(1 AS datetime) = 1", True),
    ("CAST('6f9619ff-8b86-d011-b42d-00c04fc964ff' AS uniqueidentifier) = '6F9619FF-8B86-D011-B42D-00C04FC964FF'", True),
]

TEXTS: list[tuple[str, bool | None]] = [
    ("'abc' = 'ABC'", True),
    ("'abc' = 'abc   '", True),
    ("'abc' = ' abc'", False),
    ("'' = '   '", True),
    ("'é' = 'É'", True),
    ("'é' = 'e'", False),
    ("'resume' < 'résumé'", True),
    ("'résumé' < 'resumf'", True),
    ("'a' < 'B'", True),
    ("'Z' > 'a'", True),
    ("'a' < 'ab'", True),
    ("'_' < 'a'", True),
    ("'9' < 'a'", True),
    ("'-' < '0'", True),
    ("'~' < '0'", True),
    ("'¿' < '0'", True),
    ("'§' < 'a'", True),
    ("'æ' < 'b'", True),
    ("'œuvre' < 'p'", True),
    ("'ß' < 't'", True),
    ("'ø' BETWEEN 'o' AND 'p'", True),
    ("N'Łódź' BETWEEN N'lo' AND N'lp'", True),
    ("N'Łódź' = N'lodz'", False),
    ("N'я' > N'z'", True),
    ("'abc' = N'ABC '", True),
    ("N'ÄÖÜ' = N'äöü'", True),
    ("N'é' = N'e\u0301'", True),
    ("N'\uff21\uff22' = 'ab'", True),
    ("N'Ω' = N'ω'", True),
    ("N'Ω' = 'Ω'", False),
    ("'ß' = 'ss'", False),
    ("CAST('ab' AS char(10)) = 'AB'", True),
    ("0x4142 = 'a'", False),
    ("0x4142 = 'ab'", True),
    ("'straße' <> 'STRASSE'", True),
    ("'b' BETWEEN 'A' AND 'C'", True),
    ("'B ' BETWEEN 'b' AND 'b'", True),
    ("5 BETWEEN 1 AND 5", True),
    ("6 BETWEEN 1 AND 5", False),
    ("5 NOT BETWEEN 1 AND 5", False),
    ("5 BETWEEN 10 AND 1", False),
    ("NULL BETWEEN 1 AND 5", None),
    ("6 BETWEEN NULL AND 5", False),
    ("5 BETWEEN NULL AND 5", None),
    ("'15' BETWEEN 2 AND 20", True),
]

MEMBERS: list[tuple[str, bool | None]] = [
    ("2 IN (1, 2, 3)", True),
    ("4 IN (1, 2, 3)", False),
    ("4 NOT IN (1, 2, 3)", True),
    ("4 IN (1, NULL)", None),
    ("1 IN (1, NULL)", True),
    ("4 NOT IN (1, NULL)", None),
    ("1 NOT IN (1, NULL)", False),
    ("NULL IN (1, 2)", None),
    ("1 IN (NULL)", None),
    ("'b ' IN ('A', 'B')", True),
    ("'é' IN ('E', 'É')", True),
    ("1 IN ('1', 'x')", True),
    ("'1' IN (1, 2)", True),
    ("1.0 IN (1, 2.5)", True),
    ("1 IN (1.0, '1')", True),
    ("CAST('2024-01-31' AS date) IN ('20240131', '2024-02-01')", True),
    ("2 IN (1 + 1, 1 / 1)", True),
    ("1e0 IN (1, 2)", True),
    ("0x4142 IN ('a', 'ab')", True),
    ("0x4142 IN ('a', N'䉁')", True),
    ("0x4142 IN (N'䉁', 'a')", True),
]


@pytest.mark.parametrize(("condition", "expected"), COMPARISONS + TEXTS + MEMBERS)
def test_a_comparison_has_the_documented_result(condition: str, expected: bool | None) -> None:  # noqa: FBT001 - a case of a table
    assert holds(condition) is expected


LIKES: list[tuple[str, bool | None]] = [
    ("'abc' LIKE 'abc'", True),
    ("'ABC' LIKE 'abc'", True),
    ("'abc' LIKE 'a%'", True),
    ("'abc' LIKE '%b%'", True),
    ("'abc' LIKE '%c'", True),
    ("'abc' LIKE '%'", True),
    ("'' LIKE '%'", True),
    ("'' LIKE '_'", False),
    ("'abc' LIKE 'b%'", False),
    ("'abc' LIKE '___'", True),
    ("'abc' LIKE '__'", False),
    ("'Dean' LIKE '_ean'", True),
    ("'Carsen' LIKE '[C-P]arsen'", True),
    ("'carsen' LIKE '[C-P]arsen'", True),
    ("'Barsen' LIKE '[C-P]arsen'", False),
    ("'délibes' LIKE 'd[e-f]libes'", True),
    ("'ø' LIKE '[a-z]'", True),
    ("'ß' LIKE '[^a-z]'", False),
    ("'delta' LIKE 'de[^l]%'", False),
    ("'depth' LIKE 'de[^l]%'", True),
    ("'5%' LIKE '5[%]'", True),
    ("'50' LIKE '5[%]'", False),
    ("'_n' LIKE '[_]n'", True),
    ("'an' LIKE '[_]n'", False),
    ("'d' LIKE '[a-cdf]'", True),
    ("'e' LIKE '[a-cdf]'", False),
    ("'-' LIKE '[-acdf]'", True),
    ("'b' LIKE '[-acdf]'", False),
    ("'[' LIKE '[[]'", True),
    ("']' LIKE ']'", True),
    ("'abc_de' LIKE 'abc[_]d%'", True),
    ("'a' LIKE '[]'", False),
    ("'a' LIKE '[a'", False),
    ("'[a' LIKE '[a'", False),
    ("'a' LIKE '[z-a]'", False),
    ("'7' LIKE '[0-9]'", True),
    ("':' LIKE '[0-z]'", False),
    ("N'\u0429' LIKE N'[\u0410-\u042f]'", True),
    ("N'\u0449' LIKE N'[\u0410-\u042f]'", True),
    ("'x.y' LIKE 'x.y'", True),
    ("'xay' LIKE 'x.y'", False),
    ("'a\nb' LIKE 'a%b'", True),
    ("'50% off' LIKE '50!% off' ESCAPE '!'", True),
    ("'500 off' LIKE '50!% off' ESCAPE '!'", False),
    ("'10-15% off' LIKE '%10-15!% off%' ESCAPE '!'", True),
    ("'a_b' LIKE 'a\\_b' ESCAPE '\\'", True),
    ("'axb' LIKE 'a\\_b' ESCAPE '\\'", False),
    ("'ab' LIKE 'a!b' ESCAPE '!'", True),
    ("'a!' LIKE 'a!' ESCAPE '!'", False),
    ("']' LIKE '[!]]' ESCAPE '!'", True),
    ("'-' LIKE '[a!-z]' ESCAPE '!'", True),
    ("'b' LIKE '[a!-z]' ESCAPE '!'", False),
    ("'[x' LIKE '![x' ESCAPE '!'", True),
    ("'abc' LIKE 'abc '", False),
    ("'abc   ' LIKE 'abc'", True),
    ("'abc   ' LIKE 'abc '", True),
    ("N'abc   ' LIKE N'abc'", False),
    ("'abc   ' LIKE N'abc'", False),
    ("N'abc ' LIKE N'abc '", True),
    ("CAST('Robert King' AS char(30)) LIKE '% King'", True),
    ("CAST(N'Robert King' AS nchar(30)) LIKE '% King'", False),
    ("RTRIM(CAST(N'Robert King' AS nchar(30))) LIKE '% King'", True),
    ("'abc' NOT LIKE 'x%'", True),
    ("'abc' NOT LIKE 'a%'", False),
    ("'a!b' NOT LIKE '%!!%' ESCAPE '!'", False),
    ("NULL LIKE 'a%'", None),
    ("'a' LIKE NULL", None),
    ("'a' NOT LIKE NULL", None),
    ("'a' LIKE 'a' ESCAPE NULL", None),
    ("415 LIKE '4%'", True),
    ("CAST('2024-01-31' AS date) LIKE '2024%'", True),
]


@pytest.mark.parametrize(("condition", "expected"), LIKES)
def test_like_matches_as_documented(condition: str, expected: bool | None) -> None:  # noqa: FBT001 - a case of a table
    assert holds(condition) is expected


def test_a_pattern_may_come_from_a_name() -> None:
    inputs: Inputs = {
        "code": ("varchar(20)", "AB-12"),
        "pattern": ("varchar(20)", "[a-b]%!-__"),
        "mark": ("char(1)", "!"),
    }
    assert holds("code LIKE pattern ESCAPE mark", inputs) is True
    assert holds("code LIKE pattern ESCAPE mark", {**inputs, "code": ("varchar(20)", "AB12")}) is False
    with pytest.raises(EvaluationError) as caught:
        holds("code LIKE pattern ESCAPE mark", {**inputs, "mark": ("varchar(9)", "!!")})
    assert caught.value.code == "invalid_argument"


LOGIC: list[tuple[str, bool | None]] = [
    ("1 = 1 AND 1 = 1", True),
    ("1 = 1 AND 1 = 2", False),
    ("1 = 2 AND NULL = 1", False),
    ("NULL = 1 AND 1 = 2", False),
    ("1 = 1 AND NULL = 1", None),
    ("NULL = 1 OR 1 = 1", True),
    ("NULL = 1 OR 1 = 2", None),
    ("1 = 2 OR 1 = 3", False),
    ("NOT 1 = 2", True),
    ("NOT NULL = 1", None),
    ("NOT NOT 1 = 1", True),
    ("NOT 1 = 1 OR 1 = 1", True),
    ("NOT (1 = 1 OR 1 = 1)", False),
    ("1 = 1 OR 1 = 1 AND 1 = 2", True),
    ("(1 = 1 OR 1 = 1) AND 1 = 2", False),
    ("NULL IS NULL", True),
    ("1 IS NULL", False),
    ("1 IS NOT NULL", True),
    ("NOT 1 IS NULL", True),
    ("1 + NULL IS NULL", True),
    ("1 = 2 AND 1 / 0 = 1", False),
    ("1 = 1 OR 1 / 0 = 1", True),
]


@pytest.mark.parametrize(("condition", "expected"), LOGIC)
def test_logic_knows_true_false_and_unknown(condition: str, expected: bool | None) -> None:  # noqa: FBT001 - a case of a table
    assert holds(condition) is expected


@pytest.mark.parametrize("text", ["a + b", "b + a", "IIF(a = b, 1, 0)", "IIF(b < a, 1, 0)", "IIF(a IN (0, b), 1, 0)"])
def test_a_null_on_one_side_hides_no_failure_on_the_other(text: str) -> None:
    assert failure_of(text, {"a": ("int", None), "b": ("varchar(5)", "x")}) == "conversion_failed"


TRUTH = st.sampled_from([None, 0, 1])


@given(a=TRUTH, b=TRUTH, c=TRUTH)
def test_the_laws_of_three_valued_logic_hold(a: int | None, b: int | None, c: int | None) -> None:
    inputs: Inputs = {"a": ("int", a), "b": ("int", b), "c": ("int", c)}
    laws = [
        ("a = 1 AND b = 1", "b = 1 AND a = 1"),
        ("a = 1 OR b = 1", "b = 1 OR a = 1"),
        ("NOT (a = 1 AND b = 1)", "NOT a = 1 OR NOT b = 1"),
        ("NOT (a = 1 OR b = 1)", "NOT a = 1 AND NOT b = 1"),
        ("a = 1 AND (b = 1 OR c = 1)", "a = 1 AND b = 1 OR a = 1 AND c = 1"),
        ("a = 1 OR b = 1 AND c = 1", "(a = 1 OR b = 1) AND (a = 1 OR c = 1)"),
        ("NOT NOT a = 1", "a = 1"),
        ("a <> b", "NOT a = b"),
        ("a IN (b, c)", "a = b OR a = c"),
        ("a NOT IN (b, c)", "a <> b AND a <> c"),
        ("a BETWEEN b AND c", "a >= b AND a <= c"),
        ("a IN (0, 1)", "a = 0 OR a = 1"),
    ]
    for left, right in laws:
        assert holds(left, inputs) is holds(right, inputs), (left, right)


@given(a=st.text(max_size=6), b=st.text(max_size=6))
def test_texts_are_smaller_equal_or_greater(a: str, b: str) -> None:
    inputs: Inputs = {"a": ("nvarchar(20)", a), "b": ("nvarchar(20)", b)}
    found = [holds(f"a {sign} b", inputs) for sign in ("<", "=", ">")]
    assert sorted(found, key=bool) == [False, False, True]
    assert holds("a <= b", inputs) is not holds("b < a", inputs)


def test_equality_agrees_with_in_and_case() -> None:
    inputs: Inputs = {"a": ("varchar(5)", "Ab ")}
    assert holds("a IN ('x', 'aB')", inputs) is True
    assert holds("CASE a WHEN 'AB' THEN 1 ELSE 0 END = 1", inputs) is True


def test_numbers_of_a_name_are_compared_exactly() -> None:
    inputs: Inputs = {"a": ("decimal(38,10)", Decimal("12345678901234567890.0000000001")), "b": ("bigint", 12)}
    assert holds("a > 12345678901234567890", inputs) is True
    assert holds("b IN (12.0, 13)", inputs) is True


def test_a_uniqueidentifier_is_ordered_from_its_last_bytes() -> None:
    texts = [
        "00000001-0000-0000-0000-000000000000",
        "01000000-0000-0000-0000-000000000000",
        "00000000-0100-0000-0000-000000000000",
        "00000000-0000-0000-0001-000000000000",
        "00000000-0000-0000-0000-000000000001",
        "00000000-0000-0000-0000-010000000000",
    ]
    smallest_first = [texts[1], texts[0], *texts[2:]]
    for smaller, larger in pairwise(smallest_first):
        assert holds("a < b", {"a": ("uniqueidentifier", smaller), "b": ("uniqueidentifier", larger)}) is True


INCOMPARABLE = [
    "CAST('2024-01-31' AS date) = 1",
    "CAST('10:00' AS time) = CAST('2024-01-31' AS date)",
    "CAST('a' AS text) = 'a'",
    "CAST('<a/>' AS xml) = '<a/>'",
    "CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) = 1",
    "CAST('2024-01-31' AS date) IN (1, 2)",
    "CAST('2024-01-31' AS date) BETWEEN 1 AND 2",
    "'a' LIKE 'b' ESCAPE 'xx'",
    "'a' LIKE 'b' ESCAPE ''",
    "CAST('a' AS xml) LIKE 'b'",
]


@pytest.mark.parametrize("condition", INCOMPARABLE)
def test_types_that_cannot_be_compared_are_a_fault(condition: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        holds(condition)
    assert len(caught.value.faults) == 1


def test_a_text_that_is_no_number_fails_when_it_is_compared_with_one() -> None:
    with pytest.raises(EvaluationError) as caught:
        holds("a = 1", {"a": ("varchar(5)", "x")})
    assert caught.value.code == "conversion_failed"


def test_a_value_is_no_condition_and_a_condition_no_value() -> None:
    with pytest.raises(ExpressionError) as caught:
        holds("a", {"a": ("bit", True)})
    assert "not a condition" in caught.value.faults[0].message
    assert "not a value" in faults_of("a = 1", {"a": "int"})[0].message


def test_a_condition_says_which_names_it_uses() -> None:
    names = {name: parse_type("int") for name in ("one", "two", "three")}
    compiled = compile_condition("THREE > 0 AND [one] < three", names)
    assert compiled.names == ("three", "one")
    assert compiled.evaluate([1, 2, 3], CLOCK) is True


def test_a_hundred_conditions_in_a_row_are_no_problem() -> None:
    assert holds(" AND ".join(["a = 1"] * 500), {"a": ("int", 1)}) is True
