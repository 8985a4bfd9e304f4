"""`xml-extractor COMMAND`: the group of commands. Each is imported when it is invoked."""

from importlib import import_module
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from xml_extractor.distribution import VERSION


class Entry(NamedTuple):
    """The module of a command, which defines it as `NAME_command`, and the first paragraph of its help."""

    module: str
    help: str


COMMANDS = {
    "check": Entry("contract", "Report all faults of a contract, and how a target differs from it."),
    "contracts": Entry("contract", "List the shipped contracts, or print one."),
    "coverage": Entry("coverage", "Report what a contract makes of all documents, and load nothing."),
    "demo": Entry("sample", "Create sample documents in a new directory, and load them."),
    "doctor": Entry("doctor", "Show versions and drivers, and check the databases of a run."),
    "init": Entry("contract", "Create missing tables of a contract and the processing log."),
    "preview": Entry("contract", "Show the rows of one document without loading them."),
    "rejects": Entry("status", "List rejected documents with their reasons and files."),
    "report": Entry("runs", "Write an HTML page of a run, or of several compared."),
    "retry": Entry("status", "Mark rejected documents so that the next run retries them."),
    "run": Entry("run", "Load all documents of the source that are not loaded yet."),
    "runs": Entry("runs", "List the runs of the contract, or compare runs."),
    "sample": Entry("sample", "Create sample documents."),
    "schema": Entry("contract", "Print the JSON Schema of contracts, for editors."),
    "status": Entry(
        "status",
        "Count documents by contract, version and status, and those that wait at the source.",
    ),
    "verify": Entry("verify", "Prove that the target holds what the source holds."),
}


GROUPS = {
    "Loads": ("run", "status", "rejects", "retry", "runs", "report", "verify", "init"),
    "Contracts": ("check", "preview", "coverage", "contracts", "schema"),
    "Getting started": ("demo", "sample", "doctor"),
}
"""All commands, in the order of help."""


class Commands(click.Group):
    """A group that knows the names and summaries of its commands without importing them."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(import_module(f"xml_extractor.cli.{entry.module}"), f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their summaries."""
        del ctx
        with formatter.section("Example"):
            formatter.write_text("xml-extractor demo")
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, COMMANDS[name].help) for name in names])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command, or an option of the group."""
        found = [
            CompletionItem(name, help=entry.help) for name, entry in COMMANDS.items() if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=Commands, commands=[click.Command(name) for name in COMMANDS])
@click.version_option(VERSION)
def cli() -> None:
    """Load XML documents into related SQL tables by a declarative contract, exactly once."""
