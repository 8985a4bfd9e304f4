"""Which content is a document, and which error other content gives."""

import pickle
import traceback

import pytest
from lxml import etree

from xml_extractor.parsing import DocumentParser, ParseError, ParsingRules
from xml_extractor.parsing.rules import MAX_DEPTH
from xml_extractor.reasons import Stage

SECRET = "Ottilie"


def code_of(parser: DocumentParser, content: bytes | str | None) -> str:
    with pytest.raises(ParseError) as caught:
        parser.parse(content)
    return caught.value.failure.code


@pytest.fixture
def parser() -> DocumentParser:
    return DocumentParser(ParsingRules(("a",)))


def test_a_document_becomes_its_root_element(parser: DocumentParser) -> None:
    root = parser.parse(b'<a k="1"><b>x</b></a>')
    assert (root.tag, root.get("k"), root.findtext("b")) == ("a", "1", "x")


def test_a_parser_can_be_used_again_after_a_rejected_document(parser: DocumentParser) -> None:
    for number in range(50):
        assert parser.parse(f"<a>{number}</a>".encode()).text == str(number)
        assert code_of(parser, b"<a><b></a>") == "malformed"


@pytest.mark.parametrize(
    "content",
    [None, b"", "", b" \r\n\t ", "  ", b"\xef\xbb\xbf", "\ufeff", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf\n"],
)
def test_no_content_is_an_empty_document(parser: DocumentParser, content: bytes | str | None) -> None:
    assert code_of(parser, content) == "empty"


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"<",
        b"<a",
        b"<a>",
        b"<a></b>",
        b"<a/>x",
        b"<a/><a/>",
        b"<a><b></a></b>",
        b'<a b="<"/>',
        b"<a b=1/>",
        b"<a b/>",
        b'<a b="1/>',
        b'<a b="1" b="2"/>',
        b"<a>&</a>",
        b"<a>& </a>",
        b"<a>&lt</a>",
        b"<a>]]></a>",
        b"<a><![CDATA[x</a>",
        b"<a><!-- x</a>",
        b"<a><!-- x -- y --></a>",
        b"<a><?x</a>",
        b"<!-- x",
        b"<!-- only a comment -->",
        b"<?only an instruction?>",
        b" <?xml version='1.0'?><a/>",
        b"<?xml version='1.0'?><?xml version='1.0'?><a/>",
        b"<?xml version='7.0'?><a/>",
        b"<?xml version='1.0' standalone='maybe'?><a/>",
        b"<!doctype a><a/>",
        b"<a><!DOCTYPE a></a>",
        b"<1/>",
        b"</a>",
        b'{"a": 1}',
    ],
)
def test_content_that_is_not_well_formed_is_malformed(parser: DocumentParser, content: bytes) -> None:
    assert code_of(parser, content) == "malformed"
    assert code_of(parser, content.decode()) == "malformed"


@pytest.mark.parametrize(
    "content",
    [
        b"<x:a/>",
        b'<a x:b="1"/>',
        b"<a><x:b/></a>",
        b'<a xmlns:x=""/>',
        b'<a xmlns="not a uri"/>',
        b'<a xmlns:x="u" xmlns:y="u" x:b="1" y:b="2"/>',
    ],
)
def test_a_wrong_namespace_is_rejected(parser: DocumentParser, content: bytes) -> None:
    assert code_of(parser, content) == "namespace"


@pytest.mark.parametrize(
    "content",
    [
        b"<a>\x00</a>",
        b"<a>\x01</a>",
        b'<a b="\x02"/>',
        b"<a\x02/>",
        b"<\x02a/>",
        b"\x02<a/>",
        b"<!--\x03--><a/>",
        b"<a>&#1;</a>",
        b"<a>&#0;</a>",
        b"<a>&#xD800;</a>",
        b"<a>\xef\xbf\xbe</a>",
        "<a>\ufffe</a>",
        "<a>\ud800</a>",
        "<a \udc00='1'/>",
        "\ud83d<a/>",
        "<a>\ud83d\ude00</a>",
    ],
)
def test_characters_that_xml_does_not_allow_are_named(parser: DocumentParser, content: bytes | str) -> None:
    assert code_of(parser, content) == "control_character"


@pytest.mark.parametrize(
    "content", ["<a>\ttab\r\n</a>", "<a>\x7f\x85\xa0</a>", "<a>\U0001f600</a>", "<a>&#x1F600;</a>"]
)
def test_unusual_characters_that_xml_allows_are_kept(parser: DocumentParser, content: str) -> None:
    assert parser.parse(content).text
    assert parser.parse(content.encode()).text == parser.parse(content).text


@pytest.mark.parametrize(
    ("root", "content"),
    [
        ("a", b"<b/>"),
        ("a", b"<A/>"),
        ("a", b'<?xml version="1.0"?><!-- x --><ab/>'),
        ("a", b'<a xmlns="urn:x"/>'),
        ("{urn:x}a", b"<a/>"),
        ("{urn:x}a", b'<a xmlns="urn:y"/>'),
        ("{urn:x}a", b'<p:b xmlns:p="urn:x"/>'),
    ],
)
def test_another_root_element_is_rejected(root: str, content: bytes) -> None:
    for rules in (ParsingRules((root,)), ParsingRules((root,), (("x",), ("y",)))):
        parser = DocumentParser(rules)
        assert code_of(parser, content) == "wrong_root"
        assert code_of(parser, content.decode()) == "wrong_root"


def test_another_root_element_is_detected_before_the_rest_is_read(parser: DocumentParser) -> None:
    assert code_of(parser, b"<b><broken") == "wrong_root"


@pytest.mark.parametrize("content", [b'<p:a xmlns:p="urn:x"/>', b'<a xmlns="urn:x"/>', '<é:a xmlns:é="urn:x"/>'])
def test_the_root_element_is_compared_by_namespace_and_not_by_prefix(content: bytes | str) -> None:
    assert DocumentParser(ParsingRules(("{urn:x}a",))).parse(content).tag == "{urn:x}a"


def test_a_root_element_may_have_a_name_beyond_ascii() -> None:
    parser = DocumentParser(ParsingRules(("Größe",)))
    assert parser.parse("<Größe/>").tag == "Größe"
    assert parser.parse("<Größe/>".encode()).tag == "Größe"
    assert code_of(parser, "<Grösse/>") == "wrong_root"


@pytest.mark.parametrize(
    "prolog",
    [b"\n", b"<!-- <b> -->", b"<?pi <!DOCTYPE a> ?>", b"<?xml version='1.0'?>\n<!--x--><?y?>\n", b"<!-- > -->"],
)
def test_comments_and_instructions_may_precede_the_root(parser: DocumentParser, prolog: bytes) -> None:
    assert parser.parse(prolog + b"<a/>\n<!-- after -->").tag == "a"
    assert parser.parse((prolog + b"<a/>").decode()).tag == "a"


def test_a_comment_inside_text_does_not_cut_it(parser: DocumentParser) -> None:
    assert parser.parse(b"<a><b>12<!-- x -->34<?y?>56<![CDATA[78]]></b></a>").findtext("b") == "12345678"


@pytest.mark.parametrize("identifier", [b"1", b"not a name", b""])
def test_an_xml_id_of_any_form_is_only_an_attribute(parser: DocumentParser, identifier: bytes) -> None:
    content = b'<a xml:id="%s"><b xml:id="%s"/></a>' % (identifier, identifier)
    assert parser.parse(content)[0].tag == "b"


def test_an_included_file_is_not_read(parser: DocumentParser) -> None:
    content = b'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="file:///etc/passwd" parse="text"/></a>'
    assert "".join(parser.parse(content).itertext()) == ""


def test_a_schema_location_is_only_an_attribute(parser: DocumentParser) -> None:
    content = (
        b"""<a xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="urn:x file:///nowhere.xsd"/>"""
    )
    assert len(parser.parse(content).attrib) == 1


def test_documents_up_to_the_largest_size_are_read_and_larger_ones_rejected() -> None:
    content = b"<a>" + b"x" * 93 + b"</a>"
    for read_until in ((), (("b",),)):
        assert DocumentParser(ParsingRules(("a",), read_until, max_bytes=100)).parse(content).tag == "a"
        smaller = DocumentParser(ParsingRules(("a",), read_until, max_bytes=99))
        assert code_of(smaller, content) == "too_large"
        assert code_of(smaller, content.decode()) == "too_large"


@pytest.mark.parametrize("read_until", [(), (("b",),)])
@pytest.mark.parametrize("depth", [1, 2, 10, MAX_DEPTH - 1, MAX_DEPTH])
def test_elements_may_be_nested_as_deep_as_max_depth(depth: int, read_until: tuple[tuple[str, ...], ...]) -> None:
    parser = DocumentParser(ParsingRules(("a",), read_until, max_depth=depth))
    assert parser.parse(b"<a>" * depth + b"</a>" * depth).tag == "a"
    assert code_of(parser, b"<a>" * (depth + 1) + b"</a>" * (depth + 1)) == "too_deep"


@pytest.mark.parametrize("depth", [0, -1, MAX_DEPTH + 1])
def test_a_max_depth_beyond_libxml2_is_a_value_error(depth: int) -> None:
    with pytest.raises(ValueError, match=str(MAX_DEPTH)):
        ParsingRules(("a",), max_depth=depth)


def test_a_max_bytes_of_zero_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="max_bytes"):
        ParsingRules(("a",), max_bytes=0)


def test_an_error_names_line_and_column(parser: DocumentParser) -> None:
    with pytest.raises(ParseError) as caught:
        parser.parse(b"<a>\n  <b>\n</a>")
    failure = caught.value.failure
    assert failure.stage is Stage.PARSE
    assert failure.explanation == "an end tag that does not match its start tag (line 3, column 5)"
    assert str(caught.value) == failure.reason


def test_the_error_of_a_control_character_names_its_position(parser: DocumentParser) -> None:
    with pytest.raises(ParseError) as caught:
        parser.parse(b"<a>\n<b\x01/></a>")
    assert caught.value.failure.explanation.endswith("(line 2, column 3)")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("<b/>", "b, not a"),
        ("<p:b xmlns:p='urn:b'/>", "b, not a"),
        ("<a xmlns='urn:b'/>", "{urn:b}a, not a (only the namespace differs: see `namespaces` of the contract)"),
        ("<b\u202ec\x9b\u2028/>", "b\\u202ec\\u009b\\u2028, not a"),
        (f"<{'b' * 300}/>", f"{'b' * 200}…, not a"),
    ],
)
def test_a_wrong_root_is_named_without_control_characters(parser: DocumentParser, content: str, found: str) -> None:
    with pytest.raises(ParseError) as caught:
        parser.parse(content)
    assert caught.value.failure.explanation == f"the root element is {found}"


@pytest.mark.parametrize(
    "content",
    [
        f"<a><{SECRET}></a>",
        f"<a><{SECRET}:b/></a>",
        f"<a>&{SECRET};</a>",
        f"<a>{SECRET}",
        f"<a {SECRET}='1' {SECRET}='2'/>",
        f"<a xmlns='{SECRET} x'/>",
        f"<?xml version='1.0' encoding='{SECRET}'?><a>",
        f"<?xml version='{SECRET}'?><a/>",
        f"<a>{SECRET}\x01</a>",
        f"<a>{SECRET}\ud800",
        f"{SECRET}",
        f"<!DOCTYPE {SECRET}><a/>",
    ],
)
def test_no_error_quotes_the_document(parser: DocumentParser, content: str) -> None:
    for given in (content, content.encode(errors="replace")):
        with pytest.raises(ParseError) as caught:
            parser.parse(given)
        assert SECRET not in f"{caught.value!s} {caught.value!r}"
        assert "".join(traceback.format_exception(caught.value)).count(SECRET) == 0


def test_an_error_can_be_pickled(parser: DocumentParser) -> None:
    with pytest.raises(ParseError) as caught:
        parser.parse(b"<a>")
    assert pickle.loads(pickle.dumps(caught.value)).failure == caught.value.failure


def test_the_tree_equals_the_one_that_lxml_returns(parser: DocumentParser) -> None:
    content = b'<a x="1"> <b>&amp;&#65;</b>tail<c xmlns="urn:c"><d/></c></a>'
    assert etree.tostring(parser.parse(content)) == etree.tostring(etree.fromstring(content))
