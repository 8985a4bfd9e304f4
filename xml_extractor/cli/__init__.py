"""The command line, the only user of click.

No module of this package imports a heavy library, or a module that does, before a command needs it: `--help`,
`--version` and shell completion need none.
"""

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run `xml-extractor COMMAND`."""
    _ignore_working_directory()
    from xml_extractor.cli.boundary import execute
    from xml_extractor.cli.commands import cli

    execute(cli, None, "xml-extractor")


def run_nightly() -> NoReturn:
    """Run `production_processor.py`: the `run` command by itself."""
    _ignore_working_directory()
    from xml_extractor.cli.boundary import execute
    from xml_extractor.cli.run import run_command

    execute(run_command, None, "production_processor.py")


def _ignore_working_directory() -> None:
    """Import no modules from the working directory, neither here nor in child processes.

    Python itself adds it for `python -m`, for the `python -c` that starts child processes, and for empty entries of
    PYTHONPATH. It stays if it has this package.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    root = os.path.realpath(f"{__file__}/../../..")
    try:
        here = os.path.realpath(os.curdir)
    except OSError:  # it was deleted, so nothing can be imported from it
        return

    def is_safe(entry: str) -> bool:
        path = os.path.realpath(entry)
        return path == root or path != here

    inherited = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and is_safe(entry)]
    if not sys.flags.safe_path and os.path.realpath(sys.path[0]) == root:
        # A checkout: this process has it from its script or its working directory.
        inherited.append(root)
    sys.path[:] = [entry for entry in sys.path if is_safe(entry)]
    os.environ["PYTHONPATH"] = os.pathsep.join(inherited)
    if not inherited:
        del os.environ["PYTHONPATH"]
