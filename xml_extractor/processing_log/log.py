"""The processing log: the outcome of each document. All SQL about it is here, for all databases."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from xml_extractor.connections import Answer, Connection, answered
from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import CountKey, Counts, Row, Status
from xml_extractor.processing_log.log_keys import Digest, KeyBlocks, is_text
from xml_extractor.processing_log.log_table import (
    CASE_SENSITIVE,
    COUNT_COLUMNS,
    LogCount,
    LogEntry,
    RejectSelection,
    Retried,
    read_counts,
)

DONE = f"status <> '{Status.RETRY}'"
"""The condition that a document with a row is done, and is not to be retried."""

UNCHANGED = ("contract", "document_key", "status", "attempts", "run_id")
"""Columns that are equal in a row only until somebody replaces it or marks it for retry (optimistic locking)."""

KEYS_IN_STATEMENT = 500
"""Keys that one statement names at most; SQLite before 3.32 takes 999 parameters."""

_COUNTED = "run_id, status, contract_version, contract_hash"


_DONE_COLUMNS = "document_key, contract_hash, " + ", ".join(
    f"CASE WHEN status = '{Status.REJECTED}' THEN {column} END" for column in ("run_id", "content_hash")
)


class Done(NamedTuple):
    """What the log has of a document that is done.

    Attributes:
        contract_hash: The contract that processed it.
        rejected_by: The run that rejected it; None if it was not rejected.
        content_hash: The hash of its content, if it was rejected.
    """

    contract_hash: str
    rejected_by: str | None = None
    content_hash: str | None = None


class _Condition(NamedTuple):
    """A condition on rows of the log, and its parameters."""

    sql: str
    values: tuple[str | int, ...]


class ProcessingLog:
    """The processing log of a target.

    Args:
        connection: To the target. The caller closes it.
        name: The target's name for messages.
        layout: Its table, if that was created by an earlier version and lacks some of `ADDED_COLUMNS`. Such a log can
            only be read, and documents be marked for retry.

    Attributes:
        layout: Its table.
    """

    def __init__(self, connection: Connection, name: str = "the target", layout: TableLayout | None = None) -> None:
        self._connection = connection
        self._name = name
        self.layout = layout or connection.log_table
        self._columns = [column.name for column in self.layout.columns]
        self._table = connection.table_name(self.layout)
        self._bind = connection.row_binder(self.layout)

    def done(self, contract: str, keys: Sequence[str]) -> dict[str, Done]:
        """Return which of these documents are done: they have a row in the log and are not to be retried.

        Returns:
            What the log has of them, by document key.

        Raises:
            TargetError: The log cannot be read.
        """

        def read() -> dict[str, Done]:
            found: dict[str, Done] = {}
            for where in self._documents(contract, keys):
                rows = self._connection.query(
                    f"SELECT {_DONE_COLUMNS} FROM {self._table} WHERE {where.sql} AND {DONE}",  # noqa: S608 - the name is quoted, values bound
                    where.values,
                )
                found.update((key, Done(*others)) for key, *others in rows)
            return {key: found[key] for key in keys if key in found}

        return self._answer(read)

    def blocks(self, contract: str, contract_hash: str, blocks: KeyBlocks) -> dict[int, tuple[Digest, int]]:
        """Return the digests of blocks of documents that are done, and how many another contract processed, by number.

        Raises:
            TargetError: The log cannot be read.
        """
        is_server = self._connection.dialect == "mssql"
        key = "TRY_CAST(document_key AS bigint)" if is_server else "CAST(document_key AS INTEGER)"
        text, length = ("nvarchar(300)", "DATALENGTH") if is_server else ("TEXT", "LENGTH")
        written = f"CAST({key} AS {text})"
        ranges = blocks.text_ranges()
        within = " OR ".join(
            [f"document_key >= ? AND document_key <= ? AND {length}(document_key) = {length}(?)"] * len(ranges)
        )
        conditions = [
            "contract = ?",
            # Rejected documents are compared one by one, because changed ones are retried.
            f"status NOT IN ('{Status.RETRY}', '{Status.REJECTED}')",
            *([f"({within})"] if within else []),
            # Texts such as 007 are other keys.
            f"{written} = document_key AND {length}({written}) = {length}(document_key)",
            f"{key} >= {blocks.first} AND {key} <= {blocks.last}",
        ]
        keys = f"SELECT {key} AS k, contract_hash FROM {self._table} WHERE {' AND '.join(conditions)}"  # noqa: S608 - the name is quoted, values bound
        query = blocks.query(keys, ", SUM(CASE WHEN contract_hash = ? THEN 0 ELSE 1 END)")
        values = [contract_hash, contract, *(text for first, last in ranges for text in (first, last, last))]

        def read() -> dict[int, tuple[Digest, int]]:
            rows = self._connection.query(query, values)
            return {block: (tuple(digest), outdated) for block, *digest, outdated in rows}

        return self._answer(read)

    def find(self, contract: str, keys: Sequence[str]) -> dict[str, LogEntry]:
        """Return the rows of these documents by document key.

        Raises:
            TargetError: The log cannot be read.
        """
        return self._answer(lambda: self.entries(contract, keys))

    def rejected_by_others(self, contract: str, run_id: str) -> int:
        """Return the number of documents that other runs rejected.

        Raises:
            TargetError: The log cannot be read.
        """
        query = f"SELECT COUNT(*) FROM {self._table} WHERE contract = ? AND status = ? AND run_id <> ?"  # noqa: S608 - the name is quoted, values bound
        values = (contract, Status.REJECTED.value, run_id)
        [(number,)] = self._answer(lambda: list(self._connection.query(query, values)))
        return int(number)

    def other_counts(self, contract: str) -> Counts:
        """Return tolerated values, and rows that were left out, kept or replaced, of all documents.

        Raises:
            TargetError: The log cannot be read.
        """
        if "counts" not in self._columns:
            return ()
        query = f"SELECT counts, COUNT(*) FROM {self._table} WHERE contract = ? AND counts IS NOT NULL GROUP BY counts"  # noqa: S608 - the name is quoted, values bound
        found: Counter[CountKey] = Counter()
        for text, documents in self._answer(lambda: list(self._connection.query(query, (contract,)))):
            found.update({key: number * documents for key, number in read_counts(text)})
        return tuple(sorted(found.items()))

    def by_version(self) -> dict[tuple[str, int], dict[Status, int]]:
        """Return how many documents there are of each status, by contract and version.

        Raises:
            TargetError: The log cannot be read.
        """
        grouped = "contract, contract_version, status"
        query = f"SELECT {grouped}, COUNT(*) FROM {self._table} GROUP BY {grouped}"  # noqa: S608 - the name is quoted
        found: dict[tuple[str, int], dict[Status, int]] = {}
        for contract, version, status, documents in self._answer(lambda: list(self._connection.query(query))):
            found.setdefault((contract, version), {})[Status(status)] = documents
        return dict(sorted(found.items()))

    def counts(self, contract: str) -> list[LogCount]:
        """Return how many documents the log has of each run, the run that ended last first.

        Raises:
            TargetError: The log cannot be read.
        """
        found = self._answer(lambda: list(self._counts(contract)))
        ended = {count.run_id: count.finished_at for count in sorted(found, key=lambda count: count.finished_at)}
        return sorted(found, key=lambda count: (ended[count.run_id], count.run_id, count.status), reverse=True)

    def rejected(self, selection: RejectSelection) -> list[LogEntry]:
        """Return the rows of rejected documents, in the order of their keys as text.

        Raises:
            TargetError: The log cannot be read.
        """
        found = self._answer(lambda: list(self._rejected(selection)))
        return sorted(found, key=lambda entry: entry.document_key)

    def retry(self, selection: RejectSelection, max_attempts: int) -> Retried:
        """Have the next run retry rejected documents, except those with `max_attempts` attempts.

        Raises:
            TargetError: The log cannot be written.
        """

        def change() -> Retried:
            with self._connection.transaction():
                changed = sum(
                    self._connection.execute(
                        f"UPDATE {self._table} SET status = '{Status.RETRY}' WHERE {where.sql}",  # noqa: S608 - the name is quoted, values bound
                        where.values,
                    )
                    for where in self._rejects(replace(selection, below_attempts=max_attempts))
                )
                return Retried(changed, sum(1 for _ in self._rejected(selection)))

        return self._answer(change)

    def loaded(self, contract: str, run: str = "") -> Iterator[tuple[str, str, int]]:
        """Yield key, run and number of rows of all loaded documents, or of those that one run has loaded.

        Raises:
            DatabaseError: The log cannot be read.
        """
        of_run = " AND run_id = ?" if run else ""
        query = f"SELECT document_key, run_id, row_count FROM {self._table} WHERE contract = ? AND status = ?{of_run}"  # noqa: S608 - the name is quoted, values bound
        rows = self._connection.query(query, (contract, Status.LOADED.value, *([run] if run else ())))
        return ((key, run_id, rows) for key, run_id, rows in rows)

    def read(self) -> Iterator[LogEntry]:
        """Yield all rows, in no particular order.

        Raises:
            DatabaseError: The log cannot be read.
        """
        return self._read()

    def entries(self, contract: str, keys: Sequence[str]) -> dict[str, LogEntry]:
        """Return the rows of these documents by document key; nothing is retried.

        Raises:
            DatabaseError: The log cannot be read.
        """
        found = {entry.document_key: entry for where in self._documents(contract, keys) for entry in self._read(*where)}
        # SQL Server ignores spaces at the end of a key when it compares.
        return {key: found[key] for key in keys if key in found}

    def bound(self, entries: Sequence[LogEntry]) -> list[Row]:
        """Return the rows of entries, bound, to insert them with a batch."""
        bind = self._bind
        return [bind(entry.row) for entry in entries]

    def delete(self, entries: Sequence[LogEntry]) -> None:
        """Delete rows that are unchanged since they were read (optimistic locking), by one call.

        Raises:
            DatabaseError: The log cannot be written.
        """
        if not entries:
            return
        positions = [position for position, column in enumerate(self.layout.columns) if column.name in UNCHANGED]
        unchanged = " AND ".join(f"{self.layout.columns[position].name} = ?" for position in positions)
        self._connection.execute_many(
            f"DELETE FROM {self._table} WHERE {unchanged}",  # noqa: S608 - the name is quoted, values bound
            [self.layout.columns[position] for position in positions],
            [tuple(row[position] for position in positions) for row in self.bound(entries)],
        )

    def supersede(self, entries: Sequence[LogEntry]) -> None:
        """Record that the documents of these rows are superseded, and have no rows any more, by one call.

        Raises:
            DatabaseError: The log cannot be written.
        """
        self._set(
            ("status", *COUNT_COLUMNS),
            [
                entry._replace(status=Status.SUPERSEDED, row_count=0, shared_count=0).with_counts(())
                for entry in entries
            ],
        )

    def retry_superseded(self, contract: str, thing: str) -> None:
        """Have the next run decide anew about superseded revisions of a thing.

        Raises:
            DatabaseError: The log cannot be written.
        """
        self._connection.execute(
            f"UPDATE {self._table} SET status = '{Status.RETRY}' "  # noqa: S608 - the name is quoted, values bound
            f"WHERE contract = ? AND thing = ? AND status = '{Status.SUPERSEDED}'",
            (contract, thing),
        )

    def set_counts(self, entries: Sequence[LogEntry]) -> None:
        """Set the counts of rows that this transaction has inserted, by one call.

        Raises:
            DatabaseError: The log cannot be written.
        """
        self._set(COUNT_COLUMNS, entries)

    def _set(self, assigned_names: Sequence[str], entries: Sequence[LogEntry]) -> None:
        """Set columns of rows, by one call."""
        if entries:
            self._connection.update_rows(self.layout, assigned_names, self.bound(entries))

    def _read(self, condition: str = "", values: Sequence[str | int] = ()) -> Iterator[LogEntry]:
        rows = self._connection.read_rows(self.layout, condition, values)
        return (LogEntry.of(dict(zip(self._columns, row, strict=True))) for row in rows)

    def _answer(self, action: Callable[[], Answer]) -> Answer:
        return answered(action, f"the processing log of {self._name} cannot be used")

    def _counts(self, contract: str) -> Iterator[LogCount]:
        rows = self._connection.query(
            f"SELECT {_COUNTED}, COUNT(*), MAX(finished_at) FROM {self._table} WHERE contract = ? GROUP BY {_COUNTED}",  # noqa: S608 - the name is quoted, values bound
            (contract,),
        )
        for run_id, status, version, contract_hash, documents, last in rows:
            finished_at = last if isinstance(last, datetime) else datetime.fromisoformat(last)
            yield LogCount(run_id, Status(status), version, contract_hash, documents, finished_at)

    def _rejected(self, selection: RejectSelection) -> Iterator[LogEntry]:
        for where in self._rejects(selection):
            yield from self._read(*where)

    def _rejects(self, selection: RejectSelection) -> Iterator[_Condition]:
        """Yield the conditions that, one after the other, find the rows of these documents."""
        conditions = [f"status = '{Status.REJECTED}'"]
        values: list[str | int] = []
        if selection.code:
            # A reason begins with its code, and ` at table.column` or `: explanation` follows.
            conditions.append("(reason LIKE ? ESCAPE '!' OR reason LIKE ? ESCAPE '!')")
            values += [f"{_like_pattern(selection.code)}{end}%" for end in (" ", ":")]
        if selection.stage:
            conditions.append("stage = ?")
            values.append(selection.stage)
        if selection.run:
            conditions.append("run_id LIKE ? ESCAPE '!'")
            values.append(f"{_like_pattern(selection.run)}%")
        # The id of a run begins with the time of its start.
        for operator, when in (">=", selection.since), ("<", selection.before):
            if when is not None:
                conditions.append(f"run_id {operator} ?")
                values.append(f"{when:%Y%m%dT%H%M%S}")
        if selection.below_attempts is not None:
            conditions.append("attempts < ?")
            values.append(selection.below_attempts)
        if selection.keys:
            keys = list(dict.fromkeys(selection.keys))
            chosen = self._documents(selection.contract, keys)
        else:
            chosen = iter([_Condition("contract = ?", (selection.contract,))])
        for where in chosen:
            yield _Condition(" AND ".join((where.sql, *conditions)), (*where.values, *values))

    def _documents(self, contract: str, keys: Sequence[str]) -> Iterator[_Condition]:
        """Yield the conditions that, one after the other, find the rows of the documents with these keys."""
        keys = [key for key in keys if is_text(key)]  # others are in no log, and no parameter
        if self._connection.dialect == "mssql":
            # One parameter, so that any number of keys takes one round trip and one plan. Servers differ in escapes.
            written = {key: json.dumps(key, ensure_ascii=False) for key in keys}
            plain = [text for text in written.values() if "\\" not in text]
            keys = [key for key, text in written.items() if "\\" in text]
            keys_in = f"SELECT value COLLATE {CASE_SENSITIVE} FROM OPENJSON(?)"  # noqa: S608 - constants
            if plain:
                yield _Condition(f"contract = ? AND document_key IN ({keys_in})", (contract, f"[{','.join(plain)}]"))
        for first in range(0, len(keys), KEYS_IN_STATEMENT):
            some = keys[first : first + KEYS_IN_STATEMENT]
            parameters = ", ".join("?" * len(some))
            yield _Condition(f"contract = ? AND document_key IN ({parameters})", (contract, *some))


def _like_pattern(text: str) -> str:
    """Return the pattern of LIKE that only this text matches."""
    for character in "!%_[":
        text = text.replace(character, f"!{character}")
    return text
