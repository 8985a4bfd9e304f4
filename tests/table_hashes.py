"""A hash of what tables hold, to compare runs: the same rows give the same hash, in whatever order they were loaded."""

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

from xml_extractor.connections import Connection
from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import Row
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_table import LOG_TABLE, LogEntry

DIGEST_SIZE = 16


def table_hashes(connection: Connection, tables: Sequence[TableLayout], ignore: Collection[str] = ()) -> dict[str, str]:
    """A hash of each table and of the processing log, by the table's name in the contract.

    What differs between equal runs does not count: values made by the database, and the log's times, seconds and run.

    Args:
        connection: Where the tables are.
        tables: The tables of a contract.
        ignore: Columns that do not count, as `table.column` by their names in the contract: those with the run's id
            or time.
    """
    hashes = {LOG_TABLE.name: _hash(map(_lasting_part, ProcessingLog(connection).read()))}
    for table in tables:
        counts = [index for index, column in enumerate(table.columns) if f"{table.name}.{column.name}" not in ignore]
        rows = connection.read_rows(table)
        hashes[table.name] = _hash(tuple(row[index] for index in counts) for row in rows)
    return hashes


def _lasting_part(entry: LogEntry) -> Row:
    return (
        entry.contract,
        entry.document_key,
        entry.status.value,
        entry.stage,
        entry.reason,
        entry.attempts,
        entry.row_count,
        entry.content_hash,
        entry.contract_version,
        entry.contract_hash,
    )


def _hash(rows: Iterable[Row]) -> str:
    """Hashes of rows, added up: adding does not depend on order and, unlike XOR, counts equal rows."""
    total = number = 0
    for row in rows:
        total += int.from_bytes(blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=DIGEST_SIZE).digest())
        number += 1
    return f"{number}-{total % (1 << 8 * DIGEST_SIZE):0{2 * DIGEST_SIZE}x}"
