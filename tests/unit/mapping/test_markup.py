"""The markup of elements, with comments and processing instructions that paths do not see."""

import time

import pytest
from lxml import etree

from xml_extractor.mapping.markup import Markup


def test_markup_has_the_namespaces_in_scope_and_no_text_after_the_element() -> None:
    root = etree.fromstring('<a xmlns:p="urn:p"><b p:x="1">t<c/></b>tail</a>')
    assert Markup(root).of(root[0]) == '<b xmlns:p="urn:p" p:x="1">t<c/></b>'


@pytest.mark.parametrize(
    "content",
    [
        "<a><b>one<!--x-->two<?y z?>three<c/>four<!--x-->five</b></a>",
        "<a><!--x--><b><!--x--></b><!--x--></a>",
        "<a>t<!--x--><b>u</b>v<?y?>w</a>",
        "<a><b/><!--x-->tail<b><!--x--><!--y-->u</b></a>",
    ],
)
def test_paths_find_a_tree_without_comments_and_markup_has_them(content: str) -> None:
    root = etree.fromstring(content)
    markup = Markup(root)
    plain = etree.fromstring(content, etree.XMLParser(remove_comments=True, remove_pis=True))
    for path in ("//text()", "//node()", "//*[1]/node()[1]", "//b/text()[1]"):
        assert [str(found) for found in root.xpath(f"{path}/self::text()")] == plain.xpath(f"{path}/self::text()")
    assert etree.tostring(root) == etree.tostring(plain)
    assert markup.of(root) == content
    for element, original in zip(root.iter("*"), etree.fromstring(content).iter("*"), strict=True):
        assert markup.of(element) == etree.tostring(original, encoding="unicode", with_tail=False)


def test_prefixes_in_texts_keep_their_namespaces_and_a_long_word_takes_linear_time() -> None:
    root = etree.fromstring('<a xmlns:p="urn:p" xmlns:q="urn:q" xmlns:r="urn:r"><b t="1p:x">-q:y</b><c/></a>')
    assert Markup(root).of(root[0]) == '<b xmlns:p="urn:p" xmlns:q="urn:q" t="1p:x">-q:y</b>'
    root[1].text = "x" * 5_000_000
    started = time.process_time()
    assert Markup(root).of(root[1]) == f"<c>{root[1].text}</c>"
    assert time.process_time() - started < 30


def test_many_comments_in_one_text_take_linear_time() -> None:
    root = etree.fromstring(f"<a>{'text<!--x-->' * 100_000}</a>")
    started = time.process_time()
    Markup(root)
    assert root.text == "text" * 100_000
    assert time.process_time() - started < 30
