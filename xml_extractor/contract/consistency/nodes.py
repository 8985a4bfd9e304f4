"""Check the keys of a contract, and the named nodes and `base` of tables."""

from collections.abc import Iterator

from xml_extractor.contract.consistency.paths import parsed, position_within
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault
from xml_extractor.contract.match_patterns import pattern_faults
from xml_extractor.contract.xpath import Path


def key_pattern_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the patterns of keys that are no match patterns of elements."""
    for name, key in draft.contract.keys.items():
        expression = parsed(key.match)
        for offset in () if expression is None else pattern_faults(expression):
            yield draft.text.fault(
                ("keys", name, "match"),
                "this is not a match pattern of elements",
                expected="names of elements, * and //, with predicates, as in m:People//m:Person[@id]",
                within=position_within(key.match, offset),
            )


def base_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the `base` of tables that is no element."""
    for path, _, table in draft.tables():
        match parsed(table.base) if table.base is not None else None:
            case Path(steps=(*_, last)) if last.axis == "attribute" or last.test == "text()":
                found, expected = "a path to attributes or text", "a path to the element where paths start"
                yield draft.text.fault((*path, "base"), found=found, expected=expected)
