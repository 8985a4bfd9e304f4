"""The parser returns an element or raises `ParseError`, whatever the content."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from xml_extractor.parsing import DocumentParser, ParseError, ParsingRules

PARSERS = [
    DocumentParser(ParsingRules(("a",), until, allow_doctype=allow, max_depth=depth))
    for until in ((), (("b",),), (("c",), ("b",)))
    for allow, depth in ((False, 256), (True, 4))
]
DOCUMENT = (
    '<?xml version="1.0" encoding="utf-8"?><!-- c --><!DOCTYPE a SYSTEM "x" [<!ELEMENT a ANY>]>'
    '<a k="1"><c><b>é</b>&amp;</c><b xmlns="urn:x" xml:id="1">&#65;</b><![CDATA[x]]><b>€</b><?pi?></a>'
)
PARTS = st.sampled_from(
    [
        *(
            "<",
            ">",
            "/",
            "&",
            ";",
            '"',
            "'",
            "]]>",
            "<!--",
            "-->",
            "<?",
            "?>",
            "<![CDATA[",
            "<!DOCTYPE",
            "<!ENTITY",
            "%",
            "[",
        ),
        *(
            "</b>",
            "<b>",
            "<a>",
            "</a>",
            "xmlns:x='u'",
            "x:",
            "&e;",
            "&#0;",
            "\0",
            "\ud800",
            "\ufffe",
            "é",
            "encoding='utf-16'",
        ),
    ]
)


def outcome(parser: DocumentParser, content: bytes | str) -> str:
    try:
        return f"root {parser.parse(content).tag!r}"
    except ParseError as error:
        return error.failure.reason


def parse_everywhere(content: bytes | str) -> None:
    for parser in PARSERS:
        assert re.fullmatch(r"root 'a'|[a-z_]+: .+", outcome(parser, content))


@given(st.binary(max_size=200) | st.text(max_size=200) | st.text(alphabet=st.characters(codec=None), max_size=50))
def test_any_content_is_parsed_or_rejected(content: bytes | str) -> None:
    parse_everywhere(content)


@given(st.lists(PARTS, max_size=30).map("".join))
@settings(max_examples=300)
def test_any_sequence_of_markup_is_parsed_or_rejected(content: str) -> None:
    parse_everywhere(content)
    parse_everywhere(content.encode(errors="surrogatepass"))


@given(
    start=st.integers(0, len(DOCUMENT)),
    length=st.integers(0, 12),
    put_in=st.just("") | PARTS,
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]),
    cut=st.integers(0, 3),
)
@settings(max_examples=500)
def test_any_damaged_document_is_parsed_or_rejected(
    start: int, length: int, put_in: str, encoding: str, cut: int
) -> None:
    damaged = DOCUMENT[:start] + put_in + DOCUMENT[start + length :]
    parse_everywhere(damaged)
    parse_everywhere(damaged.encode(encoding, errors="replace")[cut:])
    parse_everywhere(damaged.encode(encoding, errors="replace")[: -1 - cut])
