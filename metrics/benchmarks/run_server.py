"""`python -m metrics.benchmarks.run_server`: documents a minute of runs on SQL Server, at low and high latency."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from statistics import median

from metrics.benchmarks import inputs, server, whole_runs
from metrics.benchmarks.command import NothingToMeasureError, Options, run_benchmark
from metrics.benchmarks.record import Limit, Record
from metrics.measurements.figures import alternately
from xml_extractor.contract.layout import layouts

STRATEGIES = ("executemany", "json")
INSERT_THREADS = (1, 4)

SHARE = 6
"""Runs by settings load one in this number of the documents."""

NEAR, HIGH_LATENCY = "near", "84.5 ms away"

KEEPING = "three tables keep rows"
KEPT = ("score", "indicator", "history")
"""Tables without children, which keep existing rows in the contract of a further measurement."""

FEW = "near, one in 7 of the documents"
FEWER = 7

NEAR_ONLY = ("blocking", "1 worker", "5,000 rows in a call")
"""Variants that are not measured at high latency, because they would take too long."""


class ServerRuns:
    """Runs from one schema into another, which is emptied before each run.

    Args:
        source: The schema of the documents.
        target: The schema of the tables.
        address: From a schema to the address that runs use.
    """

    def __init__(self, source: str, target: str, address: Callable[[str], str]) -> None:
        self._source = source
        self._target = target
        self._address = address
        self._tables = layouts(inputs.contract())

    def measure(self, changes: whole_runs.SettingChanges, documents: int, contract: str = inputs.KIND) -> float:
        """Measure documents a minute of a run with these settings changed."""
        server.empty(self._target, self._tables)
        chosen = whole_runs.settings(
            contract, self._address(self._source), self._address(self._target), {**changes, "limit": documents}
        )
        return whole_runs.documents_a_minute(chosen, documents)

    def measures(
        self, variants: Mapping[str, whole_runs.SettingChanges], documents: int
    ) -> dict[str, Callable[[], float]]:
        """Return one measure for each variant."""
        return {name: partial(self.measure, changes, documents) for name, changes in variants.items()}


def benchmark(options: Options) -> Record:
    """Measure runs on the server, directly and through a proxy that adds latency.

    Raises:
        NothingToMeasureError: No server is named.
    """
    if not server.is_there():
        raise NothingToMeasureError(server.REASON)
    few = max(options.documents // SHARE, 1)
    variants = _variants(quick=options.quick)
    with (
        inputs.temporary_directory() as directory,
        server.schema() as source,
        server.schema() as target,
        server.proxy() as far,
    ):
        keeping = _keeping_contract(directory)
        small = (inputs.resized(sample, 0) for sample in inputs.documents(options.documents))
        inputs.write_source(server.near(source), small)
        inputs.make_tables(server.near(target), inputs.contract())
        near_runs = ServerRuns(source, target, server.near)
        far_runs = ServerRuns(source, target, partial(server.through, far))
        near_runs.measure(whole_runs.USUAL, min(options.documents, 10))
        by_distance = alternately(
            {
                NEAR: partial(near_runs.measure, whole_runs.USUAL, options.documents),
                HIGH_LATENCY: partial(far_runs.measure, whole_runs.USUAL, options.documents),
                f"{NEAR}, {KEEPING}": partial(near_runs.measure, whole_runs.USUAL, options.documents, keeping),
                f"{HIGH_LATENCY}, {KEEPING}": partial(far_runs.measure, whole_runs.USUAL, options.documents, keeping),
                FEW: partial(near_runs.measure, whole_runs.USUAL, max(options.documents // FEWER, 1)),
            },
            options.rounds,
        )
        near = alternately(near_runs.measures(variants, few), options.rounds)
        some = {name: changes for name, changes in variants.items() if name not in NEAR_ONLY}
        distant = alternately(far_runs.measures(some, few), max(options.rounds - 1, 1))
    given = {
        "documents": options.documents,
        "documents_by_settings": few,
        "far_round_trip_ms": server.HIGH_LATENCY_SECONDS * 1000,
    }
    record = Record("run_server", options.command, [server.name()], given)
    record.group("Runs with settings chosen by the program", "documents a minute", by_distance)
    record.ratio(f"{HIGH_LATENCY} / {NEAR}", by_distance[HIGH_LATENCY], by_distance[NEAR], Limit(at_least=0.85))
    kept = by_distance[f"{NEAR}, {KEEPING}"], by_distance[f"{HIGH_LATENCY}, {KEEPING}"]
    record.ratio(f"{HIGH_LATENCY} / {NEAR}, {KEEPING}", kept[1], kept[0], Limit(at_least=0.7))
    record.ratio(f"{FEW} / {NEAR}", by_distance[FEW], by_distance[NEAR], Limit(at_least=0.6))
    for place, taken in ((NEAR, near), (HIGH_LATENCY, distant)):
        record.group(f"Runs by settings, {place}", "documents a minute", taken)
        whole_runs.compare(record, place, taken)
        of_one_thread = [taken[name] for name in taken if name.endswith("1 insert thread")]
        best = max(of_one_thread, key=median)
        record.ratio(f"{place}: defaults / the better strategy", taken[whole_runs.DEFAULTS], best, Limit(at_least=0.95))
    record.note(
        "Source and target are in one database on this machine, which shares its processors with the run. For the "
        "distant server, all connections of the run go through a proxy that delays each packet by half a round trip, "
        "independently of the others.",
        "The documents have no bureau reports, because the server sends nothing that follows the element of "
        "read_until.",
        "The time is from the start of a run to its end, so the start weighs more if there are fewer documents: "
        f"runs by settings have one in {SHARE} of the documents.",
    )
    return record


def _keeping_contract(directory: Path) -> str:
    """Write the contract with tables that keep existing rows, and return its path."""
    lines = (resources.files("xml_extractor") / "contracts" / f"{inputs.KIND}.yaml").read_text(encoding="utf-8")
    for name in KEPT:
        lines = lines.replace(f"\n  {name}:\n", f"\n  {name}:\n    on_conflict: keep\n")
    path = directory / f"{inputs.KIND}.yaml"
    path.write_text(lines, encoding="utf-8")
    return str(path)


def _variants(*, quick: bool) -> dict[str, whole_runs.SettingChanges]:
    by_strategy: dict[str, whole_runs.SettingChanges] = {
        f"{name}, {count} insert thread{'s' if count > 1 else ''}": {"insert_strategy": name, "insert_threads": count}
        for name in STRATEGIES
        for count in INSERT_THREADS
    }
    if quick:
        return {whole_runs.DEFAULTS: whole_runs.USUAL, **by_strategy}
    some = ("queue, as by default", "blocking", "1 worker", "5,000 rows in a call")
    return {**{name: whole_runs.VARIANTS[name] for name in some}, **by_strategy}


def main() -> int:
    """Measure as the command line says."""
    return run_benchmark(benchmark, description=__doc__ or "", usual=Options(2400, 2), quick=Options(12, 1, quick=True))


if __name__ == "__main__":
    sys.exit(main())
