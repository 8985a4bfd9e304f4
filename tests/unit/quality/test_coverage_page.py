"""The HTML page of `coverage` has all that is in the report, and no values of documents."""

import re
from html import unescape

from tests.unit.quality.test_coverage_report import CONTRACT, contract_of, report
from xml_extractor.quality.coverage_page import coverage_page
from xml_extractor.quality.coverage_report import CoverageReport

GOOD = "<Order id='1'><Name>sesame oil</Name><State>NEW</State><Day>2026-01-01</Day><Line qty='1' price='2'/></Order>"
BAD = "<Order id='2'><name>secret</name><State>OPEN</State><Line qty='1' price='123.45'/></Order>"


def lines(found: CoverageReport) -> str:
    page = re.sub(r"<style>.*?</style>", "", coverage_page(found), flags=re.DOTALL)
    return re.sub(r"\n+", "\n", unescape(re.sub(r"<[^>]*>", "\n", page)))


def test_the_page_has_all_parts_of_the_report() -> None:
    text = lines(report(contract_of(CONTRACT), GOOD, BAD))
    for expected in (
        "Coverage of c, version 1",
        "1 of 2 documents would be rejected.",
        "would load\n1\n",
        "lines.price\noverflow: ",
        "1 values, first in 1.xml",
        "orders.day\nmissing_value: ",
        "City\nin City\norders.city",
        "/Order/name\nsimilar to Name (other case)\nfirst in 1.xml\n1\n",
        "orders.name\n5 characters of varchar(5)\n1 defaulted (first in 1.xml); 1 truncated (first in 0.xml)\n",
        "orders.city\nvarchar(5)\nalways NULL",
        "orders.state\n1 digit of int\n1 unknown codes (first in 0.xml)",
        "/Order/Day\nread by orders.day\n0.xml\n1\n",
    ):
        assert expected in text, expected
    assert "sesame" not in text
    assert "secret" not in text


def test_no_document_at_all_and_nothing_wrong_are_said() -> None:
    assert "The source has no documents." in lines(report(contract_of(CONTRACT)))
    text = lines(report(contract_of(CONTRACT), GOOD))
    assert "No document would be rejected." in text
    assert "No document has a fault." in text
    assert "Every element and attribute is read." in text
