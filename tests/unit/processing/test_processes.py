"""Worker processes that end, in order or not; real processes and real signals."""

import os
import pickle
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests.conftest import posix_only
from xml_extractor.processing.processes import NO_MEMORY, process_context, retire, set_up_child, take_over
from xml_extractor.processing.worker_pool import GRACE_SECONDS, DeadWorker, WorkerPool
from xml_extractor.settings import StartMethod

pytestmark = posix_only("sends signals to processes")

PATIENCE = 30.0
START_METHODS: list[StartMethod] = ["spawn", "forkserver"]


def own_id(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def own_id_and_retire(_: float) -> int:
    retire()
    return os.getpid()


def lack_memory() -> None:
    os._exit(NO_MEMORY)


def fail(_: float) -> int:
    raise ValueError


def leave() -> None:
    os._exit(7)


class Results:
    """What came back from the pool."""

    def __init__(self) -> None:
        self.ids: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.errors: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

    def ask(self, pool: WorkerPool, tasks: int, seconds: float = 0) -> list[int]:
        for _ in range(tasks):
            pool.submit(own_id, seconds, self.ids.put, self.errors.put)
        ids = []
        for _ in range(tasks):
            ids.append(self.ids.get(timeout=PATIENCE))
            pool.note_result(ids[-1])
        return ids


def dead_within(pool: WorkerPool, seconds: float) -> list[DeadWorker]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        dead = pool.find_dead()
        if dead:
            return dead
        time.sleep(0.05)
    return []


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(params=START_METHODS)
def pool(request: pytest.FixtureRequest) -> Iterator[WorkerPool]:
    with WorkerPool(process_context(request.param), 2, set_up_child, ()) as pool:
        yield pool


def test_results_come_back_and_the_workers_end_with_the_pool() -> None:
    with WorkerPool(process_context("forkserver"), 2, set_up_child, ()) as pool:
        ids = set(Results().ask(pool, 10, 0.01))
        assert os.getpid() not in ids
        assert pool.find_dead() == []
    assert not any(is_running(process_id) for process_id in ids)


def test_an_error_of_a_task_is_handed_over(pool: WorkerPool) -> None:
    results = Results()
    pool.submit(fail, 0, results.ids.put, results.errors.put)
    assert isinstance(results.errors.get(timeout=PATIENCE), ValueError)


def test_a_worker_that_is_killed_at_work_is_noticed(pool: WorkerPool) -> None:
    results = Results()
    busy = set(results.ask(pool, 20, 0.01))
    pool.submit(own_id, 60, results.ids.put, results.errors.put)
    pool.submit(own_id, 60, results.ids.put, results.errors.put)
    assert pool.find_dead() == []
    killed = busy.pop()
    os.kill(killed, signal.SIGKILL)
    (dead,) = dead_within(pool, PATIENCE)
    assert dead in {DeadWorker(killed, "signal 9"), DeadWorker(killed, "exit code 255")}


def test_workers_that_are_killed_while_they_wait_for_work_are_noticed_and_the_pool_still_ends(
    pool: WorkerPool,
) -> None:
    for process_id in set(Results().ask(pool, 20, 0.01)):
        os.kill(process_id, signal.SIGKILL)
    assert dead_within(pool, PATIENCE)


def test_workers_that_end_while_they_start_are_noticed() -> None:
    with WorkerPool(process_context("spawn"), 1, leave, ()) as pool:
        assert "exit code 7" in {worker.exit for worker in dead_within(pool, PATIENCE)}


def test_a_worker_that_is_replaced_after_its_tasks_is_no_fault() -> None:
    with WorkerPool(process_context("forkserver"), 2, set_up_child, (), tasks_per_process=3) as pool:
        ids = Results().ask(pool, 20)
        assert len(set(ids)) >= 6
        assert dead_within(pool, 2) == []


def test_a_worker_that_asks_for_it_is_replaced_after_its_task_and_that_is_no_fault() -> None:
    with WorkerPool(process_context("forkserver"), 1, set_up_child, ()) as pool:
        results = Results()
        (first,) = results.ask(pool, 1)
        pool.submit(own_id_and_retire, 0, results.ids.put, results.errors.put)
        assert results.ids.get(timeout=PATIENCE) == first
        pool.note_result(first, retires=True)
        (second,) = set(results.ask(pool, 3))
        assert second != first
        assert dead_within(pool, 2) == []


def test_a_worker_without_memory_says_so_by_its_exit_code() -> None:
    with WorkerPool(process_context("forkserver"), 1, lack_memory, ()) as pool:
        assert {worker.exit for worker in dead_within(pool, PATIENCE)} == {"no memory left"}


def test_killing_ends_busy_workers_at_once(pool: WorkerPool) -> None:
    results = Results()
    ids = set(results.ask(pool, 20, 0.01))
    for _ in range(4):
        pool.submit(own_id, 3600, results.ids.put, results.errors.put)
    pool.kill()
    assert not any(is_running(process_id) for process_id in ids)


def test_a_worker_that_is_started_while_the_pool_is_killed_ends_too(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = BaseProcess.start, []

    def start_slowly(process: BaseProcess) -> None:
        time.sleep(3 * GRACE_SECONDS)
        start(process)
        started.append(process)

    monkeypatch.setattr(BaseProcess, "start", start_slowly)
    os.kill(pool.process_ids()[0], signal.SIGKILL)
    time.sleep(GRACE_SECONDS)
    pool.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (not started or any(process.is_alive() for process in started)):
        time.sleep(0.05)
    assert [process.is_alive() for process in started] == [False]


def test_ctrl_c_does_not_end_a_worker(pool: WorkerPool) -> None:
    results = Results()
    ids = set(results.ask(pool, 20, 0.01))
    for process_id in ids:
        os.kill(process_id, signal.SIGINT)
    assert dead_within(pool, 2) == []
    assert set(results.ask(pool, 20, 0.01)) == ids


def test_the_fork_server_waits_for_the_contract_and_imports_what_the_main_process_had_to_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "imported_on_demand.py").touch()
    (tmp_path / "ready").write_bytes(pickle.dumps((["imported_on_demand"], "the contract")))
    path = tmp_path / str(os.getppid())
    threading.Timer(0.1, (tmp_path / "ready").rename, [path]).start()
    assert take_over(path) == "the contract"
    del sys.modules["imported_on_demand"]


@pytest.mark.parametrize("path", ["removed/PARENT", "1000000000"], ids=["needs no plan", "has ended"])
def test_the_fork_server_does_not_wait_for_a_main_process_that(path: str, tmp_path: Path) -> None:
    began_at = time.monotonic()
    with pytest.raises(FileNotFoundError):
        take_over(tmp_path / path.replace("PARENT", str(os.getppid())))
    assert time.monotonic() - began_at < 5
