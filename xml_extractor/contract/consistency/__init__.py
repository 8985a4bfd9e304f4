"""Check that the parts of a contract are consistent with each other, by topic."""

from collections.abc import Callable, Iterable

from xml_extractor.contract.consistency import columns, document, nodes, paths, read_until, tables, values
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault

CHECKS: tuple[Callable[[Draft], Iterable[Fault]], ...] = (
    tables.name_faults,
    tables.shared_table_faults,
    tables.parent_faults,
    tables.key_faults,
    tables.column_list_faults,
    columns.origin_faults,
    tables.parent_column_faults,
    tables.input_column_faults,
    tables.set_faults,
    tables.lookup_faults,
    columns.constant_faults,
    columns.lookup_value_faults,
    columns.lookup_code_faults,
    columns.code_page_faults,
    columns.encoding_faults,
    values.conversion_faults,
    columns.key_type_faults,
    columns.identity_faults,
    values.null_faults,
    values.expression_faults,
    values.condition_faults,
    paths.path_faults,
    paths.name_faults,
    paths.selection_faults,
    nodes.key_pattern_faults,
    nodes.ignore_faults,
    nodes.base_faults,
    nodes.name_size_faults,
    nodes.recursive_faults,
    tables.reference_faults,
    tables.early_use_faults,
    read_until.read_until_faults,
    document.record_faults,
    document.revision_faults,
    document.entity_faults,
    values.where_faults,
    paths.value_row_faults,
)
"""All checks. A new check is a function, and a line here."""


def faults_of_consistency(draft: Draft) -> list[Fault]:
    """Return the faults between the well-formed parts of a contract."""
    return [fault for check in CHECKS for fault in check(draft)]
