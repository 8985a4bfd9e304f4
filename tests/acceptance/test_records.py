"""Each record of a file is a document of its own, for the real command."""

import gzip
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.accounts import Accounts, accounts, query
from tests.conftest import Command, posix_only

CONTRACT = """
contract: gauge
version: 1
namespaces: {g: "urn:example:gauge"}
document:
  root: "g:Export"
  records: "g:Reading"
  header: ["g:Station"]
  key: "@id"
tables:
  reading:
    rows: "."
    columns:
      reading_id: {path: "@id", type: varchar(10), key: true}
      station: {path: "../g:Station/@code", type: varchar(10)}
      made: {path: "../@made", type: date}
      level: {path: "g:Level", type: "decimal(9,1)"}
      file: {run: source_file}
      number: {run: record_number}
"""
LOAD = ("--contract", "gauge.yaml", "--target", "sqlite:///out.db")


def reading(number: int, level: str = "1.5") -> str:
    return f'<Reading id="R{number}"><Level>{level}</Level><!-- </Reading> --></Reading>'


def export(*readings: str) -> str:
    station = '<Station code="K7"/>'
    return f'<Export xmlns="urn:example:gauge" made="2026-02-03">{station}{"".join(readings)}<Summary/></Export>'


def write(directory: Path, files: dict[str, str]) -> Path:
    (directory / "gauge.yaml").write_text(CONTRACT, encoding="utf-8")
    folder = directory / "d"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return directory / "out.db"


def test_a_bad_record_is_rejected_alone_corrected_and_loaded_under_its_key(
    tmp_path: Path, xml_extractor: Command
) -> None:
    bad = [reading(1), reading(2, "high"), reading(3), reading(3), '<Reading id="R5"><x:a/></Reading>', reading(6)]
    target = write(tmp_path, {"a.xml": export(*bad), "none.xml": export()})
    first = xml_extractor("run", *LOAD, "--source", "d", "--workers", "1")
    assert first.returncode == 1, first.stderr
    assert accounts(first.stdout, tmp_path, target) == Accounts(6, 3, 3, 0)
    assert "Files without records: 1" in first.stdout
    assert "No records in none.xml" in first.stderr
    rejected = "SELECT document_key, reason FROM processing_log WHERE status = 'rejected' ORDER BY 1"
    assert [(key, reason.split(" ")[0].strip(":")) for key, reason in query(target, rejected)] == [
        ("a.xml#R2", "not_a_number"),
        ("a.xml#R3#2", "duplicate_key"),
        ("a.xml#R5", "namespace"),
    ]
    (rejects,) = (tmp_path / "rejects").iterdir()
    (found,) = rejects.glob("*R2-*.xml")
    head = '<Export xmlns="urn:example:gauge" made="2026-02-03"><Station code="K7"/>'
    assert found.read_text(encoding="utf-8") == f"{head}{reading(2, 'high')}</Export>"
    found.write_text(f"{head}{reading(2)}</Export>", encoding="utf-8")
    marked = xml_extractor("retry", *LOAD, "--key", "a.xml#R2")
    assert marked.stdout == "1 document marked for retry by the next run\n"
    again = xml_extractor("run", *LOAD, "--source", str(rejects), "--workers", "1")
    assert accounts(again.stdout, tmp_path, target).loaded == 1
    rows = query(target, "SELECT reading_id, station, made, file, number FROM reading ORDER BY number")
    assert rows == [(f"R{number}", "K7", "2026-02-03", "a.xml", number) for number in (1, 2, 3, 6)]


def test_a_file_that_breaks_off_loads_what_is_complete_and_its_rest_can_be_completed(
    tmp_path: Path, xml_extractor: Command
) -> None:
    whole = export(*map(reading, range(1, 6)))
    target = write(tmp_path, {"a.xml": whole[: whole.index("</Level>", whole.index("R4"))]})
    first = xml_extractor("run", *LOAD, "--source", "d", "--workers", "1")
    assert accounts(first.stdout, tmp_path, target) == Accounts(4, 3, 1, 0)
    assert query(target, "SELECT document_key FROM processing_log WHERE status = 'rejected'") == [("a.xml#R4",)]
    (rest,) = (tmp_path / "rejects").glob("*/a_xml_R4-*.xml")
    rest.write_text(rest.read_text() + f"</Level></Reading>{reading(5)}</Export>", encoding="utf-8")
    again = xml_extractor("run", *LOAD, "--source", str(rest.parent), "--workers", "1")
    assert accounts(again.stdout, tmp_path, target).loaded == 2
    rows = query(target, "SELECT reading_id, number, station FROM reading ORDER BY 1")
    assert rows == [(f"R{number}", number, "K7") for number in range(1, 6)]


def test_a_record_that_is_not_well_formed_ends_its_file_until_that_is_corrected(
    tmp_path: Path, xml_extractor: Command
) -> None:
    bad = '<Reading id="R4"><Level>1.5</Reading>'
    target = write(tmp_path, {"a.xml": export(*map(reading, range(1, 4)), bad, *map(reading, range(5, 8)))})
    run = ("run", *LOAD, "--source", "d", "--workers", "2")
    first = xml_extractor(*run)
    assert (first.returncode, accounts(first.stdout, tmp_path, target)) == (1, Accounts(4, 3, 1, 0))
    ((key, reason),) = query(target, "SELECT document_key, reason FROM processing_log WHERE status = 'rejected'")
    assert key == "a.xml#R4"
    assert reason.startswith("malformed: the file breaks off after record 3: ")
    (rest,) = (tmp_path / "rejects").glob("*/a_xml_R4-*.xml")
    head = '<Export xmlns="urn:example:gauge" made="2026-02-03"><Station code="K7"/>'
    whole = f"{head}{bad}{''.join(map(reading, range(5, 8)))}<Summary/></Export>"
    assert rest.read_text(encoding="utf-8") == whole
    (tmp_path / "d" / "a.xml").write_text(export(*map(reading, range(1, 8))), encoding="utf-8")
    again = xml_extractor(*run)
    assert (again.returncode, accounts(again.stdout, tmp_path, target)) == (0, Accounts(7, 4, 0, 3))
    rows = query(target, "SELECT reading_id, number FROM reading ORDER BY number")
    assert rows == [(f"R{number}", number) for number in range(1, 8)]


@pytest.mark.parametrize(
    ("cut", "key", "complete"),
    [
        ("R4", "a.xml", Accounts(6, 2, 0, 3, 1)),
        ('1.5</Level><!-- </Reading> --></Reading><Reading id="R5', "a.xml#R4", None),
    ],
)
def test_a_file_that_broke_off_and_is_complete_the_next_night_is_no_longer_rejected(
    tmp_path: Path, xml_extractor: Command, cut: str, key: str, complete: Accounts | None
) -> None:
    whole = export(*map(reading, range(1, 6)))
    target = write(tmp_path, {"a.xml": whole[: whole.index(cut)]})
    run = ("run", *LOAD, "--source", "d", "--workers", "1")
    assert accounts(xml_extractor(*run).stdout, tmp_path, target) == Accounts(4, 3, 1, 0)
    assert query(target, "SELECT document_key FROM processing_log WHERE status = 'rejected'") == [(key,)]
    same = xml_extractor(*run)
    assert (same.returncode, accounts(same.stdout, tmp_path, target)) == (1, Accounts(4, 0, 0, 4))
    (tmp_path / "d" / "a.xml").write_text(whole, encoding="utf-8")
    again = xml_extractor(*run)
    assert (again.returncode, accounts(again.stdout, tmp_path, target)) == (0, complete or Accounts(5, 2, 0, 3))
    assert query(target, "SELECT count(*) FROM reading") == [(5,)]


@pytest.mark.parametrize("how", ["retry", "--reprocess"])
def test_a_file_that_is_complete_is_no_longer_rejected_after_a_retry_or_when_it_is_reprocessed(
    tmp_path: Path, xml_extractor: Command, how: str
) -> None:
    whole = export(*map(reading, range(1, 3)))
    target = write(tmp_path, {"a.xml": whole[: whole.index("R2")]})
    run = ("run", *LOAD, "--source", "d", "--workers", "1")
    xml_extractor(*run)
    (tmp_path / "d" / "a.xml").write_text(whole, encoding="utf-8")
    if how == "retry":
        xml_extractor("retry", *LOAD, "--key", "a.xml")
        again = xml_extractor(*run)
        assert accounts(again.stdout, tmp_path, target) == Accounts(3, 1, 0, 1, 1)
    else:
        again = xml_extractor(*run, "--reprocess", "all")
        assert accounts(again.stdout, tmp_path, target) == Accounts(3, 2, 0, 0, 1)
    assert again.returncode == 0
    statuses = query(target, "SELECT document_key, status FROM processing_log ORDER BY 1")
    assert statuses == [("a.xml", "skipped"), ("a.xml#R1", "loaded"), ("a.xml#R2", "loaded")]
    assert query(target, "SELECT count(*) FROM processing_log WHERE status = 'rejected'") == [(0,)]


def test_a_gzip_stream_that_was_cut_loads_what_it_holds_and_the_rest_once_it_is_whole(
    tmp_path: Path, xml_extractor: Command
) -> None:
    target = write(tmp_path, {})
    readings = [
        f'<Reading id="R{number}"><Level>1.5</Level>{hashlib.sha512(bytes(number)).hexdigest()}</Reading>'
        for number in range(1, 2001)
    ]
    file = tmp_path / in_gzip(tmp_path, export(*readings)) / "a.xml.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    run = ("run", *LOAD, "--source", "d", "--workers", "2")
    first = xml_extractor(*run)
    found = accounts(first.stdout, tmp_path, target)
    assert first.returncode == 1
    assert 500 < found.loaded < 1500
    assert found.rejected == 1
    ((key, reason),) = query(target, "SELECT document_key, reason FROM processing_log WHERE status = 'rejected'")
    assert key.partition("#")[0] == "a.xml.gz"
    assert reason.startswith(f"unreadable: the file breaks off after record {found.loaded}: ")
    file.write_bytes(whole)
    again = xml_extractor(*run)
    assert again.returncode == 0, again.stderr
    assert query(target, "SELECT count(*), count(DISTINCT number) FROM reading") == [(2000, 2000)]
    assert query(target, "SELECT count(*) FROM processing_log WHERE status = 'rejected'") == [(0,)]


def in_directory(directory: Path, content: str) -> str:
    (directory / "d" / "a.xml").write_text(content, encoding="utf-8")
    return "d"


def in_archive(directory: Path, content: str) -> str:
    with zipfile.ZipFile(directory / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/a.xml", content)
    return "a.zip"


def in_gzip(directory: Path, content: str) -> str:
    (directory / "d" / "a.xml.gz").write_bytes(gzip.compress(content.encode()))
    return "d"


def in_column(directory: Path, content: str) -> str:
    with closing(sqlite3.connect(directory / "s.db")) as database, database:
        database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml TEXT)")
        database.execute("INSERT INTO app_xml VALUES (17, ?)", (content,))
    return "sqlite:///s.db"


def in_utf_16(directory: Path, content: str) -> str:
    (directory / "u.xml").write_text(content, encoding="utf-16")
    return "u.xml"


@pytest.mark.parametrize(
    ("store", "name"),
    [(in_archive, "a.zip!in/a.xml"), (in_column, "17"), (in_utf_16, "u.xml")],
    ids=["zip", "column", "utf-16"],
)
def test_members_columns_and_other_encodings_hold_records(
    tmp_path: Path, xml_extractor: Command, store: Callable[[Path, str], str], name: str
) -> None:
    target = write(tmp_path, {})
    source = store(tmp_path, export(*map(reading, range(1, 400)), reading(400, "x")))
    completed = xml_extractor("run", *LOAD, "--source", source, "--workers", "2")
    assert accounts(completed.stdout, tmp_path, target) == Accounts(400, 399, 1, 0)
    assert query(target, "SELECT DISTINCT station FROM reading") == [("K7",)]
    assert query(target, "SELECT document_key FROM processing_log WHERE status = 'rejected'") == [(f"{name}#R400",)]
    assert len(list((tmp_path / "rejects").glob("*/*.xml"))) == 1


def test_preview_shows_a_record_by_number_or_key(tmp_path: Path, xml_extractor: Command) -> None:
    write(tmp_path, {"a.xml": export(*map(reading, range(1, 4)))})
    for choice in (("--record", "2"), ("--key", "a.xml#R2")):
        shown = xml_extractor("preview", "d", "--contract", "gauge.yaml", "--json", *choice)
        assert [row["reading_id"] for row in json.loads(shown.stdout)["reading"]] == ["R2"], shown.stderr
    missing = xml_extractor("preview", "d", "--contract", "gauge.yaml", "--record", "9")
    assert missing.returncode == 2


def test_limit_range_shard_and_reprocessing_take_records(tmp_path: Path, xml_extractor: Command) -> None:
    target = write(tmp_path, {"a.xml": export(*map(reading, range(1, 41)))})
    run = ("run", *LOAD, "--source", "d", "--workers", "1")
    assert accounts(xml_extractor(*run, "--limit", "5").stdout, tmp_path, target).loaded == 5
    ranged = xml_extractor(*run, "--range", "a.xml#R9:a.xml#R11")
    assert accounts(ranged.stdout, tmp_path, target) == Accounts(3, 3, 0, 0)
    for shard in ("1/2", "2/2"):
        assert xml_extractor(*run, "--shard", shard).returncode == 0
    assert query(target, "SELECT count(*) FROM reading") == [(40,)]
    changed = export(*(reading(number, "9.5" if number == 7 else "1.5") for number in range(1, 41)))
    (tmp_path / "d" / "a.xml").write_text(changed, encoding="utf-8")
    again = xml_extractor(*run, "--reprocess", "changed-documents")
    assert accounts(again.stdout, tmp_path, target) == Accounts(40, 1, 0, 39)
    assert query(target, "SELECT reading_id FROM reading WHERE CAST(level AS REAL) > 9") == [("R7",)]


@posix_only("kills a group of processes")
@pytest.mark.parametrize("store", [in_directory, in_archive, in_gzip, in_utf_16])
def test_a_run_that_is_killed_resumes_to_equal_tables(
    tmp_path: Path, xml_extractor: Command, store: Callable[[Path, str], str]
) -> None:
    readings = [reading(number, "x" if number % 100 == 0 else "1.5") for number in range(1, 6001)]
    target = write(tmp_path, {})
    load = ("run", *LOAD, "--source", store(tmp_path, export(*readings)), "--workers", "2")
    command = [sys.executable, "-m", "xml_extractor", *load]
    with subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and not _logged(target):
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert 0 < _logged(target) < 6000
    again = xml_extractor(*load)
    assert again.returncode == 1, again.stderr
    expected = [(f"R{number}", number) for number in range(1, 6001) if number % 100]
    assert query(target, "SELECT reading_id, number FROM reading ORDER BY number") == expected
    rejected = "SELECT document_key FROM processing_log WHERE status = 'rejected' ORDER BY length(document_key), 1"
    keys = [key.rpartition("#")[2] for (key,) in query(target, rejected)]
    assert keys == [f"R{number}" for number in range(100, 6001, 100)]


def _logged(target: Path) -> int:
    try:
        ((count,),) = query(target, "SELECT count(*) FROM processing_log")
    except sqlite3.OperationalError:
        return 0
    return int(count)
