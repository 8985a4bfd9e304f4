"""What a contract says of its source can be asked of a database."""

from collections.abc import Iterator

from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault
from xml_extractor.tsql import is_search_condition


def where_faults(draft: Draft) -> Iterator[Fault]:
    """A condition that is none, or more than one."""
    where, path = draft.contract.source.where, ("source", "where")
    if where is not None and not draft.lost(path) and not is_search_condition(where):
        example = "a search condition of T-SQL, such as status = 'NEW' AND received_at > '2026-01-01'"
        yield draft.written.fault(path, "this is not one search condition", expected=example)
