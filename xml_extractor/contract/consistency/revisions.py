"""Check `document.revision` and `document.deleted`, and that the rows of a revision can be found."""

from collections.abc import Iterator

from xml_extractor.contract.consistency.columns import INPUT_ORIGINS, origins_of
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault
from xml_extractor.contract.model import Contract
from xml_extractor.contract.own_rows import UnreachableRowsError, own_rows
from xml_extractor.contract.yaml_text import YamlText

_WITHOUT_ORDER = ("xml", "text", "ntext", "image")


def revision_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of `deleted` without `revision`, and of the sources and types of `order`."""
    document = draft.contract.document
    if document.deleted is not None and document.revision is None and not draft.lost(("document", "revision")):
        message = "deleted has no effect without revision"
        expected = "revision: {of: …, order: …}, or no deleted"
        yield draft.text.fault(("document", "deleted"), message, expected=expected, key=True)
    for path, rule in draft.order():
        if not draft.whole(path):
            continue
        others = [origin for origin in origins_of(rule) if origin != "path"]
        if rule.path is None or others:
            known = [origin for origin in INPUT_ORIGINS if origin in others]
            found = f"{known[0]} as the source of the value" if known else ""
            message = "" if known else "the source of the value is missing"
            yield draft.text.fault(path, message, found=found, expected="path", key=True)
        elif rule.type is None:
            expected = "a SQL Server scalar type, such as int or datetime2(3): it decides how values are compared"
            yield draft.text.fault(path, "the key is missing", expected=expected, key=True, missing="type")
        elif rule.type.name in _WITHOUT_ORDER:
            expected = "a type with an order, such as int, nvarchar(50) or datetime2(3)"
            yield draft.text.fault((*path, "type"), found=str(rule.type), expected=expected)


def own_row_faults(text: YamlText, contract: Contract) -> Iterator[Fault]:
    """Yield the fault of a table in which the rows of a revision cannot be found, if nothing else is at fault."""
    if contract.document.revision is None:
        return
    try:
        own_rows(contract)
    except UnreachableRowsError as error:
        message = f"a newer revision could not replace an older one: {error.explanation}; {error.tip}"
        yield text.fault(("tables", error.table), message, key=True)
