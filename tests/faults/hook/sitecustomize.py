"""Faults for the product's processes. Python imports this module first in each that has its folder in PYTHONPATH.

The product knows nothing of it. As modules are imported, named seams of theirs are wrapped, so that main process, fork
server, queue and workers all come past the same *points*, each of them `before` and `after` what happens there. The
environment variable `FAULTS` holds JSON: `directory`, where occurrences are counted across processes, and `faults`, a
list of `[point, when, kind, number]`. A fault happens at the occurrence of this number, once; a fault of the number 0
makes each occurrence slow.
"""

import errno
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

VARIABLE = "FAULTS"
SLOW_SECONDS = 0.5
ALWAYS_SLOW_SECONDS = 0.1
HANG_SECONDS = 3600.0
ALWAYS = 0
"""The number of a fault that makes each occurrence slow, and is not counted."""

STATEMENTS = (
    (re.compile(r"BEGIN IMMEDIATE"), "begin"),
    (re.compile(r"COMMIT"), "commit"),
    (re.compile(r"ROLLBACK"), "rollback"),
    (re.compile(r"INSERT INTO `?processing_log\b"), "insert log"),
    (re.compile(r"INSERT INTO `?(\w+)"), r"insert \1"),
    (re.compile(r"DELETE FROM `?(\w+)"), r"delete \1"),
    (re.compile(r"UPDATE `?(\w+)"), r"update \1"),
    (re.compile(r"SELECT `?xml`? FROM `?app_xml\b"), "fetch"),
    (re.compile(r"SELECT `?document_key`? FROM `?processing_log\b"), "log keys"),
    (re.compile(r"SELECT .* FROM `?processing_log\b"), "read log"),
    (re.compile(r"SELECT `?app_id`? FROM `?app_xml\b"), "list keys"),
)
"""What SQLite is asked, and the point that it is; other statements are none."""

SEAMS = {
    "xml_extractor.processing.parallel_coordinator": (
        ("_init_worker", "worker start"),
        ("_process_work_item", "work item"),
        ("ParallelCoordinator._finish", "count"),
    ),
    "xml_extractor.processing.worker": (("map_document", "map"),),
    "xml_extractor.parsing.parser": (("DocumentParser.parse", "parse"),),
    "xml_extractor.processing.insert_queue": (
        ("InsertQueue.enqueue", "enqueue"),
        ("InsertQueue.dequeue_batch", "dequeue"),
        ("BoundedQueue.offer", "hold"),
        ("BoundedQueue.take", "hand over"),
        ("_set_up_manager", "manager start"),
    ),
    "xml_extractor.reporting.metrics": (("write_metrics", "metrics"), ("write_text", "write metrics")),
    "xml_extractor.sources.rejects": (
        ("RejectFiles.write", "reject"),
        ("RejectFiles._write_document", "write reject"),
        ("_append", "list reject"),
    ),
    "xml_extractor.sources.files": (("read_bounded", "fetch"), ("plain", "open file")),
    "xml_extractor.records.source": (("RecordSource._record", "fetch"),),
    "xml_extractor.records.keys": (("RecordNames.next", "list record"),),
}
"""Functions by their modules, and the points that they are."""

ONLY_WITH_RESULT = ("dequeue", "hand over")
"""Points that are no occurrence while there is nothing in the queue."""

ERRORS = {
    "locked": ("OperationalError", "SQLITE_BUSY"),
    "constraint": ("IntegrityError", "SQLITE_CONSTRAINT_CHECK"),
    "disk full": ("OperationalError", "SQLITE_FULL"),
    "disk lost": ("OperationalError", "SQLITE_IOERR"),
    "cut": ("OperationalError", "SQLITE_PROTOCOL"),
}
"""Kinds that are errors of the database: the exception of sqlite3 and what SQLite calls it."""


SYSTEM_ERRORS = {"no space": errno.ENOSPC, "unreadable": errno.EIO}
"""Kinds that are errors of files."""


class InjectedError(Exception):
    """An error that nobody could expect."""


class Fault(NamedTuple):
    """What is to happen where, at which occurrence."""

    point: str
    when: str
    kind: str
    number: int


@functools.cache
def _plan() -> tuple[str, list[Fault]]:
    plan = json.loads(os.environ.get(VARIABLE, '{"directory": "", "faults": []}'))
    return plan["directory"], [Fault(*fault) for fault in plan["faults"]]


def note(name: str, line: str = "") -> int:
    """Append to a file of the directory; returns its size then, which no other process gets."""
    file = os.open(f"{_plan()[0]}/{name}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, (line or ".").encode())
        return os.lseek(file, 0, os.SEEK_CUR)
    finally:
        os.close(file)


def reached(point: str, when: str, connection: Any = None) -> None:
    """Let the faults happen that are due here and now."""
    for index, fault in enumerate(_plan()[1]):
        if (fault.point, fault.when) != (point, when):
            continue
        if fault.number == ALWAYS:
            time.sleep(ALWAYS_SLOW_SECONDS)
        elif note(f"count {index}") == fault.number:
            note("happened", f"{os.getpid()} {point} {when} {fault.kind}\n")
            _happen(fault.kind, connection)


def _happen(kind: str, connection: Any) -> None:
    match kind:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(10)
        case "slow":
            time.sleep(SLOW_SECONDS)
        case "hang":
            time.sleep(HANG_SECONDS)
        case "stop":
            _stop()
        case "stop twice":
            _stop()
            time.sleep(SLOW_SECONDS)
            _stop()
        case "unexpected":
            raise InjectedError
        case _ if kind in SYSTEM_ERRORS:
            raise OSError(SYSTEM_ERRORS[kind], os.strerror(SYSTEM_ERRORS[kind]))
        case _:
            raise _database_error(kind, connection)


def _stop() -> None:
    os.kill(int(os.environ["FAULTS_MAIN"]), signal.SIGTERM)


def _database_error(kind: str, connection: Any) -> Exception:
    """An error of SQLite; with a cut, what the connection had begun is gone."""
    import sqlite3

    if kind == "cut" and connection is not None and connection.in_transaction:
        sqlite3.Connection.execute(connection, "ROLLBACK")
    exception, name = ERRORS[kind]
    error: Exception = getattr(sqlite3, exception)(f"injected: {name}")
    error.__dict__.update(sqlite_errorname=name, sqlite_errorcode=getattr(sqlite3, name))
    return error


def _wrapped(function: Callable[..., Any], point: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        if point in ("worker start", "manager start"):
            note("roles", f"{os.getpid()} {point.partition(' ')[0]}\n")
        reached(point, "before")
        result = function(*arguments, **named)
        if point not in ONLY_WITH_RESULT or result:
            reached(point, "after")
        return result

    return wrapper


def _wrap(module: ModuleType) -> None:
    for path, point in SEAMS.get(module.__name__, ()):
        *owners, name = path.split(".")
        owner: Any = functools.reduce(getattr, owners, module)
        setattr(owner, name, _wrapped(getattr(owner, name), point))
    if module.__name__ == "xml_extractor.processing.insert_queue":
        _wrap_acknowledgements(module)
    if module.__name__ == "sqlite3":
        _wrap_sqlite(module)


def _wrap_acknowledgements(module: Any) -> None:
    made = module.BackgroundInsertThread.__init__

    def make(thread: Any, insert_queue: Any, open_loader: Any, acknowledge: Any, *others: Any) -> None:
        made(thread, insert_queue, open_loader, _wrapped(acknowledge, "acknowledge"), *others)

    module.BackgroundInsertThread.__init__ = make


def _wrap_sqlite(sqlite3: Any) -> None:
    class Connection(sqlite3.Connection):  # type: ignore[misc]  # the module comes as it is imported, without types
        def __init__(self, *arguments: Any, **named: Any) -> None:
            reached("connect", "before")
            super().__init__(*arguments, **named)

        def execute(self, statement: str, *parameters: Any) -> Any:
            return self._at_point(super().execute, statement, *parameters)

        def executemany(self, statement: str, rows: Any) -> Any:
            return self._at_point(super().executemany, statement, rows)

        def _at_point(self, execute: Callable[..., Any], statement: str, *parameters: Any) -> Any:
            point = point_of(statement)
            if not point:
                return execute(statement, *parameters)
            reached(point, "before", self)
            result = execute(statement, *parameters)
            reached(point, "after", self)
            return result

    sqlite3.connect = functools.partial(sqlite3.connect, factory=Connection)


@functools.cache
def point_of(statement: str) -> str:
    """The point that a statement is, or empty."""
    for pattern, point in STATEMENTS:
        if found := pattern.match(statement):
            return found.expand(point)
    return ""


class _Finder(importlib.abc.MetaPathFinder):
    """Wraps the seams of a module behind its import."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "sqlite3" and name not in SEAMS:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            _wrap_behind(spec.loader)
        return spec


def _wrap_behind(loader: Any) -> None:
    execute = loader.exec_module

    def execute_and_wrap(module: ModuleType) -> None:
        execute(module)
        _wrap(module)

    loader.exec_module = execute_and_wrap


sys.meta_path.insert(0, _Finder())
