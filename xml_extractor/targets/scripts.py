"""Scripts for an administrator: tables and permissions. Neither a connection nor a driver is needed."""

from collections.abc import Sequence

from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.errors import UsageError
from xml_extractor.processing_log.log_table import LOG_TABLE_KEY, log_table
from xml_extractor.processing_log.own_tables import is_own, own_tables
from xml_extractor.schema.ddl import create_statements
from xml_extractor.schema.names import literal, t_sql_name, t_sql_table
from xml_extractor.schema.shared_tables import merged_tables
from xml_extractor.targets.parquet.address import batches_table
from xml_extractor.targets.parquet.address import read_address as parquet_address
from xml_extractor.targets.registry import PARQUET, TARGETS, dialect_of, read_url
from xml_extractor.targets.sqlserver.address import read_address


def creation_script(address: str, contract: Contract, grant_to: str = "") -> str:
    """Return the script that creates missing tables and the processing log.

    Args:
        address: Address of the target.
        contract: Declares the tables.
        grant_to: A user of SQL Server that gets the permissions that runs need; empty for none.

    Raises:
        UsageError: The address is wrong, or its database has no users.
    """
    url = read_url(address, "target")
    dialect = dialect_of(TARGETS, url, "target")
    tables = layouts(contract)
    if dialect == PARQUET:
        of_log = parquet_address(url).log_address
        url, tables = read_url(of_log, "target"), ()
        dialect = dialect_of(TARGETS, url, "target")
    is_server = dialect == "mssql"
    if grant_to and not is_server:
        raise UsageError(f"'{dialect}' databases have no users", "omit --grant-to, or name a SQL Server")
    schema = read_address(url).schema if is_server else ""
    log = log_table(str(url.query.get(LOG_TABLE_KEY, "")))
    tables = tables or (batches_table(log),)
    own = own_tables(log, has_revisions=contract.document.revision is not None)
    grants = _grants(contract, (*own, *tables), grant_to, schema) if grant_to else []
    return script([*create_statements(tables, dialect, schema, own), *grants], dialect)


def _grants(contract: Contract, tables: Sequence[TableLayout], user: str, schema: str) -> list[str]:
    has_revisions = contract.document.revision is not None
    return grant_statements(tables, contract.source.table, user, schema, has_revisions=has_revisions)


def needed_permissions(table: TableLayout, *, has_revisions: bool = False) -> tuple[str, ...]:
    """Return the permissions that a run needs on a table of SQL Server.

    Args:
        table: The table.
        has_revisions: Whether newer revisions of documents replace older ones.
    """
    if is_own(table):
        return ("SELECT", "INSERT", "UPDATE", "DELETE")  # `retry` updates rows; the next run deletes and inserts them
    return (
        "SELECT",
        "INSERT",
        *(("UPDATE",) if table.on_conflict == "replace" else ()),
        *(("DELETE",) if has_revisions and not table.is_shared else ()),
        *(("ALTER",) if table.identity else ()),  # SET IDENTITY_INSERT needs it
    )


def grant_statements(
    tables: Sequence[TableLayout], source: str, user: str, default_schema: str = "", *, has_revisions: bool = False
) -> list[str]:
    """Return the statements that grant a user of SQL Server the permissions that runs need, and no others.

    Args:
        tables: The program's own tables and the contract's.
        source: The table with documents. It may be in another database; its statement can be run in both.
        user: A user or role of the database.
        default_schema: As for `create_statements`.
        has_revisions: As for `needed_permissions`.
    """
    principal = t_sql_name(user)
    grants = [
        f"GRANT {', '.join(needed_permissions(table, has_revisions=has_revisions))} "
        f"ON {t_sql_table(table.table, default_schema)} TO {principal}"
        for table in merged_tables(tables, default_schema=default_schema)
    ]
    documents = t_sql_table(source, default_schema)
    return [*grants, f"IF OBJECT_ID({literal(documents)}) IS NOT NULL\nGRANT SELECT ON {documents} TO {principal}"]


def script(statements: Sequence[str], dialect_name: str) -> str:
    """Join statements to a script for the tools of a database: for SQL Server, each in its own batch."""
    end = ";\nGO\n" if dialect_name == "mssql" else ";\n"
    return "\n".join(f"{statement}{end}" for statement in statements)
