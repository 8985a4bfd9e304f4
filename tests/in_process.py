"""Load and verify documents within this process, without a pool of workers: for many small loads."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import contract_hash, read_contract
from xml_extractor.documents import Outcome
from xml_extractor.processing import verification
from xml_extractor.processing.chunks import Chunk, RunContext
from xml_extractor.processing.looking import key_chunks
from xml_extractor.processing.worker import Worker
from xml_extractor.quality.differences import Verified
from xml_extractor.quality.seen_things import seen_things
from xml_extractor.quality.verification_report import VerificationReport, verification_report
from xml_extractor.records import open_documents
from xml_extractor.settings import DEFAULT_START_METHOD, RunSettings
from xml_extractor.targets.registry import open_target

RUN_ID = "20260305T013000123-00c0ffee"
STARTED_AT = datetime(2026, 3, 5, 1, 30, 0, 123_000)  # noqa: DTZ001 - naive UTC, as in the id


def load(contract_path: str, source: str, target: str, run_id: str = RUN_ID, **settings: Any) -> Iterator[Outcome]:
    """Load documents that are not done, and yield the outcome of each."""
    contract = read_contract(contract_path)
    open_target(target, contract).prepare(layouts(contract))
    run_settings = RunSettings(contract_path, source, target, **settings)
    with tempfile.TemporaryDirectory() as markers, closing(open_documents(source, contract)) as opened:
        context = RunContext(
            run_id, STARTED_AT, run_settings, contract, contract_hash(contract), opened.name, opened.address
        )
        with closing(Worker(context, None, Path(markers))) as worker:
            pages = (page.keys for page in opened.key_pages(1000))
            for sequence, keys in enumerate(key_chunks(pages, 1)):
                yield from worker.load(list(worker.map_documents(Chunk(sequence, keys))))


def verify(
    contract_path: str, source: str, target: str, source_of_runs: str | None = None, **options: Any
) -> VerificationReport:
    """Compare source and target."""
    contract = read_contract(contract_path)
    verified = Verified()
    with (
        tempfile.TemporaryDirectory() as markers,
        closing(open_documents(source, contract)) as opened,
        seen_things() as things,
    ):
        sources = {RUN_ID: source_of_runs or opened.name}
        context = verification.VerificationContext(
            contract=contract,
            contract_hash=contract_hash(contract),
            source_name=opened.name,
            source_address=opened.address,
            target=target,
            workers=1,
            batch_size=1000,
            document_timeout=300,
            start_method=DEFAULT_START_METHOD,
            sources=sources,
            **options,
        )
        worker = verification.VerifyingWorker(context, Path(markers))
        pages = (page.keys for page in opened.key_pages(1000, context.key_range))
        for sequence, keys in enumerate(key_chunks(pages, 1, sample=context.sample)):
            found = worker.look_at_all(Chunk(sequence, keys))
            things.add(found.seen)
            found.seen.clear()
            verified.add(found)
        worker.close()
        if context.is_whole:
            verification.reconcile(context, things, verified)
    return verification_report(contract, (opened.name, target), verified)


def outcomes(found: Iterator[Outcome]) -> Counter[str]:
    """How many documents have each outcome."""
    return Counter(outcome.status.value for outcome in found)
