"""Change elements and attributes of documents, and check that `coverage` reports each change and nothing else.

`python -m tests.unit.quality.mutations [NUMBER]` makes that many changes, 10,000 by default.
"""

import random
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from lxml import etree
from lxml.etree import _Element as Element

from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import RunValues, SourceDocument
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.quality.census import Labels, Place
from xml_extractor.quality.coverage_report import CoverageReport, coverage_report
from xml_extractor.quality.observation import Observer
from xml_extractor.samples import KINDS, samples

NEW = "Mutant"
DOMAINS = ("card_application", "ubl_invoice", "ead_finding_aid")
RUN = RunValues("coverage", datetime(2026, 1, 1), "mutations")  # noqa: DTZ001 - naive UTC


def reported(contract: Contract, content: bytes) -> CoverageReport:
    """What `coverage` reports of a document."""
    observer = Observer(contract, RUN)
    observer.observe(SourceDocument("1", content), (0, 0))
    return coverage_report(contract, "", observer.take(), interrupted=False)


def path_of(labels: Labels, element: Element, attribute: str = "") -> str:
    """The path of an element or attribute, found without the product's census."""
    names = [str(element.tag), *(str(above.tag) for above in element.iterancestors())][::-1]
    return labels.path(Place((*names, *([f"@{attribute}"] if attribute else [])), 0))


def paths_of(labels: Labels, root: Element) -> dict[str, int]:
    """How often each path occurs, counted by a walk of its own."""
    found: dict[str, int] = {}
    for element in root.iter("*"):
        names = ["", *map(str, element.keys())]
        for name in names:
            if not name.startswith(("{http://www.w3.org/XML/", "{http://www.w3.org/2001/XMLSchema-instance}")):
                path = path_of(labels, element, name)
                found[path] = found.get(path, 0) + 1
    return found


def changed(root: Element, chance: random.Random) -> str:
    """Change one element or attribute, and return what was done."""
    elements = [element for element in root.iter("*") if element is not root]
    with_attributes = [element for element in root.iter("*") if element.attrib and element is not root]
    element = chance.choice(elements)
    namespace = str(element.tag).rpartition("}")[0]
    prefix = f"{namespace}}}" * bool(namespace)
    kind = chance.choice(("insert", "rename", "move", "insert attribute", "rename attribute", "move attribute"))
    if kind.endswith("attribute") and kind != "insert attribute" and not with_attributes:
        kind = "insert attribute"
    match kind:
        case "insert":
            element.insert(chance.randint(0, len(element)), etree.Element(f"{prefix}{NEW}{chance.randint(0, 9)}"))
        case "rename":
            element.tag = f"{prefix}{NEW}"
        case "move":
            below = set(element.iter("*"))
            element_to = chance.choice([other for other in (root, *elements) if other not in below])
            element_to.insert(0, element)
        case "insert attribute":
            element.set(f"{NEW}{chance.randint(0, 9)}", "1")
        case _:
            owner = chance.choice(with_attributes)
            name = str(chance.choice(list(owner.attrib)))
            value = str(owner.attrib.pop(name))
            new = element if kind == "move attribute" else owner
            new.set(name if kind == "move attribute" else NEW, value)
    return kind


def originals(kind: str, number: int, seed: int) -> list[bytes]:
    """Documents of a shipped contract."""
    if kind in KINDS:
        return [sample.content or b"" for sample in samples(kind, number, seed)]
    folder = Path(__file__).parents[2] / "acceptance" / "ead_documents"
    return [path.read_bytes() for path in sorted(folder.glob("*.xml"))]


def failures(kind: str, number: int, seed: int = 1) -> Iterator[str]:
    """Make changes, one at a time, and yield those of which the report is wrong."""
    contract, chance = read_contract(kind), random.Random(seed)
    labels, parser = Labels(contract), DocumentParser(parsing_rules(contract))
    bases = [etree.tostring(parser.parse(content)) for content in originals(kind, 20, seed)]
    for change in range(number):
        root = etree.fromstring(bases[change % len(bases)])
        what = changed(root, chance)
        mutated = etree.tostring(root)
        expected = paths_of(labels, parser.parse(mutated))
        report = reported(contract, mutated)
        found = {each.path: each.occurrences for each in report.elements}
        if found != expected:
            differing = [path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path)]
            yield f"{kind}: {what}: {sorted(differing)[:3]}"
        for each in report.elements:
            last = each.path.rpartition("/")[2]
            # An element in one whose text is taken is read; an attribute of a new name is read by nothing.
            if NEW in last and each.unread < each.occurrences and ("@" in last or not each.readers):
                yield f"{kind}: {what}: {each.path} is not reported as unread"


def main(number: int) -> int:
    """Make changes in all domains, print those of which the report is wrong, and return the exit code."""
    wrong = [failure for kind in DOMAINS for failure in failures(kind, number // len(DOMAINS))]
    print(*wrong, f"{number} changes, {len(wrong)} reported wrongly", sep="\n")  # noqa: T201 - a command
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
