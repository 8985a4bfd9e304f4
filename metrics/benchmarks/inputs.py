"""What benchmarks measure with: sample documents, and databases in a temporary directory."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.contract.model import Contract, contract_hash
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import MappedDocument, RunValues
from xml_extractor.mapping import compile_plan, map_document
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.pipeline import choose_inserts
from xml_extractor.processing.chunks import RunContext
from xml_extractor.processing.worker import content_hash
from xml_extractor.samples import Sample, samples
from xml_extractor.samples.card_application import bureau_reports
from xml_extractor.settings import RunSettings
from xml_extractor.sources.registry import open_source_writer
from xml_extractor.targets.registry import open_target

KIND = "card_application"
END_OF_NEEDED = b"</Application>"
END = b"\n</CardApplication>\n"

RUN = RunValues("benchmark", datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None), "samples")


def contract(*, whole: bool = False) -> Contract:
    """The contract of the sample documents.

    Args:
        whole: Without `read_until`, so that bureau reports are parsed too.
    """
    shipped = read_contract(KIND)
    if not whole:
        return shipped
    return shipped.model_copy(update={"document": shipped.document.model_copy(update={"read_until": None})})


def contract_file(directory: Path) -> str:
    """The same contract without `read_until` as a file."""
    shipped = resources.files("xml_extractor") / "contracts" / f"{KIND}.yaml"
    lines = shipped.read_text(encoding="utf-8").splitlines()
    path = directory / f"{KIND}_whole.yaml"
    path.write_text("\n".join(line for line in lines if "read_until:" not in line), encoding="utf-8")
    return str(path)


def documents(count: int) -> Iterator[Sample]:
    """Sample documents, always the same."""
    return samples(KIND, count)


def contents(count: int) -> Iterator[bytes]:
    """The bytes of sample documents, one by one."""
    return (sample.content for sample in documents(count) if sample.content is not None)


def resized(sample: Sample, size: int) -> Sample:
    """The same document with bureau reports that make it about so many bytes large; without them if 0."""
    needed, _, _ = (sample.content or b"").partition(END_OF_NEEDED)
    random = Random(sample.key)  # noqa: S311 - no secret
    reports = bureau_reports(random, size - len(needed)) if size else b""
    return replace(sample, content=b"".join((needed, END_OF_NEEDED, reports, END)))


def mapped(contract: Contract, contents: Iterable[bytes]) -> list[MappedDocument]:
    """Documents as they are mapped, before workers bind them for a target."""
    parser, plan = DocumentParser(parsing_rules(contract)), compile_plan(contract)
    return [
        MappedDocument(key, map_document(plan, parser.parse(content), key, RUN), content_hash(content), 0.001)
        for key, content in enumerate(contents, start=1)
    ]


def bound(address: str, contract: Contract, documents: Iterable[MappedDocument]) -> list[MappedDocument]:
    """What workers make of documents for the target of this address."""
    binders = open_target(address, contract).row_binders(layouts(contract))
    return [
        document._replace(rows=tuple(tuple(map(bind, rows)) for bind, rows in zip(binders, document.rows, strict=True)))
        for document in documents
    ]


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A directory that is gone with all that is in it at the end of the block."""
    with TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def write_source(address: str, written: Iterable[Sample]) -> str:
    """Write documents into the table of an address, and give the address."""
    with open_source_writer(address) as writer:
        for sample in written:
            writer.write(sample)
    return address


def make_tables(address: str, contract: Contract) -> tuple[TableLayout, ...]:
    """Make a contract's tables and the processing log."""
    tables = layouts(contract)
    open_target(address, contract).create(tables)
    return tables


def sqlite_address(path: Path) -> str:
    """The address of a SQLite file."""
    return f"sqlite:///{path}"


def sqlite_name() -> str:
    """Which SQLite it is."""
    return f"SQLite {sqlite3.sqlite_version}"


def row_counts(path: Path, tables: Sequence[TableLayout]) -> dict[str, int]:
    """Rows in the tables of a SQLite file."""
    with closing(sqlite3.connect(path)) as database:
        return {
            table.name: database.execute(f"SELECT COUNT(*) FROM {table.table}").fetchone()[0]  # noqa: S608 - names of a shipped contract
            for table in tables
        }


def run_context(settings: RunSettings, contract: Contract) -> RunContext:
    """What the processes of a run would know."""
    return RunContext(
        run_id=RUN.run_id,
        started_at=RUN.load_time,
        settings=settings,
        contract=contract,
        contract_hash=contract_hash(contract),
        source_name=RUN.source_name,
        source_address=settings.source,
        inserts=choose_inserts(settings, open_target(settings.target, contract)),
    )
