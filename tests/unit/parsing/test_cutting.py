"""Ignored elements are cut out of a document's bytes where that gives the same tree as removing them from it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xml_extractor.documents import Envelope
from xml_extractor.parsing import DocumentParser, ParseError, ParsingRules
from xml_extractor.parsing.cutting import without_elements
from xml_extractor.parsing.rules import Ignored
from xml_extractor.reasons import Reason

PREFIXES = {"m": "urn:m"}
BY_NAME = (
    Ignored("descendant-or-self::i", PREFIXES, ("i",)),
    Ignored("descendant-or-self::m:i", PREFIXES, ("{urn:m}i",)),
)
RULES = ParsingRules(
    ("r", "{urn:m}r", "i"), ignored=(*BY_NAME, Ignored("descendant-or-self::b[parent::a]", PREFIXES, ()))
)
CUTTING = DocumentParser(RULES)
UNTIL = DocumentParser(replace(RULES, read_until=(("a",),)))
WHOLE, WHOLE_UNTIL = (
    DocumentParser(replace(rules, ignored=tuple(each._replace(names=()) for each in RULES.ignored)))
    for rules in (RULES, replace(RULES, read_until=(("a",),)))
)

TEXTS = st.sampled_from(["t", " ", "&lt;i&gt;", "&amp;", "]", "!", "?", ">", "é", "xmlns", "\r", "\n"])
SECTIONS = st.sampled_from(
    [
        "<!--c-->",
        "<!-- <i> -->",
        "<!-- </i> -->",
        "<!-- > -- -->",
        "<![CDATA[<i>]]>",
        "<![CDATA[</i>]]]>",
        "<?p <i>?>",
        "<?p </i>?>",
    ]
)
ATTRIBUTES = st.sampled_from(
    [
        "",
        " k='>'",
        ' k="/>"',
        " k='\"'",
        " i='<'",
        ' k = "i"',
        " k='&lt;i>'",
        ' xmlns:p="urn:m"',
        ' xmlns=""',
        ' xmlns="urn:m"',
        "\n",
    ]
)
NAMES = st.sampled_from(["a", "b", "i", "i", "p:i", "m:i", "i.x", "ii"])


def element(content: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    whole = st.tuples(NAMES, ATTRIBUTES, st.lists(content, max_size=4))
    return whole.map(lambda parts: f"<{parts[0]}{parts[1]}>{''.join(parts[2])}</{parts[0]}>") | st.tuples(
        NAMES, ATTRIBUTES
    ).map(lambda parts: f"<{parts[0]}{parts[1]}/>")


CONTENT = st.recursive(TEXTS | SECTIONS, element, max_leaves=12)
BROKEN = st.lists(
    CONTENT | st.sampled_from(["<i>", "</i>", "<i/>", "<a>", "</a>", "<!--", "-->", "<i", "<?"]), max_size=6
)
ROOTS = st.sampled_from(
    [
        ("<r>", "</r>"),
        ('<r xmlns:p="urn:m">', "</r>"),
        ('<p:r xmlns:p="urn:m">', "</p:r>"),
        ('<r xmlns="urn:m">', "</r>"),
        ('<?xml version="1.0"?><!-- <i> --><r xmlns:p="urn:m" xmlns:m="urn:m">', "</r>"),
        ("<i>", "</i>"),
    ]
)


def outcome(parser: DocumentParser, document: bytes) -> bytes | Reason:
    try:
        return etree.tostring(parser.parse(document), method="c14n")
    except ParseError as error:
        return error.failure.code


@given(ROOTS, BROKEN)
@settings(max_examples=250, deadline=None)
def test_a_document_has_the_same_tree_whether_ignored_elements_are_cut_out_or_removed(
    root: tuple[str, str], parts: list[str]
) -> None:
    document = f"{root[0]}{''.join(parts)}{root[1]}".encode()
    for whole, cutting in ((WHOLE, CUTTING), (WHOLE_UNTIL, UNTIL)):
        expected, found = outcome(whole, document), outcome(cutting, document)
        assert found == expected or expected is Reason.MALFORMED or expected is Reason.NAMESPACE


@pytest.mark.parametrize(
    ("document", "rest"),
    [
        (b"<r>1<i k='</'>x<i/>y</i>2</r>", None),
        (b"<r>1<i k='>'>x<i/><i>y</i>z</i>2<i/>3</r>", b"<r>123</r>"),
        (b"<r><!-- <i> --><i><!-- </i> --><![CDATA[</i>]]></i\n></r>", b"<r><!-- <i> --></r>"),
        (b"<r><i.x/><ii/></r>", None),
        (b"<r><i>& a fault < here</i></r>", b"<r></r>"),
        (b"<r><i><i></i></r>", None),
        (b"<r><i><!-- </i></r>", None),
        (b"<!DOCTYPE r><r><i/></r>", None),
        (b"<r><a xmlns='urn:x'><i/></a></r>", None),
        (b"<r><i xmlns='urn:x'/></r>", None),
        (b"<i><i/></i>", None),
        (b"<r xmlns='urn:x'><i/></r>", None),
        (b"<r>&am<i/>p;</r>", None),
        (b"<r><<i/>b/></r>", None),
        (b"<r>&lt;<i/>;</r>", b"<r>&lt;;</r>"),
        (b"<r>1\r<i/><i/>\n2</r>", None),
        (b"<r>1\r\n<i/>\r\n2</r>", b"<r>1\r\n\r\n2</r>"),
    ],
)
def test_elements_are_cut_out_only_where_their_tags_are_certain(document: bytes, rest: bytes | None) -> None:
    assert without_elements(document, ["i"]) == rest


def test_an_element_is_cut_out_by_all_prefixes_of_its_namespace() -> None:
    document = b"<p:r xmlns:p='u' xmlns='u' xmlns:q='v'><p:i/><i>x</i><q:i/></p:r>"
    assert without_elements(document, ["{u}i"]) == b"<p:r xmlns:p='u' xmlns='u' xmlns:q='v'><q:i/></p:r>"


def test_faults_within_an_element_that_is_cut_out_do_not_reject() -> None:
    assert outcome(CUTTING, b"<r><i>\xff & </j></i>t</r>") == b"<r>t</r>"


def test_faults_elsewhere_are_reported_where_they_are() -> None:
    with pytest.raises(ParseError) as raised:
        CUTTING.parse(b"<r>\n<i>\n</i>\n</r>&")
    assert "line 4" in raised.value.failure.explanation


def test_records_are_parsed_without_ignored_elements() -> None:
    envelope = Envelope(b"<r>", b"<r><h/><i>1</i>", b"</r>", 1)
    record = CUTTING.parse(b"<a>2<i>3</i>4</a>", envelope)
    assert etree.tostring(record.getroottree()) == b"<r><h/><a>24</a></r>"


def test_many_ignored_elements_take_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[int] = []

    class Document(bytes):
        def find(self, sub: Any, start: Any = None, end: Any = None) -> int:
            found = super().find(sub, start, end)
            scanned.append((found if found >= 0 else len(self) if end is None else end) - (start or 0))
            return found

    document = b"<r>" + b"<i><i/>!</i><j/>?" * 1000 + b"<k/></r>"
    assert without_elements(Document(document), ["i", "k", "absent"]) is not None
    assert sum(scanned) < 40 * len(document)
