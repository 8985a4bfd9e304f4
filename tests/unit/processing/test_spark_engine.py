"""What is checked before a run on Spark, and how addresses are handed to executors. No Java is needed."""

import sys
from pathlib import Path

import pytest

from xml_extractor import processing
from xml_extractor.errors import UsageError
from xml_extractor.pipeline import run
from xml_extractor.settings import RunSettings

pytest.importorskip("pyspark", reason="the extra `spark` is not installed")

from xml_extractor.processing.spark import absolute_address, check_installation, check_reachable

SERVER = "mssql://user@host/db"


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
