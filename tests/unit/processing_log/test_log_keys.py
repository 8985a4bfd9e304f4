"""Keys that the processing log can hold, and keys that stand for others."""

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xml_extractor.processing_log.log_keys import (
    UnusableKey,
    is_fetchable,
    log_key,
    null_key,
    source_key,
    standing_in,
    stands_for_another,
)

LONG = "k" * 301


@pytest.mark.parametrize(
    "key", [0, -7, "a", " ", "a ", "\t\n", "k" * 300, "\U0001f600" * 150, "\\udcff", "~0123456789abcdef"]
)
def test_a_key_that_the_log_can_hold_is_left_as_it_is(key: int | str) -> None:
    assert log_key(key) == key
    assert not isinstance(log_key(key), UnusableKey)
    assert source_key(key) == key


@pytest.mark.parametrize(
    ("key", "readable", "original"),
    [
        ("", "", ""),
        ("\udcff.xml", "\\udcff.xml", "\udcff.xml"),
        ("\ud800\\", "\\ud800\\u005c", "\ud800\\"),
        ("\udcff\x1b[31m\u2028", "\\udcff\\u001b[31m\\u2028", "\udcff\x1b[31m\u2028"),
        (LONG, LONG[:283], LONG),
        ("\U0001f600" * 151, "\U0001f600" * 141, "\U0001f600" * 151),
        (b"a\xff", "a\\udcff", None),
        (1.5, "1.5", None),
    ],
)
def test_another_key_stands_for_one_that_the_log_cannot_hold(key: object, readable: str, original: str | None) -> None:
    found = log_key(key)
    assert isinstance(found, UnusableKey)
    assert (found.rpartition("~")[0], found.original) == (readable, original)
    assert stands_for_another(found)
    assert is_fetchable(found) is (original is not None)
    assert log_key(str(found)) == found, "it can be held"
    copy = pickle.loads(pickle.dumps(found))
    assert (copy, copy.original, copy.explanation) == (found, found.original, found.explanation)


def test_documents_without_key_are_numbered() -> None:
    assert [null_key(1), null_key(300)] == ["NULL~0000000000000001", "NULL~000000000000012c"]


@given(st.text(st.characters(), max_size=30))
def test_the_escapes_can_be_read_back(key: str) -> None:
    readable = standing_in(key, key, "").rpartition("~")[0]
    assert re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), readable) == key
    readable.encode("utf-16-le")


def test_keys_that_differ_have_other_keys_that_differ() -> None:
    keys = [LONG, LONG + "k", LONG[:-1] + "l", "\udcff", "\udcfe", "\\udcff\ud800", ""]
    assert len({str(standing_in(key, key, "")) for key in keys}) == len(keys)
