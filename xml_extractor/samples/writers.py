"""Write samples to a directory or an archive, with a list of the faults that a run must find."""

import gzip
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from xml_extractor.atomic_files import atomic_write
from xml_extractor.documents import DocumentKey
from xml_extractor.errors import UsageError
from xml_extractor.samples.model import ExpectedFault, Sample, file_name

WriteSample = Callable[[Sample], object]
"""Writes one sample."""

Naming = Callable[[str, int], DocumentKey]
"""Returns the document key that a source gives the sample of a kind and key; see `by_file_name` and `by_number`."""

_FASTEST = 1


def by_file_name(kind: str, key: int) -> DocumentKey:
    """Return the document key that a directory or an archive gives a sample."""
    return file_name(kind, key)


def by_record(path: Path) -> Naming:
    """Return the names of samples that are the records of a file."""
    return lambda _kind, key: f"{path.name}#{key}"


def by_number(_kind: str, key: int) -> DocumentKey:
    """Return the document key that a table gives a sample."""
    return key


def write_to_files(samples: Iterable[Sample], destination: Path) -> int:
    """Write samples to a directory, or to an archive or a file if the name has one of the suffixes in `ARCHIVES`.

    The faults are listed beside it; see `faults_list` and `write_samples`.

    Returns:
        Number of samples.

    Raises:
        UsageError: The destination cannot be written.
    """
    open_archive = next((open_it for end, open_it in ARCHIVES.items() if destination.name.endswith(end)), None)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with (open_archive or _directory)(destination) as write:
            naming = by_record(destination) if destination.suffix == RECORDS else by_file_name
            return write_samples(samples, write, faults_list(destination), naming)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"samples cannot be written to {destination}: {reason}", "name another destination") from error


def faults_list(documents: Path) -> Path:
    """Return the path of the list of faults: `<documents>.faults.jsonl`, next to the documents."""
    return documents.with_name(f"{documents.name}.faults.jsonl")


def write_samples(samples: Iterable[Sample], write: WriteSample, listed: Path, naming: Naming) -> int:
    """Write samples one by one, and a list of the expected faults.

    The list has a JSON object per line with `key`, `fault`, `stage`, `reason` and, for a copy, `duplicate_of`: a run
    rejects either the copy or its original. Without faults there is no list.

    Returns:
        Number of samples.
    """
    count = 0
    found_faults = False
    with _new(listed) as lines:
        for sample in samples:
            write(sample)
            count += 1
            if sample.fault is not None:
                found_faults = True
                lines.write(_fault_line(sample, sample.fault, naming))
    if not found_faults:
        listed.unlink()
    return count


def _new(path: Path) -> AbstractContextManager[BinaryIO]:
    """Open a file for writing that must not exist yet.

    Raises:
        UsageError: It exists.
    """
    if os.path.lexists(path):
        raise UsageError(f"{path} exists, and samples overwrite nothing", "name another destination, or remove it")
    return atomic_write(path)


def _fault_line(sample: Sample, fault: ExpectedFault, naming: Naming) -> bytes:
    original = fault.duplicate_of
    line = {
        "key": naming(sample.kind, sample.key),
        "fault": fault.code,
        "stage": fault.stage,
        "reason": fault.reason,
        "duplicate_of": None if original is None else naming(sample.kind, original),
    }
    return json.dumps(line).encode() + b"\n"


@contextmanager
def _directory(path: Path) -> Iterator[WriteSample]:
    """Write a file for each sample; NULL becomes an empty file."""
    path.mkdir(exist_ok=True)

    def write(sample: Sample) -> None:
        with _new(path / sample.name) as file:
            file.write(sample.content or b"")

    yield write


@contextmanager
def _zip(path: Path) -> Iterator[WriteSample]:
    with _new(path) as file, ZipFile(file, "w", ZIP_DEFLATED, compresslevel=_FASTEST) as archive:

        def write(sample: Sample) -> None:
            member = ZipInfo(sample.name)
            archive.writestr(member, sample.content or b"", ZIP_DEFLATED, _FASTEST)

        yield write


@contextmanager
def _records(path: Path) -> Iterator[WriteSample]:
    """Write the samples as records of one file."""
    with _new(path) as file:
        file.write(b"<Samples>\n")

        def write(sample: Sample) -> None:
            content = sample.content or b""
            file.write((content.partition(b"?>")[2] if content.startswith(b"<?xml") else content).strip() + b"\n")

        yield write
        file.write(b"</Samples>\n")


@contextmanager
def _tar(path: Path) -> Iterator[WriteSample]:
    with _new(path) as file, _tar_members(file) as write:
        yield write


@contextmanager
def _compressed_tar(path: Path) -> Iterator[WriteSample]:
    with (
        _new(path) as file,
        gzip.GzipFile("", "wb", _FASTEST, file, mtime=0) as compressed,
        _tar_members(compressed) as write,
    ):
        yield write


@contextmanager
def _tar_members(file: BinaryIO | gzip.GzipFile) -> Iterator[WriteSample]:
    with tarfile.open(fileobj=file, mode="w|") as archive:

        def write(sample: Sample) -> None:
            content = sample.content or b""
            member = tarfile.TarInfo(sample.name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))

        yield write


RECORDS = ".xml"

ARCHIVES: dict[str, Callable[[Path], AbstractContextManager[WriteSample]]] = {
    ".xml": _records,
    ".zip": _zip,
    ".tar": _tar,
    ".tar.gz": _compressed_tar,
    ".tgz": _compressed_tar,
}
"""Writers of archives by file name suffix. The same samples give the same bytes."""
