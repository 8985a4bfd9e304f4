"""Run the product on a fuzzed document, and check the rows or the reason that it gives."""

import pickle
import re
from pathlib import Path
from typing import NamedTuple

from lxml.etree import _Element

from tests.fuzz.documents import CORPORA, FuzzedDocument
from tests.fuzz.every_type import NAME, every_type_contract
from tests.fuzz.value_check import fits
from tests.mapped_both_ways import map_both_ways
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import Failure, Row, RunValues
from xml_extractor.mapping import MappingError, compile_plan
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules

REASONS_PAGE = Path(__file__).parents[2] / "documentation" / "reference" / "reasons.md"
MAPPED = "mapped"
NEVER = ("internal_error", "worker_died")
"""Documented codes that no document may have."""


class BadOutcomeError(Exception):
    """The product broke a guarantee."""


class Outcome(NamedTuple):
    """The outcome of a document: stage and code, or `MAPPED` and the number of rows."""

    stage: str
    code: str = ""
    rows: int = 0


def documented_reasons() -> frozenset[tuple[str, str]]:
    """Return stage and code of each row of the reference page of reasons."""
    found = set()
    for part in re.split("^## Stage ", REASONS_PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        stage = part.split("`")[1]
        found |= {(stage, code) for code in re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)}
    return frozenset(found)


class Driver:
    """Parse and map documents of one corpus as a worker does, but count no unexpected exception as a rejection."""

    def __init__(self, contract: Contract) -> None:
        self._reasons = documented_reasons()
        self._contract = contract
        self._parser = DocumentParser(parsing_rules(contract))
        self._plan = compile_plan(contract)
        self._tables = layouts(contract)

    def outcome(self, content: bytes | str, run: RunValues) -> Outcome:
        """Parse and map a document.

        Raises:
            BadOutcomeError: The reason is none of the documented ones, or a value does not fit its column.
        """
        try:
            root = self._parser.parse(content)
            rows = self._mapped(root, run)
        except (ParseError, MappingError) as error:
            return self._rejected(error.failure)
        self._check(rows)
        return Outcome(MAPPED, rows=sum(map(len, rows)))

    def _mapped(self, root: _Element, run: RunValues) -> tuple[tuple[Row, ...], ...]:
        rows = map_both_ways(self._plan, root, "fuzzed", run)
        again: tuple[tuple[Row, ...], ...] = pickle.loads(pickle.dumps(rows, protocol=5))
        if again != rows:
            raise BadOutcomeError("rows are not the same on the other side of the queue")
        return rows

    def _rejected(self, failure: Failure) -> Outcome:
        if failure.code in NEVER or (failure.stage, failure.code) not in self._reasons:
            raise BadOutcomeError(f"{failure.stage} {failure.code} is no documented reason")
        if "\n" in failure.reason or not failure.reason.isprintable():
            raise BadOutcomeError(f"the explanation of {failure.code} is not one line")
        return Outcome(str(failure.stage), failure.code)

    def _check(self, rows: tuple[tuple[Row, ...], ...]) -> None:
        for table, table_rows in zip(self._tables, rows, strict=True):
            for row in table_rows:
                for column, value in zip(table.columns, row, strict=True):
                    if not fits(value, column.type, self._contract.code_page) or (column.required and value is None):
                        raise BadOutcomeError(f"{table.name}.{column.name}: {value!r:.80} is no {column.type}")


def drivers() -> dict[str, Driver]:
    """A driver for each corpus."""
    return {corpus: Driver(_contract(corpus)) for corpus in CORPORA}


def _contract(corpus: str) -> Contract:
    if corpus == NAME:
        return every_type_contract()
    contract = read_contract(corpus.removesuffix("_whole"))
    if not corpus.endswith("_whole"):
        return contract
    document = contract.document.model_copy(update={"read_until": None, "doctype": "allow"})
    return contract.model_copy(update={"document": document})


def outcome_of(document: FuzzedDocument, known: dict[str, Driver], run: RunValues) -> Outcome:
    """Return the outcome of a fuzzed document."""
    return known[document.corpus].outcome(document.content, run)
