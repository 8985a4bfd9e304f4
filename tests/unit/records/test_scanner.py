"""The scanner finds the same records as a parser, wherever the pieces that it reads end."""

import random
from copy import deepcopy
from io import BytesIO

import pytest
from lxml import etree
from lxml.etree import _Element as Element

from tests.unit.records.conftest import contract
from xml_extractor.records import scanner as scanner_module
from xml_extractor.records.patterns import Patterns
from xml_extractor.records.scanner import Scanner

CONTRACT = contract('{root: "m:S", records: ["m:R", "m:U/m:R", "//m:B[@a]"], header: "m:H"}')
OUTERMOST = etree.XPath(
    "/m:S/m:R | /m:S/m:U/m:R | //m:B[@a][not(ancestor::m:B[@a])]"
    "[not(ancestor::m:R[parent::m:S or parent::m:U[parent::m:S]])]",
    namespaces={"m": "urn:m"},
)
NAMES = ("m:R", "m:U", "m:B", "m:H", "R", "x", "m:RR")
OTHERS = (
    "text",
    "<!-- <m:R> - -->",
    "<![CDATA[</m:R><m:R>]]>",
    "<?p </m:S> ?>",
    "\n  ",
    "]]&gt;",
)
ATTRIBUTES = ("", "", ' a="1"', " b='>'", ' c=">/&lt;"', ' xmlns:m="urn:o"', ' xmlns="urn:m"')


def element(chance: random.Random, depth: int) -> str:
    name, attributes = chance.choice(NAMES), chance.choice(ATTRIBUTES)
    if depth == 0 or chance.random() < 0.3:
        return f"<{name}{attributes}/>"
    parts = (
        element(chance, depth - 1) if chance.random() < 0.6 else chance.choice(OTHERS)
        for _ in range(chance.randint(0, 4))
    )
    return f"<{name}{attributes}>{''.join(parts)}</{name} >"


def canonical(found: Element) -> bytes:
    alone = deepcopy(found)
    alone.tail = None
    return etree.tostring(alone, method="c14n", exclusive=True)


@pytest.mark.parametrize("piece", [1, 7, 2**20])
def test_random_files_have_the_records_that_a_parser_finds(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner_module, "PIECE", piece)
    for seed in range(60):
        chance = random.Random(seed)
        parts = "".join(element(chance, 4) for _ in range(6))
        content = f'<?xml version="1.0"?><m:S xmlns:m="urn:m">{parts}</m:S>'.encode()
        expected = [canonical(each) for each in OUTERMOST(etree.fromstring(content))]
        found = []
        scanner = Scanner(BytesIO(content), Patterns(CONTRACT), 2**20)
        for record in scanner.records(scanner.prolog().root):
            envelope = record.envelope
            whole = etree.fromstring(envelope.start + (scanner.content(record.start, record.end) or b"") + envelope.end)
            for _ in range(envelope.depth):
                whole = whole[-1]
            found.append(canonical(whole))
        assert found == expected, seed


def test_an_element_that_is_too_large_to_keep_is_scanned_to_its_end() -> None:
    content = b'<m:S xmlns:m="urn:m"><m:R>%s</m:R><m:x>%s</m:x><m:R/></m:S>' % (b"<a>t</a>" * 500_000, b"y" * 3_000_000)
    scanner = Scanner(BytesIO(content), Patterns(CONTRACT), 100)
    sizes = [
        (record.end - record.start, scanner.content(record.start, record.end))
        for record in scanner.records(scanner.prolog().root)
    ]
    assert sizes == [(4_000_011, None), (6, b"<m:R/>")]
