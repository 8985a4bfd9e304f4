"""The product uses the terms of its glossary, and terms that were replaced do not come back."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "documentation" / "reference" / "glossary.md"

REPLACED = {
    "blames?": "error class",
    "refusals?": "error",
    "(puts?|putting) back": "mark for retry",
    "tried again": "retry",
    "may pass": "transient",
    "(do|does|doing|done) again": "reprocess",
    "(do|does|doing|done) (it|them|documents) again": "reprocess",
    "key places?": "key columns",
    "places of replaced": "delete plan",
    "deadly": "poison document",
    "held queue": "bounded queue",
    "loads? themselves": "back-pressure",
    "look around": "poll events",
    "write whole": "atomic write",
    "whole or not at all": "atomic",
    "for which all holds": "all criteria must match",
    "not as it was read": "unchanged since it was read",
    "is known for": "unsupported",
    "(is|are|be|been) told": "report, distinguish",
    "said once": "logged once",
    "says? so": "report",
    "say what": "report",
    "what became of": "outcome",
    "as often as": "a number",
    "so many": "a number",
    "far away": "distant",
    "(go|goes|went|going) on": "continue, resume",
    "see that": "check",
    "let go of": "close",
    "takes? apart": "parse",
    "at work": "running",
    "mend(s|ed|ing)?": "correct",
}
"""Phrases that the product does not use, in prose or in names, and what to write instead. Words are regular
expressions."""

BETWEEN_WORDS = r"(?:[\s_]|\n *#)*"
"""Spaces, underscores, line breaks, also in comments; or nothing, as in CamelCase."""

TEXTS = [
    *(path for folder in ("xml_extractor", "env_prep", "metrics") for path in sorted((ROOT / folder).rglob("*.py"))),
    *sorted((ROOT / "xml_extractor" / "contracts").glob("*.yaml")),
    *sorted((ROOT / "documentation").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "production_processor.py")),
    ROOT / "metrics" / "benchmarks" / "README.md",
]


def pattern(phrase: str) -> re.Pattern[str]:
    """Match a phrase in any case, in prose and in names."""
    return re.compile(f"(?<![a-z]){BETWEEN_WORDS.join(phrase.split())}(?![a-z])", re.IGNORECASE)


def uses(phrase: str, text: str) -> list[int]:
    """Return the numbers of the lines in which a text uses a phrase."""
    return [text.count("\n", 0, found.start()) + 1 for found in pattern(phrase).finditer(text)]


@pytest.mark.parametrize("text", ["put back", "def put_back(", "PutBack", "Puts\n    # back", "_PUT_BACK"])
def test_a_phrase_is_found_in_prose_and_in_names(text: str) -> None:
    assert uses("puts? back", text) == [1]


@pytest.mark.parametrize("text", ["output back", "put backwards", "put it back"])
def test_a_phrase_is_not_found_in_other_words(text: str) -> None:
    assert uses("puts? back", text) == []


def test_replaced_terms_do_not_come_back() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: '{phrase}'; write: {term}"
        for path in TEXTS
        for text in [path.read_text(encoding="utf-8")]
        for phrase, term in REPLACED.items()
        for line in uses(phrase, text)
    ]
    assert found == []


def test_the_glossary_is_in_alphabetical_order_and_defines_each_term_once() -> None:
    rows = [line.split("|")[1].strip() for line in GLOSSARY.read_text(encoding="utf-8").splitlines()[6:]]
    assert len(rows) > 40
    assert rows == sorted(set(rows), key=str.casefold)


@pytest.mark.parametrize("term", ["idempotent", "upsert", "dead letter", "back-pressure", "watermark"])
def test_standard_terms_of_the_field_are_defined(term: str) -> None:
    assert f"| {term}" in GLOSSARY.read_text(encoding="utf-8")
