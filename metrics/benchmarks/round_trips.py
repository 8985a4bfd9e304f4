"""`python -m metrics.benchmarks.round_trips`: round trips of a batch to SQL Server."""

import sys
from collections.abc import Sequence
from statistics import median_high
from typing import Literal

from metrics.benchmarks import inputs, server, whole_runs
from metrics.benchmarks.command import NothingToMeasureError, Options, run_benchmark
from metrics.benchmarks.record import Limit, Record
from xml_extractor.documents import MappedDocument, Status
from xml_extractor.processing.insert_threads import open_loader
from xml_extractor.settings import InsertStrategy, RunSettings

Strategy = InsertStrategy | Literal["auto"]

SECONDS = 0.03
"""The added round-trip time: long enough to detect each wait of the client, short enough to finish soon."""

MOST = Limit(at_most=8)
STRATEGIES: tuple[Strategy, ...] = ("auto", "executemany", "json")

SHARES = (0, 1, 10, 100)
"""Percentages of documents that the server refuses."""

MOST_OF_CLEAN = Limit(at_most=2)
"""The target for the round trips with 1 % refused documents, as a multiple of those without."""


def benchmark(options: Options) -> Record:
    """Count the round trips of each of several batches on one connection through a proxy.

    Raises:
        NothingToMeasureError: No server is named.
    """
    if not server.is_there():
        raise NothingToMeasureError(server.REASON)
    contract = inputs.contract()
    documents = inputs.mapped(contract, inputs.contents(options.documents * (options.rounds + 1)))
    batches = [documents[first : first + options.documents] for first in range(0, len(documents), options.documents)]
    record = Record("round_trips", options.command, [server.name()], {"documents_in_a_batch": options.documents})
    later: dict[str, list[int]] = {}
    for name in STRATEGIES:
        first, *later[name] = _round_trips(batches, name)
        record.fact(f"first batch of a connection, {name}", first, "round trips")
        record.fact(
            f"a later batch, {name}",
            median_high(later[name]),
            "round trips",
            MOST if name == "auto" else None,
        )
    record.group("A later batch, by strategy", "round trips", later)
    _count_refused(record, batches)
    _count_start(record)
    rows = sum(sum(map(len, document.rows)) for document in batches[-1])
    record.note(
        f"A batch is one transaction: {options.documents} documents, {rows:,} rows in 12 tables, and the processing "
        "log. A round trip is counted when the client starts to send after it has received an answer. "
        f"The proxy adds a delay of {SECONDS * 1000:.0f} ms, so that answers in between are not counted separately.",
        "A refused document has the keys of one that is already loaded. With refused documents, "
        "the figures are sums over all later batches, including the first one with refused documents.",
        "The first batch of a connection prepares its statements. In a run, a connection loads thousands of batches.",
        "A run of one document, from one schema into the tables of another, shows what a run's start and end take.",
    )
    return record


def _count_refused(record: Record, batches: Sequence[Sequence[MappedDocument]]) -> None:
    """Count the round trips of the later batches by the share of refused documents, for both strategies."""
    first, *later = batches
    strategies: tuple[InsertStrategy, ...] = ("executemany", "json")
    for strategy in strategies:
        sums = {}
        for share in SHARES:
            mixed = [_with_refused(batch, first, share) for batch in later]
            sums[share] = sum(_round_trips([first, *mixed], strategy)[1:])
            record.fact(f"{share} % refused, {strategy}", sums[share], "round trips")
        record.fact(f"1 % refused / none, {strategy}", sums[1] / sums[0], "", MOST_OF_CLEAN)


def _count_start(record: Record) -> None:
    """Count the sessions of a run with one document, and the round trips of all of them together."""
    with server.schema() as source, server.schema() as target, server.proxy(SECONDS) as proxy:
        inputs.write_source(server.near(source), (inputs.resized(sample, 0) for sample in inputs.documents(1)))
        inputs.make_tables(server.near(target), inputs.contract())
        addresses = server.through(proxy, source), server.through(proxy, target)
        whole_runs.documents_a_minute(whole_runs.settings(inputs.KIND, *addresses, whole_runs.USUAL), 1)
        record.fact("a run of one document, all sessions", proxy.round_trips(), "round trips")
        record.fact("a run of one document", proxy.connections(), "sessions")


def _with_refused(
    batch: Sequence[MappedDocument], loaded: Sequence[MappedDocument], percent: int
) -> Sequence[MappedDocument]:
    """Give a share of the documents the rows of documents that are already loaded."""
    return [
        document._replace(rows=other.rows) if (number + 1) * percent // 100 > number * percent // 100 else document
        for number, (document, other) in enumerate(zip(batch, loaded, strict=True))
    ]


def _round_trips(batches: Sequence[Sequence[MappedDocument]], strategy: Strategy) -> list[int]:
    counts = []
    with server.schema() as schema, server.proxy(SECONDS) as proxy:
        inputs.make_tables(server.near(schema), inputs.contract())
        target = server.through(proxy, schema)
        chosen = RunSettings(inputs.KIND, "", target, insert_strategy=strategy)
        with open_loader(inputs.run_context(chosen, inputs.contract())) as loader:
            for batch in (inputs.bound(target, inputs.contract(), documents) for documents in batches):
                before = proxy.round_trips()
                outcomes = loader.load(batch)
                counts.append(proxy.round_trips() - before)
                if not {outcome.status for outcome in outcomes} <= {Status.LOADED, Status.REJECTED}:
                    raise RuntimeError("a batch was not loaded")
    return counts


def main() -> int:
    """Measure as the command line says."""
    return run_benchmark(benchmark, description=__doc__ or "", usual=Options(300, 2), quick=Options(5, 1, quick=True))


if __name__ == "__main__":
    sys.exit(main())
