"""The elements and attributes that a run finds unread."""

import pytest
from lxml import etree

from tests.unit.quality.test_coverage_report import NAMES, contract_of
from xml_extractor.mapping import MappingError
from xml_extractor.quality import census
from xml_extractor.quality.unread import unread_counter
from xml_extractor.reasons import Reason


def unread(path: str, *documents: str, how: str = "report") -> list[dict[str, int]]:
    contract = contract_of(NAMES.replace("PATH", f'"{path}"') + f"unread: {how}\n")
    unread_of = unread_counter(contract)
    assert unread_of is not None
    return [
        {name: number for (_, name, _), number in unread_of(etree.fromstring(document), None)} for document in documents
    ]


@pytest.mark.parametrize(
    ("path", "inside", "expected"),
    [
        ("m:A", "<m:A/><m:A/>", {}),
        ("m:A", "<m:A x='1'/><m:A x='2' y='3'/>", {"/m:Order/m:A/@x": 2, "/m:Order/m:A/@y": 1}),
        ("m:A", "<m:A><m:B x='1'/></m:A>", {"/m:Order/m:A/m:B/@x": 1}),
        ("m:A/@x", "<m:A x='1'><m:B x='1'><m:C/></m:B></m:A>", {"/m:Order/m:A/m:B": 1}),
        ("m:A", "<A/><o:A xmlns:o='urn:o'/>", {"/m:Order/A": 1, "/m:Order/{urn:o}A": 1}),
        ("//m:A", "<m:B><m:C><m:A/></m:C></m:B><m:D><m:E/></m:D>", {"/m:Order/m:D": 1}),
        ("//m:A", "<m:B x='1'><m:A/></m:B><m:B/>", {"/m:Order/m:B/@x": 1}),
        ("//@x", "<m:B x='1' y='2'/><m:C/>", {"/m:Order/m:B/@y": 1, "/m:Order/m:C": 1}),
        ("m:A", "<!-- c --><?p i?><m:A><!-- c --></m:A>", {}),
    ],
)
def test_the_outermost_unread_element_is_counted_by_its_path(path: str, inside: str, expected: dict[str, int]) -> None:
    document = f"<m:Order xmlns:m='urn:m' xml:lang='en'>{inside}</m:Order>"
    assert unread(path, document, document) == [expected, expected]


def test_a_document_with_something_unread_is_rejected_on_request() -> None:
    assert unread("m:A", "<m:Order xmlns:m='urn:m'><m:A/></m:Order>", how="reject") == [{}]
    with pytest.raises(MappingError) as raised:
        unread("m:A", "<m:Order xmlns:m='urn:m'><m:A/><m:B/></m:Order>", how="reject")
    assert (raised.value.failure.code, raised.value.failure.path) == (Reason.UNREAD, "/m:Order/m:B")


def test_documents_of_ever_new_names_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "MOST_SIGNATURES", 100)
    contract = contract_of(NAMES.replace("PATH", '"m:A"') + "unread: report\n")
    counted = census.Census(contract, is_whole=False)
    sizes = []
    for number in range(50):
        inside = "".join(f"<m:A a{number}-{each}='1'/>".replace("-", "_") for each in range(20))
        counted.counts(etree.fromstring(f"<m:Order xmlns:m='urn:m'>{inside}</m:Order>"))
        sizes.append(
            sum(len(node.signatures) for signature in counted._top.signatures.values() if (node := signature.node))
        )
    assert max(sizes) <= 120
