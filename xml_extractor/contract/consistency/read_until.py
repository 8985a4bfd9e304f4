"""`read_until` does not cut off what a path needs."""

from collections.abc import Iterator, Mapping

from xml_extractor.contract.consistency.paths import parsed, place_within
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath
from xml_extractor.contract.model import Table
from xml_extractor.contract.names import clark_name
from xml_extractor.contract.xpath_places import Place, PlaceFinder, Promise


def read_until_faults(draft: Draft) -> Iterator[Fault]:
    """Paths that lead, or may lead, behind the end of the promised element."""
    document = draft.contract.document
    if document.preceded_by and document.read_until is None and not draft.lost(("document", "read_until")):
        message = "nothing is cut off without read_until"
        yield draft.written.fault(
            ("document", "preceded_by"), message, expected="read_until too, or no such key", key=True
        )
    promise = _promise(draft)
    if promise is None:
        return
    if document.key is not None:
        yield from _Check(draft, promise).path_faults(("document", "key"), document.key, [promise.root])
    rows: dict[str, list[Place]] = {}
    for path, name, table in draft.tables():
        check = _Check(draft, promise)
        context = [promise.root] if table.parent is None else rows.get(table.parent, [])
        if draft.lost((*path, "parent")):
            context = []
        rows[name] = check.row_places(path, table, context)
        yield from check.faults
        yield from check.column_faults(path, table, rows[name])


class _Check:
    """The paths of one table, or of the document."""

    def __init__(self, draft: Draft, promise: Promise) -> None:
        self._draft = draft
        self._promise = promise
        self.faults: list[Fault] = []

    def row_places(self, path: KeyPath, table: Table, context: list[Place]) -> list[Place]:
        """Where the table's rows are; `faults` has what is wrong with their paths."""
        places = []
        for index, rule in enumerate(table.rows):
            rule_path = (*path, "rows", index, "path")
            if not self._draft.lost(rule_path):
                places += self._follow(rule_path, rule.path, context, for_text=False)
        return places

    def column_faults(self, path: KeyPath, table: Table, context: list[Place]) -> Iterator[Fault]:
        """What is wrong with the paths of the table's columns and their inputs."""
        for name, column in table.columns.items():
            column_path = (*path, "columns", name)
            if column.path is not None:
                yield from self.path_faults((*column_path, "path"), column.path, context)
            for input_name, rule in column.inputs.items():
                if rule.path is not None:
                    yield from self.path_faults((*column_path, "inputs", input_name, "path"), rule.path, context)

    def path_faults(self, key_path: KeyPath, text: str, context: list[Place]) -> list[Fault]:
        """What is wrong with a path to a value."""
        self.faults = []
        self._follow(key_path, text, context, for_text=True)
        return self.faults

    def _follow(self, key_path: KeyPath, text: str, context: list[Place], *, for_text: bool) -> list[Place]:
        expression = parsed(text)
        if expression is None:
            return []
        finder = PlaceFinder(self._promise, self._draft.contract.namespaces)
        try:
            places = finder.follow(expression, context, for_text=for_text)
        except ValueError:  # a prefix that nobody declared: a fault of the path itself
            return []
        document = self._draft.contract.document
        for doubt in finder.doubts[:1]:
            self.faults.append(
                self._draft.written.fault(
                    key_path,
                    f"document.read_until stops reading at the end of {document.read_until}",
                    found=doubt.found,
                    expected=f"names below {document.read_until}, an attribute of the root element, "
                    "or a child element that document.preceded_by names",
                    within=place_within(text, doubt.offset),
                )
            )
        return places


def _promise(draft: Draft) -> Promise | None:
    document, namespaces = draft.contract.document, draft.contract.namespaces
    if document.read_until is None or not draft.whole(("document",)):
        return None
    names = [_clark_name(name, namespaces) for name in (document.root, *document.read_until.split("/"))]
    before = [_clark_name(name, namespaces) for name in document.preceded_by]
    known = tuple(name for name in names if name)
    return Promise(known, frozenset(name for name in before if name)) if len(known) == len(names) else None


def _clark_name(name: str, namespaces: Mapping[str, str]) -> str | None:
    try:
        return clark_name(name, namespaces)
    except ValueError:  # a prefix that nobody declared: a fault of the name itself
        return None
