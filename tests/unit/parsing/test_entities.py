"""Entities of plain text are replaced; all others reject the document, as without permission."""

import pytest

from xml_extractor.parsing import DocumentParser, ParseError
from xml_extractor.parsing.rules import ParsingRules


def parsed(subset: str, content: str = "&x;", max_bytes: int = 2**20 * 4) -> str:
    allowed = ParsingRules(("r",), allow_doctype=True, replace_entities=True, max_bytes=max_bytes)
    root = DocumentParser(allowed).parse(f"<!DOCTYPE r [{subset}]><r>{content}</r>".encode())
    return str(root.text)


REFUSED = {
    "external": '<!ENTITY x SYSTEM "file:///etc/passwd">',
    "external with a public name": '<!ENTITY x PUBLIC "a" "http://example.org/x">',
    "unparsed": '<!NOTATION n SYSTEM "n"><!ENTITY x SYSTEM "a.gif" NDATA n>',
    "a parameter entity": '<!ENTITY % x "a">',
    "use of a parameter entity": '<!ENTITY x "a">%y;',
    "of other entities": '<!ENTITY a "aaaa"><!ENTITY x "&a;&a;">',
    "of a predefined entity": '<!ENTITY x "&amp;">',
    "of markup": '<!ENTITY x "<b/>">',
    "of a reference to a character of markup": '<!ENTITY x "&#60;b/>">',
    "of a reference that makes a reference": '<!ENTITY x "&#38;#60;">',
    "of a reference that makes a reference, in hexadecimal": '<!ENTITY x "&#x26;lt;">',
    "of a parameter entity within": '<!ENTITY x "%y;">',
    "undeclared": '<!ENTITY y "a">',
}


@pytest.mark.parametrize("subset", REFUSED.values(), ids=REFUSED)
def test_other_entities_reject_the_document(subset: str) -> None:
    with pytest.raises(ParseError) as caught:
        parsed(subset)
    assert caught.value.failure.code in {"entity", "malformed"}


def test_the_size_of_the_result_is_limited() -> None:
    value, references = "a" * 1000, "&x;" * 1000
    assert len(parsed(f'<!ENTITY x "{value}">', references)) == 1_000_000
    with pytest.raises(ParseError) as caught:
        parsed(f'<!ENTITY x "{value}">', references, max_bytes=500_000)
    assert caught.value.failure.code == "too_large"


def test_text_is_replaced_once_and_nowhere_but_in_text() -> None:
    assert parsed("<!ENTITY x 'a&#62;b\"'>", "&x;<![CDATA[&x;]]>&amp;x;") == 'a>b"&x;&x;'
    assert parsed('<!-- % <!ENTITY x "no"> --><!ENTITY x "yes">') == "yes"


def test_a_document_without_entities_is_read_as_before() -> None:
    assert parsed("<!ELEMENT r ANY>", "ä") == "ä"
