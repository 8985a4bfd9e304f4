"""Rules of a table that may reject rows that the contract accepts."""

from collections.abc import Iterator, Sequence

from xml_extractor.contract.layout import TableLayout
from xml_extractor.processing_log.log_table import LOG_TABLE
from xml_extractor.schema.model import ActualTable


def rules_beside_the_contract(layout: TableLayout, actual: ActualTable, loaded: Sequence[TableLayout]) -> Iterator[str]:
    """Yield a description of each rule of a table that the contract does not imply.

    Args:
        layout: The table that the contract needs.
        actual: The table in the database.
        loaded: All tables of the contract.
    """
    if layout.columns is LOG_TABLE.columns:
        yield from _collation_of_keys(actual)
    filled = {column.name.casefold() for column in layout.columns}
    key = {name.casefold() for name in layout.key}
    for rule in actual.rules:
        columns = {name.casefold() for name in rule.columns}
        is_implied = bool(key) and key <= columns
        if not columns or (columns <= filled and not is_implied):
            listed = f" ({', '.join(rule.columns)})" if rule.columns else ""
            yield f"{rule.kind} {rule.name}".rstrip() + listed
    primary = {name.casefold() for name in actual.key}
    unique = [{name.casefold() for name in columns} for columns in actual.unique_keys]
    if primary and primary <= filled and key in unique and not key <= primary:
        yield f"primary key ({', '.join(actual.key)})"
    for column in actual.columns:
        known = column.name.casefold() in {each.name.casefold() for each in (*layout.columns, *layout.generated)}
        if column.computed and not known and column.declared.startswith(("the computed", "the generated")):
            yield column.declared.removeprefix("the ")
    constants = {column.name.casefold() for column in layout.columns if column.constants}
    tables = {table.table.rpartition(".")[2].casefold() for table in loaded}
    for foreign_key in actual.foreign_keys:
        columns = {name.casefold() for name in foreign_key.columns}
        # Of constants, the comparison looks whether the other table has them.
        if foreign_key.table.casefold() not in tables and columns <= filled and not columns <= constants:
            parent = ".".join(filter(None, (foreign_key.schema, foreign_key.table))) or "a table that is not visible"
            yield f"foreign key ({', '.join(foreign_key.columns)}) to {parent}, which is not loaded"


def _collation_of_keys(log: ActualTable) -> Iterator[str]:
    """Yield the collation of the processing log's keys, if it is none that compares code points."""
    for column in log.columns:
        if column.name.casefold() == "document_key" and column.collation and "_BIN" not in column.collation.upper():
            yield (
                f"collation {column.collation} of document_key, by which keys are equal that differ only in case, "
                "accents or width"
            )
