"""Prefixed names become names in Clark notation."""

import pytest

from xml_extractor.contract.names import clark_names

NAMESPACES = {"cbc": ("urn:components",), "": ("urn:never",), "v": ("urn:2", "urn:1", "")}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cbc:ID", ("{urn:components}ID",)),
        ("ID", ("ID",)),
        ("xml:lang", ("{http://www.w3.org/XML/1998/namespace}lang",)),
        ("v:ID", ("{urn:2}ID", "{urn:1}ID", "ID")),
    ],
)
def test_a_prefixed_name_gets_its_namespace_and_another_none(name: str, expected: tuple[str, ...]) -> None:
    assert clark_names(name, NAMESPACES) == expected


def test_a_prefix_that_nobody_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="the prefix 'cac' of 'cac:Party' is not in namespaces"):
        clark_names("cac:Party", NAMESPACES)
