"""Map a document by generated code and by the interpreted plan, which must agree cell by cell."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from itertools import islice
from unittest.mock import patch

from lxml.etree import _Element as Element

from xml_extractor.documents import Counts, DocumentKey, Failure, Row, RunValues
from xml_extractor.mapping import MappingError, Plan, map_document
from xml_extractor.mapping import rows as rows_module
from xml_extractor.mapping.plan import DocumentScope


@contextmanager
def fallbacks() -> Iterator[list[DocumentScope]]:
    """Collect the documents that generated code leaves to the interpreted plan."""
    found: list[DocumentScope] = []
    begin_anew = rows_module._anew

    def note(document: DocumentScope) -> DocumentScope:
        found.append(document)
        return begin_anew(document)

    with patch.object(rows_module, "_anew", note):
        yield found


def map_both_ways(plan: Plan, root: Element, key: DocumentKey, run: RunValues) -> tuple[tuple[Row, ...], ...]:
    """Map a document, and compare rows, types of values, counts and failures.

    Raises:
        MappingError: Both ways reject the document.
    """
    with fallbacks() as left:
        interpreted = _outcome(plan._replace(code=None), _copy_of(root), key, run)
        generated = _outcome(plan, _copy_of(root), key, run)
    assert repr(generated) == repr(interpreted)
    may_reject = any(table.when is not None for table in plan.tables)
    assert not left or may_reject or isinstance(interpreted[0], Failure), "the generated code does not map the document"
    return map_document(plan, root, key, run)


def _outcome(
    plan: Plan, root: Element, key: DocumentKey, run: RunValues
) -> tuple[tuple[tuple[Row, ...], ...] | Failure, object]:
    counts: list[Counts] = []
    try:
        rows = map_document(plan, root, key, run, counts.append)
    except MappingError as error:
        return error.failure, error.invalid_value()
    return rows, sorted(count for of_document in counts for count in of_document)


def _copy_of(root: Element) -> Element:
    """Copy the whole tree, as mapping may take comments out of it."""
    tree = root.getroottree()
    number = next(number for number, element in enumerate(tree.iter()) if element is root)
    return next(islice(deepcopy(tree).iter(), number, None))
