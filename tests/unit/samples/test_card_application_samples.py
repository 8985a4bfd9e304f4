"""Sample card applications have the sizes and the shape of real ones, and nobody real in them."""

import re
from random import Random
from statistics import mean, median

import pytest
from lxml import etree

from xml_extractor.samples import samples
from xml_extractor.samples.card_application import document

COUNT = 300
NEEDED_END = b"</Application>"


@pytest.fixture(scope="module")
def documents() -> list[bytes]:
    return [sample.content or b"" for sample in samples("card_application", COUNT, seed=5)]


@pytest.fixture(scope="module")
def needed(documents: list[bytes]) -> list[str]:
    return [content[: content.index(NEEDED_END)].decode() for content in documents]


def found(pattern: str, needed: list[str]) -> list[str]:
    return [text for document in needed for text in re.findall(pattern, document)]


def test_sizes_are_those_of_real_documents(documents: list[bytes]) -> None:
    sizes = [len(content) for content in documents]

    assert 125_000 < median(sizes) < 165_000
    assert 200_000 < mean(sizes) < 300_000
    assert min(sizes) > 10_000
    assert 1_000_000 < max(sizes) < 2_097_152


def test_what_is_needed_is_a_small_part_at_the_start(documents: list[bytes]) -> None:
    ends = [content.index(NEEDED_END) / len(content) for content in documents]

    assert 0.02 < median(ends) < 0.10
    assert max(ends) < 0.75


def test_documents_are_well_formed_to_their_end(documents: list[bytes]) -> None:
    for content in documents[:60]:
        root = etree.fromstring(content)
        assert [child.tag for child in root.iterchildren(tag=etree.Element)] == ["Application", "BureauReports"]


def test_bureau_reports_are_deep(documents: list[bytes]) -> None:
    root = etree.fromstring(documents[0])

    assert max(sum(1 for _ in element.iterancestors()) for element in root.iter("Balance")) >= 8


def test_a_document_has_its_key_and_contacts_have_ids_of_their_own() -> None:
    first, second = (etree.fromstring(document(key, Random(key))) for key in (7, 8))

    assert (first.get("id"), second.get("id")) == ("7", "8")
    assert not {*first.xpath("//Contact/@id")} & {*second.xpath("//Contact/@id")}


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("an amount with a currency sign and a comma", r'"\$[0-9]+,[0-9]{3}\.[0-9]{2}"'),
        ("an amount with spaces around it", r'" [0-9,]+\.[0-9]{2} "'),
        ("a date with slashes", r'born="[0-9]{2}/[0-9]{2}/[0-9]{4}"'),
        ("a date of digits only", r'born="[0-9]{8}"'),
        ("a time in the afternoon", r"[0-9]{2}:[0-9]{2} PM"),
        ("a time zone", r'submitted="[^"]+(?:Z|[+-][0-9]{2}:00)"'),
        ("a code in lower case", r'decision="[a-z]+"'),
        ("a blank value", r'="" '),
        ("a value of spaces only", r'=" "'),
        ("a comment inside text", r"<!-- free text -->[A-Z]"),
        ("a person to be left out", r'role="(?:SP|RF)"'),
        ("a name outside of the code page 1252", "[ŁŚŞ][a-zś]+"),
        ("a character of two UTF-16 units", "[\U00010000-\U0010ffff]"),
        ("an escaped character", r"&amp;|&lt;|&apos;"),
        ("an XML declaration with an encoding", r'^<\?xml version="1.0" encoding="UTF-8"\?>'),
        ("an XML declaration without one", r'^<\?xml version="1.0"\?>'),
        ("no XML declaration", "^<CardApplication"),
    ],
)
def test_documents_are_as_untidy_as_real_ones(needed: list[str], what: str, pattern: str) -> None:
    assert found(pattern, needed), what


def test_some_contacts_come_twice_and_only_the_last_one_is_complete(needed: list[str]) -> None:
    ids = [re.findall(r'<Contact id="([0-9]+)"', content) for content in needed]
    twice = [content for content, found_ids in zip(needed, ids, strict=True) if len(set(found_ids)) < len(found_ids)]

    assert 20 < len(twice) < 100
    for content in twice:
        primary = re.findall(r'role="PR" taxId="[^"]+" born="([^"]*)"', content)
        assert primary[0] == ""
        assert primary[-1] != ""


def test_telephone_numbers_are_of_the_range_kept_for_fiction(needed: list[str]) -> None:
    numbers = [number for number in found(r' (?:home|mobile|work|phone)="([^"]*)"', needed) if number.strip()]

    assert len(numbers) > COUNT
    assert all(re.sub(r"\D", "", number)[-10:].startswith("20055501") for number in numbers)


def test_tax_ids_are_of_ranges_that_are_never_issued(needed: list[str]) -> None:
    tax_ids = found(r'taxId="([^"]*)"', needed)

    assert len(tax_ids) >= COUNT
    assert all(re.fullmatch(r"(?:000|666|9[0-9]{2})-?[0-9]{2}-?[0-9]{4}", tax_id) for tax_id in tax_ids)


def test_mail_goes_to_example_domains_only(needed: list[str]) -> None:
    domains = {domain.lower() for domain in found(r"<Email>[^@<]+@([^<]+)</Email>", needed)}

    assert domains == {"example.com", "example.org"}


def test_addresses_are_in_states_and_postal_codes_that_do_not_exist(needed: list[str]) -> None:
    assert {state.upper() for state in found(r'state="([^"]*)"', needed)} == {"QX", "XJ", "ZZ"}
    assert all(code.startswith("000") for code in found(r'zip="([^"]*)"', needed))
