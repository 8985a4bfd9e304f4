"""The `doctor` command: whether a run could start, and if not, what to do."""

import platform
from collections.abc import Iterator
from importlib.metadata import version

import click

from xml_extractor.cli.addresses import shown_address
from xml_extractor.cli.boundary import EXIT_FAILED, EXIT_OK
from xml_extractor.cli.options import (
    OPTIONAL_TARGET_OPTIONS,
    SOURCE_OPTIONS,
    added,
    config_option,
    contract_option,
    with_addresses,
)
from xml_extractor.contract.reading import read_contract
from xml_extractor.doctor.examination import Finding, Role, State, examine
from xml_extractor.doctor.sqlserver import examine_installation, how_to_install

PACKAGES = ("xml-extractor", "lxml", "SQLAlchemy")


@click.command("doctor")
@config_option
@contract_option
@added(*SOURCE_OPTIONS, *OPTIONAL_TARGET_OPTIONS)
@click.option("--all-systems", is_flag=True, help="Say for all systems how to get what SQL Server needs.")
@with_addresses
def doctor_command(contract: str, source: str, target: str, *, all_systems: bool) -> int:
    """Show versions and drivers, and whether a run with these options could use its databases.

    Exit codes: 0 if the databases that are named can be used, else 3. Without any, only this machine is looked at.
    """
    checked = read_contract(contract)
    click.echo("This machine")
    _show(Finding(State.OK, text) for text in _versions())
    _show(examine_installation())
    if all_systems:
        _show_how_to_install()
    usable = True
    for address, roles in _databases(source, target).items():
        click.echo(f"{' and '.join(roles).capitalize()}: {shown_address(address)}")
        usable = _show(examine(address, checked, roles)) and usable
    return EXIT_OK if usable else EXIT_FAILED


def _databases(source: str, target: str) -> dict[str, list[Role]]:
    """What there is to examine, and as what."""
    roles: dict[str, list[Role]] = {}
    if target:
        roles[target] = ["target"]
    if source:
        roles.setdefault(source, []).append("source")
    return roles


def _versions() -> list[str]:
    return [f"Python {platform.python_version()}", *(f"{package} {version(package)}" for package in PACKAGES)]


def _show(findings: Iterator[Finding]) -> bool:
    """Show each finding as soon as it is there, because a server may let us wait; a tip once for several in a row."""
    usable, pending = True, ""
    for state, text, tip in findings:
        if tip != pending:
            _show_tip(pending)
        click.echo(f"  {state.value:<8} {text}")
        usable, pending = usable and state is State.OK, tip
    _show_tip(pending)
    return usable


def _show_tip(tip: str) -> None:
    if tip:
        click.echo(f"  {'':<8} -> {tip}")


def _show_how_to_install() -> None:
    for system, steps in how_to_install():
        click.echo(system)
        for step in steps:
            click.echo(f"  {step}")
