"""The queries of a source: a page of keys, and documents by their keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pyodbc

from xml_extractor.contract.model import SourceTable
from xml_extractor.processing_log.log import DONE
from xml_extractor.processing_log.log_table import CASE_SENSITIVE, LogPlace
from xml_extractor.schema.names import t_sql_name, t_sql_table
from xml_extractor.sources.sqlserver_keys import KeyColumn
from xml_extractor.targets.sqlserver.statements import OdbcType
from xml_extractor.values.sqltypes import Family, SqlType

DOCUMENTS_IN_QUERY = 16
"""Documents that one query asks for. It always has as many places, so that the server plans it once."""


@dataclass(frozen=True)
class SourceQueries:
    """The queries of one source.

    Attributes:
        table: What the contract says of the source.
        schema: Of a table without one; empty for the login's.
        key: The key column.
        xml_type: The type of the column with documents.
        end_tag: The server cuts text behind its first occurrence; empty if it is to give whole documents.
    """

    table: SourceTable
    schema: str
    key: KeyColumn
    xml_type: SqlType
    end_tag: str

    def keys(self, conditions: Sequence[str], log: LogPlace | None) -> tuple[str, list[OdbcType]]:
        """The first keys that meet the conditions, and whether the log has them.

        Args:
            conditions: On `s`, with one parameter of the key's type each.
            log: Where to look; None: a 0 stands beside each key.

        Returns:
            The query, and the types of its parameters: the number of keys, the contract if there is a log, and those
            of the conditions.
        """
        every = [*conditions, *([f"({self.table.where}\n)"] if self.table.where else [])]
        where = f" WHERE {' AND '.join(every)}" if every else ""
        logged = "0" if log is None else f"CASE WHEN EXISTS ({self._log_row(log)}) THEN 1 ELSE 0 END"
        query = f"SELECT TOP (?) s.{self.key.name}, {logged} FROM {self._from}{where} ORDER BY s.{self.key.name}"  # noqa: S608 - names are quoted
        of_log = [] if log is None else [(pyodbc.SQL_WVARCHAR, 100, 0)]
        return query, [(pyodbc.SQL_INTEGER, 0, 0), *of_log, *[self.key.odbc_type] * len(conditions)]

    def documents(self, *, whole: bool) -> tuple[str, list[OdbcType]]:
        """Documents by their keys, ordered by key: key, size, content, whether it was cut.

        The size is that of the whole document: bytes of binary columns, UTF-16 code units of text. The content is NULL
        where the size is larger than the first parameter; the others are keys.
        """
        keys = ", ".join([self.key.place] * DOCUMENTS_IN_QUERY)
        query = self._cut if self.end_tag and self._is_text and not whole else self._uncut
        types = [(pyodbc.SQL_BIGINT, 0, 0), *[self.key.odbc_type] * DOCUMENTS_IN_QUERY]
        return f"{query} WHERE s.{self.key.name} IN ({keys}) ORDER BY s.{self.key.name}", types

    @property
    def _is_text(self) -> bool:
        return self.xml_type.family is not Family.BINARY

    @property
    def _from(self) -> str:
        return f"{t_sql_table(self.table.table, self.schema)} AS s"

    @cached_property
    def _with_content(self) -> str:
        """The table with `d.content` and `d.size`."""
        xml = f"s.{t_sql_name(self.table.xml)}"
        content = f"CONVERT({'nvarchar' if self._is_text else 'varbinary'}(max), {xml})"
        size = f"DATALENGTH({content}){' / 2' if self._is_text else ''}"
        return f"{self._from} CROSS APPLY (SELECT {content} AS content, {size} AS size) AS d"

    @property
    def _uncut(self) -> str:
        return (
            f"SELECT s.{self.key.name}, d.size, CASE WHEN d.size <= ? THEN d.content END, 0 FROM {self._with_content}"  # noqa: S608 - names are quoted
        )

    @property
    def _cut(self) -> str:
        escaped = self.end_tag.replace("'", "''")
        position = f"CHARINDEX(N'{escaped}' COLLATE {CASE_SENSITIVE}, d.content)"
        end = f"p.position + {len(self.end_tag) - 1}"
        cut = f"CASE WHEN p.position > 0 THEN LEFT(d.content, {end}) ELSE d.content END"
        return (
            f"SELECT s.{self.key.name}, d.size, CASE WHEN d.size <= ? THEN {cut} END, "  # noqa: S608 - names are quoted
            f"CASE WHEN p.position > 0 THEN 1 ELSE 0 END "
            f"FROM {self._with_content} CROSS APPLY (SELECT {position} AS position) AS p"
        )

    def _log_row(self, log: LogPlace) -> str:
        same_key = f"l.document_key = {self.key.text} COLLATE {CASE_SENSITIVE}"
        return f"SELECT 1 FROM {log.table} AS l WHERE l.contract = ? AND {same_key} AND l.{DONE}"  # noqa: S608 - names are quoted
