"""The tables of a target that belong to this program rather than to a contract."""

from dataclasses import replace
from functools import cache

from xml_extractor.contract.layout import TableLayout
from xml_extractor.processing_log.log_table import LOG_TABLE
from xml_extractor.processing_log.revisions import REVISION_TABLE
from xml_extractor.processing_log.run_history import HISTORY_TABLE

HISTORY_SUFFIX = "_runs"
"""Follows the name of the processing log in the name of the run history."""


REVISIONS_SUFFIX = "_revisions"
"""Follows the name of the processing log in the name of the table of revisions."""


_IDENTIFYING = ("status", "run_id", "document_key")
_TITLES = ("the processing log", "the run history", "the table of revisions")


@cache
def history_table(log: TableLayout = LOG_TABLE) -> TableLayout:
    """Return the run history beside a processing log."""
    return replace(HISTORY_TABLE, name=f"{log.name}{HISTORY_SUFFIX}", table=f"{log.table}{HISTORY_SUFFIX}")


@cache
def revision_table(log: TableLayout = LOG_TABLE) -> TableLayout:
    """Return the table of revisions beside a processing log."""
    return replace(REVISION_TABLE, name=f"{log.name}{REVISIONS_SUFFIX}", table=f"{log.table}{REVISIONS_SUFFIX}")


def own_tables(log: TableLayout = LOG_TABLE, *, has_revisions: bool = False) -> tuple[TableLayout, ...]:
    """Return a processing log, which comes first, and the tables beside it.

    Args:
        log: The processing log.
        has_revisions: Whether the contract has `document.revision`, and so needs the table of revisions.
    """
    return (log, history_table(log), *((revision_table(log),) if has_revisions else ()))


def is_own(table: TableLayout) -> bool:
    """Return whether a table is one of this program's, under whatever name."""
    return any(table.columns is own.columns for own in own_tables(has_revisions=True))


def identifying_columns(table: TableLayout) -> set[str]:
    """Return the columns by which one of the own tables is recognized: those of its key, and others."""
    return {column.name for column in table.columns if column.name in (*table.key, *_IDENTIFYING)}


def title_of(table: TableLayout) -> str:
    """Return what one of this program's tables is called in messages."""
    (title,) = (
        title for title, own in zip(_TITLES, own_tables(has_revisions=True), strict=True) if own.name == table.name
    )
    return title
