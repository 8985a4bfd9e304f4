"""The one place where failures become a line on the screen and an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from xml_extractor.errors import XmlExtractorError

EXIT_OK = 0
EXIT_REJECTS = 1
EXIT_USAGE = 2
EXIT_FAILED = 3
EXIT_INTERRUPTED = 130


def execute(command: click.Command, arguments: Sequence[str] | None, program: str | None) -> NoReturn:
    """Run a click command and end the process with its exit code.

    Expected failures are printed as one message and a hint. Of an unexpected one only its kind and place are
    printed, because its text may quote a document.
    """
    try:
        code = command.main(args=arguments, prog_name=program, standalone_mode=False)
    except XmlExtractorError as error:
        code = _fail(error.message, error.tip, error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = EXIT_USAGE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "xml-extractor"
        code = _fail(error.format_message(), f"{path} --help shows what is possible", EXIT_USAGE)
    except click.ClickException as error:
        code = _fail(error.format_message(), "", EXIT_USAGE)
    except (click.Abort, KeyboardInterrupt):
        code = _fail("interrupted", "", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone; Python would complain once more while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_OK
    except Exception as error:  # noqa: BLE001 - the last boundary: whatever is left is a defect of this program
        code = _fail(*_defect(error), EXIT_FAILED)
    sys.exit(code if isinstance(code, int) else EXIT_OK)


def _defect(error: Exception) -> tuple[str, str]:
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno} in {place.name}"  # noqa: PTH119 - not a path we open
    return f"internal error: {type(error).__name__} at {where}", "please report it with this line and the command"


def _fail(message: str, tip: str, code: int) -> int:
    click.echo(f"Error: {message}", err=True)
    if tip:
        click.echo(f"Hint: {tip}", err=True)
    return code
