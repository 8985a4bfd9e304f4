"""The exceptions that end a command, and their exit codes.

    XmlExtractorError            exit code 3
    ├── UsageError               exit code 2: an option, a file or an address is wrong
    ├── ContractError            exit code 2: the contract has faults
    └── RunError                 exit code 3: the run could not start or continue
        ├── SourceError              documents cannot be listed or read
        ├── TargetError              the target refuses what is not a document's fault
        │   ├── TablesError              its tables do not fit the contract
        │   └── SilentTargetError        it does not answer at all
        ├── TooManyRejectsError      exit code 4: more than --max-rejects
        ├── TooManyToleratedError    exit code 4: more than --max-tolerated
        ├── WorkerDiedError          a worker process ended unexpectedly
        └── StopRequestedError       a pause or a transaction ended because the command was asked to stop

A document that cannot be loaded is no exception at this level: it is a `Rejection` (see `documents`).
No message may hold a value of a document or a secret.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

EXIT_OK = 0
EXIT_REJECTS = 1
EXIT_USAGE = 2
EXIT_FAILED = 3
EXIT_TOO_MANY_REJECTS = 4
EXIT_INTERRUPTED = 130

_EXHAUSTED = {
    errno.EMFILE: "raise the limit of open files (`ulimit -n`), or run with fewer workers",
    errno.ENFILE: "close other programs, or raise the system's limit of open files",
    errno.ENOSPC: "free space in the temporary directory (TMPDIR) and where files are written",
    errno.ENOMEM: "run with fewer workers, or on a machine with more memory",
    errno.EAGAIN: "raise the limit of processes and threads (`ulimit -u`) or of memory, or run with fewer workers",
    errno.EROFS: "set TMPDIR to a directory that can be written",
}
"""What to do about errors of the system that are nobody's defect. Source: errno(3)."""

_UNUSABLE = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR)
"""Error numbers of a path that was given and that the system refuses."""

LONGEST_SHOWN = 400
"""Characters of a path or an argument in a message at most."""


class XmlExtractorError(Exception):
    """A failure that the user can act on: what happened, and what to do next.

    Args:
        message: What is wrong and where, in one line.
        tip: What to do next, in one line; empty when the message says it all.
    """

    exit_code: ClassVar[int] = EXIT_FAILED
    is_list: ClassVar[bool] = False
    """Whether the message has several lines, each with escapes for characters that are not printable."""

    def __init__(self, message: str, tip: str = "") -> None:
        super().__init__(message, tip)
        self.message = message
        self.tip = tip

    def __str__(self) -> str:
        return self.message


class UsageError(XmlExtractorError):
    """An option, a file name or an address cannot be used."""

    exit_code = EXIT_USAGE


class ContractError(XmlExtractorError):
    """The contract has faults; the message lists all of them, one a line."""

    exit_code = EXIT_USAGE
    is_list = True


class RunError(XmlExtractorError):
    """The run could not start or continue."""


class SourceError(RunError):
    """Documents cannot be listed or read."""


class TargetError(RunError):
    """The target refused something that is not the fault of one document."""


class TablesError(TargetError):
    """Tables of the target do not fit the contract; the message lists all differences, one a line."""

    is_list = True


class SilentTargetError(TargetError):
    """The target does not answer, and no timeout has ended the wait."""


class TooManyRejectsError(RunError):
    """More documents were rejected than the run allows. Another run would not help."""

    exit_code = EXIT_TOO_MANY_REJECTS


class TooManyToleratedError(RunError):
    """More values of a column were tolerated than the settings allow."""

    exit_code = EXIT_TOO_MANY_REJECTS


class WorkerDiedError(RunError):
    """A worker process ended unexpectedly."""


class StopRequestedError(RunError):
    """A pause before another attempt, or a transaction, ended because the command was asked to stop."""


def system_error(error: BaseException) -> RunError | None:
    """Convert an error of the operating system that says what is exhausted; None for any other."""
    if isinstance(error, MemoryError):
        return RunError("the system has no resources left: out of memory", _EXHAUSTED[errno.ENOMEM])
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        return RunError("the system has no resources left: no thread can be started", _EXHAUSTED[errno.EAGAIN])
    if not isinstance(error, OSError):
        return None
    if error.errno == errno.ENOENT and error.filename is None and "temporary directory" in str(error.strerror):
        advice = "free space in TMPDIR, or set it to a directory that can be written, with a short path"
        return RunError("there is no temporary directory that can be written", advice)
    tip = _EXHAUSTED.get(error.errno or 0)
    return None if tip is None else RunError(f"the system has no resources left: {error.strerror}", tip)


def path_error(error: BaseException) -> RunError | None:
    """Convert an error of the operating system about a path that was given; None for any other."""
    if not isinstance(error, OSError) or error.errno not in _UNUSABLE or error.filename is None:
        return None
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
    return RunError(f"{shortened(name)} cannot be used: {error.strerror}", "check this path, and the rights to it")


def shortened(text: str) -> str:
    """Return a text for a message, without what is too long."""
    return f"{text[:LONGEST_SHOWN]}…" if len(text) > LONGEST_SHOWN else text


@contextmanager
def system_errors_converted() -> Iterator[None]:
    """Raise errors of the operating system in the block, or in the decorated function, as errors of this package.

    Raises:
        RunError: The system has no resources left, or refuses a path.
    """
    try:
        yield
    except (OSError, RuntimeError, MemoryError) as error:
        converted = system_error(error) or path_error(error)
        if converted is None:
            raise
        raise converted from error
