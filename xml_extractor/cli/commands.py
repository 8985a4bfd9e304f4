"""`xml-extractor COMMAND`: the group of commands, and the short ones."""

import json

import click

from xml_extractor.cli.check import check_command
from xml_extractor.cli.doctor import doctor_command
from xml_extractor.cli.log import rejects_command, retry_command, status_command
from xml_extractor.cli.options import config_option, contract_option, target_option
from xml_extractor.cli.preview import preview_command
from xml_extractor.cli.run import run_command
from xml_extractor.cli.sample import sample_command
from xml_extractor.contract.json_schema import contract_json_schema
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.errors import UsageError
from xml_extractor.targets.registry import open_target
from xml_extractor.targets.scripts import creation_script


@click.group()
@click.version_option(package_name="xml-extractor")
def cli() -> None:
    """Load XML documents into related SQL tables by a declarative contract, exactly once."""


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


for command in (
    run_command,
    check_command,
    preview_command,
    sample_command,
    doctor_command,
    status_command,
    rejects_command,
    retry_command,
):
    cli.add_command(command)
