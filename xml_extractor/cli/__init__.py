"""The command line, the only user of click.

No module of this package imports a heavy library, or a module that does, before a command needs it: `--help`,
`--version` and shell completion need none.
"""

from typing import NoReturn


def main() -> NoReturn:
    """Run `xml-extractor COMMAND`."""
    from xml_extractor.cli.boundary import execute
    from xml_extractor.cli.commands import cli

    execute(cli, None, "xml-extractor")


def run_nightly() -> NoReturn:
    """Run `production_processor.py`: the `run` command by itself."""
    from xml_extractor.cli.boundary import execute
    from xml_extractor.cli.run import run_command

    execute(run_command, None, "production_processor.py")
