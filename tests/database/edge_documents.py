"""Documents that hold the edge cases, the contract that loads them, and what SQL Server does not share with others."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from lxml import etree

from tests.database.edge_moments import DATES, NEW_MOMENTS, OFFSETS, OLD_MOMENTS, TIMES
from tests.database.edge_numbers import BYTES, DECIMALS, FLOATS, WHOLE_NUMBERS
from tests.database.edge_texts import CODE_PAGE_TEXTS, IDENTIFIERS, UNICODE_TEXTS, XML
from tests.database.edges import ByTarget, Edge, Result
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import MappedDocument, ProcessedDocument, Rejection, RunValues
from xml_extractor.mapping import MappingError, compile_plan, map_document
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules

GROUPS: dict[str, dict[str, Edge]] = {
    "numbers": {**WHOLE_NUMBERS, **DECIMALS, **FLOATS},
    "texts": {**CODE_PAGE_TEXTS, **UNICODE_TEXTS},
    "bytes": {**BYTES, **IDENTIFIERS, **XML},
    "moments": {**DATES, **OLD_MOMENTS, **TIMES},
    "new_moments": {**NEW_MOMENTS, **OFFSETS},
}
"""The columns of a table of their own each."""

EDGES: dict[str, Edge] = {name: edge for group in GROUPS.values() for name, edge in group.items()}
GROUP_OF = {name: group for group, edges in GROUPS.items() for name in edges}
MODES = ("fail", "keep", "replace")
RUN = RunValues("run", datetime(2026, 3, 5), "edge cases")  # noqa: DTZ001 - the clock of a run is UTC without a zone


class Case(NamedTuple):
    """A document: one column has a text, all others none."""

    number: int
    column: str
    text: str
    result: Result

    @property
    def title(self) -> str:
        """A short name, in ASCII."""
        text = ascii(self.text)[1:-1]
        shown = text if len(text) <= 24 else f"{text[:12]}..{len(self.text)}"
        return f"{self.number}-{self.column}-{shown}"

    def expected(self, *, on_server: bool) -> Result:
        """What becomes of it on a SQL Server, or in a file."""
        if isinstance(self.result, ByTarget):
            return self.result.server if on_server else self.result.file
        return self.result


def _cases() -> Iterator[Case]:
    numbers = iter(range(10**6))
    for column, edge in EDGES.items():
        for text, result in edge.cases:
            yield Case(next(numbers), column, text, result)


CASES = list(_cases())


def edge_contract(directory: Path) -> Contract:
    """A contract with a column for each edge, in a table for each group and way of treating conflicts."""
    key = {"no": {"path": "@no", "type": "int", "key": True}}
    tables = {
        f"{group}_{mode}": {
            "rows": f"self::*[@group='{group}']",
            "on_conflict": mode,
            "columns": {**key, **{name: {"path": name, **edge.rule} for name, edge in edges.items()}},
        }
        for group, edges in GROUPS.items()
        for mode in MODES
    }
    document = {"root": "case", "key": "@no", "key_type": "int"}
    path = directory / "edges.yaml"
    path.write_text(json.dumps({"contract": "edges", "version": 1, "document": document, "tables": tables}))
    return read_contract(str(path))


def document_of(case: Case) -> bytes:
    """The case as XML."""
    root = etree.Element("case", no=str(case.number), group=GROUP_OF[case.column])
    etree.SubElement(root, case.column).text = case.text
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


class Processor:
    """Parses and maps documents, as a worker does."""

    def __init__(self, contract: Contract) -> None:
        self._parser = DocumentParser(parsing_rules(contract))
        self._plan = compile_plan(contract)

    def process(self, case: Case) -> ProcessedDocument:
        """The document's rows, or why there are none."""
        try:
            root = self._parser.parse(document_of(case))
            rows = map_document(self._plan, root, case.number, RUN)
        except (ParseError, MappingError) as error:
            return Rejection(case.number, error.failure, "", 0.0)
        return MappedDocument(case.number, rows, "", 0.0)
