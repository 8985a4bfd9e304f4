"""The locales of CLDR, as Debian's package unicode-cldr-core has them: real documents that nobody made for a test.

What should be loaded is found here with plain lxml, by the paths of elements, apart from the contract and its XPath.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest
from lxml import etree

from tests.conftest import called_in
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import RunValues, Value
from xml_extractor.mapping import compile_plan, map_document
from xml_extractor.parsing import DocumentParser, parsing_rules

LOCALES = Path("/usr/share/unicode/cldr/common/main")
INHERITED = "↑↑↑"

NAMES = {
    "ldml/localeDisplayNames/languages/language": "language_name",
    "ldml/localeDisplayNames/scripts/script": "script_name",
    "ldml/localeDisplayNames/territories/territory": "territory_name",
    "ldml/dates/calendars/calendar/months/monthContext/monthWidth/month": "month_name",
    "ldml/dates/calendars/calendar/days/dayContext/dayWidth/day": "day_name",
    "ldml/numbers/currencies/currency/symbol": "currency_symbol",
}
DISPLAY_NAME = "ldml/numbers/currencies/currency/displayName"
GROUPS = {
    "ldml": "locale",
    "ldml/dates/calendars/calendar": "calendar",
    "ldml/numbers/currencies/currency": "currency",
}
ALIASED = ("ldml/dates/calendars/calendar/months/", "ldml/dates/calendars/calendar/days/")

Key = dict[str, str | int]
Tables = Mapping[str, list[dict[str, Value]]]


class Independent(NamedTuple):
    """What plain lxml finds, by table: rows, and characters of names."""

    rows: Counter[str]
    characters: Counter[str]


class Cell(NamedTuple):
    """A column of the row with this key, and where its value is in which document."""

    table: str
    key: Key
    column: str
    document: str
    xpath: str


CURRENCY = "/ldml/numbers/currencies/currency"
CALENDAR = "/ldml/dates/calendars/calendar"
JANUARY: Key = {"calendar": "gregorian", "width": "wide", "month": 1, "year_type": "standard"}
LEAP_MONTH: Key = {"calendar": "hebrew", "width": "wide", "month": 7, "year_type": "leap"}
CELLS = (
    Cell("locale", {"locale_id": "sr_Latn_BA"}, "script_code", "sr_Latn_BA", "/ldml/identity/script/@type"),
    Cell("locale", {"locale_id": "ca_ES_VALENCIA"}, "variant_code", "ca_ES_VALENCIA", "/ldml/identity/variant/@type"),
    Cell("locale", {"locale_id": "en_001"}, "territory_code", "en_001", "/ldml/identity/territory/@type"),
    Cell("locale", {"locale_id": "root"}, "revision", "root", "/ldml/identity/version/@number"),
    Cell(
        "language_name",
        {"locale_id": "de", "language_code": "fr", "alt": ""},
        "name",
        "de",
        "/ldml/localeDisplayNames/languages/language[@type='fr'][not(@alt)]",
    ),
    Cell(
        "language_name",
        {"locale_id": "af", "language_code": "az", "alt": "short"},
        "name",
        "af",
        "/ldml/localeDisplayNames/languages/language[@type='az'][@alt='short']",
    ),
    Cell(
        "language_name",
        {"locale_id": "sr_Latn_BA", "language_code": "arn", "alt": ""},
        "draft",
        "sr_Latn_BA",
        "/ldml/localeDisplayNames/languages/language[@type='arn']/@draft",
    ),
    Cell(
        "script_name",
        {"locale_id": "ja", "script_code": "Arab", "alt": ""},
        "name",
        "ja",
        "/ldml/localeDisplayNames/scripts/script[@type='Arab'][not(@alt)]",
    ),
    Cell(
        "script_name",
        {"locale_id": "en", "script_code": "Hans", "alt": "stand-alone"},
        "name",
        "en",
        "/ldml/localeDisplayNames/scripts/script[@type='Hans'][@alt='stand-alone']",
    ),
    Cell(
        "territory_name",
        {"locale_id": "ar", "territory_code": "EG", "alt": ""},
        "name",
        "ar",
        "/ldml/localeDisplayNames/territories/territory[@type='EG'][not(@alt)]",
    ),
    Cell(
        "territory_name",
        {"locale_id": "en", "territory_code": "GB", "alt": "short"},
        "name",
        "en",
        "/ldml/localeDisplayNames/territories/territory[@type='GB'][@alt='short']",
    ),
    Cell(
        "month_name",
        {"locale_id": "cs", "context": "format", **JANUARY},
        "name",
        "cs",
        f"{CALENDAR}[@type='gregorian']/months/monthContext[@type='format']/monthWidth[@type='wide']/month[@type='1']",
    ),
    Cell(
        "month_name",
        {"locale_id": "cs", "context": "stand-alone", **JANUARY},
        "name",
        "cs",
        f"{CALENDAR}[@type='gregorian']/months/monthContext[@type='stand-alone']/monthWidth[@type='wide']"
        "/month[@type='1']",
    ),
    Cell(
        "month_name",
        {"locale_id": "he", "context": "format", **LEAP_MONTH},
        "name",
        "he",
        f"{CALENDAR}[@type='hebrew']/months/monthContext[@type='format']/monthWidth[@type='wide']"
        "/month[@type='7'][@yeartype='leap']",
    ),
    Cell(
        "day_name",
        {"locale_id": "el", "calendar": "gregorian", "context": "format", "width": "wide", "iso_weekday": 7},
        "name",
        "el",
        f"{CALENDAR}[@type='gregorian']/days/dayContext[@type='format']/dayWidth[@type='wide']/day[@type='sun']",
    ),
    Cell(
        "calendar_alias",
        {"locale_id": "root", "calendar": "buddhist", "part": "months", "context": "", "width": ""},
        "source_path",
        "root",
        f"{CALENDAR}[@type='buddhist']/months/alias/@path",
    ),
    Cell(
        "currency",
        {"locale_id": "sv", "currency_code": "EUR"},
        "name",
        "sv",
        f"{CURRENCY}[@type='EUR']/displayName[not(@count)]",
    ),
    Cell(
        "currency_plural",
        {"locale_id": "ru", "currency_code": "USD", "plural_form": "few"},
        "name",
        "ru",
        f"{CURRENCY}[@type='USD']/displayName[@count='few']",
    ),
    Cell(
        "currency_plural",
        {"locale_id": "ar", "currency_code": "EGP", "plural_form": "two"},
        "name",
        "ar",
        f"{CURRENCY}[@type='EGP']/displayName[@count='two']",
    ),
    Cell(
        "currency_symbol",
        {"locale_id": "zh", "currency_code": "USD", "alt": "narrow"},
        "symbol",
        "zh",
        f"{CURRENCY}[@type='USD']/symbol[@alt='narrow']",
    ),
)

pytestmark = pytest.mark.slow
needs_locales = pytest.mark.skipif(not LOCALES.is_dir(), reason="install Debian's package unicode-cldr-core")


def documents() -> list[Path]:
    return sorted(LOCALES.glob("*.xml"))


@pytest.fixture(scope="module")
def contract() -> Contract:
    return read_contract("cldr_locale")


@pytest.fixture(scope="module")
def independent() -> Independent:
    found = Independent(Counter(), Counter())
    for document in documents():
        for path, element in elements(document.read_bytes()):
            count(found, path, element)
    return found


def elements(content: bytes) -> Iterator[tuple[str, etree._Element]]:
    """Each element with the names of its ancestors and its own."""
    path: list[str] = []
    events = etree.iterparse(
        BytesIO(content),
        events=("start", "end"),
        no_network=True,
        load_dtd=False,
        resolve_entities=False,
        remove_comments=True,
    )
    for event, element in events:
        if event == "start":
            path.append(str(element.tag))
        else:
            yield "/".join(path), element
            path.pop()


def count(found: Independent, path: str, element: etree._Element) -> None:
    name = element.text or ""
    if path in GROUPS:
        found.rows[GROUPS[path]] += 1
    elif path.startswith(ALIASED) and path.endswith("/alias"):
        found.rows["calendar_alias"] += 1
    elif path in NAMES and name != INHERITED:
        found.rows[NAMES[path]] += 1
        found.characters[NAMES[path]] += len(name)
    elif path == DISPLAY_NAME and name != INHERITED:
        table = "currency" if element.get("count") is None else "currency_plural"
        found.rows[table] += table == "currency_plural"
        found.characters[table] += len(name)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All locales, loaded by the real command with 4 workers."""
    directory = tmp_path_factory.mktemp("cldr")
    options = ("--contract", "cldr_locale", "--source", str(LOCALES), "--target", "sqlite:///locales.db")
    completed = called_in(directory, "run")(*options, "--workers", "4", "--no-progress")
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return directory / "locales.db"


@pytest.fixture(scope="module")
def tables(contract: Contract, database: Path) -> Tables:
    """All rows, by table."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            layout.name: [dict(row) for row in connection.execute(f'SELECT * FROM "{layout.table}"')]
            for layout in layouts(contract)
        }


@needs_locales
def test_every_document_is_logged_as_loaded_and_none_as_rejected(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        logged = connection.execute("SELECT document_key, status FROM processing_log").fetchall()

    assert dict(logged) == {document.name: "loaded" for document in documents()}


@needs_locales
def test_verify_finds_no_difference(database: Path) -> None:
    options = ("--contract", "cldr_locale", "--source", str(LOCALES), "--target", "sqlite:///locales.db")
    verified = called_in(database.parent, "verify")(*options, "--sample", "60")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@needs_locales
def test_every_locale_is_loaded_under_the_name_of_its_file(tables: Tables) -> None:
    loaded = {row["source_file"]: row["locale_id"] for row in tables["locale"]}

    assert loaded == {document.name: document.stem for document in documents()}


@needs_locales
def test_row_counts_equal_an_independent_count(tables: Tables, independent: Independent) -> None:
    assert len(tables) >= 6
    assert {table: len(rows) for table, rows in tables.items()} == independent.rows


@needs_locales
def test_names_have_as_many_characters_as_an_independent_count_finds(tables: Tables, independent: Independent) -> None:
    characters = {
        table: sum(len(str(row.get("name") or row.get("symbol") or "")) for row in tables[table])
        for table in independent.characters
    }

    assert characters == independent.characters


@needs_locales
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.document}-{cell.table}-{cell.column}")
def test_a_cell_holds_what_plain_lxml_finds_in_the_document(tables: Tables, cell: Cell) -> None:
    parser = etree.XMLParser(no_network=True, load_dtd=False, resolve_entities=False)
    root = etree.fromstring((LOCALES / f"{cell.document}.xml").read_bytes(), parser)
    expected = root.xpath(f"string({cell.xpath})")

    rows = [row for row in tables[cell.table] if cell.key.items() <= row.items()]

    assert [row[cell.column] for row in rows] == [expected]
    assert expected


@needs_locales
@pytest.mark.parametrize(
    ("table", "key", "name"),
    [
        ("language_name", {"locale_id": "de", "language_code": "de", "alt": ""}, "Deutsch"),
        ("currency_plural", {"locale_id": "en", "currency_code": "USD", "plural_form": "one"}, "US dollar"),
        ("currency_plural", {"locale_id": "en", "currency_code": "USD", "plural_form": "other"}, "US dollars"),
    ],
)
def test_well_known_names_are_there(tables: Tables, table: str, key: dict[str, str], name: str) -> None:
    assert [row["name"] for row in tables[table] if key.items() <= row.items()] == [name]


@needs_locales
def test_no_two_rows_collide_even_where_case_and_trailing_spaces_do_not_count(
    contract: Contract, tables: Tables
) -> None:
    for layout in layouts(contract):
        keys = Counter(tuple(str(row[name]).casefold().rstrip() for name in layout.key) for row in tables[layout.name])
        assert [key for key, times in keys.items() if times > 1] == []


@needs_locales
def test_every_row_has_its_parent_row(contract: Contract, tables: Tables) -> None:
    for layout in layouts(contract):
        for foreign_key in layout.foreign_keys:
            parents = {tuple(row[name] for name in foreign_key.references) for row in tables[foreign_key.table]}
            assert all(tuple(row[name] for name in foreign_key.columns) in parents for row in tables[layout.name])


MARKED = """<?xml version="1.0" encoding="UTF-8" ?>
<!DOCTYPE ldml SYSTEM "../../common/dtd/ldml.dtd">
<ldml>
  <identity><version number="$Revision$"/><language type="xx"/></identity>
  <localeDisplayNames><languages>
    <language type="de">Ger<!-- a remark -->man</language>
    <language type="fr">↑↑↑</language>
    <language type="nl" alt="menu">Dutch</language>
    <language type="nl">Dutch</language>
  </languages></localeDisplayNames>
  <numbers><currencies>
    <currency type="EUR"><displayName>↑↑↑</displayName><displayName count="one">euro</displayName></currency>
    <currency type="USD"><displayName draft="contributed">dollar</displayName><symbol>↑↑↑</symbol></currency>
    <currency type="GBP"><displayName>pound</displayName></currency>
  </currencies></numbers>
  <units>
</ldml>"""


@pytest.fixture(scope="module")
def marked(contract: Contract) -> Tables:
    """The rows of a small document."""
    root = DocumentParser(parsing_rules(contract)).parse(MARKED.encode())
    run = RunValues("test", datetime(2024, 1, 1), "markup")  # noqa: DTZ001 - UTC without a zone, as a run has it
    mapped = map_document(compile_plan(contract), root, "xx.xml", run)
    return {
        layout.name: [dict(zip([column.name for column in layout.columns], row, strict=True)) for row in rows]
        for layout, rows in zip(layouts(contract), mapped, strict=True)
    }


def test_a_name_that_is_only_inherited_is_not_loaded(marked: Tables) -> None:
    assert [row["language_code"] for row in marked["language_name"]] == ["de", "nl", "nl"]
    assert [(row["currency_code"], row["name"], row["draft"]) for row in marked["currency"]] == [
        ("EUR", None, None),
        ("USD", "dollar", "contributed"),
        ("GBP", "pound", "approved"),
    ]
    assert marked["currency_symbol"] == []


def test_a_comment_does_not_cut_a_name(marked: Tables) -> None:
    assert marked["language_name"][0]["name"] == "German"


def test_a_variant_of_a_name_is_a_row_of_its_own(marked: Tables) -> None:
    rows = marked["language_name"]

    assert [(row["language_code"], row["alt"]) for row in rows] == [("de", ""), ("nl", "menu"), ("nl", "")]
