"""What is counted of invalid values that a contract tolerates, and how defaults reach the document's key."""

import pytest
from lxml import etree

from tests.unit.mapping.conftest import PlanOf
from xml_extractor.documents import Counted, Counts, Row, RunValues
from xml_extractor.mapping import MappingError, Plan, map_document
from xml_extractor.reasons import Reason


def mapped(plan: Plan, document: str, run: RunValues) -> tuple[tuple[tuple[Row, ...], ...], Counts]:
    counts: list[Counts] = []
    rows = map_document(plan, etree.fromstring(document), "key", run, counts.append)
    return rows, counts[0] if counts else ()


@pytest.mark.parametrize(
    ("rule", "document", "counted"),
    [
        ('{path: A, type: "decimal(5,2)", on_invalid: [round, "null"]}', "<Doc><A>1.005</A></Doc>", Counted.ROUNDED),
        ('{path: A, type: "decimal(5,2)", on_invalid: [round, "null"]}', "<Doc><A>x</A></Doc>", Counted.NULL),
        ('{path: A, type: "decimal(4,2)", on_invalid: [round, truncate]}', "<Doc><A>99.999</A></Doc>", "truncated"),
        ("{path: A, type: int, on_invalid: [round, default], default: 7}", "<Doc><A>x</A></Doc>", Counted.DEFAULT),
        ('{path: A, type: "decimal(5,2)", on_invalid: round}', "<Doc><A>1.000</A></Doc>", None),
        ("{path: A, select: sum, type: int, on_invalid: round}", "<Doc><A>.3</A><A>.3</A></Doc>", Counted.ROUNDED),
        ("{path: A, select: max, type: int, on_invalid: round}", "<Doc><A>.3</A><A>.4</A><A>2</A></Doc>", None),
        ("{path: A, select: max, type: int, on_invalid: round}", "<Doc><A>2.3</A><A>2.4</A></Doc>", Counted.ROUNDED),
    ],
)
def test_a_tolerated_value_is_counted_once_by_what_became_of_it(
    plan_of: PlanOf, run_values: RunValues, rule: str, document: str, counted: Counted | None
) -> None:
    _, counts = mapped(plan_of(f'doc: {{rows: ".", columns: {{a: {rule}}}}}'), document, run_values)
    assert counts == (() if counted is None else ((("doc", "a", counted), 1),))


def test_nothing_is_counted_of_a_row_that_when_leaves_out(plan_of: PlanOf, run_values: RunValues) -> None:
    plan = plan_of(
        """
        line:
          rows: Line
          when: kind = 'x'
          columns:
            kind: {path: "@kind", type: "char(1)"}
            size: {path: "@size", type: int, on_invalid: round}
            day: {path: "@day", type: date}
        """
    )
    rows, counts = mapped(plan, "<Doc><Line kind='y' size='1.5' day='never'/></Doc>", run_values)
    assert rows == ((),)
    assert counts == ((("line", "", Counted.WHEN), 1),)


KEYED = 'document: {root: Doc, key: "@id", key_type: date}\ndefaults: '


def test_the_key_of_a_document_takes_transforms_and_formats_of_the_defaults(
    plan_of: PlanOf, run_values: RunValues
) -> None:
    plan = plan_of(
        'doc: {rows: ".", columns: {day: {run: document_key}, own: {path: "@id", type: date, key: true}}}',
        KEYED + '{transform: [{replace: {pattern: "^D", with: ""}}], formats: ["%d.%m.%Y"], on_invalid: "null"}',
    )
    ((row,),), _ = mapped(plan, "<Doc id='D06.05.2024'/>", run_values)
    assert [str(value) for value in row] == ["2024-05-06", "2024-05-06"]


@pytest.mark.parametrize(
    ("key", "reason"), [("D", Reason.MISSING_KEY), (" ", Reason.MISSING_KEY), ("D1", Reason.UNKNOWN_DATE_FORMAT)]
)
def test_a_key_that_is_invalid_after_the_defaults_rejects(
    plan_of: PlanOf, run_values: RunValues, key: str, reason: Reason
) -> None:
    plan = plan_of(
        'doc: {rows: ".", columns: {day: {run: document_key}}}',
        KEYED + '{transform: [{replace: {pattern: "^D", with: ""}}], on_invalid: "null"}',
    )
    with pytest.raises(MappingError) as rejected:
        mapped(plan, f"<Doc id='{key}'/>", run_values)
    assert rejected.value.failure.code == reason
