"""Examine directories of Parquet datasets."""

from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile

from xml_extractor.contract.model import Contract
from xml_extractor.doctor.examination import Finding, Role, State
from xml_extractor.doctor.examination import examine as examine_database
from xml_extractor.targets.parquet.address import check_contract, read_address
from xml_extractor.urls import URL


def examine(url: URL, contract: Contract | None, _roles: Sequence[Role], /) -> Iterator[Finding]:
    """Check a directory and the database of its processing log.

    Raises:
        UsageError: The address is wrong, or the contract needs what files cannot do.
    """
    address = read_address(url)
    if contract is not None:
        check_contract(contract)
    try:
        yield Finding(State.OK, f"pyarrow {version('pyarrow')}")
    except PackageNotFoundError:
        tip = "install it with pip install 'xml-extractor-etl[parquet]'"
        yield Finding(State.MISSING, "pyarrow is not installed", tip)
    yield _writable(address.directory)
    if address.directory.is_dir() or "sqlite" not in address.log_address:
        yield from examine_database(address.log_address, None, ["target"])


def _writable(directory: Path) -> Finding:
    there = next(each for each in (directory.absolute(), *directory.absolute().parents) if each.exists())
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        text = f"{directory} cannot be written: {error.strerror}"
        return Finding(State.FAILED, text, "name a directory that this user can write")
    return Finding(
        State.OK, f"{directory} can be written" if there == directory.absolute() else f"{directory} can be created"
    )
