"""Scripts for an administrator: tables and permissions. Neither a connection nor a driver is needed."""

from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.errors import UsageError
from xml_extractor.schema.ddl import create_statements, grant_statements, script
from xml_extractor.targets.registry import TARGETS, dialect_of, open_target, read_url
from xml_extractor.targets.sqlserver.address import read_address


def creation_script(address: str, contract: Contract, grant_to: str = "") -> str:
    """What makes the tables and the processing log where they are missing.

    Args:
        address: Of the target.
        contract: Says which tables there are.
        grant_to: A user of SQL Server that is to be permitted what runs need; empty for none.

    Raises:
        UsageError: The address is wrong, or its database has no users.
    """
    url = read_url(address, "target")
    dialect, tables = dialect_of(TARGETS, url, "target"), layouts(contract)
    if dialect == "mssql":
        schema = read_address(url).schema
        grants = grant_statements(tables, contract.source.table, grant_to, schema) if grant_to else []
        return script([*create_statements(tables, dialect, schema), *grants], dialect)
    if grant_to:
        raise UsageError(f"'{dialect}' databases have no users", "leave --grant-to out, or name a SQL Server")
    return script(open_target(address, contract).create_statements(tables), dialect)
