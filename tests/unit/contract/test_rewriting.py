"""Rewritten XPath expressions mean what they meant."""

import re

import pytest

from xml_extractor.contract.rewriting import starting_at, written
from xml_extractor.contract.xpath import parse_xpath


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a - b - c", "child::a - child::b - child::c"),
        ("a - (b - c)", "child::a - (child::b - child::c)"),
        ("-(a + b) * 2", "- (child::a + child::b) * 2"),
        ("- - a", "- - child::a"),
        ("-(a | b)", "- child::a | child::b"),
        ("a and (b or c)", "child::a and (child::b or child::c)"),
        ("a or b and c", "child::a or child::b and child::c"),
        ("(a = b) = c", "child::a = child::b = child::c"),
        ("a = (b = c)", "child::a = (child::b = child::c)"),
        ("a < (b < c)", "child::a < (child::b < child::c)"),
        ("(a + b) div c mod d", "(child::a + child::b) div child::c mod child::d"),
        ("a div (b div c)", "child::a div (child::b div child::c)"),
        ("(a | b)[1]/@c", "(child::a | child::b)[1]/attribute::c"),
        ("count(a | b) - -1", "count(child::a | child::b) - - 1"),
        ("//a[. = 'x']/..", "/descendant-or-self::node()/child::a[self::node() = 'x']/parent::node()"),
    ],
)
def test_an_expression_is_written_with_the_brackets_that_it_needs(text: str, expected: str) -> None:
    expression = parse_xpath(text)
    assert written(expression) == expected
    again = parse_xpath(expected)
    assert re.sub(r"offset=\d+", "", repr(again)) == re.sub(r"offset=\d+", "", repr(expression))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (".", "$v"),
        ("@a", "($v)/attribute::a"),
        ("a[b]/c", "($v)/child::a[child::b]/child::c"),
        ("/a", "/child::a"),
        ("concat(a, name())", "concat(($v)/child::a, name($v))"),
        ("(a | b)[c]", "(($v)/child::a | ($v)/child::b)[child::c]"),
        ("$w/a = current()", "($w)/child::a = current()"),
    ],
)
def test_only_what_starts_at_the_context_node_starts_at_the_variable(text: str, expected: str) -> None:
    assert written(starting_at(parse_xpath(text), "v")) == expected
