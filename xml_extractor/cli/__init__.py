"""The command line, the only user of click.

No module of this package imports a heavy library, or a module that does, before a command needs it: `--help`,
`--version` and shell completion need none.
"""

import gc
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import click


def main() -> NoReturn:
    """Run `xml-extractor COMMAND`."""

    def commands() -> "click.Command":
        from xml_extractor.cli.commands import cli

        return cli

    _run(commands, "xml-extractor")


def run_nightly() -> NoReturn:
    """Run `production_processor.py`: the `run` command by itself."""

    def command() -> "click.Command":
        from xml_extractor.cli.run import run_command

        return run_command

    _run(command, "production_processor.py")


def _run(load_command: Callable[[], "click.Command"], program: str) -> NoReturn:
    """Run a command and end the process, however it is interrupted."""
    _ignore_working_directory()
    # Modules and contracts make many objects, nearly all of which stay.
    gc.set_threshold(150_000, 20, 100)
    import threading

    from xml_extractor.errors import EXIT_INTERRUPTED
    from xml_extractor.stopping import answer_signals, end_process, end_process_if_stuck, ignore_signals

    end_process_if_stuck()
    answer_signals()
    try:
        from xml_extractor.cli.boundary import execute

        execute(load_command(), None, program)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        # While modules were imported; later the boundary reports it.
        print("Error: interrupted", file=sys.stderr)  # noqa: T201 - click may not be there yet
        code = EXIT_INTERRUPTED
    ignore_signals()
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if any(not thread.daemon for thread in others):
        # An insert thread waits for the database. Its transaction is rolled back there.
        end_process(code)
    # The interpreter would search all objects for cycles before it ends, which takes longer than many commands.
    gc.freeze()
    sys.exit(code)


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
