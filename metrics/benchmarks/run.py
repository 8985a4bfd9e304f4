"""`python -m metrics.benchmarks.run`: documents a minute of whole runs into SQLite, by settings."""

import sys

from metrics.benchmarks import inputs, whole_runs
from metrics.benchmarks.command import Options, run_benchmark
from metrics.benchmarks.record import Record
from metrics.measurements.figures import alternately

ONE, TWO = "parse and map is the bound: 1 worker", "parse and map is the bound: 2 workers"

LARGE = 2_000_000
SHARE = 4
"""The number of documents for each large one."""


def benchmark(options: Options) -> Record:
    """Measure runs that load sample documents, and runs that parse all of them and load little."""
    documents, few = options.documents, max(options.documents // SHARE, 1)
    variants = dict(list(whole_runs.VARIANTS.items())[:2]) if options.quick else whole_runs.VARIANTS
    with inputs.temporary_directory() as directory:
        source = inputs.write_source(inputs.sqlite_address(directory / "source.db"), inputs.documents(documents))
        loading = whole_runs.SqliteRuns(directory, source, inputs.KIND, documents)
        large = (inputs.resized(sample, LARGE) for sample in inputs.documents(few))
        source = inputs.write_source(inputs.sqlite_address(directory / "large.db"), large)
        mapping = whole_runs.SqliteRuns(directory, source, whole_runs.mapping_bound_contract(directory), few)
        measures = {
            **loading.measures(variants),
            **mapping.measures({ONE: {"workers": 1}, TWO: {"workers": 2}}),
        }
        next(iter(measures.values()))()
        taken = alternately(measures, options.rounds)
    record = Record("run", options.command, [inputs.sqlite_name()], {"documents": documents, "documents_of_2_MB": few})
    record.group("Runs", "documents a minute", taken)
    whole_runs.compare(record, "SQLite", {name: rates for name, rates in taken.items() if name not in (ONE, TWO)})
    whole_runs.doubled(record, "parse and map is the bound: 2 workers / 1", taken[ONE], taken[TWO])
    record.note(
        "The time is from the start of a run to its end, including the start of its processes and the check of the "
        "tables. Source and target are SQLite files. Unless stated otherwise, settings have their defaults: as many "
        "workers as processors, 1 insert thread, 500 rows a call.",
        "Parse and map is the bottleneck if a contract counts nodes in bureau reports of 2 MB: the whole document is "
        "parsed, and at most three rows are loaded.",
        "A blocking worker commits each document separately; SQLite allows one writer at a time.",
    )
    return record


def main() -> int:
    """Measure as the command line says."""
    return run_benchmark(benchmark, description=__doc__ or "", usual=Options(2400, 3), quick=Options(20, 1, quick=True))


if __name__ == "__main__":
    sys.exit(main())
