"""Samples written to directories and archives, and the list of what a run has to find in them."""

import json
import tarfile
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from zipfile import ZipFile

import pytest

from xml_extractor.errors import UsageError
from xml_extractor.samples import Sample, samples
from xml_extractor.samples.writers import by_number, write_samples, write_to_files

ARCHIVES = ("s.zip", "s.tar", "s.tar.gz", "s.tgz")
SHARE = Fraction(1, 2)
COUNT = 60


@cache
def invoices(count: int = COUNT, faulty: Fraction | int = SHARE) -> tuple[Sample, ...]:
    return tuple(samples("ubl_invoice", count, faulty=faulty))


def expected_files() -> dict[str, bytes]:
    return {sample.name: sample.content or b"" for sample in invoices()}


def read_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            yield member.name, content.read()


def read_files(path: Path) -> list[tuple[str, bytes]]:
    if path.is_dir():
        return [(file.name, file.read_bytes()) for file in sorted(path.iterdir())]
    if path.suffix == ".zip":
        with ZipFile(path) as archive:
            return [(name, archive.read(name)) for name in archive.namelist()]
    return list(read_tar(path))


def faults_listed_in(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def failing(after: int) -> Iterator[Sample]:
    yield from invoices(after, 0)
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("name", ["folder", *ARCHIVES])
def test_every_sample_is_written_once_in_order_under_its_name(tmp_path: Path, name: str) -> None:
    assert write_to_files(invoices(), tmp_path / name) == COUNT

    assert read_files(tmp_path / name) == list(expected_files().items())


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_same_samples_give_the_same_archive(tmp_path: Path, name: str) -> None:
    for folder in ("one", "other"):
        write_to_files(invoices(), tmp_path / folder / name)

    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


@pytest.mark.parametrize("name", ["folder", *ARCHIVES])
def test_faults_are_listed_beside_the_samples_by_file_name(tmp_path: Path, name: str) -> None:
    write_to_files(invoices(), tmp_path / name)

    listed = faults_listed_in(tmp_path / f"{name}.faults.jsonl")
    faulty = [sample for sample in invoices() if sample.fault]
    assert [line["key"] for line in listed] == [sample.name for sample in faulty]
    for line, sample in zip(listed, faulty, strict=True):
        assert sample.fault is not None
        assert (line["fault"], line["stage"], line["reason"]) == (
            sample.fault.code,
            sample.fault.stage.value,
            sample.fault.reason,
        )


def test_a_copy_is_listed_with_the_file_name_of_its_original(tmp_path: Path) -> None:
    write_to_files(invoices(), tmp_path / "folder")

    copies = [line for line in faults_listed_in(tmp_path / "folder.faults.jsonl") if line["duplicate_of"]]
    files = expected_files()
    assert copies
    assert all(files[str(line["key"])] == files[str(line["duplicate_of"])] for line in copies)


def test_faults_are_listed_by_number_for_a_table_of_documents(tmp_path: Path) -> None:
    written: list[Sample] = []

    write_samples(invoices(), written.append, tmp_path / "faults", by_number)

    listed = faults_listed_in(tmp_path / "faults")
    assert [line["key"] for line in listed] == [sample.key for sample in written if sample.fault]
    assert all(isinstance(line["duplicate_of"], int | None) for line in listed)


def test_without_faults_there_is_no_list(tmp_path: Path) -> None:
    write_to_files(invoices(5, 0), tmp_path / "folder")

    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_an_older_list_of_faults_is_not_overwritten(tmp_path: Path) -> None:
    write_to_files(invoices(), tmp_path / "folder")
    before = faults_listed_in(tmp_path / "folder.faults.jsonl")

    with pytest.raises(UsageError, match="samples overwrite nothing"):
        write_to_files(invoices(5, 0), tmp_path / "folder")

    assert faults_listed_in(tmp_path / "folder.faults.jsonl") == before


@pytest.mark.parametrize("name", ["folder", *ARCHIVES])
def test_nothing_half_written_stays_when_writing_fails(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="No space left on device"):
        write_to_files(failing(after=3), tmp_path / name)

    whole = {sample.name: sample.content for sample in invoices(3, 0)}
    assert {path.name for path in tmp_path.iterdir()} <= {"folder"}
    assert not (tmp_path / "folder").is_dir() or dict(read_files(tmp_path / "folder")) == whole


def test_an_archive_that_is_there_stays_as_it_is_when_writing_fails(tmp_path: Path) -> None:
    write_to_files(invoices(), tmp_path / "s.zip")
    before = (tmp_path / "s.zip").read_bytes()

    with pytest.raises(UsageError):
        write_to_files(failing(after=3), tmp_path / "s.zip")

    assert (tmp_path / "s.zip").read_bytes() == before


def test_a_destination_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(UsageError, match="samples cannot be written to"):
        write_to_files(invoices(1, 0), tmp_path / "file" / "folder")
    with pytest.raises(UsageError, match="samples cannot be written to"):
        write_to_files(invoices(1, 0), tmp_path / "file")
