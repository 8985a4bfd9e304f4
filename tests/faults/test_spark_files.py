"""Files that Spark reads through Hadoop give the tables that the same files give on one machine.

`viewfs` is a file system of Hadoop that no other library reads; here it shows a local directory.
"""

import gzip
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.archives import tar_of, zip_of
from tests.faults.spark import RECORDS, is_there
from tests.table_hashes import table_hashes
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.errors import XmlExtractorError
from xml_extractor.pipeline import run
from xml_extractor.reporting.result import RunResult
from xml_extractor.settings import Engine, RunSettings
from xml_extractor.targets.registry import open_target

pytestmark = [
    pytest.mark.skipif(not is_there(), reason="the extra `spark` or Java is not installed"),
    pytest.mark.slow,
]

MOUNT = "fs.viewfs.mounttable.lake.link./in"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A local directory that Hadoop knows as viewfs://lake/in, and an application of Spark in this process."""
    from pyspark import SparkConf, SparkContext

    directory = tmp_path_factory.mktemp("lake")
    java = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
    settings = {"spark.ui.enabled": "false", "spark.driver.extraJavaOptions": java, f"spark.hadoop.{MOUNT}": directory}
    conf = SparkConf().setMaster("local[2]").setAppName("test")
    for name, value in settings.items():
        conf.set(name, value.as_uri() if isinstance(value, Path) else value)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        environment.setenv("PYSPARK_PYTHON", sys.executable)
        with SparkContext(conf=conf) as spark:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            spark.setLogLevel("OFF")
            yield directory


def station(number: int) -> str:
    values = "".join(f"<value>{number}.{digit}</value>" for digit in range(5))
    return f'<station id="{number}"><name>S {number}</name>{values}</station>'


def load(source: str, directory: Path, contract: str, engine: Engine) -> tuple[RunResult, dict[str, str]]:
    path = directory / "contract.yaml"
    path.write_text(contract)
    target = f"sqlite:///{directory / engine}.db"
    settings = RunSettings(str(path), source, target, rejects_dir=None, metrics_dir=None, batch_size=7)
    result = run(replace(settings, engine=engine, in_process=engine == "processes"))
    assert result.failure is None, result.failure
    read = read_contract(str(path))
    with closing(open_target(target, read).connect()) as connection:
        return result, table_hashes(connection, layouts(read))


ONE_A_FILE = RECORDS.replace("root: readings, records: [station]", "root: station")


@pytest.mark.parametrize(
    ("folder", "address", "contract"),
    [
        ("files", "", ONE_A_FILE),
        ("files", "/*1*.xml", ONE_A_FILE),
        ("files", "/members!.zip!m/1*.xml", ONE_A_FILE),
        ("records", "", RECORDS),
    ],
)
def test_the_tables_are_those_of_the_same_files_on_one_machine(
    lake: Path, tmp_path: Path, folder: str, address: str, contract: str
) -> None:
    fill(lake / folder)
    _, alone = load(f"{lake / folder}{address}", tmp_path, contract, "processes")
    result, together = load(f"viewfs://lake/in/{folder}{address}", tmp_path, contract, "spark")
    assert together == alone
    assert result.statistics.loaded > 0


def fill(folder: Path) -> None:
    (folder / "below").mkdir(parents=True, exist_ok=True)
    if folder.name == "records":
        for name, first in (("a.xml", 0), ("below/c.xml", 40)):
            (folder / name).write_text(f"<readings>{''.join(map(station, range(first, first + 20)))}</readings>")
        (folder / "broken.xml").write_text(f"<readings>{station(70)}<station id='71'>")
        packed = f"<readings>{''.join(map(station, range(80, 100)))}</readings>"
        (folder / "b.xml.gz").write_bytes(gzip.compress(packed.encode()))
        return
    for number in range(30):
        (folder / f"{number}.xml").write_text(station(number))
    (folder / "below" / "a, {b} [1]? ü.xml").write_text(station(30))
    (folder / "empty.xml").write_bytes(b"")
    (folder / "members!.zip").write_bytes(zip_of({f"m/{number}.xml": station(number) for number in range(100, 130)}))
    (folder / "more.tar.gz").write_bytes(gzip.compress(tar_of({f"{n}.xml": station(n) for n in range(200, 230)})))


REVISIONS = """
contract: things
version: 1
document:
  root: thing
  key: "@key"
  key_type: int
  revision: {of: "@id", order: [{path: "@number", type: int}]}
  deleted: "@gone"
tables:
  thing: {rows: ".", columns: {id: {path: "@id", type: int, key: true}, number: {path: "@number", type: int}}}
  part:
    rows: part
    columns:
      id: {parent: thing.id, key: true}
      name: {path: ".", type: varchar(9), key: true}
"""


def test_the_newest_revision_of_each_thing_stays_in_whatever_order_tasks_load_them(lake: Path, tmp_path: Path) -> None:
    folder = lake / "revisions"
    folder.mkdir()
    for key in range(120):
        thing, number = key % 7, key * 37 % 120
        parts = "".join(f"<part>{number}-{part}</part>" for part in range(number % 3))
        gone = " gone='1'" if thing == 3 and number > 100 else ""
        (folder / f"{key}.xml").write_text(f"<thing key='{key}' id='{thing}' number='{number}'{gone}>{parts}</thing>")
    _, alone = load(str(folder), tmp_path, REVISIONS, "processes")
    _, together = load("viewfs://lake/in/revisions", tmp_path, REVISIONS, "spark")
    assert {name: together[name] for name in ("thing", "part")} == {name: alone[name] for name in ("thing", "part")}


def test_a_file_that_vanishes_after_it_was_listed_is_rejected(lake: Path) -> None:
    from xml_extractor.sources.hadoop import HadoopPath, read_files

    fill(lake / "gone")
    prefix, files = read_files(HadoopPath("viewfs://lake/in/gone"), [["1.xml", "nowhere.xml"], ["nothing.xml"]])
    read = files.mapPartitionsWithIndex(lambda index, pairs: [(index, path, len(content)) for path, content in pairs])
    assert read.collect() == [(0, f"{prefix}1.xml", len(station(1)))]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("viewfs://lake/in/nowhere", "there is no source"),
        ("nosuch://lake/in", "cannot use nosuch addresses"),
        ("s3a://key:secret@bucket/in", "must not hold a password"),
    ],
)
def test_what_hadoop_cannot_read_is_one_clear_line(lake: Path, tmp_path: Path, address: str, message: str) -> None:
    with pytest.raises(XmlExtractorError, match=message) as refused:
        load(address, tmp_path, ONE_A_FILE, "spark")
    assert "secret" not in str(refused.value)
