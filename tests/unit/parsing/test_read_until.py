"""`read_until`: reading stops at the end of the element."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from xml_extractor.parsing import DocumentParser, ParseError, ParsingRules
from xml_extractor.parsing.parser import _PIECE

WITH_CHAIN = DocumentParser(ParsingRules(("a",), (("body",), ("app",))))
WITH_NAMESPACES = DocumentParser(ParsingRules(("{urn:x}a",), (("{urn:y}app",),)))


@pytest.fixture
def parser() -> DocumentParser:
    return DocumentParser(ParsingRules(("a",), (("app",),)))


def paths(root: etree._Element) -> list[str]:
    tree = root.getroottree()
    return [tree.getpath(element) for element in root.iter()]


@pytest.mark.parametrize(
    "after", [b"<c/></a>", b"", b"<c", b"</wrong>", b"\x00", b"\xff", b"&e;", b"<x:y/>", b"<a" * 500]
)
def test_content_after_the_element_is_not_read(parser: DocumentParser, after: bytes) -> None:
    root = parser.parse(b"<a k='1'><b/><app>x<i/></app>" + after)
    assert paths(root) == ["/a", "/a/b", "/a/app", "/a/app/i"]
    assert root.get("k") == "1"


def test_a_surrogate_after_the_element_is_not_read(parser: DocumentParser) -> None:
    assert paths(parser.parse("<a><app>é</app>\ud800")) == ["/a", "/a/app"]


@pytest.mark.parametrize(
    "padding", [0, 1, 7, 8, 9, _PIECE - 20, _PIECE - 12, _PIECE - 11, _PIECE - 9, _PIECE, 3 * _PIECE]
)
@pytest.mark.parametrize("fill", ["x", "é", "\U0001f600"])
def test_the_element_may_end_at_any_position(parser: DocumentParser, padding: int, fill: str) -> None:
    text = f"<a><app>{fill * padding}</app></wrong>"
    for content in (text, text.encode(), text.encode("utf-16")):
        assert parser.parse(content).findtext("app") == fill * padding


def test_the_first_element_counts(parser: DocumentParser) -> None:
    assert paths(parser.parse(b"<a><app></app><app></app></wrong>")) == ["/a", "/a/app"]


def test_an_empty_element_counts(parser: DocumentParser) -> None:
    assert parser.parse(b"<a><app/></a>")[0].tag == "app"
    assert parser.parse(b"<a><app k='>'/>" + b" " * 2 * _PIECE + b"</wrong>")[0].get("k") == ">"


@pytest.mark.parametrize("end", [b"</app >", b"</app\n>"])
def test_white_space_in_the_end_tag_does_not_matter(parser: DocumentParser, end: bytes) -> None:
    assert parser.parse(b"<a><app>" + end + b" " * 2 * _PIECE + b"</wrong>")[0].tag == "app"


def test_elements_of_the_same_name_elsewhere_do_not_end_the_reading(parser: DocumentParser) -> None:
    root = parser.parse(b"<a><b><app>1</app></b><app><app>2</app>3<app/></app></wrong>")
    assert paths(root) == ["/a", "/a/b", "/a/b/app", "/a/app", "/a/app/app[1]", "/a/app/app[2]"]


def test_names_with_the_same_ending_do_not_end_the_reading(parser: DocumentParser) -> None:
    content = b"<a><prior-app></prior-app><!-- </app> --><b k='</app>'/><![CDATA[</app>]]><app>x</app>"
    with pytest.raises(ParseError):  # '<' is not allowed in attribute values
        parser.parse(content)
    root = parser.parse(content.replace(b"'</app>'", b"'&lt;/app>'"))
    assert root.findtext("app") == "x"


def test_a_chain_of_children_is_followed_from_the_root() -> None:
    content = b"<a><app/><x><body><app/></body></x><body><x><app/></x><app>1</app></body></wrong>"
    root = WITH_CHAIN.parse(content.replace(b"</wrong>", b"") + b"</wrong>")
    assert paths(root)[-1] == "/a/body/app"
    assert WITH_CHAIN.parse(b"<a><body/><body><app>2</app></body>").findtext("body[2]/app") == "2"


def test_the_root_itself_is_not_the_element(parser: DocumentParser) -> None:
    parser = DocumentParser(ParsingRules(("a",), (("a",),)))
    assert paths(parser.parse(b"<a><b/><a>x</a></wrong>")) == ["/a", "/a/b", "/a/a"]


def test_namespaces_are_compared_and_prefixes_are_not() -> None:
    content = b"""<a xmlns="urn:x"><app/><p:app xmlns:p="urn:z"/><q:app xmlns:q="urn:y">x</q:app></wrong>"""
    root = WITH_NAMESPACES.parse(content)
    assert [element.tag for element in root] == ["{urn:x}app", "{urn:z}app", "{urn:y}app"]


def test_a_document_without_the_element_is_read_to_its_end(parser: DocumentParser) -> None:
    assert paths(parser.parse(b"<a><b/></a>")) == ["/a", "/a/b"]
    assert parser.parse("<a><b>é</b></a>").findtext("b") == "é"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<a><b></a>", "malformed"),
        (b"<a><b/>", "malformed"),
        (b"<a><b></a><app></app>", "malformed"),
        (b"<a><x:b/><app></app>", "namespace"),
        (b"<a>&e;<app></app>", "entity"),
        (b"<a>&e;<a><app></app>", "entity"),
        (b"<a>&e;" + b" " * (_PIECE - 6) + b"<a><app></app></a>", "entity"),
        (b"<a>&e;<app></app><a><app></app></a>", "entity"),
        (b"<a>\x01<app></app>", "control_character"),
        (b"<a>\xff<app></app>", "wrong_encoding"),
        ("<a>\ud800<app></app>", "control_character"),
        (b"<a>" * 300 + b"<app></app>", "too_deep"),
        (b"<b><app></app>", "wrong_root"),
        (b"<a xmlns='urn:x'><b/><app></app></a>", "wrong_root"),
        (b"", "empty"),
        (b"x<a><app></app>", "malformed"),
    ],
)
def test_content_before_the_end_of_the_element_must_be_well_formed(
    parser: DocumentParser, content: bytes | str, code: str
) -> None:
    with pytest.raises(ParseError) as caught:
        parser.parse(content)
    assert caught.value.failure.code == code


def test_an_error_ignores_content_that_was_not_read(parser: DocumentParser) -> None:
    with pytest.raises(ParseError) as caught:
        parser.parse(b"<a><b></a><app></app>" + b" " * 2 * _PIECE + b"\x01")
    assert caught.value.failure.code == "malformed"


def test_the_tree_outlives_its_parser() -> None:
    roots = [
        DocumentParser(ParsingRules(("a",), (("app",),))).parse(b"<a><app>%d<i/></app><c>" % number)
        for number in range(2000)
    ]
    gc.collect()
    assert [root.findtext("app") for root in roots] == [str(number) for number in range(2000)]
    assert all(etree.tostring(root).startswith(b"<a><app>") for root in roots)


def test_the_part_is_the_same_as_in_the_whole_tree(parser: DocumentParser) -> None:
    content = b"<a k='1'>t<b>&amp;</b> <app x='&quot;'>1<!-- c -->2<i>3</i>4</app></a>"
    whole = DocumentParser(ParsingRules(("a",))).parse(content)
    assert etree.tostring(parser.parse(content)) == etree.tostring(whole)


MARKUP = st.sampled_from(
    [
        *("<app>", "</app>", "<app>", "</app>", "<app/>", "</app\n>", "<app a='>", "'>", "<b>", "</b>", "<b></b>"),
        *("<x:app>", "</x:app>", "<x:app/>", "<Myapp>", "</Myapp>"),
        *("<!--", "-->", "<![CDATA[", "]]>", "<?p", "?>", "&amp;", "&e;", "é"),
    ]
)
HEADS = st.sampled_from(["<a>", "<a xmlns:x='u'>", "<a xmlns='u'>", "<x:a xmlns:x='u'>", "<?xml version='1.0'?><a>"])
RULES = [
    ParsingRules((f"{space}a",), until)
    for space in ("", "{u}")
    for until in (((f"{space}app",),), ((f"{space}b",), (f"{space}app",)), (("{u}app",),))
]


@given(
    head=HEADS, parts=st.lists(MARKUP, max_size=12), end=st.sampled_from(["</a>", "</x:a>", ""]), is_text=st.booleans()
)
def test_cutting_at_an_end_tag_reads_the_same_tree(head: str, parts: list[str], end: str, *, is_text: bool) -> None:
    document = f"{head}{''.join(parts)}{end}"

    def outcome(rules: ParsingRules, *, cuts: bool) -> bytes | str:
        parser = DocumentParser(rules)
        if not cuts:
            parser._read_cut = lambda *_: None  # type: ignore[method-assign]
        try:
            return etree.tostring(parser.parse(document if is_text else document.encode()))
        except ParseError as error:
            return error.failure.reason

    for rules in RULES:
        assert outcome(rules, cuts=True) == outcome(rules, cuts=False)
