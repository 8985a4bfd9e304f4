"""Random expressions of all that may stand in one: mostly of fitting types, sometimes of any."""

from collections.abc import Iterator
from dataclasses import dataclass
from string import Formatter

from hypothesis import strategies as st

from tests.expression_inputs import INPUTS


@dataclass(frozen=True, slots=True)
class Part:
    """An expression or a condition, with the parts that it is put together from.

    Attributes:
        text: As T-SQL writes it.
        form: The form that made it, such as `LEFT({text}, {integer})`; a name, or a literal.
        parts: The expressions and conditions in it, from left to right.
        is_condition: Whether it is a search condition, and no value.
    """

    text: str
    form: str = ""
    parts: tuple["Part", ...] = ()
    is_condition: bool = False

    def within(self) -> Iterator["Part"]:
        """All parts and the parts of these, the inner ones first, and the whole last."""
        for part in self.parts:
            yield from part.within()
        yield self


LEAVES = {
    "number": (
        *("i", "j", "big", "short", "tiny", "dec0", "dec2", "num6", "dec38", "cash", "coins", "ratio", "single"),
        *("0", "1", "2", "7", "2147483647", "99999999999", "1.5", "0.001", "100.00", "1e5", "2.5e-3"),
    ),
    "integer": ("i", "j", "short", "tiny", "0", "1", "2", "3", "12"),
    "text": (
        *("word", "other", "digits", "moment", "wide", "fixed", "nfixed", "long", "nlong"),
        *("'a'", "'aBc'", "' '", "''", "N'Ω'", "N'b'", "'Straße'", "'it''s'"),
    ),
    "numeric_text": ("digits", "digits", "'10'", "' 7 '", "'1.50'", "'1e3'", "N'-3'", "''", "'x'"),
    "pattern": (
        *("'a%'", "'%c%'", "'_B%'", "'[a-c]%'", "'[^a-c]%'", "N'%Ω%'", "'%'", "'%[%]%'", "'a!%%'", "''"),
        *("other", "word", "wide"),
    ),
    "date_text": (
        *("moment", "moment", "'2024-02-29'", "'20240229'", "'2024-02-29 12:30:45.123'", "'23:59:59'"),
        *("'Mar 5 2026'", "'2024-02-29T10:11:12Z'", "''", "'x'"),
    ),
    "hex_text": ("'0x1F'", "'1F'", "'0x'", "''", "digits", "word"),
    "guid_text": ("'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "'{6f9619ff-8b86-d011-b42d-00c04fc964ff}'", "'6F96'"),
    "binary": ("raw", "rawfixed", "rawlong", "0x41", "0x", "0x0102030405"),
    "moment": ("day1", "clock1", "clock6", "old", "small", "new", "whole", "zoned"),
    "dated": ("day1", "old", "small", "new", "whole", "zoned"),
    "legacy": ("old", "small"),
    "guid": ("id",),
    "markup": ("doc",),
    "any": (*INPUTS, "NULL"),
}
"""Names and literals by the kind of their values."""

WORDS = {
    "number_type": (
        *("bit", "tinyint", "smallint", "int", "bigint", "decimal(5,2)", "decimal(38,20)", "numeric(10,4)", "decimal"),
        *("money", "smallmoney", "float", "real", "float(24)"),
    ),
    "text_type": (
        *("varchar(4)", "varchar(40)", "char(4)", "nvarchar(3)", "nvarchar(40)", "nchar(3)", "varchar(max)"),
        *("nvarchar(max)", "varchar", "char"),
    ),
    "binary_type": ("varbinary(4)", "varbinary(10)", "binary(4)", "varbinary(max)", "binary"),
    "moment_type": (
        *("date", "time(0)", "time(3)", "datetime", "smalldatetime", "datetime2(0)", "datetime2(3)", "datetime2(6)"),
        *("datetimeoffset(0)", "datetimeoffset(3)"),
    ),
    "any_type": (
        *("bit", "int", "decimal(9,3)", "money", "float", "varchar(20)", "nchar(5)", "varbinary(8)", "date", "time(2)"),
        *("datetime", "datetime2(3)", "datetimeoffset(2)", "uniqueidentifier", "xml", "text", "ntext", "image"),
    ),
    "try": ("", "TRY_"),
    "date_style": (
        *("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "20", "21", "22", "23"),
        *("24", "25", "100", "101", "102", "103", "104", "105", "106", "107", "108", "109", "110", "111", "112"),
        *("113", "114", "120", "121", "126", "127"),
    ),
    "money_style": ("0", "1", "2", "126"),
    "float_style": ("0", "1", "2", "3"),
    "binary_style": ("0", "1", "2"),
    "date_part": ("year", "q", "month", "dy", "dd", "wk", "dw"),
    "clock_part": ("hh", "mi", "ss", "ms", "mcs", "ns"),
    "count_part": ("year", "qq", "mm", "dayofyear", "day", "week", "hour", "n", "second", "ms", "mcs"),
    "single_part": ("tz", "isowk"),
    "relation": ("=", "<>", "!=", "<", "<=", ">", ">=", "!<", "!>"),
    "sign": ("+", "-", "*", "/", "%"),
    "plus_minus": ("+", "-"),
    "not": ("", "NOT "),
    "both": ("AND", "OR"),
    "side": ("", "LEADING ", "TRAILING ", "BOTH "),
    "function_of_sides": ("LEFT", "RIGHT"),
    "trim": ("TRIM", "LTRIM", "RTRIM"),
    "case": ("UPPER", "LOWER"),
    "whole": ("FLOOR", "CEILING"),
    "field": ("YEAR", "MONTH", "DAY"),
    "moment_name": ("old", "small", "new", "whole", "zoned", "day1", "clock1"),
    "float_name": ("ratio", "single"),
    "money_name": ("cash", "coins"),
}
"""Words that are no expressions themselves."""

CHOICES = (
    "CASE WHEN {condition} THEN {%} ELSE {%} END",
    "CASE WHEN {condition} THEN {%} WHEN {condition} THEN {%} END",
    "CASE {any} WHEN {any} THEN {%} ELSE {%} END",
    "CASE {number} WHEN {number} THEN {%} WHEN {number} THEN {%} ELSE {%} END",
    "IIF({condition}, {%}, {%})",
    "COALESCE({%}, {%})",
    "COALESCE({%}, {%}, {%})",
    "ISNULL({%}, {%})",
    "NULLIF({%}, {%})",
)
"""Forms whose result is of the kind of their choices, for which `%` stands."""

FORMS = {
    "number": (
        *("({number} {sign} {number})", "({number} {sign} {number})", "({integer} {sign} {number})"),
        *("({number} {sign} {numeric_text})", "(-{number})", "ABS({number})", "{whole}({number})"),
        *("ROUND({number}, {integer})", "ROUND({number}, -{integer})", "ROUND({number}, {integer}, {integer})"),
        *("{try}CAST({number} AS {number_type})", "{try}CAST({numeric_text} AS {number_type})"),
        *("{try}CAST({legacy} AS {number_type})", "{try}CONVERT({number_type}, {binary})"),
        *("{try}CONVERT({number_type}, {number}, {money_style})", "{integer}"),
    ),
    "integer": (
        *("LEN({text})", "LEN({any})", "CHARINDEX({text}, {text})", "CHARINDEX({text}, {text}, {integer})"),
        *("DATEPART({date_part}, {dated})", "DATEPART({clock_part}, {moment})", "DATEPART({single_part}, {dated})"),
        *("DATEPART({date_part}, {date_text})", "{field}({dated})", "{field}({date_text})"),
        *("DATEDIFF({count_part}, {moment}, {moment})", "DATEDIFF({count_part}, {dated}, {date_text})"),
        *("DATEDIFF({date_part}, {dated}, {dated})", "({integer} {sign} {integer})"),
        *("PATINDEX({pattern}, {text})", "PATINDEX({pattern}, {text})", "ASCII({text})", "UNICODE({text})"),
        "DATEDIFF(day, GETUTCDATE(), SYSUTCDATETIME())",
    ),
    "text": (
        *("({text} + {text})", "CONCAT({text}, {any})", "CONCAT({any}, {any}, {any})", "{case}({text})"),
        *("{function_of_sides}({text}, {integer})", "SUBSTRING({text}, {integer}, {integer})"),
        *("REPLACE({text}, {text}, {text})", "{trim}({text})", "TRIM({side}{text} FROM {text})"),
        *("LTRIM({text}, {text})", "RTRIM({text}, {text})", "{function_of_sides}({any}, {integer})"),
        *("{try}CAST({text} AS {text_type})", "{try}CAST({any} AS {text_type})"),
        *("CONVERT({text_type}, {moment}, {date_style})", "CONVERT(varchar(40), {moment_name}, {date_style})"),
        *("CONCAT_WS({text}, {text}, {any})", "CONCAT_WS('-', {any}, {any}, {any})", "REPLICATE({text}, {integer})"),
        *("STUFF({text}, {integer}, {integer}, {text})", "STUFF({any}, 2, {integer}, {any})", "REVERSE({text})"),
        *("TRANSLATE({text}, 'abc', 'xy-')", "TRANSLATE({text}, {text}, {text})", "SPACE({integer})"),
        *("CHAR({integer})", "NCHAR({integer})"),
        *("CONVERT({text_type}, {money_name}, {money_style})", "CONVERT(varchar(30), {float_name}, {float_style})"),
        *("CONVERT({text_type}, {binary}, {binary_style})", "CAST({guid} AS {text_type})"),
    ),
    "numeric_text": ("CAST({number} AS varchar(30))", "CAST({integer} AS nvarchar(12))", "{trim}({numeric_text})"),
    "date_text": ("CONVERT(varchar(30), {moment}, 121)",),
    "pattern": ("({pattern} + {pattern})", "('%' + {text})"),
    "hex_text": ("CONVERT(varchar(20), {binary}, {binary_style})",),
    "binary": (
        *("({binary} + {binary})", "SUBSTRING({binary}, {integer}, {integer})"),
        *("{try}CAST({binary} AS {binary_type})", "CAST({text} AS {binary_type})", "CAST({number} AS {binary_type})"),
        *("{try}CONVERT({binary_type}, {hex_text}, {binary_style})", "CAST({guid} AS {binary_type})"),
    ),
    "moment": (
        *("{dated}", "{try}CAST({moment} AS {moment_type})", "{try}CAST({date_text} AS {moment_type})"),
        *("{try}CONVERT({moment_type}, {date_text}, {date_style})", "DATEADD({clock_part}, {integer}, {moment})"),
        "{try}CONVERT({moment_type}, CONVERT(varchar(40), {moment_name}, {date_style}), {date_style})",
        *("TIMEFROMPARTS({integer}, {integer}, {integer}, {integer}, 3)", "TIMEFROMPARTS(23, 5, 7, {integer}, 7)"),
    ),
    "dated": (
        *("DATEADD({date_part}, {integer}, {dated})", "DATEADD({clock_part}, {integer}, {dated})"),
        *("DATEADD({count_part}, {integer}, {date_text})", "EOMONTH({dated})", "EOMONTH({dated}, {integer})"),
        *(
            "EOMONTH({date_text})",
            "DATEFROMPARTS({integer}, {integer}, {integer})",
            "DATEFROMPARTS(2024, 2, {integer})",
        ),
        *("DATETIME2FROMPARTS({integer}, 2, {integer}, 3, 4, 5, {integer}, 3)",),
        *("DATETIME2FROMPARTS(2024, 2, {integer}, 3, 4, 5, 1234567, 7)",),
        *("DATETIMEOFFSETFROMPARTS(2024, 2, {integer}, 3, 4, 5, {integer}, 5, 30, 3)",),
        *("{try}CAST({dated} AS {moment_type})", "{legacy}"),
    ),
    "legacy": (
        *("({legacy} {plus_minus} {number})", "({legacy} {plus_minus} {legacy})"),
        *("CAST({number} AS datetime)", "CAST({date_text} AS smalldatetime)"),
        *("DATETIMEFROMPARTS({integer}, 2, {integer}, 3, 4, 5, 999)",),
        *("SMALLDATETIMEFROMPARTS({integer}, 2, {integer}, 3, 4)",),
    ),
    "guid": ("{try}CAST({guid_text} AS uniqueidentifier)", "CAST({binary} AS uniqueidentifier)"),
    "guid_text": ("CAST({guid} AS varchar(40))",),
    "markup": ("CAST('<a/>' AS xml)", "CAST({any} AS xml)"),
    "any": (
        *("{number}", "{number}", "{text}", "{text}", "{moment}", "{binary}", "{guid}", "{markup}"),
        *("{try}CAST({any} AS {any_type})", "{try}CONVERT({any_type}, {any}, {date_style})", "({any} {sign} {any})"),
    ),
    "condition": (
        *("{number} {relation} {number}", "{text} {relation} {text}", "{moment} {relation} {moment}"),
        *("{binary} {relation} {binary}", "{guid} {relation} {guid}", "{any} {relation} {any}"),
        *("{number} {relation} {numeric_text}", "{dated} {relation} {date_text}"),
        *("{text} {not}LIKE {pattern}", "{text} LIKE {pattern} ESCAPE '!'", "{any} {not}LIKE {pattern}"),
        *("{text} {not}IN ({text}, {text})", "{number} {not}IN ({number}, {number}, NULL)", "{any} IN ({any}, {any})"),
        *("{number} {not}BETWEEN {number} AND {number}", "{text} {not}BETWEEN {text} AND {text}"),
        *("{moment} BETWEEN {moment} AND {moment}", "{any} IS {not}NULL", "NOT {condition}"),
        *("({condition} {both} {condition})", "({condition} {both} NOT {condition})"),
    ),
}
"""Forms by the kind of what they make; a word in braces is a kind of part, or one of `WORDS`."""

KINDS = ("number", "integer", "text", "binary", "moment", "dated", "any")
"""Kinds of whole expressions, which CHOICES have too."""

_OF_ANY_KIND = 12
_LEAVES = 3
_CHOICES = 4


def _one_in(draw: st.DrawFn, count: int) -> bool:
    return draw(st.integers(1, count)) == count


def _part(draw: st.DrawFn, kind: str, depth: int) -> Part:
    if kind == "condition":
        return _formed(draw, kind, depth)
    if _one_in(draw, _OF_ANY_KIND):
        kind = "any"
    if depth and kind in FORMS and not _one_in(draw, _LEAVES):
        return _formed(draw, kind, depth)
    leaf = draw(st.sampled_from(LEAVES[kind]))
    return Part(leaf, leaf)


def _formed(draw: st.DrawFn, kind: str, depth: int) -> Part:
    if kind in KINDS and _one_in(draw, _CHOICES):
        form = draw(st.sampled_from(CHOICES)).replace("%", kind)
    else:
        form = draw(st.sampled_from(FORMS[kind]))
    texts: list[str] = []
    parts: list[Part] = []
    written = form
    for text, name, _, _ in Formatter().parse(form):
        texts.append(text)
        if name in WORDS:
            word = draw(st.sampled_from(WORDS[name]))
            written = written.replace(f"{{{name}}}", word, 1)
            texts.append(word)
        elif name is not None:
            part = _part(draw, name, max(0, depth - 1))
            texts.append(part.text)
            parts.append(part)
    return Part("".join(texts), written, tuple(parts), kind == "condition")


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> Part:
    """Scalar expressions over the names of `INPUTS`, nested so deep at most."""
    return _formed(draw, draw(st.sampled_from(KINDS)), draw(st.integers(1, depth)))
