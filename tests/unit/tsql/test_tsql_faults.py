import logging

import pytest

from tests.unit.tsql.tsql_evaluation import CLOCK, evaluated, faults_of
from xml_extractor.tsql import ExpressionError, compile_condition, compile_expression
from xml_extractor.tsql.compiler import ALLOWED_FUNCTIONS
from xml_extractor.values.sqltypes import parse_type

NAMES = {"score": "int", "code": "varchar(10)", "opened": "date", "amount": "decimal(10,2)"}


def test_all_faults_of_an_expression_are_reported_at_once() -> None:
    text = "ISNUL(scor, 0) +\n  LEN(code, 1) +\n  DATEDIFF(dayy, opened, opened) + CAST(amount AS decimall(5)) + opened"
    faults = faults_of(text, NAMES)
    assert [(fault.line, fault.column, fault.found, fault.suggestion) for fault in faults] == [
        (1, 1, "ISNUL", "ISNULL"),
        (1, 7, "scor", "score"),
        (2, 3, "2", ""),
        (3, 12, "dayy", "day"),
        (3, 51, "decimall(5)", "decimal"),
    ]


def test_faults_of_every_branch_of_a_case_are_reported() -> None:
    text = "CASE WHEN a1 = 1 THEN b1 WHEN 1 = c1 THEN d1 ELSE e1 END"
    assert [fault.found for fault in faults_of(text)] == ["a1", "b1", "c1", "d1", "e1"]
    assert [fault.found for fault in faults_of("CASE a1 WHEN b1 THEN c1 END")] == ["a1", "b1", "c1"]
    assert [fault.found for fault in faults_of("IIF(a1 = 1, b1, c1)")] == ["a1", "b1", "c1"]


def test_faults_of_a_condition_are_reported_on_both_sides() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_condition("a1 > 0 AND (b1 IN (1, c1) OR NOT d1 LIKE e1) AND f1 IS NULL AND g1 BETWEEN h1 AND 2", {})
    assert [fault.found for fault in caught.value.faults] == ["a1", "b1", "c1", "d1", "e1", "f1", "g1", "h1"]


def test_an_unknown_function_names_all_that_are_allowed() -> None:
    (fault,) = faults_of("FORMAT(score, 'N')", NAMES)
    assert fault.expected == ", ".join(ALLOWED_FUNCTIONS)
    assert fault.found == "FORMAT"


def test_the_allowed_functions_are_sorted_and_complete() -> None:
    documented = (
        "ABS ASCII CAST CEILING CHAR CHARINDEX COALESCE CONCAT CONCAT_WS CONVERT DATEADD DATEDIFF"
        " DATEFROMPARTS DATEPART DATETIME2FROMPARTS DATETIMEFROMPARTS DATETIMEOFFSETFROMPARTS DAY EOMONTH"
        " FLOOR GETUTCDATE IIF ISNULL LEFT LEN LOWER LTRIM MONTH NCHAR NULLIF PATINDEX REPLACE REPLICATE"
        " REVERSE RIGHT ROUND RTRIM SMALLDATETIMEFROMPARTS SPACE STUFF SUBSTRING SYSUTCDATETIME TIMEFROMPARTS"
        " TRANSLATE TRIM TRY_CAST TRY_CONVERT UNICODE UPPER YEAR"
    )
    assert " ".join(ALLOWED_FUNCTIONS) == documented


COUNTS = [
    ("LEN()", "1 argument"),
    ("LEN('a', 'b')", "1 argument"),
    ("ISNULL(1)", "2 arguments"),
    ("COALESCE(1)", "2 to 1000 arguments"),
    ("CONCAT('a')", "2 to 254 arguments"),
    ("CONCAT_WS(',', 'a')", "3 to 254 arguments"),
    ("STUFF('a', 1, 1)", "4 arguments"),
    ("DATETIME2FROMPARTS(2024, 1, 1, 0, 0, 0, 0)", "8 arguments"),
    ("ROUND(1)", "2 to 3 arguments"),
    ("IIF(1 = 1, 2)", "3 arguments"),
    ("DATEADD(day, 1)", "3 arguments"),
    ("DATEPART(day)", "2 arguments"),
    ("DATEADD()", "3 arguments"),
    ("GETUTCDATE(1)", "0 arguments"),
    ("SUBSTRING('a', 1)", "3 arguments"),
]


@pytest.mark.parametrize(("text", "expected"), COUNTS)
def test_a_wrong_number_of_arguments_is_a_fault(text: str, expected: str) -> None:
    (fault,) = faults_of(text)
    assert fault.expected == expected


SYNTAX: list[tuple[str, int, int]] = [
    ("score +", 1, 7),
    ("score + * 2", 1, 11),
    ("(score", 1, 2),
    ("score)", 1, 6),
    ("score code", 1, 7),
    ("score AS x", 1, 7),
    ("1 2", 1, 3),
    ("score =", 1, 7),
    ("CASE WHEN score = 1 2 END", 1, 21),
    ("CASE score END", 1, 12),
    ("CASE WHEN score = 1 THEN 2", 1, 26),
    ("CASE score WHEN 1 THEN END", 1, 24),
    ("CASE score WHEN 1 THEN 2 ELSE END", 1, 31),
    ("END + 1", 1, 1),
    ("score + IN", 1, 9),
    ("CAST(AS int)", 1, 6),
    ("CAST(score int)", 1, 12),
    ("CAST(score AS)", 1, 14),
    ("CONVERT(int)", 1, 12),
    ("'abc", 1, 1),
    ("score + 'abc", 1, 9),
    ("[score", 1, 1),
    ("score\n+\n  'abc", 3, 3),
    ("score;code", 1, 6),
    ("score == 1", 1, 8),
    ("score || code", 1, 8),
    ("score::int", 1, 6),
    ("score IN", 1, 1),
    ("score LIKE", 1, 7),
    ("", 1, 1),
    ("   ", 1, 1),
    ("-- nothing", 1, 1),
    ("LEN(code", 1, 5),
    ("DATE '2024-01-31'", 1, 6),
    ("score -> 1", 1, 8),
]


@pytest.mark.parametrize(("text", "line", "column"), SYNTAX)
def test_a_fault_of_syntax_says_where_it_is(text: str, line: int, column: int) -> None:
    (fault,) = faults_of(text, NAMES)
    assert (fault.line, fault.column) == (line, column)
    assert fault.message
    assert "\x1b" not in fault.message
    assert "sqlglot" not in fault.message


NOT_ALLOWED: list[tuple[str, str]] = [
    ("t.score", "qualified"),
    ("db.t.score", "qualified"),
    ("t.LEN(code)", "qualified"),
    ("(SELECT 1)", "subquery"),
    ("score + (SELECT score)", "subquery"),
    ("@score", "variable"),
    ("@@ROWCOUNT", "variable"),
    ("SUM(score)", "aggregate"),
    ("COUNT(*)", "aggregate"),
    ("MAX(score) OVER (PARTITION BY code)", "window"),
    ("ROW_NUMBER() OVER (ORDER BY score)", "window"),
    ("code COLLATE Latin1_General_BIN", "COLLATE"),
    ("?", "parameter"),
    ("score & 1", "not allowed"),
    ("score | 1", "not allowed"),
    ("~score", "not allowed"),
    ("score ^ 1", "not allowed"),
    ("'a' 'b'", "CONCAT"),
    ("(score, 1)", "list"),
    ("*", "not a value"),
    ("{d '2024-01-31'}", "not allowed"),
    ("opened AT TIME ZONE 'UTC'", "not allowed"),
    ("LEN(code AS x)", "not allowed"),
    ("LEN(DISTINCT code)", "not allowed"),
    ("GETDATE()", "not an allowed function"),
    ("NEWID()", "not an allowed function"),
    ("EXEC('x')", "not an allowed function"),
    ("CURRENT_TIMESTAMP", "not a known name"),
    ("TRUE", "not a known name"),
    ("score = 1", "condition"),
]


@pytest.mark.parametrize(("text", "word"), NOT_ALLOWED)
def test_what_an_expression_must_not_have_is_a_fault(text: str, word: str) -> None:
    faults = faults_of(text, NAMES)
    assert word in faults[0].message


NOT_CONDITIONS = [
    "score IN (SELECT 1)",
    "score IN code",
    "EXISTS (SELECT 1)",
    "score IS TRUE",
    "score IS DISTINCT FROM 1",
    "score BETWEEN SYMMETRIC 1 AND 2",
    "score = 1 = 1",
    "(score = 1) = (score = 2)",
    "score",
    "score + 1",
    "1",
    "score = ANY (SELECT 1)",
    "code ILIKE 'a'",
    "NOT score",
    "score = 1 AND code",
]


@pytest.mark.parametrize("text", NOT_CONDITIONS)
def test_what_is_no_search_condition_is_a_fault(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_condition(text, {name: parse_type(written) for name, written in NAMES.items()})
    assert caught.value.faults[0].message


def test_nothing_is_logged_or_printed(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG):
        faults_of("score + (", NAMES)
        faults_of("CAST(score AS foo(", NAMES)
        evaluated("CONVERT(varchar(10), 1)")
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_deeply_nested_expression_is_a_fault_and_not_a_crash() -> None:
    (fault,) = faults_of("(" * 3000 + "1" + ")" * 3000)
    assert "nested" in fault.message


def test_the_error_is_a_value_error_with_all_messages() -> None:
    with pytest.raises(ValueError, match="'a1' is not a known name; 'b1' is not a known name"):
        compile_expression("a1 + b1", {})


def test_an_expression_says_its_type_and_the_names_it_uses() -> None:
    names = {"One": parse_type("int"), "two": parse_type("decimal(5,2)"), "three": parse_type("int")}
    compiled = compile_expression("TWO * one + one", names)
    assert compiled.names == ("two", "One")
    assert str(compiled.type) == "decimal(17,2)"
    assert compile_expression("1 + 1", names).names == ()


def test_one_compiled_expression_serves_many_rows() -> None:
    compiled = compile_expression("ISNULL(a, 0) + b", {"a": parse_type("int"), "b": parse_type("int")})
    assert [compiled.evaluate(row, CLOCK) for row in ([1, 2], [None, 5], [3, None], (4, 4))] == [3, 5, None, 8]
