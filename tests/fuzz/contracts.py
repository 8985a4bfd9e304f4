"""Damaged contracts: those of the golden cases, which use every key, with lines and words changed, moved and lost."""

import re
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.fuzz.driver import BadOutcomeError, Outcome
from tests.mapped_both_ways import map_both_ways
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import check_text
from xml_extractor.documents import RunValues
from xml_extractor.mapping import MappingError, compile_plan, read_revision
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules

CASES = Path(__file__).parents[1] / "cases"
VALID, FAULTY = "valid", "faulty"

_WORD = re.compile(r"[\w$@%.-]+|[^\s\w]")
_ODD = (
    *(
        "",
        "null",
        "~",
        "[]",
        "{}",
        "[[]]",
        "true",
        "-1",
        "0",
        "1e9",
        "9" * 400,
        '""',
        "'",
        '"',
        ":",
        "- ",
        "&a",
        "*a",
        "!!x",
    ),
    *(
        "@id",
        ".",
        "..",
        "//*",
        "$x",
        "$x/y",
        "key('k', .)",
        "key('k')",
        "id('x')",
        "current()",
        "self::*",
        "a[",
        "a:b",
        "x" * 5000,
    ),
    *(
        "count(//*[count(//*) > 0])",
        "(" * 300,
        "a/" * 3000 + "a",
        "%Y-%m",
        "%Y%m%d%H",
        "decimal(38,38)",
        "varchar(0)",
        "xml",
    ),
    *(
        "reject",
        "truncate",
        "[round, 'null']",
        "[truncate, reject]",
        "first",
        "last",
        "only",
        "join",
        "sum",
        "min",
        "source",
    ),
    *(
        "records: a",
        "header: [b]",
        "nodes: {n: x}",
        "base: x",
        "recursive: x",
        "recursive: .",
        "reference: t.c",
        "at: x",
    ),
    *(
        "keys: {k: {match: x, use: '@id'}}",
        "ignore: [x]",
        "unread: reject",
        "partial: last",
        "each: .",
        "\t",
        "\ufeff",
        "é",
        "\x85",
    ),
)


class FuzzedContract(NamedTuple):
    """A contract, and a document that the undamaged one maps."""

    corpus: str
    text: str
    document: bytes


@cache
def _cases() -> tuple[tuple[str, str, bytes], ...]:
    found = []
    for contract in sorted(CASES.glob("*/contract.yaml")):
        document = contract.with_name("document.xml")
        if document.is_file():
            found.append((contract.parent.name, contract.read_text(encoding="utf-8"), document.read_bytes()))
    return tuple(found)


def fuzzed_contract(random: Random) -> FuzzedContract:
    """Return a contract with a few changes."""
    name, text, document = random.choice(_cases())
    lines = text.split("\n")
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        place = random.randrange(len(lines))
        match random.randrange(7):
            case 0:
                del lines[place]
                lines = lines or [""]
            case 1:
                lines.insert(place, lines[random.randrange(len(lines))])
            case 2:
                other = random.choice(_cases())[1].split("\n")
                lines.insert(place, random.choice(other))
            case 3:
                lines[place] = random.choice(("", " ", "  ", "    ")) + lines[place].strip()
            case _:
                words = list(_WORD.finditer(lines[place]))
                if words:
                    word = random.choice(words)
                    new = random.choice(_ODD) if random.random() < 0.6 else _any_word(random)
                    lines[place] = lines[place][: word.start()] + new + lines[place][word.end() :]
    return FuzzedContract(f"contract of {name}", "\n".join(lines), document)


def _any_word(random: Random) -> str:
    words = _WORD.findall(random.choice(_cases())[1])
    return str(random.choice(words))


def outcome_of_contract(fuzzed: FuzzedContract, run: RunValues) -> Outcome:
    """Check the contract; if it is valid, compile it and map its document.

    Raises:
        BadOutcomeError: A fault has no place, or its message is not one line.
    """
    contract, faults = check_text("fuzzed.yaml", fuzzed.text)
    if contract is None or faults:
        if not faults:
            raise BadOutcomeError("neither a contract nor faults")
        for fault in faults:
            text = str(fault)
            if fault.line < 1 or "\n" in text or not text.isprintable():
                raise BadOutcomeError(f"the fault {text!r:.200} is not one line with a place")
        return Outcome("contract", FAULTY)
    layouts(contract)
    plan = compile_plan(contract)
    if contract.document.records is not None:
        return Outcome("contract", VALID)
    try:
        root = DocumentParser(parsing_rules(contract)).parse(fuzzed.document)
        if contract.document.revision is not None:
            read_revision(plan, root, "fuzzed", run)
        rows = map_both_ways(plan, root, "fuzzed", run)
    except (ParseError, MappingError):
        return Outcome("contract", VALID)
    return Outcome("contract", VALID, sum(map(len, rows)))
