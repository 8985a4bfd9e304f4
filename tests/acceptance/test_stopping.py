"""A run that is asked to stop, at whatever moment, stops in bounded time, says so once, and leaves nothing behind."""

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.acceptance.accounts import query, write_orders

if sys.platform == "win32":
    pytest.skip("sends signals to process groups", allow_module_level=True)

ROOT = Path(__file__).parents[2]
RUN = [str(ROOT / "production_processor.py"), "--contract", "orders.yaml", "--source", "sqlite:///orders.db"]
RUN += ["--workers", "2", "--no-progress"]
EMBEDDED = ("--target", "sqlite:///loaded.db")
PATIENCE = 20
"""Seconds after which a run that was asked to stop counts as hanging."""


class Started:
    """A run in a process group and with a temporary directory of its own."""

    def __init__(
        self, directory: Path, temporary: str, options: tuple[str, ...], variables: dict[str, str] | None = None
    ) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}
        self.temporary = Path(temporary)
        self._pipe = subprocess.Popen(
            [sys.executable, *RUN, *options],
            cwd=directory,
            env={**environment, "TMPDIR": temporary, **(variables or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def signal(self, number: signal.Signals, *, group: bool = True) -> None:
        (os.killpg if group else os.kill)(self._pipe.pid, number)

    def handles_signals(self) -> bool:
        """Whether the program has begun; before, it is Python that answers."""
        try:
            status = Path(f"/proc/{self._pipe.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return False
        (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")] or ["0"]
        return bool(int(caught, 16) & 1 << signal.SIGTERM - 1)

    def has_ended(self) -> bool:
        return self._pipe.poll() is not None

    def end(self) -> None:
        """Kill what is left of the run."""
        with self._pipe:
            if not self.has_ended():
                self.signal(signal.SIGKILL)

    def wait(self) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        output, errors = self._pipe.communicate(timeout=PATIENCE)
        return self._pipe.returncode, output, errors

    def left(self) -> list[str]:
        """Processes and temporary files that are still there some seconds later."""
        for _ in range(50):
            found = [*self._processes(), *(path.name for path in self.temporary.iterdir())]
            if not found:
                break
            time.sleep(0.1)
        return found

    def _processes(self) -> Iterator[str]:
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                name, _, fields = status.read_text(encoding="utf-8").rpartition(")")
            except OSError:
                continue
            state, _, group, *_ = fields.split()
            if group == str(self._pipe.pid) and state != "Z":
                yield name


@contextmanager
def started(directory: Path, *options: str) -> Iterator[Started]:
    with TemporaryDirectory(prefix="stop-") as temporary:
        run = Started(directory, temporary, (*EMBEDDED, *options))
        try:
            yield run
        finally:
            run.end()


def wait_for(condition: Callable[[], bool], run: Started) -> None:
    deadline = time.monotonic() + 60
    while not condition() and not run.has_ended() and time.monotonic() < deadline:
        time.sleep(0.02)


def is_loading(directory: Path) -> bool:
    if not (directory / "loaded.db").exists():
        return False
    with closing(sqlite3.connect(directory / "loaded.db")) as database:
        try:
            return bool(database.execute("SELECT COUNT(*) FROM processing_log").fetchone()[0])
        except sqlite3.OperationalError:
            return False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a database, as another session would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_process_group_at_any_moment_ends_the_run_with_130(
    number: signal.Signals, tmp_path: Path
) -> None:
    write_orders(tmp_path, 3000)
    moments = random.Random(number)
    for moment in [0, 0.1, 0.2, 0.3, 0.4, 0.6, *(moments.uniform(0.1, 2.5) for _ in range(5))]:
        with started(tmp_path) as run:
            wait_for(run.handles_signals, run)
            time.sleep(moment)
            if run.has_ended():
                continue
            run.signal(number)
            code, output, errors = run.wait()
            assert code in (0, 130), (moment, errors)
            assert not {"Traceback", "nternal error"} & set(errors.replace("\n", " ").split(" ")), (moment, errors)
            assert code == 0 or ("Metrics: " in output) != (errors.count("interrupted") == 1), (
                moment,
                output,
                errors,
            )
            assert run.left() == [], moment
    with started(tmp_path) as run:
        assert run.wait()[0] == 0
    assert query(tmp_path / "loaded.db", "SELECT COUNT(*), COUNT(DISTINCT order_id) FROM orders") == [(3000, 3000)]


def test_a_second_signal_ends_a_run_that_waits_for_another_session(tmp_path: Path) -> None:
    write_orders(tmp_path, 20_000)
    with started(tmp_path) as run:
        wait_for(lambda: is_loading(tmp_path), run)
        with locked(tmp_path / "loaded.db"):
            run.signal(signal.SIGINT)
            time.sleep(0.5)
            run.signal(signal.SIGINT)
            code, output, errors = run.wait()
        assert code == 130, (output, errors)
        assert "Traceback" not in errors
        assert "Interrupted" in output
        assert list((tmp_path / "metrics").iterdir())
        assert run.left() == []


@pytest.mark.parametrize("mode", ["queue", "blocking"])
def test_a_first_signal_ends_the_pauses_between_attempts(mode: str, tmp_path: Path) -> None:
    write_orders(tmp_path, 20_000)
    with started(tmp_path, "--insert-mode", mode, "--target", "sqlite:///loaded.db?timeout=2") as run:
        wait_for(lambda: is_loading(tmp_path), run)
        with locked(tmp_path / "loaded.db"):
            run.signal(signal.SIGINT)
            code, output, errors = run.wait()
        assert code == 130, errors
        assert "Traceback" not in errors
        assert "Interrupted" in output
    with started(tmp_path) as run:
        assert run.wait()[0] == 0
    assert query(tmp_path / "loaded.db", "SELECT COUNT(*), COUNT(DISTINCT order_id) FROM orders") == [(20_000, 20_000)]


def test_two_signals_end_a_run_whose_main_thread_waits_for_a_database(tmp_path: Path) -> None:
    write_orders(tmp_path, 10)
    with closing(sqlite3.connect(tmp_path / "loaded.db")) as database:
        database.execute("CREATE TABLE other (a)")
    with locked(tmp_path / "loaded.db"), started(tmp_path) as run:
        time.sleep(2)
        run.signal(signal.SIGTERM)
        time.sleep(0.5)
        run.signal(signal.SIGTERM)
        code, _, errors = run.wait()
        assert code == 130
        assert "Traceback" not in errors
        assert run.left() == []


def test_too_few_file_descriptors_are_one_clear_line(tmp_path: Path) -> None:
    write_orders(tmp_path, 10)
    for limit in (8, 12, 16, 20, 24):
        ended = subprocess.run(
            [sys.executable, *RUN, *EMBEDDED],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),  # type: ignore[misc]
        )
        assert ended.returncode in (0, 3), (limit, ended.stderr)
        assert "Traceback" not in ended.stderr, (limit, ended.stderr)
        assert ended.returncode == 0 or ended.stderr.count("Error: ") == 1, (limit, ended.stderr)
        assert "nternal error" not in ended.stderr, (limit, ended.stderr)


@pytest.mark.parametrize(
    ("temporary", "message"),
    [("t" * 100, "the path of the temporary directory is too long for sockets"), ("", "")],
)
def test_a_temporary_directory_that_cannot_be_used_is_one_clear_line(
    temporary: str, message: str, tmp_path: Path
) -> None:
    write_orders(tmp_path, 10)
    directory = tmp_path / temporary
    directory.mkdir(exist_ok=True)
    ended = subprocess.run(
        [sys.executable, *RUN, *EMBEDDED],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(directory if temporary else "/tmp")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if not message:
        assert ended.returncode == 0
        return
    assert ended.returncode == 3
    assert ended.stderr.startswith(f"Error: {message}")
    assert ended.stderr.count("\n") == 2
