"""The variants that are compared: sets of options of the nightly command that affect its speed."""

import shlex
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import click

from xml_extractor.cli.run import run_command
from xml_extractor.errors import UsageError

NAMES = ("workers", "batch_size", "insert_batch_rows", "queue_size", "insert_threads", "insert_mode", "insert_strategy")
"""The settings of a run that a variant may set."""

Settings = dict[str, int | str]

DEFAULT_OPTIONS = "--insert-mode queue"
OTHER_DEFAULT_OPTIONS = "--insert-mode blocking"


@dataclass(frozen=True, slots=True)
class Variant:
    """One set of options.

    Attributes:
        options: The options as written, which name the variant.
        settings: A value for each of `NAMES`, so that the variant does not change with defaults.
    """

    options: str
    settings: Settings

    def arguments(self) -> list[str]:
        """Return the arguments of the nightly command."""
        return [word for name, value in self.settings.items() for word in (flag(name), str(value))]


def flag(name: str) -> str:
    """Return the option of a setting."""
    return f"--{name.replace('_', '-')}"


def parse(flag_of_text: str, text: str) -> Variant:
    """Parse options such as `--workers 2 --insert-mode queue`; others have their defaults.

    Args:
        flag_of_text: The option that has the text, for messages.
        text: Options as on a command line.

    Raises:
        UsageError: They are invalid, or not those that affect speed.
    """
    options = []
    for option in run_command.params:
        if option.name in NAMES:
            own = copy(option)
            own.envvar = None
            options.append(own)
    command = click.Command("options", params=options, add_help_option=False)
    try:
        words = shlex.split(text)
        values: dict[str, Any] = command.make_context(flag_of_text, [*words]).params
    except (click.ClickException, ValueError) as error:
        reason = error.format_message() if isinstance(error, click.ClickException) else str(error)
        raise UsageError(
            f"{flag_of_text} '{text}' cannot be used: {reason}", f"it takes {', '.join(map(flag, NAMES))}"
        ) from None
    return Variant(" ".join(words) or "defaults", {name: values[name] for name in NAMES})


def chosen(a: str | None, b: str | None, stored: tuple[Variant, ...]) -> tuple[Variant, ...]:
    """Return the variants to run: those given, else those of the stored baseline, else queue and blocking.

    The first of the stored baseline is always included, because all others are compared with it.

    Raises:
        UsageError: Options are invalid, or the same twice.
    """
    if a is None and b is None:
        said = stored or (parse("--a", DEFAULT_OPTIONS), parse("--b", OTHER_DEFAULT_OPTIONS))
    else:
        said = (parse("--a", DEFAULT_OPTIONS if a is None else a), *(() if b is None else (parse("--b", b),)))
    if len(said) > 1 and said[0].settings == said[1].settings:
        raise UsageError(
            "--a and --b are the same", "give options that differ, such as --a '--workers 1' --b '--workers 2'"
        )
    missing = [
        replace(variant, options=f"{variant.options} (as stored)") if variant.options in _texts(said) else variant
        for variant in stored[:1]
        if variant.settings not in [each.settings for each in said]
    ]
    return (*said, *missing)


def _texts(variants: tuple[Variant, ...]) -> list[str]:
    return [variant.options for variant in variants]
