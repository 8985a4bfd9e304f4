"""Rewritten XPath expressions mean what they meant."""

import re

import pytest

from xml_extractor.contract.rewriting import starting_at, written
from xml_extractor.contract.xpath import parse_xpath


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a - b - c", "a - b - c"),
        ("a - (b - c)", "a - (b - c)"),
        ("-(a + b) * 2", "- (a + b) * 2"),
        ("- - a", "- - a"),
        ("-(a | b)", "- a | b"),
        ("a and (b or c)", "a and (b or c)"),
        ("a or b and c", "a or b and c"),
        ("(a = b) = c", "a = b = c"),
        ("a = (b = c)", "a = (b = c)"),
        ("a < (b < c)", "a < (b < c)"),
        ("(a + b) div c mod d", "(a + b) div c mod d"),
        ("a div (b div c)", "a div (b div c)"),
        ("(a | b)[1]/@c", "(a | b)[1]/@c"),
        ("count(a | b) - -1", "count(a | b) - - 1"),
        ("//a[. = 'x']/..", "/descendant-or-self::node()/a[self::node() = 'x']/parent::node()"),
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
        ("@a", "($v)/@a"),
        ("a[b]/c", "($v)/a[b]/c"),
        ("/a", "/a"),
        ("concat(a, name())", "concat(($v)/a, name($v))"),
        ("(a | b)[c]", "(($v)/a | ($v)/b)[c]"),
        ("$w/a = current()", "($w)/a = current()"),
    ],
)
def test_only_what_starts_at_the_context_node_starts_at_the_variable(text: str, expected: str) -> None:
    assert written(starting_at(parse_xpath(text), "v")) == expected
