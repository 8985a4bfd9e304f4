"""Documents and records in containers, for the real command: exactly once, resumed, rejected, corrected and retried."""

import bz2
import gzip
import json
import lzma
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

from tests.acceptance.accounts import ORDERS, Accounts, accounts, order, query
from tests.acceptance.test_records import CONTRACT, export, reading
from tests.archives import tar_of, zip_of
from tests.conftest import Command, posix_only

LOAD = ("--contract", "c.yaml", "--target", "sqlite:///out.db", "--workers", "2")


def write(directory: Path, files: dict[str, bytes], contract: str = ORDERS) -> Path:
    (directory / "c.yaml").write_text(contract, encoding="utf-8")
    for name, content in files.items():
        path = directory / "d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return directory / "out.db"


def orders(first: int, last: int) -> dict[str, str]:
    return {f"{number}.xml": order(number) for number in range(first, last + 1)}


MIXED: dict[str, bytes] = {
    "1.xml": order(1).encode(),
    "2.xml.gz": gzip.compress(order(2).encode()),
    "a/3.zip": zip_of(orders(3, 12)),
    "a/4.dat": lzma.compress(tar_of(orders(13, 22))),
    "b/5": tar_of(orders(23, 32)),
    "b/6.tgz": gzip.compress(tar_of(orders(33, 40))),
    "b/7.xml": bz2.compress(order(41).encode()),
    "b/readme.txt": b"no document",
}


def test_a_directory_of_all_containers_is_loaded_exactly_once_in_parts(tmp_path: Path, xml_extractor: Command) -> None:
    target = write(tmp_path, MIXED)
    run = ("run", *LOAD, "--source", "d")
    assert accounts(xml_extractor(*run, "--limit", "7").stdout, tmp_path, target).loaded == 7
    assert accounts(xml_extractor(*run, "--range", "a/3.zip!:a/4.dat").stdout, tmp_path, target).rejected == 0
    for shard in ("1/2", "2/2"):
        assert xml_extractor(*run, "--shard", shard).returncode == 0
    again = xml_extractor(*run)
    assert (again.returncode, again.stderr) == (0, "")
    assert accounts(again.stdout, tmp_path, target) == Accounts(41, 0, 0, 41)
    assert query(target, "SELECT order_id FROM orders ORDER BY 1") == [(number,) for number in range(1, 42)]
    keys = [key for (key,) in query(target, "SELECT document_key FROM processing_log ORDER BY 1")]
    assert {"1.xml", "2.xml.gz", "a/3.zip!3.xml", "a/4.dat!13.xml", "b/5!23.xml", "b/6.tgz!33.xml"} <= set(keys)


def test_two_runs_at_once_load_the_members_of_archives_once(tmp_path: Path) -> None:
    target = write(tmp_path, MIXED)
    command = [sys.executable, "-m", "xml_extractor", "run", *LOAD, "--source", "d"]
    runs = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)
    ]
    assert [run.wait(120) for run in runs] == [0, 0]
    for run in runs:
        run.communicate()
    assert query(target, "SELECT count(*), count(DISTINCT document_key) FROM processing_log") == [(41, 41)]
    assert query(target, "SELECT count(*) FROM orders") == [(41,)]


def test_a_member_is_rejected_corrected_and_loaded_under_its_key(tmp_path: Path, xml_extractor: Command) -> None:
    members = orders(1, 3) | {"4.xml": order(4).replace('price="', 'price="x'), "deep.zip": "PK\x03\x04 no archive"}
    target = write(tmp_path, {"a.zip": zip_of(members), "b.xml": b"%PDF-1.7 \xe2", "c.xml": zip_of(members)})
    first = xml_extractor("run", *LOAD, "--source", "d")
    assert first.returncode == 1, first.stderr
    assert accounts(first.stdout, tmp_path, target) == Accounts(7, 3, 4, 0)
    reasons = dict(query(target, "SELECT document_key, reason FROM processing_log WHERE status = 'rejected'"))
    assert reasons.keys() == {"a.zip!4.xml", "a.zip!deep.zip", "b.xml", "c.xml"}
    assert "a PDF document, not XML" in reasons["b.xml"]
    assert "a zip archive" in reasons["c.xml"]
    assert "a zip archive" in reasons["a.zip!deep.zip"]
    (listing,) = tmp_path.glob("rejects/*/rejects.jsonl")
    files = {entry["key"]: entry["file"] for entry in map(json.loads, listing.read_text().splitlines())}
    (listing.parent / files["a.zip!4.xml"]).write_text(order(4), encoding="utf-8")
    assert xml_extractor("retry", "--contract", "c.yaml", "--target", "sqlite:///out.db").returncode == 0
    xml_extractor("run", *LOAD, "--source", str(listing.parent))
    assert query(target, "SELECT status FROM processing_log WHERE document_key = 'a.zip!4.xml'") == [("loaded",)]


def test_a_damaged_archive_is_one_reject_until_it_is_complete(tmp_path: Path, xml_extractor: Command) -> None:
    whole = gzip.compress(tar_of(orders(1, 200)))
    target = write(tmp_path, {"a.tar.gz": whole[:-500], "b.zip": zip_of(orders(201, 205))})
    run = ("run", *LOAD, "--source", "d")
    first = xml_extractor(*run)
    assert (first.returncode, accounts(first.stdout, tmp_path, target)) == (1, Accounts(6, 5, 1, 0))
    assert query(target, "SELECT document_key FROM processing_log WHERE status = 'rejected'") == [("a.tar.gz",)]
    same = xml_extractor(*run)
    assert (same.returncode, accounts(same.stdout, tmp_path, target)) == (1, Accounts(6, 0, 0, 6))
    write(tmp_path, {"a.tar.gz": whole})
    complete = xml_extractor(*run)
    assert (complete.returncode, accounts(complete.stdout, tmp_path, target)) == (0, Accounts(206, 200, 0, 5, 1))
    assert accounts(xml_extractor(*run).stdout, tmp_path, target) == Accounts(205, 0, 0, 205)


PACKED: dict[str, Callable[[str], bytes]] = {
    "a.xml.gz": lambda content: gzip.compress(content[:500].encode()) + gzip.compress(content[500:].encode()),
    "a.zip": lambda content: zip_of({"in.xml": content}),
    "a.tar.xz": lambda content: lzma.compress(tar_of({"in.xml": content})),
    "a.zip of utf-16": lambda content: gzip.compress(f"\ufeff{content}".encode("utf-16-le")),
}


@pytest.mark.parametrize("kind", PACKED)
def test_containers_hold_records(tmp_path: Path, xml_extractor: Command, kind: str) -> None:
    content = export(*map(reading, range(1, 300)), reading(300, "x"))
    target = write(tmp_path, {"a": PACKED[kind](content)}, CONTRACT)
    file = "a!in.xml" if ("zip" in kind and "utf" not in kind) or "tar" in kind else "a"
    for source in ("d", "d/a"):
        completed = xml_extractor("run", *LOAD, "--source", source)
        assert completed.returncode == 1, completed.stderr
    assert accounts(completed.stdout, tmp_path, target) == Accounts(300, 0, 0, 300)
    assert query(target, "SELECT count(*), count(DISTINCT number), min(file), max(file) FROM reading") == [
        (299, 299, file, file)
    ]
    assert query(target, "SELECT document_key FROM processing_log WHERE status = 'rejected'") == [(f"{file}#R300",)]
    shown = xml_extractor("preview", "d", "--contract", "c.yaml", "--json", "--key", f"{file}#R7")
    assert [row["reading_id"] for row in json.loads(shown.stdout)["reading"]] == ["R7"]


def test_records_before_the_break_of_a_gzip_stream_are_loaded(tmp_path: Path, xml_extractor: Command) -> None:
    whole = gzip.compress(export(*(reading(number, str(os.urandom(2)[0])) for number in range(1, 9000))).encode())
    target = write(tmp_path, {"a.xml.gz": whole[:-2000]}, CONTRACT)
    first = xml_extractor("run", *LOAD, "--source", "d")
    counted = accounts(first.stdout, tmp_path, target)
    assert (first.returncode, counted.rejected) == (1, 1)
    assert 0 < counted.loaded < 8999
    write(tmp_path, {"a.xml.gz": whole}, CONTRACT)
    again = xml_extractor("run", *LOAD, "--source", "d")
    assert again.returncode == 0, again.stderr
    assert query(target, "SELECT count(*) FROM reading") == [(8999,)]


@posix_only("SIGKILL")
@pytest.mark.parametrize("name", ["a.xml.gz", "a.tar.gz"])
def test_a_run_that_is_killed_resumes_within_a_container(tmp_path: Path, xml_extractor: Command, name: str) -> None:
    content = export(*map(reading, range(1, 6001)))
    packed = gzip.compress(content.encode() if name == "a.xml.gz" else tar_of({"in.xml": content}))
    target = write(tmp_path, {name: packed}, CONTRACT)
    command = [sys.executable, "-m", "xml_extractor", "run", *LOAD, "--source", "d"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and running.poll() is None:
        try:
            if query(target, "SELECT count(*) FROM processing_log")[0][0] > 100:
                break
        except sqlite3.OperationalError:
            pass
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait(60)
    before = query(target, "SELECT count(*) FROM reading")[0][0]
    again = xml_extractor("run", *LOAD, "--source", "d")
    assert again.returncode == 0, again.stderr
    assert accounts(again.stdout, tmp_path, target) == Accounts(6000, 6000 - before, 0, before)
    assert query(target, "SELECT count(*), count(DISTINCT reading_id) FROM reading") == [(6000, 6000)]


def test_standard_input_is_loaded_once_and_again_if_it_differs(tmp_path: Path) -> None:
    content = export(*map(reading, range(1, 51)))
    target = write(tmp_path, {}, CONTRACT)
    command = [sys.executable, "-m", "xml_extractor", "run", *LOAD, "--source", "-"]

    def piped(data: bytes, *options: str) -> tuple[int, Accounts]:
        ended = subprocess.run(
            [*command, *options], cwd=tmp_path, input=data, capture_output=True, check=False, timeout=120
        )
        return ended.returncode, accounts(ended.stdout.decode(), tmp_path, target)

    assert piped(content.encode(), "--limit", "20") == (0, Accounts(20, 20, 0, 0))
    assert piped(content.encode()) == (0, Accounts(50, 30, 0, 20))
    assert piped(gzip.compress(export(*map(reading, range(51, 61))).encode(), mtime=0)) == (0, Accounts(10, 10, 0, 0))
    keys = [key for (key,) in query(target, "SELECT document_key FROM processing_log")]
    assert len({key.partition("#")[0] for key in keys}) == 2
    assert all(key.startswith("stdin-") for key in keys)
    shown = subprocess.run(
        [sys.executable, "-m", "xml_extractor", "preview", "-", "--contract", "c.yaml", "--json", "--record", "3"],
        cwd=tmp_path,
        input=content.encode(),
        capture_output=True,
        check=True,
    )
    assert [row["reading_id"] for row in json.loads(shown.stdout)["reading"]] == ["R3"]


def test_files_that_are_too_new_are_counted_reported_and_read_later(tmp_path: Path, xml_extractor: Command) -> None:
    target = write(tmp_path, {"1.xml": order(1).encode(), "2.xml": order(2).encode()})
    os.utime(tmp_path / "d" / "1.xml", (time.time() - 7200, time.time() - 7200))
    run = ("run", *LOAD, "--source", "d")
    early = xml_extractor(*run, "--min-age", "3600")
    assert early.returncode == 0
    assert accounts(early.stdout, tmp_path, target) == Accounts(1, 1, 0, 0)
    assert "Files not read yet: 1, changed less than 3600 s ago" in early.stdout
    assert "Not read yet: 2.xml" in early.stderr
    (metrics,) = (tmp_path / "metrics").glob("metrics_*.json")
    assert json.loads(metrics.read_text())["files_too_new"] == 1
    assert accounts(xml_extractor(*run).stdout, tmp_path, target) == Accounts(2, 1, 0, 1)


def test_columns_hold_compressed_documents_and_records(tmp_path: Path, xml_extractor: Command) -> None:
    target = write(tmp_path, {})
    with closing(sqlite3.connect(tmp_path / "s.db")) as database, database:
        database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml BLOB)")
        contents = [
            gzip.compress(order(1).encode()),
            order(2).encode(),
            zip_of(orders(3, 3)),
            gzip.compress(b"{}")[:-9],
        ]
        contents.append(gzip.compress(order(5).encode("utf-16")))
        database.executemany("INSERT INTO app_xml VALUES (?, ?)", enumerate(contents, 1))
    done = xml_extractor("run", *LOAD, "--source", "sqlite:///s.db")
    assert accounts(done.stdout, tmp_path, target) == Accounts(5, 3, 2, 0)
    reasons = dict(query(target, "SELECT document_key, reason FROM processing_log WHERE status = 'rejected'"))
    assert "a zip archive, not XML" in reasons["3"]
    assert "the compressed content of the column breaks off" in reasons["4"]
    with closing(sqlite3.connect(tmp_path / "r.db")) as database, database:
        database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml BLOB)")
        packed = gzip.compress(export(*map(reading, range(1, 100))).encode())
        database.execute("INSERT INTO app_xml VALUES (17, ?)", (packed,))
    (tmp_path / "c.yaml").write_text(CONTRACT, encoding="utf-8")
    records = xml_extractor("run", *LOAD, "--source", "sqlite:///r.db")
    assert accounts(records.stdout, tmp_path, target) == Accounts(99, 99, 0, 0)


def test_an_encoding_of_the_contract_applies_within_containers(tmp_path: Path, xml_extractor: Command) -> None:
    contract = ORDERS.replace("  root: order\n", "  root: order\n  fallback_encoding: windows-1252\n")
    content = order(1).replace("Customer 1", "Café").encode("windows-1252")
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a.xml", content)
        packed.writestr("b.xml.gz", gzip.compress(content.replace(b'id="1"', b'id="2"')))
    target = write(tmp_path, {"a.zip": archive.read_bytes()}, contract)
    assert xml_extractor("run", *LOAD, "--source", "d").returncode == 0
    assert query(target, "SELECT customer FROM orders") == [("Café",), ("Café",)]


def test_doctor_and_preview_accept_the_same_sources(tmp_path: Path, xml_extractor: Command) -> None:
    write(tmp_path, MIXED)
    for source in ("d", "d/*/*", "d/a/3.zip!*.xml", "d/2.xml.gz"):
        shown = xml_extractor("preview", source, "--contract", "c.yaml")
        assert shown.returncode == 0, shown.stderr
        examined = xml_extractor("doctor", *LOAD[:4], "--source", source)
        assert f"{source} can be read; it has documents" in examined.stdout
    assert "standard input, which only a run reads" in xml_extractor("doctor", *LOAD[:4], "--source", "-").stdout
    chosen = xml_extractor("preview", "d/a/3.zip", "--contract", "c.yaml", "--json", "--key", "3.zip!7.xml")
    assert json.loads(chosen.stdout)["orders"] == [{"order_id": 7, "customer": "Customer 7"}]
