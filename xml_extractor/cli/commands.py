"""`xml-extractor COMMAND`: the group of commands, and those about contracts alone."""

import json

import click

from xml_extractor.cli.boundary import EXIT_OK, EXIT_USAGE
from xml_extractor.cli.doctor import doctor_command
from xml_extractor.cli.options import config_option, contract_option, target_option
from xml_extractor.cli.preview import preview_command
from xml_extractor.cli.run import run_command
from xml_extractor.cli.sample import sample_command
from xml_extractor.contract import contract_json_schema, find_faults, read_contract
from xml_extractor.contract.layout import layouts
from xml_extractor.database import open_target
from xml_extractor.database.scripts import creation_script
from xml_extractor.errors import UsageError
from xml_extractor.settings import DEFAULT_CONTRACT


@click.group()
@click.version_option(package_name="xml-extractor")
def cli() -> None:
    """Load XML documents into related SQL tables by a declarative contract, exactly once."""


@cli.command("check")
@click.argument("contract", default=DEFAULT_CONTRACT)
def check_command(contract: str) -> int:
    """Report all faults of CONTRACT, a file or the name of a shipped contract."""
    checked, faults = find_faults(contract)
    for fault in faults:
        click.echo(str(fault))
    if checked is None or faults:
        click.echo(f"{len(faults)} fault{'s' if len(faults) != 1 else ''} in {contract}", err=True)
        return EXIT_USAGE
    tables, columns = len(checked.tables), sum(len(table.columns) for table in checked.tables.values())
    click.echo(f"{checked.contract} version {checked.version}: {tables} tables, {columns} columns, no faults")
    return EXIT_OK


@cli.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of contracts, for editors."""
    click.echo(json.dumps(contract_json_schema(), indent=2))


@cli.command("init")
@config_option
@contract_option
@target_option
@click.option("--sql", is_flag=True, help="Print the statements instead of running them.")
@click.option("--grant-to", metavar="USER", help="With --sql, SQL Server: print also what permits USER what runs need.")
def init_command(contract: str, target: str, grant_to: str | None, *, sql: bool) -> None:
    """Create the contract's tables and the processing log, where they are missing."""
    if grant_to and not sql:
        raise UsageError("--grant-to goes with --sql", "an administrator runs what is printed")
    checked = read_contract(contract)
    if sql:
        click.echo(creation_script(target, checked, grant_to or ""), nl=False)
        return
    tables = layouts(checked)
    database = open_target(target, checked)
    database.create(tables)
    click.echo(f"{database.name} has the {len(tables)} tables of {checked.contract} and the processing log")


for command in (run_command, preview_command, sample_command, doctor_command):
    cli.add_command(command)
