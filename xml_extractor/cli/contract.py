"""The commands `check`, `contracts`, `init`, `preview` and `schema`: contracts, their tables and their rows."""

import json
from typing import TYPE_CHECKING, Any

import click

from xml_extractor.cli.boundary import counted, say
from xml_extractor.cli.command import NotEmptyText, WholeNumber, command
from xml_extractor.cli.options import (
    CONTRACT_OPTION,
    OPTIONAL_TARGET_OPTIONS,
    SOURCE_OPTIONS,
    SOURCE_PASSWORD_OPTION,
    TARGET_OPTIONS,
    added,
    with_addresses,
    with_documents,
    with_target,
)
from xml_extractor.cli.run_options import config_option
from xml_extractor.errors import EXIT_OK, EXIT_USAGE, SourceError, UsageError

if TYPE_CHECKING:
    from xml_extractor.contract.model import Contract
    from xml_extractor.targets.interfaces import Target


@command("check", "orders.yaml")
@config_option
@click.argument("contract_argument", metavar="CONTRACT", required=False, type=NotEmptyText())
@added(CONTRACT_OPTION, *SOURCE_OPTIONS, *OPTIONAL_TARGET_OPTIONS)
@click.option("--code", is_flag=True, help="Print the Python code that maps documents by the contract.")
@with_addresses
def check_command(contract: str, source: str, target: str, *, code: bool, **_options: str) -> int:
    """Report all faults of a contract, and how a target differs from it.

    CONTRACT is short for --contract CONTRACT. The target is compared only if one is given. The condition `source.where`
    is executed in the source, by default the target.

    Exit codes: 0 no faults and no errors, 2 faults in the contract or errors in the target's tables.
    """
    from xml_extractor.contract.reading import find_faults
    from xml_extractor.contract.warnings import warnings
    from xml_extractor.targets.registry import open_target

    checked, faults = find_faults(contract)
    for fault in faults:
        say(str(fault))
    if checked is None or faults:
        say(f"{counted(len(faults), 'fault')} in {contract}", err=True)
        return EXIT_USAGE
    if code:
        from xml_extractor.mapping import compile_plan

        generated = compile_plan(checked).code
        click.echo("" if generated is None else generated.source, nl=False)
        return EXIT_OK
    tables, columns = len(checked.tables), sum(len(table.columns) for table in checked.tables.values())
    size = f"{counted(tables, 'table')}, {counted(columns, 'column')}"
    say(f"{checked.contract} version {checked.version}: {size}, no faults")
    for warning in warnings(checked):
        say(warning)
    result = _compare(checked, open_target(target, checked)) if target else EXIT_OK
    return max(result, _execute_condition(checked, source, is_given=source != target)) if source else result


@command("init", "--contract orders.yaml --target mssql://HOST/warehouse")
@config_option
@added(CONTRACT_OPTION, *TARGET_OPTIONS)
@click.option("--sql", is_flag=True, help="Print the SQL statements instead of executing them.")
@click.option(
    "--grant-to", metavar="USER", help="With --sql, SQL Server only: also print GRANT statements for a run by USER."
)
@with_target
def init_command(contract: str, target: str, grant_to: str | None, *, sql: bool) -> int:
    """Create missing tables of a contract and the processing log.

    Existing tables are never changed. Afterwards all differences are reported, as `check --target` does.

    Exit codes: 0 no errors, 2 errors in the target's tables.
    """
    from xml_extractor.contract.layout import layouts
    from xml_extractor.contract.reading import read_contract
    from xml_extractor.targets.registry import open_target

    if grant_to and not sql:
        raise UsageError("--grant-to requires --sql", "add --sql, and let an administrator execute the output")
    checked = read_contract(contract)
    if sql:
        from xml_extractor.targets.scripts import creation_script

        click.echo(creation_script(target, checked, grant_to or ""), nl=False)
        return EXIT_OK
    database = open_target(target, checked)
    tables = layouts(checked)
    database.create(tables)
    code = _compare(checked, database)
    if code == EXIT_OK:
        say(f"{database.name} has the {len(tables)} tables of {checked.contract} and the processing log")
    return code


@command("preview", "orders/1001.xml --contract orders.yaml")
@config_option
@click.argument("source", type=NotEmptyText())
@added(CONTRACT_OPTION, SOURCE_PASSWORD_OPTION)
@click.option("--key", show_default="first document", help="Key of the document in SOURCE.")
@click.option(
    "--record", type=WholeNumber(1), metavar="N", help="The N-th record of its file, if the contract names records."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an object with a list of rows for each table.")
@click.option("--explain", "column", metavar="COLUMN", help="Print each step that leads to the values of COLUMN.")
@with_documents
def preview_command(
    source: str, contract: str, key: str | None, record: int | None, column: str | None, *, as_json: bool
) -> int:
    """Show the rows of one document without loading them.

    SOURCE is an XML file or any other source of a run. The output contains values of the document.
    """
    from xml_extractor.cli.preview import preview

    return preview(source, contract, key, column, as_json=as_json, record=record)


@command("schema", "")
def schema_command() -> None:
    """Print the JSON Schema of contracts, for editors."""
    from xml_extractor.contract.json_schema import contract_json_schema

    click.echo(json.dumps(contract_json_schema(), indent=2))


def _compare(contract: "Contract", target: "Target") -> int:
    """Print how the target's tables differ from those that the contract needs, and return the exit code."""
    from xml_extractor.contract.layout import layouts
    from xml_extractor.schema.model import Severity

    found = target.differences(layouts(contract))
    for difference in found:
        say(str(difference))
    errors = sum(difference.severity is Severity.ERROR for difference in found)
    counts = f"{counted(errors, 'error')} and {counted(len(found) - errors, 'warning')} in {target.name}"
    say(counts, err=errors > 0)
    return EXIT_USAGE if errors else EXIT_OK


def _execute_condition(contract: "Contract", source: str, *, is_given: bool) -> int:
    """Execute the condition of the source, if there is one, and return the exit code."""
    from contextlib import closing

    from xml_extractor.sources.registry import open_source

    if contract.source.where is None or "://" not in source:
        return EXIT_OK
    try:
        with closing(open_source(source, contract, contract.document.max_bytes)) as documents:
            found = next(documents.key_pages(1), None)
            say(f"source.where can be executed; it selects {'documents' if found else 'no document'} now")
    except SourceError as error:
        is_error = is_given or error.message.startswith("source.where")
        say(f"{'error' if is_error else 'warning'}: {error.message}; {error.tip or 'name another --source'}")
        return EXIT_USAGE if is_error else EXIT_OK
    return EXIT_OK


@command("contracts", "ubl_invoice")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of contracts, or the contract itself.")
def contracts_command(name: str | None, *, as_json: bool) -> None:
    """List the shipped contracts, or print one.

    NAME is a shipped contract. To change it, save its text in a file and name that file in --contract.
    """
    from xml_extractor.contract.reading import shipped_contracts, shipped_text
    from xml_extractor.contract.yaml_text import YamlText

    def read(shipped: str) -> Any:
        return YamlText(shipped, shipped_text(shipped)).data

    if name and as_json:
        click.echo(json.dumps(read(name), indent=2, ensure_ascii=False, default=float))
    elif name:
        click.echo(shipped_text(name).rstrip("\n"))
    else:
        contracts = [
            {"name": each, "version": data["version"], "description": data["description"], "tables": [*data["tables"]]}
            for each, data in ((each, read(each)) for each in shipped_contracts())
        ]
        if as_json:
            click.echo(json.dumps(contracts, indent=2, ensure_ascii=False))
            return
        width = max(len(each["name"]) for each in contracts)
        for each in contracts:
            say(f"{each['name']:<{width}}  version {each['version']}  {each['description']}")
