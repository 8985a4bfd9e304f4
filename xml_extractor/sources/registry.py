"""Open sources by their address. A new kind of source is a module and a line in `SOURCES` or `FILE_SOURCES`."""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Protocol

from xml_extractor.contract.model import Contract, SourceTable
from xml_extractor.errors import UsageError
from xml_extractor.escaping import escaped
from xml_extractor.sources.document_writer import DocumentWriter
from xml_extractor.sources.hadoop import active_spark
from xml_extractor.sources.interfaces import Source
from xml_extractor.targets.registry import module_for, read_url
from xml_extractor.urls import URL


class DatabaseModule(Protocol):
    """A module for documents in one kind of database."""

    def open_source(self, url: URL, contract: Contract, max_bytes: int, examined: object = None, /) -> Source:
        """Open the source at this address."""
        ...

    def open_source_writer(self, url: URL, table: SourceTable, /) -> DocumentWriter:
        """Return a writer of documents to this address."""
        ...


class FileModule(Protocol):
    """A module for documents in one kind of files."""

    def accepts(self, address: str, /) -> bool:
        """Return whether there is such a source at this address."""
        ...

    def open_source(self, address: str, contract: Contract, max_bytes: int, min_age: int, /) -> Source:
        """Open the source at this address."""
        ...


SOURCES = {
    "sqlite": "xml_extractor.sources.sqlite",
    "mssql": "xml_extractor.sources.sqlserver",
}
"""Modules that are a `DatabaseModule`, by the dialect in the address; imported on demand."""

FILE_SOURCES = (
    "xml_extractor.sources.rejects",
    "xml_extractor.sources.files",
)
"""Modules that are a `FileModule`; the first one that accepts an address opens it."""


def open_source(
    address: str, contract: Contract, max_bytes: int, *, min_age: int = 0, examined: object = None
) -> Source:
    """Open a source of documents.

    Args:
        address: A SQLAlchemy URL, an archive, a directory (of files, or of a run's rejects), a glob pattern, a file, or
            `-` for standard input; in the driver of Spark, also what Hadoop reads, such as `hdfs://HOST/PATH`.
        contract: Names table and columns of a database.
        max_bytes: Larger documents are rejected.
        min_age: Files that changed in this number of seconds are not listed.
        examined: What another process of the run found at this address; see `ExaminedSource`.

    Raises:
        UsageError: There is nothing at this address, or it is not supported.
        SourceError: The source cannot be read.
    """
    if is_of_hadoop(address) and active_spark() is None:
        message = f"unsupported source: '{escaped(address.partition(':')[0])}' addresses"
        tip = f"supported: {', '.join(SOURCES)}; what Hadoop reads, such as hdfs and s3a, by a run with --engine spark"
        raise UsageError(message, tip)
    database, files = import_source(address)
    if database is not None:
        return database.open_source(read_url(address, "source"), contract, max_bytes, examined)
    for module in files:
        if module.accepts(address):
            return module.open_source(address, contract, max_bytes, min_age)
    shown = "this address" if "@" in address else f"'{address}'"
    raise UsageError(
        f"there is no source at {shown}",
        "name a directory, a glob pattern, a file, an archive (zip or tar), members of archives (ARCHIVE!PATTERN), "
        "- for standard input, or a database (sqlite:///FILE, mssql://HOST/DATABASE)",
    )


def import_source(address: str) -> tuple[DatabaseModule | None, Sequence[FileModule]]:
    """Import and return what opens a source at this address: a module for databases, or those for files.

    Raises:
        UsageError: The address is not supported.
    """
    if "://" in address and not is_of_hadoop(address):
        return module_for(SOURCES, read_url(address, "source"), "source"), ()
    return None, [import_module(name) for name in FILE_SOURCES]


def is_of_hadoop(address: str) -> bool:
    """Return whether an address is one of files that only Spark can read, by a file system of Hadoop."""
    kind, is_url, _ = address.partition("://")
    return bool(is_url) and kind.partition("+")[0] not in SOURCES and not get_close_matches(kind, SOURCES, 1)


def open_source_writer(address: str, table: SourceTable | None = None) -> DocumentWriter:
    """Return a context manager that writes documents into a database, from where a run can read them.

    Args:
        address: A SQLAlchemy URL.
        table: The table and its columns; by default `app_xml` with `app_id` and `xml`.

    Raises:
        UsageError: The address is wrong, or the database is not supported.
    """
    role = "database for documents"
    url = read_url(address, role)
    module: DatabaseModule = module_for(SOURCES, url, role)
    return module.open_source_writer(url, table or SourceTable())
