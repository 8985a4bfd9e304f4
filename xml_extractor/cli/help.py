"""The help of commands: an example, and options in groups, the most used ones first."""

from collections.abc import Callable
from typing import Any

import click

GROUPS: dict[str, tuple[str, ...]] = {
    "Documents": ("range", "key_range", "shard", "min_age", "reprocess", "reprocess_version"),
    "Selection": ("keys", "reason", "stage", "run", "since", "before", "max_attempts"),
    "SQL Server": (
        *("server", "database", "username", "trusted", "password_file", "odbc", "schema", "trust_certificate"),
        *("source_odbc", "source_password_file"),
    ),
    "When to reject or stop": (
        *("max_rejects", "max_tolerated", "ignore_earlier_rejects", "document_timeout", "max_differences"),
    ),
    "Speed": (
        *("batch_size", "insert_threads", "insert_strategy", "insert_mode", "insert_batch_rows", "queue_size"),
        *("engine", "master", "start_method"),
    ),
    "What a run writes": (
        *("progress", "log_level", "log_format", "metrics_dir", "metrics_prom", "rejects_dir", "reject_values"),
        *("keep_metrics", "keep_rejects", "log_table", "log_target"),
    ),
    "Other": ("config",),
}
"""Options by group, in the order of help. All others come first, as `Options`, in the order of `FIRST`."""

FIRST = ("contract", "source", "target", "workers", "limit")

WIDTH = 100


class Command(click.Command):
    """A command whose help has an example, and its options in groups.

    Args:
        example: Arguments of the example.
    """

    def __init__(self, name: str, *, example: str = "", **attributes: Any) -> None:
        super().__init__(name, context_settings={"max_content_width": WIDTH}, **attributes)
        self.example = example

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example, and each group of options that the command has."""
        with formatter.section("Example"):
            formatter.write_text(f"{ctx.command_path} {self.example}".rstrip())
        records = {
            parameter.name: record
            for parameter in self.get_params(ctx)
            if (record := parameter.get_help_record(ctx)) is not None
        }
        grouped = {name for names in GROUPS.values() for name in names}
        others = sorted(records.keys() - grouped, key=list(records).index)
        others.sort(key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
        for heading, names in {"Options": tuple(others), **GROUPS}.items():
            shown = [records[name] for name in names if name in records]
            if shown:
                with formatter.section(heading):
                    formatter.write_dl(shown)
        variables = [parameter.envvar for parameter in self.params if parameter.envvar]
        if variables:
            with formatter.section("Environment"):
                formatter.write_text(
                    "Options that name a variable can be set by it, and all but --config in the configuration file. "
                    "The command line takes precedence over the environment, and the environment over the file."
                )


def command(name: str, example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Return a decorator that makes a function a command, as `click.command` does.

    Args:
        name: The name of the command.
        example: The arguments of an example, which a test parses.
    """
    return click.command(name, cls=Command, example=example)
