"""Insert the documents of a batch that the database accepts, by one statement that returns the errors of the others.

The statement inserts ranges of documents, each after a savepoint. A range that fails is rolled back and halved until
the bad document is alone. After a range that is accepted, the next one is twice as long. Most errors leave the
transaction intact. Others, such as those of triggers, end it: then everything before is inserted again in a new one.
Sources: "SAVE TRANSACTION", "XACT_STATE" and "TRY...CATCH", Microsoft Learn.
"""

from collections.abc import Mapping
from functools import lru_cache

from xml_extractor.contract.layout import TableLayout
from xml_extractor.schema.names import t_sql_name, t_sql_table
from xml_extractor.targets.sqlserver.errors import IS_DATA_ERROR
from xml_extractor.targets.sqlserver.json_batches import (
    ROW,
    Collations,
    conflict_changes,
    given_query,
    with_identity,
)
from xml_extractor.targets.sqlserver.statements import IN_TRANSACTION_ONLY

_PREPARE = (
    "DECLARE @rows TABLE (t int, d int, r nvarchar(max), PRIMARY KEY (t, d)); "
    "INSERT INTO @rows (t, d, r) SELECT t.[key], d.[key], t.value FROM OPENJSON(?) AS d "
    "CROSS APPLY OPENJSON(d.value) AS t WHERE t.value <> N'[]'; "
    "DECLARE @rejected TABLE (d int, t int, number int, message nvarchar(4000)); "
    "DECLARE @not_inserted TABLE (d int, t int); "
    "DECLARE @from int = 0, @next int = 0, @documents int = ?, @can_restart int = ?, @accepted int = 0, @at int; "
    "DECLARE @size int = @documents; "
)
"""`@from` is the first document that is not inserted; `@next` the first that is neither accepted nor rejected."""

_LOOP = """
WHILE @next < @documents
BEGIN
    IF @size > @documents - @next SET @size = @documents - @next;
    SAVE TRANSACTION documents;
    DELETE FROM @not_inserted WHERE d >= @from;
    BEGIN TRY
        {inserts}
        SELECT @next = @next + @size, @accepted = @accepted + @size, @size = 2 * @size;
        SET @from = @next;
    END TRY
    BEGIN CATCH
        IF NOT ({is_data_error}) OR (XACT_STATE() <> 1 AND @can_restart = 0)
        BEGIN;
            SELECT @at, 0;
            THROW;
        END;
        IF XACT_STATE() = 1 ROLLBACK TRANSACTION documents;
        ELSE
        BEGIN
            IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
            BEGIN TRANSACTION;
            SET @from = 0;
        END;
        {identities_off}
        IF @size > 1 SET @size = @size / 2;
        ELSE
        BEGIN
            INSERT INTO @rejected (d, t, number, message) VALUES (@next, @at, ERROR_NUMBER(), ERROR_MESSAGE());
            DELETE FROM @rows WHERE d = @next;
            SELECT @next = @next + 1, @size = CASE WHEN @accepted > 0 THEN @accepted ELSE 1 END, @accepted = 0;
        END
    END CATCH
END;
SELECT d, t, number, message FROM @rejected
UNION ALL SELECT d, t, COUNT(*), NULL FROM @not_inserted GROUP BY d, t;
"""


@lru_cache(maxsize=64)
def isolating_statement(
    tables: tuple[TableLayout, ...], default_schema: str, collations: tuple[Collations, ...]
) -> str:
    """Return the statement; its last result has document, table, number and message of each error.

    Rows of the result without a message have the number of rows that were kept or replaced.

    Its parameters are the documents as JSON, their number, and whether it can restart the transaction. After an error
    that no document causes, it selects the table's position and that nothing is undone, and raises the error.

    Args:
        tables: The tables, in the order of insertion.
        default_schema: Of a table without one; empty for the login's.
        collations: Of the key columns of each table.
    """
    names = [t_sql_table(table.table, default_schema) for table in tables]
    inserts = [
        f"SET @at = {position}; {_changes(table, name, position, dict(collations[position]))}"
        for position, (table, name) in enumerate(zip(tables, names, strict=True))
    ]
    off = [f"SET IDENTITY_INSERT {name} OFF;" for table, name in zip(tables, names, strict=True) if table.identity]
    loop = _LOOP.format(inserts=" ".join(inserts), is_data_error=IS_DATA_ERROR, identities_off=" ".join(off))
    return f"{IN_TRANSACTION_ONLY}{_PREPARE}{loop}"


def _changes(table: TableLayout, name: str, position: int, collations: Mapping[str, str]) -> str:
    """Return the statements for the rows of a range, with the table's way of treating conflicts."""
    columns = ", ".join(t_sql_name(column.name) for column in table.columns)
    numbers = "" if table.inserts_always else f"r.d AS document_at, n AS {ROW}"
    declared = "" if table.inserts_always else f", n int '$[{len(table.columns)}]'"
    rows = given_query(table, collations, "@rows AS r CROSS APPLY OPENJSON(r.r)", numbers, declared)
    given = f"{rows} WHERE r.t = {position} AND r.d >= @from AND r.d < @next + @size"
    if table.inserts_always:
        insert = f"INSERT INTO {name} ({columns}) SELECT {columns} FROM ({given}) AS given;"  # noqa: S608 - names are quoted
        return with_identity(table, name, insert)
    return conflict_changes(table, name, given, f"SELECT {position}, document_at", ("document_at", ROW))
