"""The outermost boundary of a command: turns failures into a message and an exit code."""

import errno
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import NoReturn

import click
from click.core import ParameterSource

from xml_extractor import stopping
from xml_extractor.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_USAGE,
    RunError,
    XmlExtractorError,
    path_error,
    shortened,
    system_error,
)
from xml_extractor.escaping import escaped
from xml_extractor.reporting.console import discard

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
"""Error numbers of a file that standard output is redirected to and that cannot grow."""

_CREDENTIALS = re.compile(r"(?<=://)(?:\S*@|[^\s/@:]+:[^\n/@]*@)")
_PASSWORD = re.compile(r"(pwd|password)(\s*=\s*|%3D)(\{(?:[^}]|\}\})*(?:\}|$)|[^;&\n]+)", re.IGNORECASE)
"""Passwords in an address or a connection string that was given where none is expected."""


def execute(command: click.Command, arguments: Sequence[str] | None, program: str | None) -> NoReturn:
    """Run a click command and end the process with its exit code.

    An expected failure is printed as a message and a hint. Of an unexpected one only class and location are printed,
    because its text may quote a document. SIGTERM is handled like Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code: object = EXIT_OK
    try:
        with stopping.stop_requests(is_orderly=False), output():
            code = command.main(args=arguments, prog_name=program, standalone_mode=False)
    except XmlExtractorError as error:
        code = _fail(error.message, error.tip, error.exit_code, lines=error.is_list)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = EXIT_USAGE
    except click.ClickException as error:
        message = _without_secrets(" ".join(error.format_message().split()))
        code = _fail(shortened(message), _tip(error), EXIT_USAGE)
    except (click.Abort, KeyboardInterrupt) as error:
        code = _interruption(error)
    except SystemExit:
        # click exits with 1 when the reader of the output has closed it; here 1 stands for rejected documents.
        discard(sys.__stdout__)
        code = EXIT_OK
    except Exception as error:  # noqa: BLE001 - the outermost boundary: any other exception is a defect
        if stopping.was_requested():
            # Libraries turn an interruption of their imports into errors of their own.
            sys.exit(_fail("interrupted", "", EXIT_INTERRUPTED))
        code = _fail(*_failure(error), EXIT_FAILED)
    sys.exit(code if isinstance(code, int) else EXIT_OK)


def say(line: str, *, err: bool = False) -> None:
    """Print a line, with escapes for characters that are not printable."""
    click.echo(escaped(line), err=err)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 document` or `1,200 documents`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@contextmanager
def output() -> Iterator[None]:
    """Run a block that writes to standard output; end it without an error if the reader has closed the pipe.

    Raises:
        RunError: The output cannot be written, for example because the disk is full.
    """
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        discard(sys.stdout)
    except OSError as error:
        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        discard(sys.stdout)
        raise RunError(
            f"the output cannot be written: {error.strerror}", "redirect it to another file system"
        ) from error


def _interruption(error: BaseException) -> int:
    """Report an interruption; click also raises `Abort` for `EOFError`, which is a defect here."""
    if isinstance(error.__cause__, EOFError):
        return _fail(*_defect(error.__cause__), EXIT_FAILED)
    return _fail("interrupted", "", EXIT_INTERRUPTED)


def _tip(error: click.ClickException) -> str:
    """Return the origin of an invalid value unless it is the command line, otherwise a pointer to `--help`."""
    if not isinstance(error, click.UsageError):
        return ""
    if error.ctx and isinstance(error, click.BadParameter) and isinstance(error.param, click.Option):
        match error.ctx.get_parameter_source(error.param.name or ""):
            case ParameterSource.ENVIRONMENT:
                return f"the value comes from the environment variable {error.param.envvar}"
            case ParameterSource.DEFAULT_MAP:
                return f"the value comes from the key {error.param.name} of the configuration file"
    if _expanded(error.message):
        return "the shell has expanded a pattern; quote it, as in --source 'documents/*.xml'"
    command = error.ctx.command_path if error.ctx else "the same command with"
    return f"{command} --help lists the options"


def _expanded(message: str) -> bool:
    """Return whether the arguments that click has found too many are files."""
    found = re.search(r"unexpected extra arguments? \((.*)\)", message)
    return found is not None and any(map(os.path.exists, found[1].split()))


def _failure(error: Exception) -> tuple[str, str]:
    """Return what the operating system refuses, and what to do; a defect if that does not depend on the system."""
    converted = system_error(error) or path_error(error)
    return _defect(error) if converted is None else (converted.message, converted.tip)


def _defect(error: BaseException) -> tuple[str, str]:
    import traceback

    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno} in {place.name}"  # noqa: PTH119 - not a path we open
    return f"internal error: {type(error).__name__} at {where}", "please report it with this line and the command"


def _fail(message: str, tip: str, code: int, *, lines: bool = False) -> int:
    shown = [f"Error: {message}", f"Hint: {tip}"] if tip else [f"Error: {message}"]
    try:
        for part in shown:
            click.echo(escaped(_without_secrets(part), "\n" if lines else ""), err=True)
    except OSError:
        discard(sys.stderr)
    return code


def _without_secrets(text: str) -> str:
    return _PASSWORD.sub(r"\1\2***", _CREDENTIALS.sub("***@", text))
