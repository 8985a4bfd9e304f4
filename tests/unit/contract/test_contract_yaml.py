"""YAML 1.2 is read as written, with the place of every part."""

import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from xml_extractor.contract.reading import shipped_contracts, shipped_text
from xml_extractor.contract.yaml_text import MAX_PARTS, YamlText


def read(text: str) -> YamlText:
    found = YamlText("c", text)
    assert found.faults == []
    assert found.is_readable
    return found


def faults_of(text: str) -> list[str]:
    return [str(fault) for fault in YamlText("c", text).faults]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("off", "off"),
        ("2024-02-29", "2024-02-29"),
        ("2024-02-29T10:00:00Z", "2024-02-29T10:00:00Z"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("007", 7),
        ("-12", -12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.50", Decimal("1.50")),
        ("-.5", Decimal("-0.5")),
        ("1e3", Decimal("1e3")),
        ("0.1000000000000000055511151231257827", Decimal("0.1000000000000000055511151231257827")),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("9" * 500, "9" * 500),
        ("1e99999", "1e99999"),
    ],
)
def test_a_scalar_is_what_the_core_schema_of_yaml_1_2_says(text: str, expected: object) -> None:
    data = read(f"a: {text}\n").data
    assert data == {"a": expected}
    assert isinstance(data, dict)
    assert type(data["a"]) is type(expected)


def test_a_directive_for_yaml_1_1_changes_nothing() -> None:
    assert read("%YAML 1.1\n---\na: NO\n").data == {"a": "NO"}


@pytest.mark.parametrize("key", ["01", "1", "NO", "true", "~", "1.50", "2024-01-01"])
def test_a_key_is_text_as_written(key: str) -> None:
    assert read(f"{key}: x\n").data == {key: "x"}


def test_json_is_read_too() -> None:
    assert read('{"a": [1, 2.50, null, "\\u00e9"],\n "b": {"c": false}}').data == {
        "a": [1, Decimal("2.50"), None, "é"],
        "b": {"c": False},
    }


def test_a_character_that_json_writes_as_two_escapes_is_one_character() -> None:
    assert read('{"\\ud83d\\ude00": "\\ud83d\\ude00"}').data == {"\U0001f600": "\U0001f600"}


def test_half_a_character_is_a_fault() -> None:
    message = "c:1:4: a: the text has half a character: a surrogate without its other half"
    assert faults_of('a: "\\ud83d"') == [message]


def test_anchors_aliases_and_merge_keys_are_followed() -> None:
    root = read("base: &base {a: 1, b: 2}\none: *base\ntwo: {<<: *base, b: 3}\nthree: {<<: [{a: 5}, *base]}\n")
    assert root.data == {
        "base": {"a": 1, "b": 2},
        "one": {"a": 1, "b": 2},
        "two": {"b": 3, "a": 1},
        "three": {"a": 5, "b": 2},
    }


def test_aliases_that_would_fill_the_memory_are_refused_at_once() -> None:
    levels = (f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 40))
    started = time.monotonic()
    found = YamlText("c", "\n".join(["a0: &a0 [x]", *levels]))
    assert not found.is_readable
    assert [fault.message for fault in found.faults] == [
        f"the contract has more than {MAX_PARTS:,} parts when its aliases are expanded"
    ]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_nesting_without_end_is_a_fault(opening: str) -> None:
    found = YamlText("c", "a:\n  " + opening * 20_000)
    assert not found.is_readable
    assert len(found.faults) == 1


def test_a_control_character_is_a_fault_at_its_place() -> None:
    assert faults_of("a: b\nc: d\x01") == ["c:2:5: this is not YAML: a control character, expected printable text"]


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"])
def test_a_separator_of_lines_that_editors_do_not_show_is_a_fault(separator: str) -> None:
    escape = f"\\u{ord(separator):04x}"
    message = f"this is not YAML: a separator of lines, expected an escape between double quotes: {escape}"
    assert faults_of(f"a: b\nc: 'd{separator}e'") == [f"c:2:6: {message}"]


def test_a_tag_beyond_the_core_schema_is_a_fault() -> None:
    message = "c:1:4: a: the tag tag:yaml.org,2002:timestamp is not supported, expected no tag"
    assert faults_of("a: !!timestamp 2024-02-29") == [message]


@pytest.mark.parametrize("name", shipped_contracts())
def test_a_contract_is_read_the_same_without_libyaml(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lines(found: YamlText, path: tuple[str | int, ...] = ()) -> Iterator[str]:
        yield str(found.fault(path, key=True))
        yield str(found.fault(path))
        data = found.data_at(path)
        for part in data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ():
            yield from lines(found, (*path, part))

    found = read(shipped_text(name))
    monkeypatch.setattr("yaml.__with_libyaml__", False)
    expected = read(shipped_text(name))
    assert found.data == expected.data
    assert list(lines(found)) == list(lines(expected))


STYLES = """\
block:
  plain: one
  'quoted': "two"
  list:
  - three
  -   four
flow: {a: {b: [five, {c: six}]}, d: seven}
literal: |
  eight
"""


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("block",), "1:1", "2:3"),
        (("block", "plain"), "2:3", "2:10"),
        (("block", "quoted"), "3:3", "3:13"),
        (("block", "list"), "4:3", "5:3"),
        (("block", "list", 0), "5:5", "5:5"),
        (("block", "list", 1), "6:7", "6:7"),
        (("flow", "a", "b", 0), "7:16", "7:16"),
        (("flow", "a", "b", 1, "c"), "7:23", "7:26"),
        (("flow", "d"), "7:34", "7:37"),
        (("literal",), "8:1", "8:10"),
    ],
)
def test_every_part_has_the_place_of_its_key_and_of_its_value(
    path: tuple[str | int, ...], key: str, value: str
) -> None:
    found = read(STYLES)
    assert str(found.fault(path, key=True)).startswith(f"c:{key}: ")
    assert str(found.fault(path)).startswith(f"c:{value}: ")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: one two three", "three"),
        ("a: 'one ''two'' three'", "three"),
        ('a: "one \\"two\\" \\x41 \\u0041 three"', "three"),
        ('a: "one\\\n   two three"', "two"),
        ("a: one\n  two\n\n  three", "three"),
        ("a: |\n  one\n    two\n  three", "two"),
        ("a: |4+ # comment\n      one\n    two\n", "two"),
        ("a: >-\n  one\n  two\n\n\n  three", "three"),
        ('a: "one\\ntwo\\tthree"', "three"),
    ],
)
def test_a_place_inside_a_text_is_found_in_the_file_in_every_style(text: str, word: str) -> None:
    root = read(text)
    assert isinstance(root.data, dict)
    value = str(root.data["a"])
    before = value[: value.index(word)]
    within = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    place = text.index(word)
    line, column = text[:place].count("\n") + 1, place - text[:place].rfind("\n")
    assert str(root.fault(("a",), within=within)) == f"c:{line}:{column}: a: "


def test_a_place_behind_the_end_of_a_text_is_the_character_behind_it() -> None:
    text = "a: one\n"
    assert str(read(text).fault(("a",), within=(1, 4))) == "c:1:7: a: "
