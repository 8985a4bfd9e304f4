"""Commands with an example and grouped options in their help, and the types of options."""

import difflib
import os
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import click

from xml_extractor.errors import UsageError
from xml_extractor.settings import automatic_workers

GROUPS: dict[str, tuple[str, ...]] = {
    "Documents": (
        *("keys", "range", "key_range", "shard", "min_age", "reprocess", "reprocess_version"),
        *("reason", "stage", "run", "since", "before", "max_attempts"),
    ),
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
        *("keep_metrics", "keep_rejects"),
    ),
    "Processing log": ("log_table", "log_target"),
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
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)) is not None
        }
        grouped = {name for names in GROUPS.values() for name in names}
        others = sorted(records.keys() - grouped, key=list(records).index)
        others.sort(key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
        for heading, names in {"Options": tuple(others), **GROUPS}.items():
            shown = [records[name] for name in names if name in records]
            if shown:
                with formatter.section(heading):
                    formatter.write_dl(shown)
        text = "Options that name a variable can be set by it. The command line takes precedence."
        if "config" in records:
            text = (
                "Options that name a variable can be set by it, and all but --config in the configuration file. "
                "The command line takes precedence over the environment, and the environment over the file."
            )
        if any(parameter.envvar for parameter in self.params):
            with formatter.section("Environment"):
                formatter.write_text(text)


def command(name: str, example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Return a decorator that makes a function a command, as `click.command` does.

    Args:
        name: The name of the command.
        example: The arguments of an example, which a test parses.
    """
    return click.command(name, cls=Command, example=example)


T = TypeVar("T")


class WholeNumber(click.IntRange):
    """A whole number from `min` to `max`, named `integer` in messages and help."""

    name = "integer"


class WholeNumberOrAuto(WholeNumber):
    """A whole number, or `auto`."""

    name = "integer or auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert the text to a number, unless it is `auto`."""
        return value if value == "auto" else super().convert(value, param, ctx)


class Workers(WholeNumberOrAuto):
    """A number of worker processes; `auto` stands for that of the processors."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert the text to a number."""
        return automatic_workers() if value == "auto" else super().convert(value, param, ctx)


class Parsed(click.ParamType[T], Generic[T]):
    """The type of an option that a function parses; the function raises `UsageError`."""

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: str | T, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Parse the text, and report a `UsageError` as an invalid value of the option."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except UsageError as error:
            self.fail(f"{error.message}; {error.tip}", param, ctx)


class NotEmpty(click.Option):
    """An option that refuses an empty value of every origin. Click alone ignores an empty environment variable.

    Args:
        may_be_empty: Whether an empty value has a meaning.
    """

    def __init__(self, *declarations: Any, may_be_empty: bool = False, **attributes: Any) -> None:
        super().__init__(*declarations, **attributes)
        self._may_be_empty = may_be_empty

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the environment variable, also an empty one."""
        del ctx
        return os.environ.get(str(self.envvar)) if self.envvar else None

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return the name of the option without its variable, which the value may not be from."""
        return click.Parameter.get_error_hint(self, ctx)

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Refuse an empty value, and convert any other."""
        if value == "" and not self._may_be_empty:
            raise click.BadParameter("the value is empty", ctx, self)
        return super().type_cast_value(ctx, value)


class NotEmptyText(click.ParamType[str]):
    """The type of an argument that refuses an empty text, which would mean the default or the working directory."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse an empty text."""
        return value or self.fail("the value is empty", param, ctx)


class OneOf(Parsed[str]):
    """The type of an option with known values, which suggests one for a misspelt value."""

    def __init__(self, name: str, values: Iterable[str]) -> None:
        super().__init__(name, self._known)
        self._values = tuple(values)

    def _known(self, value: str) -> str:
        if value in self._values:
            return value
        near = difflib.get_close_matches(value.lower(), self._values, n=1)
        tip = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(sorted(self._values))}"
        raise UsageError(f"'{value}' is unknown", tip)
