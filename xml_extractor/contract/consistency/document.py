"""Check `document`: records, the header that they show, entities, `revision` and `deleted`."""

from collections.abc import Iterator

from xml_extractor.contract.consistency.columns import INPUT_ORIGINS, origins_of
from xml_extractor.contract.consistency.paths import document_paths, parsed, position_within
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault
from xml_extractor.contract.model import Contract
from xml_extractor.contract.own_rows import UnreachableRowsError, own_rows
from xml_extractor.contract.xpath import Call, Expression, Path, Step, kind_of, walk
from xml_extractor.contract.yaml_text import YamlText

_EXPECTED = "names of child elements, * and //, with predicates over attributes, as in m:Set//m:Item[@status = 'new']"


def entity_faults(draft: Draft) -> Iterator[Fault]:
    """Yield `entities` where it has no effect, or is not supported."""
    document, key_path = draft.contract.document, ("document", "entities")
    if document.entities == "refuse":
        return
    if document.doctype == "refuse" and draft.whole(("document", "doctype")):
        message = "entities have no effect where a DOCTYPE is refused"
        yield draft.text.fault(key_path, message, expected="doctype: allow, or no entities", key=True)
    if document.records is not None:
        message = "entities of a file's DOCTYPE are not replaced in its records"
        yield draft.text.fault(key_path, message, expected="no entities, or no records", key=True)


def record_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of `records` and `header`, and of keys that do not go with them."""
    document, text = draft.contract.document, draft.text
    for name in ("records", "header"):
        for index, path in enumerate(getattr(document, name) or ()):
            key_path = draft.entry_path(("document", name), index)
            expression = parsed(path)
            for offset in () if expression is None else _no_location_path(expression):
                within = position_within(path, offset)
                yield text.fault(key_path, "this is not a path of elements", expected=_EXPECTED, within=within)
    if draft.lost(("document", "records")):
        return
    if document.records is None:
        if document.header is not None:
            message = "header has no effect without records"
            yield text.fault(("document", "header"), message, expected="records, or no header", key=True)
        for column_path, _, _, column in draft.columns():
            if column.run == "record_number":
                yield text.fault((*column_path, "run"), found="record_number", expected="it only with document.records")
    else:
        if document.read_until is not None:
            message = "records are read to their end"
            yield text.fault(("document", "read_until"), message, expected="no read_until", key=True)
        yield from _hidden_faults(draft)


def _no_location_path(expression: Expression) -> Iterator[int]:
    """Yield the offsets of the parts that a location path of records must not have."""
    match expression:
        case Path("context" | "document", (), steps) if steps and steps[-1].axis == "child":
            for step in steps:
                is_slash = step.test == "node()" and step.axis in ("self", "descendant-or-self") and not step.predicates
                if not is_slash and (step.axis != "child" or step.test.endswith(")")):
                    yield step.offset
                for predicate in step.predicates:
                    if kind_of(predicate) == "number" or not all(map(_reads_attributes, walk(predicate))):
                        yield predicate.offset
        case _:
            yield expression.offset


def _reads_attributes(part: Expression | Step) -> bool:
    match part:
        case Step(axis):
            return axis == "attribute"
        case Path(start, _, steps):
            return start == "context" and len(steps) == 1
        case Call(name, arguments):
            return name not in ("position", "last") and (bool(arguments) or name in ("true", "false"))
    return True


def _hidden_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of paths from a record to siblings that the header does not list."""
    document = draft.contract.document
    listed = (parsed(path) for path in (*(document.records or ()), *(document.header or ())))
    names = {step.test for path in listed if isinstance(path, Path) for step in path.steps}
    if "*" in names:
        return
    paths = list(document_paths(draft))
    paths += [((*path, "path"), rule.path) for path, rule in draft.order() if rule.path is not None]
    for path, table, rule in draft.rules():
        rows = draft.contract.tables[table]
        if (
            rule.path is not None
            and rows.parent is None
            and rows.base is None
            and all(row.path == "." for row in rows.rows)
        ):
            paths.append(((*path, "path"), rule.path))
    for key_path, path_text in paths:
        expression = parsed(path_text)
        for step in _steps_to_siblings(expression) if expression is not None else ():
            if step.test not in names and not step.test.endswith((")", "*")):
                yield draft.text.fault(
                    key_path,
                    f"a record does not show '{step.test}' of its file",
                    expected="its ancestors, their attributes, and the elements that document.header lists",
                    within=position_within(path_text, step.offset),
                )


def _steps_to_siblings(expression: Expression) -> Iterator[Step]:
    """Yield the child steps that follow parent steps at the start of paths."""
    for part in walk(expression):
        if isinstance(part, Path) and part.start == "context":
            climbed = next((index for index, step in enumerate(part.steps) if step.axis != "parent"), 0)
            if climbed and part.steps[climbed].axis == "child":
                yield part.steps[climbed]


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
            yield draft.text.without_key(path, "type", expected)
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
