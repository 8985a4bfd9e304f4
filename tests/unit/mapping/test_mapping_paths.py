"""Compiled paths give the results of XPath 1.0, however they are compiled."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xml_extractor.mapping.errors import RuleError
from xml_extractor.mapping.nodes import Node, ValueNode
from xml_extractor.mapping.paths import (
    compile_elements,
    compile_nodes,
    compile_text,
    finds_elements,
    split_path,
)

SINGLE = {"p": "urn:p", "q": "urn:q"}
NAMESPACES = {prefix: (address,) for prefix, address in SINGLE.items()}

DOCUMENT = """
<Order xmlns:p="urn:p" id="7" p:state="open">
  <Line no="1" sku="A"><Text>first <b>bold</b> end</Text></Line>
  <Line no="2"><Text/></Line>
  <Line no="3" sku="C" kind="x"><Text>third</Text><p:Tax p:rate="19">3.80</p:Tax></Line>
  <Empty/>
</Order>
"""

ELEMENT_PATHS = [
    ".",
    "..",
    "../..",
    "a",
    "a/b",
    "a/b/p:a",
    "./a",
    "a/..",
    "../a",
    "p:a/q:b",
    "*",
    "*/a",
    "p:*",
    "a//b",
    ".//b",
    "//a",
    "/a/b",
    "a[1]",
    "a[last()]",
    "a[@x='1']",
    "a[@x='1' or @x='2']/b",
    "a[b]/b[@y]",
    "following-sibling::a",
    "preceding-sibling::*",
    "ancestor::a",
    "ancestor-or-self::*/b",
    "descendant::b",
    "self::a",
]
OTHER_PATHS = [
    "a | b",
    "(a | b)[1]",
    "count(a)",
    "count(//b) > 1",
    "not(a)",
    "sum(//@x)",
    "number(@x)",
    "string(a)",
    "concat(@x, '/', @y)",
    "a/text()",
    "text()",
    "node()",
    "@*",
    "a/@*",
    "a/attribute::x",
    "normalize-space(a)",
    "1 div 4",
    "1 div 0",
    "-1 div 0",
    "name(..)",
]
VALUE_PATHS = [
    *ELEMENT_PATHS,
    *(f"{path}/@x" for path in ELEMENT_PATHS),
    *(f"{path}/@p:x" for path in ELEMENT_PATHS),
    "@x",
    "@p:x",
    "@xml:lang",
    *OTHER_PATHS,
]

TEXTS = {path: compile_text(path, NAMESPACES) for path in VALUE_PATHS}

names = st.sampled_from(["a", "b", "{urn:p}a", "{urn:q}b"])
attributes = st.dictionaries(
    st.sampled_from(["x", "y", "{urn:p}x"]), st.sampled_from(["", "1", "2", " z "]), max_size=3
)
texts = st.sampled_from([None, "", "t", " u ", "\u00a0"])


def _element(tag: str, attribute: dict[str, str], text: str | None, children: list[etree._Element]) -> etree._Element:
    element = etree.Element(tag, attribute)
    element.text = text
    for child in children:
        child.tail = text
        element.append(child)
    return element


trees = st.recursive(
    st.builds(_element, names, attributes, texts, st.just([])),
    lambda children: st.builds(_element, names, attributes, texts, st.lists(children, max_size=4)),
    max_leaves=12,
)


@cache
def _xpath(path: str) -> etree.XPath:
    return etree.XPath(path, namespaces=SINGLE, smart_strings=False)


def _xpath_string(element: etree._Element, path: str) -> str | None:
    """The oracle: the same path given to `etree.XPath`, inside string()."""
    if _xpath(path)(element) == []:
        return None
    text = _xpath(f"string({path})")(element)
    assert isinstance(text, str)
    return text


@settings(max_examples=60)
@given(tree=trees, data=st.data())
def test_every_path_gives_the_string_value_that_xpath_gives(tree: etree._Element, data: st.DataObject) -> None:
    element = data.draw(st.sampled_from(list(tree.iter())))
    for path, compiled in TEXTS.items():
        assert compiled(element) == _xpath_string(element, path), path


@settings(max_examples=60)
@given(tree=trees, data=st.data())
def test_every_element_path_finds_the_elements_that_xpath_finds(tree: etree._Element, data: st.DataObject) -> None:
    element = data.draw(st.sampled_from(list(tree.iter())))
    for path in ELEMENT_PATHS:
        expected = _xpath(path)(element)
        assert finds_elements(path)
        assert compile_elements(path, NAMESPACES)(element) == expected, path
        assert compile_nodes(path, NAMESPACES)(element) == expected, path


@pytest.mark.parametrize("path", ["@x", "a/@x", ".//@x", "a/@*", "a[@y]/@p:x", "//b/@y"])
@settings(max_examples=20)
@given(tree=trees)
def test_attribute_rows_are_the_attributes_that_xpath_finds(path: str, tree: etree._Element) -> None:
    found = etree.XPath(path, namespaces=SINGLE)(tree)
    assert isinstance(found, list)
    nodes = compile_nodes(path, NAMESPACES)(tree)
    assert [node.text for node in nodes if isinstance(node, ValueNode)] == found
    assert [node.owner for node in nodes if isinstance(node, ValueNode)] == [text.getparent() for text in found]


@pytest.mark.parametrize("path", OTHER_PATHS)
def test_a_path_that_may_find_other_nodes_than_elements_is_not_split(path: str) -> None:
    assert not finds_elements(path)


@pytest.mark.parametrize(
    ("path", "elements", "attribute"),
    [
        ("@id", ".", "id"),
        ("a/@p:x", "a", "{urn:p}x"),
        ("@xml:lang", ".", "{http://www.w3.org/XML/1998/namespace}lang"),
        ("a[@k='/']/b[c/@d = \"]\"]/@e", "a[@k='/']/b[c/@d = \"]\"]", "e"),
        ("a/b", "a/b", ""),
    ],
)
def test_a_path_is_split_into_elements_and_attribute(path: str, elements: str, attribute: str) -> None:
    split = split_path(path, NAMESPACES)
    assert split is not None
    assert (split.elements, split.attribute) == (elements, attribute)


@pytest.mark.parametrize("path", ["a | b/@c", "x - y/@c", "string(a/@b)", "@a/../@b", "a/text()", "$v/@a"])
def test_an_expression_is_not_mistaken_for_a_path_to_an_attribute(path: str) -> None:
    assert split_path(path, NAMESPACES) is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("count(Line)", "3"),
        ("sum(Line/@no) div 4", "1.5"),
        ("sum(Line/@no) * 1000000000000", "6000000000000"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("1 div 3", "0.3333333333333333"),
        ("4111111111111111 + 0", "4111111111111111"),
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991", "-9007199254740991"),
        ("9007199254740991 mod 10", "1"),
        ("floor(4111111111111111.5)", "4111111111111111"),
        ("ceiling(4111111111111110.5)", "4111111111111111"),
        ("round(4111111111111110.5)", "4111111111111111"),
        ("string(4111111111111111 + 1)", "4111111111111112"),
        ("concat('no ', 4111111111111111 + 1, '/', count(Line))", "no 4111111111111112/3"),
        ("substring(4111111111111111 + 1, 13)", "1112"),
        ("substring-before(4503599627370497 * 1, '497')", "4503599627370"),
        ("translate(1 * 4111111111111112, '1', 'x')", "4xxxxxxxxxxxxxx2"),
        ("contains(4503599627370497 + 0, '497')", "true"),
        ("string-length(4111111111111111 + 1)", "16"),
        ("string(sum(Line/@no) + 4111111111111105) = '4111111111111111'", "true"),
        ("count(Line[string(@no + 4111111111111110) = '4111111111111111'])", "1"),
        ("string((Line | Empty)[last()]/preceding-sibling::processing-instruction('x')[1] or //@no > 2)", "true"),
        ("1000000 * 1000000000", "1000000000000000"),
        ("0.00000012", "0.00000012"),
        ("-0", "0"),
        ("boolean(Empty)", "true"),
        ("count(Line) = 2", "false"),
        ("number(Missing)", "NaN"),
        ("number('1.85906265895')", "1.85906265895"),
        ("number(concat('0.11136231012689', '191')) * 1", "0.1113623101268919"),
        ("concat(number('2.987179584246648'), '/', number(' 7 '))", "2.987179584246648/7"),
        ("count(Line[number('1.85906265895') = number(concat('1.85906265895', ''))])", "3"),
        ("number('+1')", "NaN"),
        ("number('1 2')", "NaN"),
        ("number(true()) + number(1)", "2"),
    ],
)
def test_numbers_are_written_without_exponent_and_booleans_as_words(path: str, text: str) -> None:
    assert compile_text(path, NAMESPACES)(etree.fromstring(DOCUMENT)) == text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".", "A"),
        ("..", "first bold end"),
        ("../@no", "1"),
        ("../Text/b", "bold"),
        ("../../@id", "7"),
        ("../..//p:Tax", "3.80"),
        ("/Order/@p:state", "open"),
        ("../missing", None),
        ("name()", "sku"),
        ("local-name()", "sku"),
    ],
)
def test_paths_from_an_attribute_lead_to_its_owner(path: str, text: str | None) -> None:
    node = compile_nodes("Line/@sku", NAMESPACES)(etree.fromstring(DOCUMENT))[0]
    assert compile_text(path, NAMESPACES)(node) == text


@pytest.mark.parametrize(("path", "text"), [("name()", "p:rate"), ("local-name()", "rate")])
def test_the_name_of_an_attribute_in_a_namespace_has_the_prefix_of_the_document(path: str, text: str) -> None:
    node = compile_nodes("Line/p:Tax/@p:rate", NAMESPACES)(etree.fromstring(DOCUMENT))[0]
    assert compile_text(path, NAMESPACES)(node) == text


@pytest.mark.parametrize("path", ["@no", "Text", "count(..)", "concat(., ../@no)", "../@no | ../@sku"])
def test_paths_that_cannot_start_from_an_attribute_are_errors(path: str) -> None:
    node = compile_nodes("Line/@sku", NAMESPACES)(etree.fromstring(DOCUMENT))[0]
    with pytest.raises(RuleError) as caught:
        compile_text(path, NAMESPACES)(node)
    assert caught.value.code == "path_failed"


def test_text_nodes_are_rows_and_lead_to_the_element_they_are_in() -> None:
    nodes = compile_nodes("Line[1]/Text/text()", NAMESPACES)(etree.fromstring(DOCUMENT))
    read, read_parent = compile_text(".", NAMESPACES), compile_text("../../@no", NAMESPACES)
    assert [(read(node), read_parent(node)) for node in nodes] == [("first ", "1"), (" end", "1")]


def _first(path: str) -> Node:
    return compile_nodes(path, NAMESPACES)(etree.fromstring(DOCUMENT))[0]


def test_rows_below_an_attribute_start_at_its_owner() -> None:
    nodes = compile_nodes("../Text/b", NAMESPACES)(_first("Line/@sku"))
    assert [compile_text(".", NAMESPACES)(node) for node in nodes] == ["bold"]


def test_rows_need_nodes() -> None:
    with pytest.raises(RuleError) as caught:
        compile_nodes("count(Line)", NAMESPACES)(etree.fromstring(DOCUMENT))
    assert caught.value.code == "path_failed"


def test_nodes_that_have_no_text_are_errors() -> None:
    root = etree.fromstring(DOCUMENT)
    for compiled in (compile_text("namespace::*", NAMESPACES), compile_nodes("namespace::*", NAMESPACES)):
        with pytest.raises(RuleError) as caught:
            compiled(root)
        assert caught.value.code == "path_failed"


def test_the_string_value_of_an_element_leaves_comments_out() -> None:
    root = etree.fromstring("<a>one<!-- not this --> two<b> three</b></a>")
    assert compile_text(".", {})(root) == "one two three"
