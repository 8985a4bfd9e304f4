"""A plan and a document's tree to rows: a pure function of document, plan and run."""

from lxml.etree import _Element as Element

from xml_extractor.documents import DocumentKey, Row, RunValues, Value
from xml_extractor.mapping.failures import REFUSALS, MappingError, UnusableValueError, failure_of
from xml_extractor.mapping.origins import run_values
from xml_extractor.mapping.plan import Plan
from xml_extractor.mapping.rows import surviving_rows
from xml_extractor.mapping.scope import DocumentScope
from xml_extractor.mapping.steps import blank_to_null
from xml_extractor.reasons import Reason


def map_document(plan: Plan, root: Element, source_key: DocumentKey, run: RunValues) -> tuple[tuple[Row, ...], ...]:
    """The rows of a document: by table in the contract's order, values in the order of the table's layout.

    Raises:
        MappingError: The document cannot be mapped; its `failure` says why.
    """
    document = document_scope(plan, root, source_key, run)
    try:
        for table in plan.tables:
            document.rows.append(surviving_rows(table, document))
        return tuple([tuple([tuple(row.values) for row in rows]) for rows in document.rows])
    finally:
        # Rows know their document: without this, the tree would stay in memory until the garbage collector comes.
        document.rows.clear()


def document_scope(plan: Plan, root: Element, source_key: DocumentKey, run: RunValues) -> DocumentScope:
    """The document before its first table, with its key.

    Raises:
        MappingError: The document has no usable key.
    """
    key = _document_key(plan, root, source_key)
    return DocumentScope(root, key, run_values(plan.contract, key, source_key, run), run.load_time)


def own_key(plan: Plan, root: Element) -> Value:
    """The key that stands in a document, as the contract says; None if it says none, or the document has none."""
    try:
        return None if plan.contract.document.key is None else _document_key(plan, root, "")
    except MappingError:
        return None


def _document_key(plan: Plan, root: Element, source_key: DocumentKey) -> Value:
    path = plan.contract.document.key
    if path is None or plan.read_key is None:
        return str(source_key)
    text: str | None = None
    try:
        text = plan.read_key(root)
        if text is None or blank_to_null(text) is None:
            raise UnusableValueError(Reason.MISSING_KEY, "the document has no key")
        return plan.convert_key(text)
    except REFUSALS as refusal:
        raise MappingError(failure_of(refusal, path), lambda: text) from None
