"""What `coverage` finds in documents, without processes."""

from datetime import datetime
from typing import Any

import pytest

from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import check_text
from xml_extractor.documents import RunValues, SourceDocument
from xml_extractor.quality.coverage_report import ColumnReport, CoverageReport, ElementReport, coverage_report
from xml_extractor.quality.observation import Observer
from xml_extractor.quality.tallies import Observed

RUN = RunValues("coverage", datetime(2026, 1, 1), "unit tests")  # noqa: DTZ001 - naive UTC

CONTRACT = """
contract: c
version: 1
namespaces: {m: "urn:m"}
document: {root: Order, key: "@id", key_type: int}
lookups: {state: {values: {OPEN: 1}, unknown: 9}}
tables:
  orders:
    rows: "."
    columns:
      id: {run: document_key, key: true}
      name: {path: Name, type: varchar(5), on_invalid: truncate, default: none}
      city: {path: City, type: varchar(5)}
      state: {path: State, type: int, lookup: state}
      amount: {path: Amount, type: "decimal(5,2)", on_invalid: [round, "null"]}
      day: {path: Day, type: date, required: true}
  lines:
    parent: orders
    rows: Line
    when: quantity > 0
    columns:
      id: {parent: orders.id, key: true}
      quantity: {path: "@qty", type: int}
      price: {path: "@price", type: "decimal(4,2)"}
"""


def contract_of(text: str) -> Contract:
    contract, faults = check_text("contract.yaml", text)
    assert contract is not None, faults
    return contract


def report(contract: Contract, *documents: str, chunk: int = 2) -> CoverageReport:
    """Observe documents with two observers in turns, and add up what they have seen, the last first."""
    observers, observed = [Observer(contract, RUN), Observer(contract, RUN)], []
    for first in range(0, len(documents), chunk):
        observer = observers[first // chunk % 2]
        for position, document in enumerate(documents[first : first + chunk]):
            source = SourceDocument(f"{first + position}.xml", document.encode())
            observer.observe(source, (first // chunk, position))
        observed.append(observer.take())
    total = Observed()
    for each in reversed(observed):
        total.add(each)
    return coverage_report(contract, "unit tests", total, interrupted=False)


def column(found: CoverageReport, table: str, name: str) -> ColumnReport:
    return next(each for each in found.columns if (each.table, each.column) == (table, name))


def element(found: CoverageReport, path: str) -> ElementReport:
    return next(each for each in found.elements if each.path == path)


DAY = "<Day>2026-01-01</Day>"


def test_each_column_has_what_is_seen_of_it_with_the_first_document() -> None:
    found = report(
        contract_of(CONTRACT),
        f"<Order id='1'>{DAY}<Name>abcdefg</Name><State>NEW</State><Amount>12.345</Amount></Order>",
        f"<Order id='2'>{DAY}<State>OPEN</State><Amount>x</Amount><City>a</City></Order>",
        f"<Order id='33'>{DAY}<Name>none</Name><State>OTHER</State><City>abcd</City></Order>",
    )
    assert found.documents == {"accepted": 3, "rejected": 0, "skipped": 0, "deleted": 0}
    assert column(found, "orders", "name").counts == {"filled": 3, "defaulted": 1, "truncated": 1}
    assert column(found, "orders", "name").first_documents["defaulted"] == "1.xml"
    city = column(found, "orders", "city")
    assert (city.counts, city.first_documents) == ({"filled": 2, "null": 1}, {"filled": "1.xml", "null": "0.xml"})
    assert (city.largest, city.limit, city.unit, city.largest_document) == (4, 5, "characters", "2.xml")
    assert column(found, "orders", "state").counts == {"filled": 3, "unknown_code": 2}
    assert column(found, "orders", "amount").counts == {"filled": 1, "null": 2, "rounded": 1, "made_null": 1}
    key = column(found, "orders", "id")
    assert (key.largest, key.limit, key.unit, key.largest_document) == (2, 10, "digits", "2.xml")


def test_every_fault_of_every_document_is_found() -> None:
    found = report(
        contract_of(CONTRACT),
        "<Order id='1'><City>abcdefgh</City><Line qty='x' price='1'/><Line qty='2' price='12345.6'/></Order>",
        f"<Order id='2'>{DAY}<City>abcdefghi</City><Line qty='0' price='bad'/></Order>",
        "<Order id='3'>",
        f"<Order>{DAY}<Line qty='1' price='x'/></Order>",
    )
    assert found.documents == {"accepted": 0, "rejected": 4, "skipped": 0, "deleted": 0}
    faults = {(fault.table, fault.column, fault.reason): fault for fault in found.faults}
    assert {key: (fault.documents, fault.values, fault.first_document) for key, fault in faults.items()} == {
        ("orders", "city", "too_long"): (2, 2, "0.xml"),
        ("orders", "day", "missing_value"): (1, 1, "0.xml"),
        ("lines", "quantity", "not_a_number"): (1, 1, "0.xml"),
        ("lines", "price", "overflow"): (1, 1, "0.xml"),
        ("", "", "malformed"): (1, 1, "2.xml"),
        ("", "", "missing_key"): (1, 1, "3.xml"),
        ("lines", "price", "not_a_number"): (1, 1, "3.xml"),
    }
    assert faults["orders", "city", "too_long"].description.endswith("(at most 9 characters, in 1.xml)")
    assert faults["lines", "price", "overflow"].description.endswith("(at most 6 digits, in 0.xml)")
    assert [key for key, fault in faults.items() if fault.largest and key[2] not in {"too_long", "overflow"}] == []
    assert column(found, "orders", "city").counts == {"null": 1, "invalid": 2}


def test_the_report_contains_no_values_of_documents() -> None:
    documents = (f"<Order id='4711'>{DAY}<City>Zanzibar</City><Line qty='secret' price='99'/></Order>",)
    text = str(report(contract_of(CONTRACT), *documents).as_json())
    assert not [value for value in ("4711", "Zanzibar", "secret", "2026-01-01") if value in text]


NAMES = """
contract: c
version: 1
namespaces: {m: "urn:m"}
document: {root: "m:Order"}
tables:
  orders:
    rows: "."
    columns: {id: {run: source_key, key: true}, v: {path: PATH, type: nvarchar(50)}}
"""
DOCUMENT = (
    "<m:Order xmlns:m='urn:m' xmlns:n='urn:n' currency='EUR'><m:Customer nr='1'><m:Email>x</m:Email></m:Customer>"
    "<n:Total>1</n:Total><Plain/></m:Order>"
)


@pytest.mark.parametrize(
    ("path", "step", "suggestion"),
    [
        ("m:Customer/m:EMail", "m:EMail", ("m:Email", "other case")),
        ("m:Custmer/m:Email", "m:Custmer", ("m:Customer", "other spelling")),
        ("m:Cutsomer", "m:Cutsomer", ("m:Customer", "other spelling")),
        ("m:Total", "m:Total", ("{urn:n}Total", "other namespace")),
        ("m:Plain", "m:Plain", ("Plain", "other namespace")),
        ("Customer", "Customer", ("m:Customer", "other namespace")),
        ("m:currency", "m:currency", ("@currency", "an attribute")),
        ("m:Customer/@NR", "@NR", ("@nr", "other case")),
        ("m:Email", "m:Email", ("/m:Order/m:Customer/m:Email", "elsewhere")),
        ("concat(m:Customer/m:Email, m:Customer/m:Emails)", "m:Emails", ("m:Email", "other spelling")),
        ("m:Customer[@no = 1]", "@no", ("@nr", "other spelling")),
    ],
)
def test_a_path_that_finds_nothing_has_its_near_misses(path: str, step: str, suggestion: tuple[str, str]) -> None:
    (never,) = report(contract_of(NAMES.replace("PATH", f'"{path}"')), DOCUMENT).never_found
    assert (never.readers, never.path, never.step) == (("orders.v",), path, step)
    assert suggestion in [tuple(each) for each in never.suggestions]


@pytest.mark.parametrize(
    "path", ["m:Customer", "//m:Email", "m:Customer/@nr", "*/m:Email", "m:Customer/text()", "@currency"]
)
def test_a_path_that_finds_something_is_not_reported(path: str) -> None:
    assert report(contract_of(NAMES.replace("PATH", f'"{path}"')), DOCUMENT).never_found == []


def test_elements_and_attributes_have_their_readers_or_none() -> None:
    found = report(contract_of(NAMES.replace("PATH", '"//m:Email"')), DOCUMENT, DOCUMENT)
    assert [each.path for each in found.unread] == [
        "/m:Order/@currency",
        "/m:Order/Plain",
        "/m:Order/m:Customer/@nr",
        "/m:Order/{urn:n}Total",
    ]
    email = element(found, "/m:Order/m:Customer/m:Email")
    assert (email.occurrences, email.unread, email.readers, email.first_document) == (2, 0, ("orders.v",), "0.xml")
    assert element(found, "/m:Order/m:Customer").unread == 0


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("*[self::m:A or self::m:B]", "A B"),
        ("*[self::*]", "A B C Bc"),
        ("*[not(self::m:A)]", "A B C Bc"),
        ("*[not(local-name() = 'A')]", "B C Bc"),
        ("*[not(local-name() = 'A' or local-name() = 'C')][@x = 1 or self::m:B]", "B Bc"),
        ("*[starts-with(local-name(), 'B')]", "B Bc"),
        ("*[local-name() = 'A' or local-name() = 'C'][1]", "A C"),
        ("*[local-name() != 'A' and m:D]", "B C Bc"),
        ("*[self::m:B[@x = 1]]", "B"),
        (".//*[self::m:C]", "C"),
        ("m:C/m:D/ancestor::*[self::m:C]/@x", "C"),
        ("*[contains(local-name(), 'B')]", "A B C Bc"),
    ],
)
def test_predicates_choose_among_the_names_of_any_element(path: str, read: str) -> None:
    document = "<m:Order xmlns:m='urn:m'><m:A/><m:B/><m:C><m:D/></m:C><m:Bc/></m:Order>"
    found = report(contract_of(NAMES.replace("PATH", f'"{path}"')), document)
    names = {each.path.removeprefix("/m:Order/m:") for each in found.elements if "orders.v" in each.readers}
    assert names - {"/m:Order", "C/m:D"} == set(read.split())


def test_recursion_is_collapsed_and_attributes_of_xml_itself_are_left_out() -> None:
    contract = contract_of(NAMES.replace("PATH", '"m:S/m:T"'))
    found = report(
        contract,
        "<m:Order xmlns:m='urn:m' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xml:lang='en' xsi:type='x'>"
        "<m:S><m:T/><m:S><m:T/><m:S><m:T/></m:S></m:S></m:S></m:Order>",
    )
    assert {each.path: (each.occurrences, each.unread) for each in found.elements} == {
        "/m:Order": (1, 0),
        "/m:Order/m:S": (3, 2),
        "/m:Order/m:S/m:T": (3, 2),
    }


def test_results_do_not_depend_on_how_documents_are_divided() -> None:
    contract: Any = contract_of(CONTRACT)
    documents = [
        f"<Order id='{number}'>{DAY * (number % 3 > 0)}<City>{'x' * (number % 8)}</City><X a{number % 5}=''/></Order>"
        for number in range(20)
    ]
    whole = report(contract, *documents, chunk=20)
    for chunk in (1, 3, 7):
        assert report(contract, *documents, chunk=chunk) == whole


def test_the_outermost_elements_in_which_nothing_is_read_are_proposed_to_be_ignored() -> None:
    found = report(
        contract_of(CONTRACT),
        f"<Order id='1'>{DAY}<Note>a</Note><Raw><Deep><Name>n</Name></Deep></Raw><Box a='1'><City/></Box></Order>",
        f"<Order id='2'>{DAY}<Raw><Deep/><Deep/></Raw><m:More xmlns:m='urn:m'/><Line qty='1'><Day/></Line></Order>",
        f"<Order id='3'>{DAY}<x:Other xmlns:x='urn:x'/></Order>",
    )
    assert found.ignore == ["Raw", "Box", "Note", "m:More"]
    assert found.as_json()["ignore"] == found.ignore


def test_an_element_that_a_path_of_the_contract_may_mean_is_not_proposed_to_be_ignored() -> None:
    misspelled = CONTRACT.replace("Line", "Lime")
    found = report(contract_of(misspelled), f"<Order id='1'>{DAY}<Note/><Line qty='1'/></Order>")
    assert found.ignore == ["Note"]
