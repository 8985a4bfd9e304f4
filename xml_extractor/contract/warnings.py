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
