"""Keys of a document: what patterns match, in which order nodes come, and what records share."""

import pytest
from lxml import etree

from xml_extractor.contract.model import Key
from xml_extractor.mapping.keys import Keys

DOCUMENT = """
<Doc xmlns:p="urn:p">
  <Part id="a"><Part id="b"><Name>x</Name></Part><p:Part id="c"><Name>x</Name><Name>y</Name></p:Part></Part>
  <Box><Part id="d"/><Wrap><Part id="e"/></Wrap></Box>
</Doc>
"""


def found(match: str, use: str = "'x'", value: object = "x") -> list[str]:
    keys = Keys({"k": Key(match=match, use=use)}, {"p": ("urn:p", "urn:q"), "q": ("urn:p", "")})
    keys.enter(etree.fromstring(DOCUMENT))
    return [str(element.get("id")) for element in keys.find(None, "k", value)]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("Part", ["a", "b", "d", "e"]),
        ("Part/Part", ["b"]),
        ("Box/Part", ["d"]),
        ("Box//Part", ["d", "e"]),
        ("//Part", ["a", "b", "d", "e"]),
        ("/Part", []),
        ("/Doc/Part", ["a"]),
        ("/Doc//Part[Name]", ["b"]),
        ("*[@id]", ["a", "b", "c", "d", "e"]),
        ("*/*/*", ["b", "None", "c", "None", "None", "d", "None", "e"]),
        ("p:Part", ["c"]),
        ("q:Part", ["a", "b", "c", "d", "e"]),
        ("Part[2]", []),
        ("*[2]", ["c", "None", "None", "None"]),
        ("Part[last()]", ["a", "b", "d", "e"]),
        ("Box/Part | Part/*[@id] | Part[@id = 'a']", ["a", "b", "c", "d"]),
        ("Part[.//Name = 'y']/Part", ["b"]),
        ("Part[@id = 'a']//Name[. = 'y']", ["None"]),
    ],
)
def test_a_pattern_matches_as_in_xslt(match: str, expected: list[str]) -> None:
    root = etree.fromstring(DOCUMENT)
    anywhere = [path if path.startswith("/") else f"//{path}" for path in match.split(" | ")]
    names = {"p": "urn:p"}
    if "q:" not in match:
        assert [str(each.get("id")) for each in root.xpath(" | ".join(anywhere), namespaces=names)] == expected
    assert sorted(found(match)) == sorted(expected)
    assert found(match) == expected


def test_an_element_may_have_several_values_and_a_value_several_elements() -> None:
    assert found("*", "Name", "x") == ["b", "c"]
    assert found("*", "Name", "y") == ["c"]
    assert found("*", "@id | Name", ["c", "x", "x", "none", "b"]) == ["b", "c"]


def test_numbers_and_truth_are_compared_as_text() -> None:
    assert found("*[@id]", "count(Name)", 2.0) == ["c"]
    assert found("*[@id]", "boolean(Name)", value=True) == ["b", "c"]


def test_a_blank_value_finds_nothing_and_is_not_asked_for() -> None:
    keys = Keys({"k": Key(match="*", use="' '")}, {})
    keys.enter(etree.fromstring(DOCUMENT))
    assert keys.find(None, "k", [" ", ""]) == []
    assert not keys.was_asked


@pytest.mark.parametrize(
    ("match", "use"),
    [
        ("Person", "@id"),
        ("Set/Person | Record/Person | Set", "@id | Record/@id"),
        ("Person[last()]", "@id"),
        ("*", "../@no | @id"),
    ],
)
def test_records_that_share_a_header_find_what_a_search_of_each_would_find(match: str, use: str) -> None:
    top = etree.fromstring("<Set id='set'><Person id='p1'/><Person id='p2'/></Set>")
    keys = Keys({"k": Key(match=match, use=use)}, {})
    for number in range(3):
        del top[2:]
        record = etree.fromstring(
            f"<Record no='{number}' id='r{number}'><Person id='p2'/><Person id='q{number}'/></Record>"
        )
        top.append(record)
        keys.enter(record)
        fresh = Keys({"k": Key(match=match, use=use)}, {})
        fresh.enter(etree.fromstring(etree.tostring(top)))
        for value in ("p1", "p2", "q0", "q1", "q2", "r0", "r1", "r2", "0", "1", "2", "set"):
            ours = [etree.tostring(element) for element in keys.find(None, "k", [value, "p2"])]
            assert ours == [etree.tostring(element) for element in fresh.find(None, "k", [value, "p2"])], value
        keys.leave()


def test_a_header_is_indexed_once_for_all_its_records() -> None:
    top = etree.Element("Set")
    top.extend(etree.Element("Person", id=str(number)) for number in range(50))
    keys = Keys({"k": Key(match="Person", use="@id")}, {})
    sizes = []
    for number in range(4):
        del top[50:]
        top.append(etree.fromstring(f"<Record><Person id='own{number}'/></Record>"))
        keys.enter(top[50])
        assert [element.get("id") for element in keys.find(None, "k", "7")] == ["7"]
        sizes.append(len(keys.index_of("k")))
        keys.leave()
    assert sizes == [1, 1, 1, 1]
