"""The command line. The only user of click."""

from typing import NoReturn

from xml_extractor.cli.boundary import execute
from xml_extractor.cli.commands import cli
from xml_extractor.cli.run import run_command


def main() -> NoReturn:
    """Run `xml-extractor COMMAND`."""
    execute(cli, None, "xml-extractor")


def run_nightly() -> NoReturn:
    """Run `production_processor.py`: the `run` command by itself."""
    execute(run_command, None, "production_processor.py")
