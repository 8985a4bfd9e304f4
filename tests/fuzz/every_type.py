"""A contract with a column of every type and conversion, and documents that fill a few of them."""

from random import Random

from tests.fuzz.edge_values import DATES, NUMBERS, TEXTS, edge_value, escaped, well_formed_value
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import check_text

NAME = "every_type"

_CUTTABLE = (
    *(
        "decimal(12,2)",
        "decimal(38,0)",
        "numeric(5,5)",
        "decimal(38,38)",
        "money",
        "smallmoney",
        "char(3)",
        "varchar(40)",
    ),
    *(
        "varchar(max)",
        "nchar(2)",
        "nvarchar(40)",
        "nvarchar(max)",
        "text",
        "ntext",
        "binary(4)",
        "varbinary(8)",
        "image",
    ),
    *("varbinary(max)", "date", "time(0)", "time(3)", "time(7)", "smalldatetime", "datetime", "datetime2(0)"),
    *("datetime2(3)", "datetime2(7)", "datetimeoffset(0)", "datetimeoffset(7)"),
)
_STRICT = ("bit", "tinyint", "smallint", "int", "bigint", "float", "float(24)", "real", "uniqueidentifier", "xml")
_WAYS = (
    *(
        "type: int, transform: [digits]",
        "type: 'decimal(12,2)', transform: [number]",
        "type: nchar(4), transform: [upper]",
    ),
    *("type: varchar(30), transform: [trim, lower]", "type: nvarchar(20), transform: [collapse, upper], blank: keep"),
    *(
        "type: varbinary(8), encoding: base64",
        "type: 'varchar(9)', transform: [{replace: {pattern: '[^a-z]', with: '-'}}]",
    ),
    *(
        "type: datetime2(3), time_zone: UTC",
        "type: datetime, time_zone: Europe/Berlin",
        "type: date, time_zone: '+14:00'",
    ),
    *("type: datetimeoffset(3), time_zone: America/New_York", "type: datetimeoffset(7), time_zone: '-14:00'"),
    "type: datetime2(3), formats: ['%Y-%m-%dT%H:%M:%S.%f', '%m/%d/%Y %I:%M:%S %p']",
    "type: date, formats: ['%Y-%m-%d', '%m/%d/%Y', '%Y%m%d', '%d.%m.%y']",
    "type: smallint, lookup: codes",
)
_EXPRESSIONS = (
    ("decimal(38,10)", "decimal(38,10)", "v * 2 / 3"),
    ("int", "int", "v + 1"),
    ("bigint", "int", "CAST(v AS bigint) * v"),
    ("float", "float", "ABS(v) * v + v"),
    ("money", "money", "v * 1.5"),
    ("nvarchar(20)", "nvarchar(max)", "UPPER(LTRIM(v)) + N'ß'"),
    ("varchar(10)", "nvarchar(40)", "SUBSTRING(v, 2, 9)"),
    ("char(8)", "nvarchar(40)", "REPLACE(v, 'a', 'bb')"),
    ("date", "datetime2(7)", "DATEADD(day, 1, v)"),
    ("int", "datetime", "DATEDIFF(second, v, '2024-01-01')"),
    ("datetimeoffset(3)", "datetimeoffset(7)", "DATEADD(hour, -20, v)"),
    ("time(2)", "datetime2(7)", "CAST(v AS time(2))"),
    ("int", "nvarchar(max)", "TRY_CAST(v AS int)"),
    ("decimal(9,3)", "nvarchar(40)", "CAST(v AS decimal(9,3))"),
    ("datetime", "nvarchar(40)", "TRY_CONVERT(datetime, v)"),
    ("bit", "nvarchar(max)", "CASE WHEN v LIKE N'%[a-c]_%' THEN 1 WHEN v > N'm' THEN 0 END"),
)

_KINDS = (
    *((word, DATES) for word in ("date", "time")),
    *((word, NUMBERS) for word in ("int", "decimal", "numeric", "money", "float", "real")),
)


def _rules() -> list[str]:
    rules = [f"path: '@a{{n}}', type: '{name}'" for name in (*_CUTTABLE, *_STRICT)]
    rules += [f"path: '@a{{n}}', type: '{name}', on_invalid: truncate" for name in _CUTTABLE]
    rules += [f"path: '@a{{n}}', type: '{name}', on_invalid: null" for name in (*_CUTTABLE, *_STRICT)]
    rules += [f"path: '@a{{n}}', {way}, on_invalid: {on}" for way in _WAYS for on in ("reject", "null")]
    rules += [
        f"type: '{name}', inputs: {{v: {{path: '@a{{n}}', type: '{source}'}}}}, expression: \"{text}\", {on}"
        for name, source, text in _EXPRESSIONS
        for on in ("on_invalid: reject", "on_invalid: null")
    ]
    rules += [
        "path: '.', type: xml",
        "path: '.', type: nvarchar(200), on_invalid: truncate",
        "path: count(*), type: tinyint",
    ]
    return [rule.replace("{n}", str(number)) for number, rule in enumerate(rules)]


_RULES = _rules()


def every_type_contract() -> Contract:
    """Return a contract of one table with all these columns, and a row for each element `v`."""
    columns = "".join(f"      c{number}: {{{rule}}}\n" for number, rule in enumerate(_RULES))
    text = (
        f"contract: {NAME}\nversion: 1\ndocument: {{root: r, key: '@id', key_type: nvarchar(40)}}\n"
        "lookups: {codes: {values: {O: 1, APPROVE: 2}, blank: 0, ignore_case: true}}\n"
        "tables:\n  value:\n    rows: v\n    columns:\n"
        "      document: {run: document_key, key: true}\n      number: {position: true, key: true}\n" + columns
    )
    contract, faults = check_text(NAME, text)
    if contract is None or faults:
        raise ValueError("\n".join(map(str, faults)))
    return contract


def every_type_document(random: Random) -> str:
    """Return a document with a few rows, in each of which a few columns have an unusual value."""
    rows = []
    for _ in range(random.choice((1, 1, 2, 5))):
        numbers = random.sample(range(len(_RULES)), random.choice((1, 1, 2, 4)))
        attributes = "".join(f' a{number}="{escaped(_value_for(_RULES[number], random))}"' for number in numbers)
        rows.append(f"<v{attributes}>{escaped(_value(random))}</v>")
    return f'<r id="{random.randrange(10**6)}">{"".join(rows)}</r>'


def _value_for(rule: str, random: Random) -> str:
    """Return mostly a value of the type's kind, because most others are rejected at once."""
    if random.random() < 0.4:
        return _value(random)
    kinds = [values for word, values in _KINDS if word in rule]
    return random.choice(kinds[0] if kinds else TEXTS)


def _value(random: Random) -> str:
    return well_formed_value(random) if random.random() < 0.97 else edge_value(random)
