"""The delete plan: how the rows of one document are deleted when it is reprocessed or a newer revision replaces it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from xml_extractor.contract.model import Contract
from xml_extractor.contract.own_rows import KeyColumn, Link, UnreachableRowsError, own_rows
from xml_extractor.errors import UsageError

DeletePlan = tuple[KeyColumn, ...]
"""One key column for each table, children before parents, which is the order to delete in.

Several tables of a contract that fill one database table, and whose rows are found in the same way, have one in common,
in the place of the first: their rows are deleted together, when the rows of all their children are.
"""


class Dialect(NamedTuple):
    """How names stand in a statement: a column's, a table's with its schema, and a table's alone."""

    column: Callable[[str], str]
    table: Callable[[str], str]
    bare_table: Callable[[str], str]


def plan_deletion(contract: Contract) -> DeletePlan:
    """Return how the rows of a contract's documents are deleted.

    Raises:
        UsageError: In some table, the rows of one document cannot be distinguished from those of others.
    """
    try:
        return own_rows(contract)
    except UnreachableRowsError as error:
        tip = f"{error.tip}; or delete rows of documents and of the processing log yourself"
        raise UsageError(f"documents cannot be reprocessed: {error.explanation}", tip) from None


def deletion(column: KeyColumn, dialect: Dialect, parameter: str) -> str:
    """Return the statement that deletes a document's rows from one table.

    Args:
        column: How they are found.
        dialect: How names are written.
        parameter: What stands for the key.
    """
    reference = dialect.bare_table(column.table.table)
    condition = _condition(column.links, 1, reference, f"{dialect.column(column.column.name)} = {parameter}", dialect)
    return f"DELETE FROM {dialect.table(column.table.table)} WHERE {condition}"  # noqa: S608 - names are quoted


def _condition(links: Sequence[Link], depth: int, child: str, at_the_end: str, dialect: Dialect) -> str:
    if not links:
        return at_the_end if depth == 1 else f"p{depth - 1}.{at_the_end}"
    foreign_key, parent = links[0]
    same = " AND ".join(
        f"p{depth}.{dialect.column(there)} = {child}.{dialect.column(here)}"
        for here, there in zip(foreign_key.columns, foreign_key.references, strict=True)
    )
    rest = _condition(links[1:], depth + 1, f"p{depth}", at_the_end, dialect)
    return f"EXISTS (SELECT 1 FROM {dialect.table(parent.table)} AS p{depth} WHERE {same} AND {rest})"  # noqa: S608 - names are quoted
