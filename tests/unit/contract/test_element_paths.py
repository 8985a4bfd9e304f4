"""Tests of which elements and attributes the paths of a contract read."""

from typing import Any

import pytest

from xml_extractor.contract.element_paths import ElementPaths, start_position
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import check_text

NOTHING_NAMED = """
contract: ig
version: 1
document: {root: Set, read_until: A/B, key: "@id"}
ignore: [Reference/Raw, A/B/C, /Set/Raw, "Old//*"]
tables:
  t:
    rows: "A/B"
    columns:
      id: {run: document_key, key: true}
      raw: {path: "X/Raw", type: int}
      any: {path: "count(.//*)", type: int}
"""


def contract(columns: dict[str, Any], rows: str = ".", **others: Any) -> Contract:
    key = {"run": "source_key", "key": True}
    text = {name: {"path": path, "type": "nvarchar(20)"} for name, path in columns.items()}
    parts: dict[str, Any] = {"contract": "c", "version": 1, "document": {"root": "r"}} | others
    return Contract.model_validate({**parts, "tables": {"t": {"rows": rows, "columns": {"k": key, **text}}}})


def readers(made: Contract, path: str) -> set[str]:
    """What reads the element or attribute at a path of names from the root element."""
    position = start_position(ElementPaths(made))
    for name in ["r", *path.split("/")]:
        if name.startswith("@"):
            return set(position.attribute(name[1:]))
        position = position.child(name)
    return set(position.readers)


@pytest.mark.parametrize(
    ("xpath", "read", "unread"),
    [
        ("a/b", ["a", "a/b", "a/b/c"], ["b", "a/c", "a/b/@x", "a/@x"]),
        ("a/@x", ["a", "a/@x"], ["a/@y", "a/b"]),
        ("a[@x = 1]/b", ["a/@x", "a/b"], ["a/@y"]),
        ("a[b]/c", ["a/b", "a/c"], ["a/b/d", "a/d"]),
        ("count(a/b)", ["a/b"], ["a/b/c"]),
        ("//b", ["b", "x/y/b", "b/c"], ["c", "x/y"]),
        ("a//b/@x", ["a/q/b/@x", "a/b/@x"], ["b/@x", "a/q/@x"]),
        ("*/b", ["a/b", "q/b"], ["q/c"]),
        ("@*", ["@x"], ["a/@x"]),
        ("a/../b", ["a", "b"], ["c"]),
        ("a/b/ancestor::a/c", ["a/b", "a/c"], ["a/d"]),
        ("a/following-sibling::b", ["a", "b"], ["c"]),
        ("a | b", ["a", "b"], ["c"]),
        ("concat(a, b/@x)", ["a", "b/@x"], ["b/c"]),
        ("a[not(b = 'x')]/@y", ["a/b", "a/@y"], ["a/c"]),
        ("string(a)", ["a/b/c"], ["a/b/@x"]),
        ("string-length(name(a))", ["a"], ["a/b"]),
        ("a/text()", ["a"], ["a/b"]),
        ("self::q/a", [], ["a"]),
        ("/r/a", ["a"], ["b"]),
        ("a/preceding::b", ["q/b"], ["q/c"]),
        ("a/descendant::b", ["a/b", "a/x/b"], ["b"]),
        ("descendant-or-self::b/@x", ["q/b/@x"], ["q/@x"]),
    ],
)
def test_a_path_reads_what_it_selects_counts_passes_through_or_takes_the_text_of(
    xpath: str, read: list[str], unread: list[str]
) -> None:
    made = contract({"v": xpath})
    assert [path for path in read if not readers(made, path)] == []
    assert [path for path in unread if readers(made, path)] == []


def test_markup_reads_all_elements_and_attributes_in_it() -> None:
    made = Contract.model_validate(
        {
            "contract": "c",
            "version": 1,
            "document": {"root": "r"},
            "tables": {"t": {"rows": ".", "columns": {"m": {"path": "a", "type": "xml"}}}},
        }
    )
    assert readers(made, "a/b/@x") == readers(made, "a/@x") == {"t.m"}
    assert readers(made, "@x") == set()


def test_a_tree_is_read_at_any_depth() -> None:
    made = Contract.model_validate(
        {
            "contract": "c",
            "version": 1,
            "document": {"root": "r"},
            "tables": {
                "t": {
                    "rows": "top/s",
                    "recursive": "sub/s",
                    "columns": {
                        "k": {"path": "@id", "type": "int", "key": True},
                        "above": {"path": "../@n", "type": "int"},
                    },
                }
            },
        }
    )
    for path in ("top/s/@id", "top/s/sub/s/@id", "top/s/sub/s/sub/s/sub/s/@id", "top/@n", "top/s/sub/s/sub/@n"):
        assert readers(made, path), path
    for path in ("top/s/s", "top/s/sub/@id", "top/s/sub/s/x"):
        assert not readers(made, path), path


def test_keys_named_nodes_and_all_namespaces_of_a_prefix_count() -> None:
    made = contract(
        {"v": "key('k', @ref)/m:Name"},
        namespaces={"m": ["urn:1", "urn:2", ""]},
        keys={"k": {"match": "m:P[@role]", "use": "@id"}},
    )
    for path in ("q/P/@id", "q/{urn:1}P/@role".replace("urn:1", "urn#1"), "@ref"):
        assert readers(made, path.replace("urn#1", "urn:1")) or "{" in path, path
    assert readers(made, "{urn:1}P/{urn:2}Name") == {"t.v"}
    assert readers(made, "{urn:3}P") == set()


def test_readers_are_named_by_table_and_column() -> None:
    made = contract({"v": "b"}, rows="a")
    assert readers(made, "a") == {"t (rows)"}
    assert readers(made, "a/b/c") == {"t.v"}


def test_elements_that_no_path_names_can_be_ignored() -> None:
    _, faults = check_text("contract.yaml", NOTHING_NAMED)
    assert list(faults) == []
