"""Examine databases before a run spends hours on them. A new kind of database is a module and a line in `EXAMINERS`."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from enum import Enum
from typing import Literal, NamedTuple, Protocol

from xml_extractor.contract.model import Contract
from xml_extractor.errors import RunError, UsageError
from xml_extractor.sources.files import STANDARD_INPUT
from xml_extractor.sources.registry import open_source
from xml_extractor.targets.registry import module_for, read_url
from xml_extractor.urls import URL

Role = Literal["target", "source", "possible source"]
"""A target is a possible source if no source is given: it may hold the documents too."""


class State(Enum):
    """Whether something can be used."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"
    FAILED = "failed"


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        state: Whether it can be used.
        text: What was checked and the result, in one line, without secrets.
        tip: What to do if it cannot be used.
    """

    state: State
    text: str
    tip: str = ""


class ExaminerModule(Protocol):
    """A module that examines one kind of database. It can be imported where the driver cannot be loaded."""

    def examine(self, url: URL, contract: Contract | None, roles: Sequence[Role], /) -> Iterator[Finding]:
        """Check a database for use in these roles; a `RunError` ends the examination."""
        ...


EXAMINERS = {
    "sqlite": "xml_extractor.doctor.files",
    "mssql": "xml_extractor.doctor.sqlserver",
    "parquet": "xml_extractor.doctor.files",
}
"""Modules that are an `ExaminerModule`, by the dialect in the address."""


def examine(address: str, contract: Contract | None, roles: Sequence[Role]) -> Iterator[Finding]:
    """Check whether a run could use a database or another source. Nothing is written.

    Args:
        address: Address of the target or the source; a database that is both is examined once.
        contract: Names the tables; None examines no tables but the processing log.
        roles: What the address is used as.

    Raises:
        UsageError: The address is wrong.
    """
    try:
        if "://" in address:
            url = read_url(address, roles[0])
            module: ExaminerModule = module_for(EXAMINERS, url, roles[0])
            yield from module.examine(url, contract, roles)
        else:
            yield from readable(address, contract)
    except RunError as error:
        yield Finding(State.FAILED, error.message, error.tip)


def readable(address: str, contract: Contract | None, *, possible: bool = False) -> Iterator[Finding]:
    """Check that a source can be read.

    Args:
        address: Address of the source.
        contract: Names the table of a database and what a document is.
        possible: Whether it need not be a source.

    Raises:
        UsageError: There is no such source, or no contract.
        SourceError: It cannot be read.
    """
    if contract is None and possible:
        return
    if contract is None:
        raise UsageError("the source cannot be examined without a contract", "give it with --contract")
    if address == STANDARD_INPUT:
        yield Finding(State.NOTE, "the source is standard input, which only a run reads", "")
        return
    try:
        with closing(open_source(address, contract, contract.document.max_bytes)) as source:
            first = next(source.key_pages(1), None)
            yield Finding(State.OK, f"{source.name} can be read; it has {'documents' if first else 'no documents'}")
    except (RunError, UsageError) as error:
        if not possible:
            raise
        yield Finding(State.NOTE, f"it cannot be the source: {error.message}", "give the documents with --source")
