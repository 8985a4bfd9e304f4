"""What must hold between the parts of a contract, by topic."""

from collections.abc import Callable, Iterable

from xml_extractor.contract.consistency import (
    constants,
    conversions,
    expressions,
    origins,
    paths,
    read_until,
    references,
    source,
    tables,
    value_rows,
)
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault

CHECKS: tuple[Callable[[Draft], Iterable[Fault]], ...] = (
    tables.name_faults,
    tables.parent_faults,
    tables.key_faults,
    tables.column_list_faults,
    origins.origin_faults,
    references.parent_column_faults,
    references.input_column_faults,
    references.set_faults,
    references.lookup_faults,
    constants.constant_faults,
    constants.lookup_value_faults,
    constants.lookup_case_faults,
    constants.code_page_faults,
    conversions.conversion_faults,
    conversions.key_type_faults,
    conversions.identity_faults,
    expressions.expression_faults,
    expressions.condition_faults,
    paths.path_faults,
    paths.name_faults,
    read_until.read_until_faults,
    source.where_faults,
    value_rows.value_row_faults,
)
"""Each finds the faults of one topic; a new one is a function and a line here."""


def faults_of_consistency(draft: Draft) -> list[Fault]:
    """What is wrong between the parts that could be read."""
    return [fault for check in CHECKS for fault in check(draft)]
