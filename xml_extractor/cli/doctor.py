"""The `doctor` command: check whether a run could start."""

import platform
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import click

from xml_extractor.cli.addresses import chosen, shown_address
from xml_extractor.cli.boundary import say
from xml_extractor.cli.command import command
from xml_extractor.cli.options import CONTRACT_OPTION, OPTIONAL_TARGET_OPTIONS, SOURCE_OPTIONS, added, with_addresses
from xml_extractor.cli.run_options import config_option
from xml_extractor.distribution import DISTRIBUTION, VERSION
from xml_extractor.errors import EXIT_FAILED, EXIT_OK

if TYPE_CHECKING:
    from xml_extractor.doctor.examination import Finding, Role

PACKAGES = ("lxml", "SQLAlchemy")


@command("doctor", "--contract orders.yaml --target mssql://HOST/warehouse")
@config_option
@added(CONTRACT_OPTION, *SOURCE_OPTIONS, *OPTIONAL_TARGET_OPTIONS)
@click.option(
    "--all-systems",
    is_flag=True,
    help="Print how to install the SQL Server driver on every supported system.",
)
@partial(with_addresses, contract_required=False)
def doctor_command(contract: str | None, source: str, target: str, *, all_systems: bool) -> int:
    """Show versions and drivers, and check the databases of a run.

    Without a source and a target, only this machine is examined; without a contract, no tables are.

    Exit codes: 0 a run can use the databases, 3 it cannot.
    """
    from xml_extractor.contract.reading import read_contract
    from xml_extractor.doctor import examination
    from xml_extractor.doctor.sqlserver import examine_installation

    checked = read_contract(contract) if contract else None
    say("This machine")
    _show(examination.Finding(examination.State.OK, text) for text in _versions())
    _show(examine_installation())
    if all_systems:
        _show_how_to_install()
    usable = True
    source_is_given = chosen(click.get_current_context(), ("source", "source_odbc")) is not None
    for address, roles in _databases(source, target, source_is_given=source_is_given).items():
        say(f"{' and '.join(roles).capitalize()}: {shown_address(address)}")
        usable = _show(examination.examine(address, checked, roles)) and usable
    return EXIT_OK if usable else EXIT_FAILED


def _databases(source: str, target: str, *, source_is_given: bool) -> dict[str, list["Role"]]:
    """Return the addresses to examine, each with its roles."""
    roles: dict[str, list[Role]] = {}
    if target:
        roles[target] = ["target"]
    if source:
        roles.setdefault(source, []).append("source" if source_is_given else "possible source")
    return roles


def _versions() -> list[str]:
    from importlib.metadata import version

    packages = (f"{package} {version(package)}" for package in PACKAGES)
    return [f"Python {platform.python_version()}", f"{DISTRIBUTION} {VERSION}", *packages]


def _show(findings: Iterator["Finding"]) -> bool:
    """Print each finding as soon as it is known, because servers may be slow, and the same hint in a row only once."""
    from xml_extractor.doctor.examination import State

    usable, pending = True, ""
    for state, text, tip in findings:
        if tip != pending:
            _show_tip(pending)
        say(f"  {state.value:<8} {text}")
        usable, pending = usable and state in (State.OK, State.NOTE), tip
    _show_tip(pending)
    return usable


def _show_tip(tip: str) -> None:
    if tip:
        say(f"  {'':<8} -> {tip}")


def _show_how_to_install() -> None:
    from xml_extractor.doctor.sqlserver import how_to_install

    for system, steps in how_to_install():
        say(system)
        for step in steps:
            say(f"  {step}")
