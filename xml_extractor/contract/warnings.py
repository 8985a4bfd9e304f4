"""What may go wrong in a run although the contract has no fault."""

from collections.abc import Iterator

from xml_extractor.contract.doubtful_names import doubtful_names
from xml_extractor.contract.model import REJECT, Column, Contract
from xml_extractor.contract.xpath import Call, parse_xpath, walk
from xml_extractor.tsql import unqualified_columns


def warnings(contract: Contract) -> Iterator[str]:
    """Yield warnings about a contract without faults, one line each."""
    names = unqualified_columns(contract.source.where or "")
    if names:
        yield (
            f"warning: source.where: a subquery has columns without a table: {', '.join(names)}; write TABLE.COLUMN, "
            "because a column that the subquery's table lacks is silently that of the documents' table, and vice versa"
        )
    yield from doubtful_names(contract)
    yield from _uncounted_references(contract)
    yield from _default_sizes(contract)
    yield from _unlinked_tables(contract)
    for name, table in contract.tables.items():
        keys = [column for column in table.columns.values() if column.key]
        has_source_key = any(_is_source_key(contract, column) for column in keys)
        has_own_key = has_source_key or any(_is_document_key(contract, column) for column in keys)
        if table.on_conflict == "keep" and len(keys) < len(table.columns) and not has_own_key:
            yield (
                f"note: tables.{name}: where documents disagree about a row with the same key, the first one loaded "
                "decides; the run counts such rows as disagreeing"
            )
        if table.on_conflict == "replace" and contract.document.revision is None and not has_source_key:
            yield (
                f"warning: tables.{name}: documents with the same key replace each other's rows in an undefined order "
                "if they are loaded at the same time, and rows that only the earlier one has stay; declare "
                "`document.revision`, load such documents in separate runs, or make the key of the source a part of "
                "the table's key"
            )


def _uncounted_references(contract: Contract) -> Iterator[str]:
    for name, table in contract.tables.items():
        for column_name, column in table.columns.items():
            calls = [part.name for part in walk(parse_xpath(column.at or ".")) if isinstance(part, Call)]
            if "current" in calls and "key" not in calls:
                yield (
                    f"warning: tables.{name}.columns.{column_name}.at: references that find no node are not counted, "
                    "because only key() shows that there was a value to look up; use key()"
                )


def _default_sizes(contract: Contract) -> Iterator[str]:
    """Yield warnings about types whose size is the default of SQL Server, which is rarely meant."""
    for name, table in contract.tables.items():
        for column_name, column in table.columns.items():
            for place, rule in (
                ("", column),
                *((f".inputs.{input_name}", each) for input_name, each in column.inputs.items()),
            ):
                what = _WITHOUT_SIZE.get(rule.type.name) if rule.type is not None and rule.type.is_bare else None
                if what is not None and rule.type is not None:
                    yield (
                        f"warning: tables.{name}.columns.{column_name}{place}: {rule.type.name} without {what[0]} is "
                        f"{rule.type}; write {what[1]}"
                    )


_WITHOUT_SIZE = {
    **{name: ("a length", f"the length, such as {name}(100)") for name in ("varchar", "nvarchar", "varbinary")},
    **{name: ("a scale", f"precision and scale, such as {name}(12,2)") for name in ("decimal", "numeric")},
}
"""What is left out in a type's short form, and what to write, by the type's name."""


def _unlinked_tables(contract: Contract) -> Iterator[str]:
    """Yield warnings about tables whose rows cannot be joined to what they belong to."""
    for name, table in contract.tables.items():
        rules = [rule for column in table.columns.values() for rule in (column, *column.inputs.values())]
        if any(rule.parent is not None or _leads_up(rule.path or "") for rule in rules):
            continue
        if any(column.reference for column in table.columns.values()):
            continue
        parent = contract.tables.get(table.parent or "")
        has_document = any(column.run in ("document_key", "source_key") for column in table.columns.values())
        is_one_a_document = (
            parent is not None and parent.parent is None and all(rule.path == "." for rule in parent.rows)
        )
        if parent is not None and not (has_document and is_one_a_document):
            yield (
                f"warning: tables.{name}: no column says to which row of {table.parent} a row belongs; add a column "
                f"with `parent: {table.parent}.COLUMN`"
            )


def _leads_up(path: str) -> bool:
    """Return whether a path may lead out of the row's node, such as to its parent."""
    return path.startswith("/") or any(part in path for part in ("..", "ancestor", "parent::", "$", "key("))


def _is_source_key(contract: Contract, column: Column) -> bool:
    """Return whether a column holds the key of the source, which no two documents share."""
    if column.parent is not None:
        table, _, name = column.parent.partition(".")
        return _is_source_key(contract, contract.tables[table].columns[name])
    if column.transform or column.lookup or column.on_invalid != REJECT:
        return False
    return column.run == "source_key" or (column.run == "document_key" and contract.document.key is None)


def _is_document_key(contract: Contract, column: Column) -> bool:
    """Return whether a column holds the document's own key."""
    if column.parent is not None:
        table, _, name = column.parent.partition(".")
        return _is_document_key(contract, contract.tables[table].columns[name])
    return column.run == "document_key" or (column.path is not None and column.path == contract.document.key)
