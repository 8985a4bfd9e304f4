"""Opens sources by their address. A new kind of database is a module and a line in `SOURCES`; archives: `ARCHIVES`."""

from pathlib import Path
from typing import Protocol

from xml_extractor.contract.model import Contract, SourceTable
from xml_extractor.errors import UsageError
from xml_extractor.sources.archives import ARCHIVES, ArchiveSource, archive_suffix
from xml_extractor.sources.files import FileSource, fixed_part, is_pattern
from xml_extractor.sources.interfaces import Source, SourceWriter
from xml_extractor.sources.reject_files import LISTING
from xml_extractor.sources.rejects import RejectsSource
from xml_extractor.targets.registry import module_for, read_url
from xml_extractor.urls import URL


class SourceModule(Protocol):
    """A module that knows one kind of database with documents."""

    def open_source(self, url: URL, contract: Contract, max_bytes: int, /) -> Source:
        """Open the source of this address."""
        ...


class WriterModule(Protocol):
    """A module that writes documents into one kind of database."""

    def open_source_writer(self, url: URL, table: SourceTable, /) -> SourceWriter:
        """What writes documents to this address."""
        ...


SOURCES = {
    "sqlite": "xml_extractor.sources.sqlite",
    "mssql": "xml_extractor.sources.sqlserver",
}
WRITERS = {
    "sqlite": "xml_extractor.sources.sqlite_writer",
    "mssql": "xml_extractor.sources.sqlserver_writer",
}
"""Modules that are a `SourceModule` or a `WriterModule`, by the dialect in the address; imported when asked for."""


def open_source(address: str, contract: Contract, max_bytes: int) -> Source:
    """Open a source of documents.

    Args:
        address: A SQLAlchemy URL, a directory (of files, or of a run's rejects), a glob pattern, an archive (see
            `ARCHIVES`) or a file.
        contract: Names table and columns of a database.
        max_bytes: Larger documents are rejected.

    Raises:
        UsageError: There is nothing at this address, or nothing that is known.
        SourceError: It is there, but cannot be read.
    """
    if "://" in address:
        url = read_url(address, "source")
        module: SourceModule = module_for(SOURCES, url, "source")
        return module.open_source(url, contract, max_bytes)
    path = Path(address)
    if path.is_file() and archive_suffix(address):
        return ArchiveSource(address, max_bytes)
    if (path / LISTING).is_file():
        return RejectsSource(address, max_bytes)
    if path.exists() or (is_pattern(address) and fixed_part(address).is_dir()):
        return FileSource(address, max_bytes)
    shown = "this address" if "@" in address else f"'{address}'"
    raise UsageError(
        f"there is no source at {shown}",
        f"name a directory, a glob pattern, a file, an archive ({', '.join(ARCHIVES)}) "
        "or a database (sqlite:///FILE, mssql://HOST/DATABASE)",
    )


def open_source_writer(address: str, table: SourceTable | None = None) -> SourceWriter:
    """What writes documents into a database, from where a run can take them; a context manager.

    Args:
        address: A SQLAlchemy URL.
        table: The table and its columns; `app_xml` with `app_id` and `xml` if left out.

    Raises:
        UsageError: It is no such address, or no database of that kind is known.
    """
    url = read_url(address, "database for documents")
    module: WriterModule = module_for(WRITERS, url, "database for documents")
    return module.open_source_writer(url, table or SourceTable())
