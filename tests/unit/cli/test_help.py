"""The help of commands."""

import re
import shlex

import click
import pytest
from click.testing import CliRunner

from xml_extractor.cli import command as help_of_commands
from xml_extractor.cli import commands
from xml_extractor.cli.commands import cli

FIRST = ["--contract", "--source", "--target", "--workers", "--limit"]


def shown(name: str) -> str:
    return CliRunner().invoke(cli, [name, "--help"], prog_name="xml-extractor", terminal_width=100).output


def command_named(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def section(text: str, heading: str) -> str:
    return text.partition(f"\n{heading}:\n")[2].partition("\n\n")[0]


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_each_command_has_an_example_that_can_be_called(name: str) -> None:
    example = shlex.split(section(shown(name), "Example"))
    assert example[:2] == ["xml-extractor", name]
    command_named(name).make_context(name, example[2:])


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_each_option_is_in_one_group_with_its_variable(name: str) -> None:
    text = shown(name)
    for parameter in command_named(name).params:
        if isinstance(parameter, click.Option):
            lines = re.findall(rf"^  {re.escape(parameter.opts[0])}(?![\w-])", text, re.MULTILINE)
            assert len(lines) == 1, parameter.opts
            assert not parameter.envvar or re.search(rf"{parameter.envvar}\b", text), parameter.opts
    bare = re.search(r"^  \[?[A-Z]+\]?(\.\.\.)?$", text, re.MULTILINE)
    assert not bare, "an argument without a word"


def test_groups_have_only_options_that_exist() -> None:
    known = {option.name for name in commands.COMMANDS for option in command_named(name).params}
    grouped = [name for names in help_of_commands.GROUPS.values() for name in names]
    assert set(grouped) <= known
    assert len(grouped) == len(set(grouped))


def test_the_most_used_options_of_a_run_come_first() -> None:
    text = shown("run")
    flags = re.findall(r"^  (--[a-z-]+)", section(text, "Options"), re.MULTILINE)
    assert flags[: len(FIRST)] == FIRST
    headings = [heading for heading in help_of_commands.GROUPS if f"\n{heading}:\n" in text]
    assert len(headings) >= 5
    assert text.index("\nOptions:\n") < min(text.index(f"\n{heading}:\n") for heading in headings)


def test_the_group_lists_each_command_once() -> None:
    named = [name for names in commands.GROUPS.values() for name in names]
    assert sorted(named) == sorted(commands.COMMANDS)
    text = CliRunner().invoke(cli, ["--help"]).output
    assert all(re.search(rf"^  {name} ", text, re.MULTILINE) for name in named)
