"""`xml-extractor check`: all faults of a contract, and all in which a target's tables do not fit it."""

import click

from xml_extractor.cli.boundary import EXIT_OK, EXIT_USAGE
from xml_extractor.cli.options import config_option, optional_target_option
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import find_faults
from xml_extractor.schema.model import Severity
from xml_extractor.settings import DEFAULT_CONTRACT
from xml_extractor.targets.registry import open_target


@click.command("check")
@config_option
@click.argument("contract", default=DEFAULT_CONTRACT)
@optional_target_option
def check_command(contract: str, target: str) -> int:
    """Report all faults of CONTRACT, a file or the name of a shipped contract; and where the target does not fit it."""
    checked, faults = find_faults(contract)
    for fault in faults:
        click.echo(str(fault))
    if checked is None or faults:
        click.echo(f"{_counted(len(faults), 'fault')} in {contract}", err=True)
        return EXIT_USAGE
    tables, columns = len(checked.tables), sum(len(table.columns) for table in checked.tables.values())
    size = f"{_counted(tables, 'table')}, {_counted(columns, 'column')}"
    click.echo(f"{checked.contract} version {checked.version}: {size}, no faults")
    return _compare(checked, target) if target else EXIT_OK


def _compare(contract: Contract, address: str) -> int:
    """Print how the target differs from what the contract needs."""
    target = open_target(address, contract)
    found = target.differences(layouts(contract))
    for difference in found:
        click.echo(str(difference))
    errors = sum(difference.severity is Severity.ERROR for difference in found)
    counts = f"{_counted(errors, 'error')} and {_counted(len(found) - errors, 'warning')} in {target.name}"
    click.echo(counts, err=errors > 0)
    return EXIT_USAGE if errors else EXIT_OK


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"
