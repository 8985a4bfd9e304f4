"""Change elements and attributes of documents, and check that `coverage` reports each change and nothing else.

`python -m tests.unit.quality.mutations [NUMBER]` makes that many changes, 10,000 by default, with two processes. What
must be reported is found without the product's automaton: by a walk over the changed document, and by mapping it with
and without what is reported as unread.
"""

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from lxml import etree
from lxml.etree import _Element as Element

from xml_extractor.contract.element_paths import ElementPaths
from xml_extractor.contract.names import with_all_namespaces
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import Failure, RunValues, SourceDocument
from xml_extractor.mapping import MappingError, compile_plan, map_document
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.quality import coverage_report as reports
from xml_extractor.quality import near_misses
from xml_extractor.quality.census import Labels, Place
from xml_extractor.quality.coverage_report import CoverageReport, coverage_report
from xml_extractor.quality.near_misses import MOST_SUGGESTIONS
from xml_extractor.quality.observation import Observer
from xml_extractor.samples import KINDS, samples

NEW = "Mutant"
DOMAINS = ("card_application", "ubl_invoice", "ead_finding_aid")
RUN = RunValues("coverage", datetime(2026, 1, 1), "mutations")  # noqa: DTZ001 - naive UTC
DOCUMENTS = 20
PART = 50
"""Changes that are made at once, with documents of their own."""

_difference = cache(near_misses._difference)
OF_XML_ITSELF = ("{http://www.w3.org/XML/", "{http://www.w3.org/2001/XMLSchema-instance}")

KINDS_OF_CHANGES = (
    "insert element",
    "rename element",
    "misspell element",
    "move element",
    "insert attribute",
    "rename attribute",
    "misspell attribute",
    "move attribute",
)


class Change(NamedTuple):
    """What was changed.

    Attributes:
        kind: One of `KINDS_OF_CHANGES`.
        before: The path of what was renamed, before that; otherwise empty.
        after: Its path now.
    """

    kind: str
    before: str = ""
    after: str = ""


def misspelt(name: str, chance: random.Random) -> str:
    """Return a Clark name that differs by case, by its namespace, or by one or two letters."""
    while (other := _changed(name, chance)) == name:
        pass
    return other


def _changed(name: str, chance: random.Random) -> str:
    namespace, brace, local = name.rpartition("}")
    at = chance.randrange(len(local))
    letter = chance.choice("aeiourst")
    match chance.choice(("case", "namespace", "letter", "letter", "letters")):
        case "case":
            return f"{namespace}{brace}{local.swapcase()}"
        case "namespace":
            return f"{{urn:other}}{local}"
        case "letters" if len(local) > 5:
            return f"{namespace}{brace}{local[:at]}{letter}{local[at + 1 :]}{chance.choice('xyz')}"
    changed = chance.choice((local[:at] + letter + local[at:], local[:at] + letter + local[at + 1 :]))
    return f"{namespace}{brace}{changed}"


class Domain:
    """A shipped contract with documents, and what coverage reports of changed ones."""

    def __init__(self, kind: str, seed: int) -> None:
        self.contract = read_contract(kind)
        self.labels = Labels(self.contract)
        self._parser = DocumentParser(parsing_rules(self.contract))
        self._observer = Observer(self.contract, RUN)
        self._plan = compile_plan(self.contract)
        self._paths = ElementPaths(self.contract)
        self.bases = [etree.tostring(self.parsed(content)) for content in _originals(kind, seed)]
        self._reports: dict[bytes, CoverageReport] = {}

    def parsed(self, content: bytes) -> Element:
        """Return the root element, as coverage sees it."""
        return self._parser.parse(content)

    def report(self, content: bytes) -> CoverageReport:
        """Return what `coverage` reports of a document."""
        self._observer.observe(SourceDocument("1", content), (0, 0))
        # What depends on the contract and on names alone is computed once for all reports.
        once_followed = patch.object(reports, "ElementPaths", lambda _: self._paths)
        with once_followed, patch.object(near_misses, "_difference", _difference):
            return coverage_report(self.contract, "", self._observer.take(), interrupted=False)

    def report_of_original(self, content: bytes) -> CoverageReport:
        """Return the report of one of `bases`."""
        if content not in self._reports:
            self._reports[content] = self.report(content)
        return self._reports[content]

    def outcome(self, content: bytes) -> Any:
        """Return the rows of a document, or why it is rejected."""
        try:
            return map_document(self._plan, self.parsed(content), "1", RUN)
        except MappingError as error:
            return error.failure

    def path_of(self, element: Element, attribute: str = "") -> str:
        """Return the path of an element or attribute, found without the product's census."""
        names = [str(element.tag), *(str(above.tag) for above in element.iterancestors())][::-1]
        return self.labels.path(Place((*names, *([f"@{attribute}"] if attribute else [])), 0))

    def paths_of(self, root: Element) -> dict[str, int]:
        """Return how often each path occurs, counted by a walk of its own."""
        found: dict[str, int] = {}
        for element in root.iter("*"):
            for name in ["", *map(str, element.keys())]:
                if not name.startswith(OF_XML_ITSELF):
                    path = self.path_of(element, name)
                    found[path] = found.get(path, 0) + 1
        return found

    def holds_what_a_key_finds(self, content: bytes, path: str) -> bool:
        """Return whether an element of a path holds an element that a key of the contract finds, evaluated by lxml."""
        root = self.parsed(content)
        for key in self.contract.keys.values():
            for pattern in key.match.split("|"):
                xpath, prefixes = with_all_namespaces(f"//{pattern.strip()}", self.contract.namespaces)
                for found in etree.XPath(xpath, namespaces=prefixes)(root):
                    if any(self.path_of(element) == path for element in (found, *found.iterancestors())):
                        return True
        return False

    def with_text(self, content: bytes, path: str) -> bytes:
        """Return a document in which the elements or attributes of a path have another text."""
        root = self.parsed(content)
        for element in root.iter("*"):
            if self.path_of(element) == path:
                element.text = f"{element.text or ''} {NEW}"
            for name in map(str, element.keys()):
                if self.path_of(element, name) == path:
                    element.set(name, f"{element.get(name)} {NEW}")
        return etree.tostring(root)

    def without(self, content: bytes, path: str) -> bytes:
        """Return a document without the elements or attributes of a path."""
        root = self.parsed(content)
        for element in list(root.iter("*")):
            for name in map(str, element.keys()):
                if self.path_of(element, name) == path:
                    del element.attrib[name]
            above = element.getparent()
            if above is not None and self.path_of(element) == path:
                before, text = element.getprevious(), element.tail or ""
                if before is None:
                    above.text = (above.text or "") + text
                else:
                    before.tail = (before.tail or "") + text
                above.remove(element)
        return etree.tostring(root)

    def change(self, root: Element, chance: random.Random) -> Change:
        """Change one element or attribute."""
        elements = [element for element in root.iter("*") if element is not root]
        with_attributes = [element for element in elements if element.attrib]
        kind = chance.choice(KINDS_OF_CHANGES)
        if kind.endswith("attribute"):
            owner = chance.choice(with_attributes or elements)
            return self._change_attribute(kind, owner, chance.choice(elements), chance)
        element = chance.choice(elements)
        namespace, brace, _ = str(element.tag).rpartition("}")
        before = self.path_of(element)
        if kind == "insert element":
            new = etree.Element(f"{namespace}{brace}{NEW}{chance.randint(0, 9)}")
            element.insert(chance.randint(0, len(element)), new)
            return Change(kind)
        if kind == "move element":
            below = set(element.iter("*"))
            chance.choice([other for other in (root, *elements) if other not in below]).insert(0, element)
            return Change(kind)
        new_name = misspelt(str(element.tag), chance) if kind == "misspell element" else f"{namespace}{brace}{NEW}"
        element.tag = new_name
        return Change(kind, before, self.path_of(element))

    def _change_attribute(self, kind: str, owner: Element, other: Element, chance: random.Random) -> Change:
        if kind == "insert attribute" or not owner.attrib:
            other.set(f"{NEW}{chance.randint(0, 9)}", "1")
            return Change("insert attribute")
        name = str(chance.choice(list(owner.attrib)))
        before, value = self.path_of(owner, name), str(owner.attrib.pop(name))
        if kind == "move attribute":
            other.set(name, value)
            return Change(kind)
        new_name = misspelt(name, chance) if kind == "misspell attribute" else NEW
        owner.set(new_name, value)
        return Change(kind, before, self.path_of(owner, new_name))


def failures(kind: str, number: int, seed: int = 1) -> Iterator[str]:
    """Make changes, one at a time, and yield those of which the report is wrong."""
    domain, chance = Domain(kind, seed), random.Random(seed)
    for count in range(number):
        base = domain.bases[count % len(domain.bases)]
        root = etree.fromstring(base)
        change = domain.change(root, chance)
        changed = etree.tostring(root)
        for wrong in _wrong(domain, base, changed, change, chance):
            yield f"{kind}, change {count}, {change}: {wrong}"


def _wrong(domain: Domain, base: bytes, changed: bytes, change: Change, chance: random.Random) -> Iterator[str]:
    """Yield what is wrong in the report of a changed document."""
    expected = domain.paths_of(domain.parsed(changed))
    report = domain.report(changed)
    found = {each.path: each.occurrences for each in report.elements}
    if found != expected:
        yield f"wrong counts: {sorted(path for path, _ in found.items() ^ expected.items())[:3]}"
    unread = {each.path for each in report.elements if each.unread == each.occurrences}
    yield from _wrongly_read(domain, changed, report, unread)
    names = {path.rpartition("/")[2] for path in expected}
    for never in report.never_found:
        for suggestion in never.suggestions:
            if suggestion.name.rpartition("/")[2] not in names:
                yield f"{suggestion.name} is suggested for {never.step} and is nowhere"
    news = [path for path in sorted(unread) if NEW in path]
    for path in {*news[:1], *chance.sample(sorted(unread), min(1, len(unread)))}:
        if domain.outcome(domain.without(changed, path)) != domain.outcome(changed):
            yield f"{path} is reported as unread, and without it the rows are others"
    yield from _lacking_suggestions(domain.report_of_original(base), report, change, names)


def _wrongly_read(domain: Domain, changed: bytes, report: CoverageReport, unread: set[str]) -> Iterator[str]:
    """Yield new names that are said to be read although nothing depends on them."""
    readers = {each.path: {*each.readers} for each in report.elements}
    for path in sorted(path for path in readers if NEW in path.rpartition("/")[2] and path not in unread):
        # An element is read with the text or markup of one around it, or for what is in it.
        if readers[path] and readers[path] <= readers.get(path.rpartition("/")[0], set()):
            continue
        now = domain.outcome(changed)
        if isinstance(now, Failure):  # whatever it holds, the document has no rows that could differ
            continue
        if domain.holds_what_a_key_finds(changed, path):  # no row depends on it unless something refers to it
            continue
        if domain.outcome(domain.with_text(changed, path)) == now == domain.outcome(domain.without(changed, path)):
            yield f"{path} is not reported as unread"


def _lacking_suggestions(
    original: CoverageReport, report: CoverageReport, change: Change, names: set[str]
) -> Iterator[str]:
    """Yield what the report does not say about a name that was misspelt although it is read where it stands."""
    was_read = any(each.path == change.before and each.readers for each in original.elements)
    now = next((each for each in report.elements if each.path == change.after), None)
    if not change.kind.startswith("misspell") or not was_read or now is None or now.unread < now.occurrences:
        return
    before, after = change.before.rpartition("/")[2], change.after.rpartition("/")[2]
    if len(now.similar) < MOST_SUGGESTIONS and before not in [each.name for each in now.similar]:
        yield f"{before} is not suggested for {after}"
    if before not in names:
        suggested = [[each.name for each in never.suggestions] for never in report.never_found]
        if not any(after in some or len(some) == MOST_SUGGESTIONS for some in suggested):
            yield f"{after} is not suggested for a path that never finds {before}"


def _originals(kind: str, seed: int) -> list[bytes]:
    """Return documents of a shipped contract."""
    if kind in KINDS:
        return [sample.content or b"" for sample in samples(kind, DOCUMENTS, seed)]
    folder = Path(__file__).parents[2] / "acceptance" / "ead_documents"
    return [path.read_bytes() for path in sorted(folder.glob("*.xml"))]


def _failures(kind: str, number: int, seed: int) -> list[str]:
    return list(failures(kind, number, seed))


def main(number: int) -> int:
    """Make changes in all domains, print those of which the report is wrong, and return the exit code."""
    parts = [(kind, seed) for seed in range(1, 2 + number // len(DOMAINS) // PART) for kind in DOMAINS]
    sizes = {part: number // len(parts) + (place < number % len(parts)) for place, part in enumerate(parts)}
    done, wrong = 0, 0
    with ProcessPoolExecutor(2) as pool:
        tasks = {pool.submit(_failures, kind, size, seed): size for (kind, seed), size in sizes.items()}
        for task in as_completed(tasks):
            done, wrong = done + tasks[task], wrong + len(task.result())
            print(*task.result(), f"{done} changes, {wrong} reported wrongly", sep="\n", flush=True)  # noqa: T201 - a command
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
