"""What is checked before a run on Spark, and how addresses are handed to executors. No Java is needed."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xml_extractor import processing
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import DocumentKey, Outcome, RecordKey, RecordPlace, Status
from xml_extractor.errors import UsageError
from xml_extractor.pipeline import run
from xml_extractor.processing.chunks import Chunk, RunContext
from xml_extractor.reporting.result import RunStatistics
from xml_extractor.settings import RunSettings
from xml_extractor.sources.interfaces import KeyPage
from xml_extractor.targets.registry import open_target

pytest.importorskip("pyspark", reason="the extra `spark` is not installed")

from xml_extractor.processing.spark import SparkCoordinator, absolute_address, check_installation, check_reachable
from xml_extractor.processing.spark_tasks import PartitionResult

SERVER = "mssql://user@host/db"


class Jobs:
    """Stands for the threads that submit jobs: each job has ended at once.

    Args:
        coordinator: Gets the results.
        seconds: How long each task took.
    """

    def __init__(self, coordinator: SparkCoordinator, seconds: float) -> None:
        self._results: Any = coordinator._results
        self._seconds = seconds
        self.partitions: list[list[int]] = []
        """The numbers of documents of the partitions of each job."""

    def submit(self, _run: Callable[..., None], chunks: Sequence[Chunk]) -> Future[None]:
        self.partitions.append([len(chunk.keys) for chunk in chunks])
        ended: Future[None] = Future()
        ended.set_result(None)
        self._results.put([self._result(chunk) for chunk in chunks])
        return ended

    def _result(self, chunk: Chunk) -> PartitionResult:
        outcomes = [Outcome(key, Status.LOADED, (1,) * 12) for key in chunk.keys]
        return PartitionResult(chunk.sequence, "executor", self._seconds, outcomes, {}, {}, None)


def partitions_of(
    keys: Sequence[DocumentKey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> list[list[int]]:
    """Return how many documents each partition of each job has, on two cores whose tasks all take these seconds."""
    spark = SimpleNamespace(defaultParallelism=2, broadcast=lambda _: None)
    monkeypatch.setattr(processing.spark, "active_spark", lambda: spark)
    contract = read_contract("card_application")
    settings = RunSettings("card_application", "documents", f"sqlite:///{tmp_path / 'a.db'}", engine="spark")
    started_at = datetime(2026, 1, 1)  # noqa: DTZ001
    context = RunContext("run", started_at, settings, contract, "0" * 64, "documents", "documents")
    statistics = RunStatistics(tuple(contract.tables))
    with SparkCoordinator(context, open_target(settings.target, contract), statistics) as coordinator:
        jobs = Jobs(coordinator, seconds)
        monkeypatch.setattr(coordinator, "_jobs", jobs)
        coordinator.process_xml_batch([KeyPage([*keys])], lambda _: set())
    assert statistics.loaded == len(keys) == sum(map(sum, jobs.partitions))
    return jobs.partitions


def test_short_tasks_get_more_documents_and_long_ones_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = list(range(20_000))
    long = partitions_of(keys, tmp_path, monkeypatch, seconds=3.0)
    assert {max(job) for job in long[:-1]} == {256}
    short = partitions_of(keys, tmp_path, monkeypatch, seconds=0.5)
    assert short[0] == [256] * 4
    assert {max(job) for job in short[:-1]} == {256, 512, 1024}


def test_a_job_takes_no_more_records_with_their_keys_than_java_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(2**16)
    keys = [
        RecordKey(str(number), RecordPlace("feed.gz", "feed.gz", number, content=content)) for number in range(2000)
    ]
    assert [sum(job) for job in partitions_of(keys, tmp_path, monkeypatch, seconds=0.5)] == [512, 512, 512, 464]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (SERVER, SERVER),
        ("sqlite:///loads.db", "sqlite:///{here}/loads.db"),
        ("sqlite:////there/loads.db?timeout=5", "sqlite:////there/loads.db?timeout=5"),
        ("parquet:lake", "parquet:///{here}/lake"),
        (
            "parquet:///lake?log_target=sqlite%3A%2F%2F%2Fl.db",
            "parquet:///{here}/lake?log_target=sqlite%3A%2F%2F%2F{quoted}%2Fl.db",
        ),
        ("documents/*.xml", "{here}/documents/*.xml"),
        ("feed.zip!data/*.xml", "{here}/feed.zip!data/*.xml"),
        ("/there/feed", "/there/feed"),
    ],
)
def test_executors_get_addresses_that_mean_the_same_in_their_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path)
    assert absolute_address(address) == expected.format(here=here, quoted=here.replace("/", "%2F"))


@pytest.mark.parametrize(
    ("source", "target", "master", "message"),
    [
        ("-", SERVER, "local[2]", "standard input"),
        ("sqlite:///a.db", SERVER, "yarn", "cannot be the source"),
        ("documents", "sqlite:///a.db", "spark://host:7077", "cannot be the target"),
        ("documents", "parquet:lake", "yarn", "processing log"),
    ],
)
def test_what_executors_cannot_reach_is_refused(source: str, target: str, master: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_reachable(RunSettings("c", source, target), master)


@pytest.mark.parametrize(
    ("source", "target", "master"),
    [
        ("sqlite:///a.db", "sqlite:///b.db", "local-cluster[2,1,1024]"),
        (SERVER, SERVER, "yarn"),
        ("documents", "parquet:///lake?log_target=mssql%3A%2F%2Fhost%2Fdb", "yarn"),
    ],
)
def test_what_executors_can_reach_is_accepted(source: str, target: str, master: str) -> None:
    check_reachable(RunSettings("c", source, target), master)


def test_a_machine_without_java_gets_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs Java") as refused:
        check_installation()
    assert "openjdk-17" in refused.value.tip


def test_without_pyspark_the_run_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(sys.modules, "xml_extractor.processing.spark")
    monkeypatch.delattr(processing, "spark")
    monkeypatch.setitem(sys.modules, "pyspark", None)
    settings = RunSettings("card_application", str(tmp_path), f"sqlite:///{tmp_path / 'a.db'}", engine="spark")
    with pytest.raises(UsageError, match="pyspark") as refused:
        run(settings)
    assert "xml-extractor-etl[spark]" in refused.value.tip


def test_without_spark_an_address_of_hadoop_is_an_error_that_names_the_engine(tmp_path: Path) -> None:
    settings = RunSettings("card_application", "hdfs://host:8020/in/*.xml", f"sqlite:///{tmp_path / 'a.db'}")
    with pytest.raises(UsageError, match="'hdfs' addresses") as refused:
        run(settings)
    assert "--engine spark" in refused.value.tip
