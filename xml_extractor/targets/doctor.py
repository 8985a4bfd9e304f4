"""Examines databases before a run does hours of work. A new kind of database is a module and a line in `EXAMINERS`."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Protocol

from sqlalchemy.engine import URL

from xml_extractor.contract.model import Contract
from xml_extractor.errors import RunError
from xml_extractor.sources.registry import open_source
from xml_extractor.targets.findings import Finding, Role, failed, ok
from xml_extractor.targets.registry import module_for, read_url


class ExaminerModule(Protocol):
    """A module that examines one kind of database. It can be imported where the driver cannot be loaded."""

    def examine(self, url: URL, contract: Contract, roles: Sequence[Role], /) -> Iterator[Finding]:
        """Look at a database that is to be used in these roles; a `RunError` ends the examination."""
        ...


EXAMINERS = {
    "sqlite": "xml_extractor.targets.sqlite.doctor",
    "mssql": "xml_extractor.targets.sqlserver.doctor",
}
"""Modules that are an `ExaminerModule`, by the dialect in the address."""


def examine(address: str, contract: Contract, roles: Sequence[Role]) -> Iterator[Finding]:
    """Look whether a run could use a database, or the documents at another source. Nothing is written.

    Args:
        address: Of the target or the source; if one database is both, it is examined once.
        contract: Says which tables there must be.
        roles: What it is to be.

    Raises:
        UsageError: It is no such address.
    """
    try:
        if "://" in address:
            url = read_url(address, roles[0])
            module: ExaminerModule = module_for(EXAMINERS, url, roles[0])
            yield from module.examine(url, contract, roles)
        else:
            yield readable(address, contract)
    except RunError as error:
        yield failed(error.message, error.tip)


def readable(address: str, contract: Contract) -> Finding:
    """That there are documents.

    Raises:
        UsageError: There is no such source.
        SourceError: It cannot be read.
    """
    with closing(open_source(address, contract, contract.document.max_bytes)) as source:
        first = next(source.key_pages(1), None)
        return ok(f"{source.name} can be read; it has {'documents' if first else 'no documents'}")
