"""The input of benchmarks: sample documents, and databases in a temporary directory."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeVar

from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import contract_hash, read_contract
from xml_extractor.documents import MappedDocument, RunValues
from xml_extractor.mapping import compile_plan, map_document
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.processing.chunks import RunContext
from xml_extractor.processing.worker import content_hash
from xml_extractor.samples import Sample, samples
from xml_extractor.samples.card_application import bureau_reports
from xml_extractor.settings import RunSettings
from xml_extractor.sources.registry import open_source_writer
from xml_extractor.targets.registry import open_target

Item = TypeVar("Item")

KIND = "card_application"
END_OF_NEEDED = b"</Application>"
END = b"\n</CardApplication>\n"

RUN = RunValues("benchmark", datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None), "samples")


def contract(*, whole: bool = False, ignore: tuple[str, ...] = ()) -> Contract:
    """Return the contract of the sample documents.

    Args:
        whole: Without `read_until`, so that bureau reports are parsed too.
        ignore: The elements that are ignored.
    """
    shipped = read_contract(KIND)
    if not whole:
        return shipped
    document = shipped.document.model_copy(update={"read_until": None})
    return shipped.model_copy(update={"document": document, "ignore": ignore or None})


def contract_file(directory: Path) -> str:
    """Write the contract without `read_until` to a file, and return its path."""
    shipped = resources.files("xml_extractor") / "contracts" / f"{KIND}.yaml"
    lines = shipped.read_text(encoding="utf-8").splitlines()
    path = directory / f"{KIND}_whole.yaml"
    path.write_text("\n".join(line for line in lines if "read_until:" not in line), encoding="utf-8")
    return str(path)


def documents(count: int) -> Iterator[Sample]:
    """Return sample documents, always the same."""
    return samples(KIND, count)


def contents(count: int) -> Iterator[bytes]:
    """Return the bytes of sample documents."""
    return (sample.content for sample in documents(count) if sample.content is not None)


def resized(sample: Sample, size: int) -> Sample:
    """Return the document with bureau reports up to about a size in bytes; without them if the size is 0."""
    needed, _, _ = (sample.content or b"").partition(END_OF_NEEDED)
    random = Random(sample.key)  # noqa: S311 - no secret
    reports = bureau_reports(random, size - len(needed)) if size else b""
    return replace(sample, content=b"".join((needed, END_OF_NEEDED, reports, END)))


def mapped(contract: Contract, contents: Iterable[bytes]) -> list[MappedDocument]:
    """Parse and map documents, without binding them for a target."""
    parser, plan = DocumentParser(parsing_rules(contract)), compile_plan(contract)
    return [
        MappedDocument(key, map_document(plan, parser.parse(content), key, RUN), content_hash(content), 0.001)
        for key, content in enumerate(contents, start=1)
    ]


def bound(address: str, contract: Contract, documents: Iterable[MappedDocument]) -> list[MappedDocument]:
    """Bind documents for the target of this address, as workers do."""
    binders = open_target(address, contract).row_binders(layouts(contract))
    return [
        document._replace(rows=tuple(tuple(map(bind, rows)) for bind, rows in zip(binders, document.rows, strict=True)))
        for document in documents
    ]


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """Provide a directory that is deleted at the end of the block."""
    with TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def write_source(address: str, written: Iterable[Sample]) -> str:
    """Write documents into the table of an address, and return the address."""
    with open_source_writer(address) as writer:
        for sample in written:
            writer.write(sample)
    return address


def make_tables(address: str, contract: Contract) -> tuple[TableLayout, ...]:
    """Create the tables of a contract and the processing log."""
    tables = layouts(contract)
    open_target(address, contract).create(tables)
    return tables


def sqlite_address(path: Path) -> str:
    """Return the address of a SQLite file."""
    return f"sqlite:///{path}"


def sqlite_name() -> str:
    """Return the name and version of SQLite."""
    return f"SQLite {sqlite3.sqlite_version}"


def row_counts(path: Path, tables: Sequence[TableLayout]) -> dict[str, int]:
    """Count the rows in the tables of a SQLite file."""
    with closing(sqlite3.connect(path)) as database:
        return {
            table.name: database.execute(f"SELECT COUNT(*) FROM {table.table}").fetchone()[0]  # noqa: S608 - names of a shipped contract
            for table in tables
        }


def run_context(settings: RunSettings, contract: Contract) -> RunContext:
    """Return the context that the processes of a run share."""
    return RunContext(
        run_id=RUN.run_id,
        started_at=RUN.load_time,
        settings=settings,
        contract=contract,
        contract_hash=contract_hash(contract),
        source_name=RUN.source_name,
        source_address=settings.source,
    )


def parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Split items into parts of a size."""
    return (items[first : first + size] for first in range(0, len(items), size))
