"""Failures name stage, code, table and column, and never a value of the document."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from tests.conftest import ROOT
from xml_extractor.contract.model import Contract
from xml_extractor.documents import DocumentKey, Failure, RunValues
from xml_extractor.errors import ContractError
from xml_extractor.mapping import MappingError, Plan, compile_plan, map_document
from xml_extractor.reasons import Stage

PlanOf = Callable[..., Plan]
SECRET = "4111-1111"


def _failure(plan: Plan, run: RunValues, document: str, source_key: DocumentKey = 1) -> Failure:
    with pytest.raises(MappingError) as caught:
        map_document(plan, etree.fromstring(document), source_key, run)
    return caught.value.failure


@pytest.mark.parametrize(
    ("column", "code", "path"),
    [
        ('{path: "Card/@no", type: int}', "not_a_number", "Card/@no"),
        ('{path: "Card/@no", type: varchar(3)}', "too_long", "Card/@no"),
        ('{path: "Card/@no", type: date}', "unknown_date_format", "Card/@no"),
        ('{path: "Card/@no", type: int, lookup: codes}', "unknown_code", "Card/@no"),
        ('{type: int, inputs: {no: "Card/@no"}, expression: CAST(no AS int)}', "conversion_failed", ""),
        ('{type: int, inputs: {no: {path: "Card/@no", type: int}}, expression: no + 1}', "not_a_number", "Card/@no"),
        ('{path: "Card/@missing", type: int, required: true}', "missing_value", "Card/@missing"),
        ('{path: "Card[@no + 1 = count(1)]/@no", type: int}', "path_failed", "Card[@no + 1 = count(1)]/@no"),
    ],
)
def test_a_failure_has_a_place_and_no_value(
    plan_of: PlanOf, run_values: RunValues, column: str, code: str, path: str
) -> None:
    plan = plan_of(
        f'doc:\n  rows: "."\n  columns:\n    card: {column}', "document: {root: Doc}\nlookups: {codes: {a: 1}}"
    )
    failure = _failure(plan, run_values, f"<Doc><Card no='{SECRET}'/></Doc>")
    assert (failure.stage, failure.code, failure.table, failure.column, failure.path) == (
        Stage.MAP,
        code,
        "doc",
        "card",
        path,
    )
    assert failure.explanation
    assert SECRET not in failure.reason


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ('{path: "Card/@no", type: int}', SECRET),
        ('{path: "Card/@no", type: int, transform: [upper], lookup: codes}', SECRET),
        ('{type: int, inputs: {no: "Card/@no"}, expression: CAST(no AS int)}', SECRET),
        ('{type: int, inputs: {a: {path: "@id"}, no: {path: "Card/@no"}}, expression: CAST(no + a AS int)}', None),
        ('{type: int, inputs: {no: {path: "Card/@no", type: int}}, expression: no + 1}', SECRET),
        ('{type: int, inputs: {a: {path: "@id"}, no: {path: "Card/@no", type: int}}, expression: no + a}', SECRET),
        ("{parent: above.no, type: int}", SECRET),
        ('{path: "Card/@missing", type: int, required: true}', None),
        ('{path: "@blank", type: int, required: true}', "  "),
        ('{path: "Card[@no + 1 = count(1)]/@no", type: int}', None),
    ],
)
def test_the_invalid_value_is_returned_on_request_as_it_is_in_the_document(
    plan_of: PlanOf, run_values: RunValues, column: str, value: str | None
) -> None:
    plan = plan_of(
        f"""
        above: {{rows: ".", columns: {{no: {{path: "Card/@no", type: nvarchar(20), key: true}}}}}}
        doc: {{parent: above, rows: ".", columns: {{card: {column}}}}}
        """,
        "document: {root: Doc}\nlookups: {codes: {a: 1}}",
    )
    document = etree.fromstring(f"<Doc id='1' blank='  '><Card no='{SECRET}'/></Doc>")
    with pytest.raises(MappingError) as caught:
        map_document(plan, document, 1, run_values)
    assert caught.value.invalid_value() == value
    assert SECRET not in f"{caught.value} {caught.value!r}"


def test_an_invalid_key_is_an_invalid_value_too(plan_of: PlanOf, run_values: RunValues) -> None:
    plan = plan_of(
        'doc: {rows: ".", columns: {no: {path: "@no", type: int}}}', 'document: {root: Doc, key: "@no", key_type: int}'
    )
    with pytest.raises(MappingError) as caught:
        map_document(plan, etree.fromstring("<Doc no='x'/>"), 1, run_values)
    assert caught.value.invalid_value() == "x"


def test_a_condition_that_fails_names_its_table(plan_of: PlanOf, run_values: RunValues) -> None:
    plan = plan_of('doc: {rows: ".", when: 1 / no > 0, columns: {no: {path: "@no", type: int}}}')
    failure = _failure(plan, run_values, "<Doc no='0'/>")
    assert (failure.code, failure.table, failure.column) == ("divide_by_zero", "doc", "")


def test_a_row_rule_that_fails_names_its_path(plan_of: PlanOf, run_values: RunValues) -> None:
    plan = plan_of(
        """
        doc: {rows: "Card/@no | Card/Old", columns: {no: {path: ".", type: varchar(20), key: true}}}
        part: {parent: doc, rows: Part, columns: {no: {parent: doc.no}}}
        """
    )
    failure = _failure(plan, run_values, f"<Doc><Card no='{SECRET}'/></Doc>")
    assert (failure.code, failure.table, failure.column, failure.path) == ("path_failed", "part", "", "Part")


def test_a_mapping_error_says_its_reason_and_can_be_pickled(plan_of: PlanOf, run_values: RunValues) -> None:
    failure = _failure(
        plan_of('doc: {rows: ".", columns: {no: {path: "@no", type: int}}}'), run_values, "<Doc no='x'/>"
    )
    error = pickle.loads(pickle.dumps(MappingError(failure)))
    assert str(error) == failure.reason
    assert error.failure == failure


def test_a_constant_that_does_not_fit_its_column_is_a_fault_of_the_contract() -> None:
    contract = Contract.model_validate(
        {
            "contract": "sample",
            "version": 1,
            "document": {"root": "Doc"},
            "tables": {"doc": {"rows": ".", "columns": {"no": {"value": 300, "type": "tinyint"}}}},
        }
    )
    with pytest.raises(ContractError) as caught:
        compile_plan(contract)
    assert "tables.doc.columns.no" in str(caught.value)


SHORT_OF_MEMORY = """
import resource, sys
from datetime import datetime
from pathlib import Path
from xml_extractor.contract.reading import check_text
from xml_extractor.documents import RunValues
from xml_extractor.mapping import compile_plan, map_document
from xml_extractor.parsing import DocumentParser, ParsingRules
contract, _ = check_text("x", Path(sys.argv[1]).read_text())
plan = compile_plan(contract)
root = DocumentParser(ParsingRules(("a",))).parse(b"<a>" + b"<b/>" * 1_000_000 + b"</a>")
pages = int(Path("/proc/self/statm").read_text().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**20,) * 2)
try:
    map_document(plan, root, "key", RunValues("run", datetime(2026, 1, 1), "source"))
except MemoryError:
    print("no memory")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory by what Linux says of it")
@pytest.mark.parametrize("on_invalid", ["reject", "null"])
def test_a_lack_of_memory_is_neither_a_fault_of_the_document_nor_null(tmp_path: Path, on_invalid: str) -> None:
    contract = tmp_path / "contract.yaml"
    column = f"{{path: count(.//*), type: int, on_invalid: {on_invalid}}}"
    contract.write_text(
        f"contract: x\nversion: 1\ndocument: {{root: a}}\ntables: {{a: {{rows: ., columns: {{n: {column}}}}}}}\n"
    )
    command = [sys.executable, "-c", SHORT_OF_MEMORY, str(contract)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("no memory\n", "")
