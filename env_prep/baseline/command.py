"""The command: measure, compare, store, report."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from env_prep.baseline import report
from env_prep.baseline.comparing import Comparison, warnings, why_not, with_stored, within
from env_prep.baseline.options import DEFAULT_CONTRACT, DEFAULT_DOCUMENTS, Request, baseline_options
from env_prep.baseline.record import EMBEDDED, FILE, Baseline, Database, read_baseline, write_baseline, write_file
from env_prep.baseline.report import Findings
from env_prep.baseline.scratch import Scratch, open_scratch_database
from env_prep.baseline.variants import Variant, chosen
from env_prep.baseline.workload import Metrics, Workload, check_schemas, make_documents, table_names
from metrics.measurements.figures import alternately
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.errors import UsageError
from xml_extractor.reporting.metrics import prepare_directory

EXIT_OK = 0
EXIT_SLOWER = 1


@click.command("establish_baseline")
@baseline_options
def baseline_command(request: Request) -> int:
    """Measure how fast the nightly command loads, and compare it with the stored baseline.

    Runs it alternately with two sets of options, after one run to warm up, each time into an empty database that is
    removed at the end. Prints medians, spreads and ratios, and writes metrics/baseline.json and metrics/baseline.html.

    Exit codes: 0 measured, 1 slower than --fail-below allows, 2 wrong usage or a database that does not belong to a
    baseline, 3 a run could not continue, 130 interrupted.
    """
    path = request.metrics_dir / FILE
    stored = read_baseline(path)
    if stored is None and request.fail_below is not None:
        raise UsageError(f"there is no baseline at {path} to compare with", "make one first, without --fail-below")
    variants = chosen(request.a, request.b, () if stored is None else tuple(each.variant for each in stored.variants))
    prepare_directory(request.metrics_dir)
    with _workload(request, stored) as workload:
        scratch_database = workload.scratch.database
        database = Database(kind=scratch_database.kind, name=scratch_database.name if request.target else EMBEDDED)
        obstacle = "" if stored is None else why_not(workload.contract.contract, database, stored)
        if obstacle and request.fail_below is not None:
            raise UsageError(obstacle, "leave out --fail-below, or name another --metrics-dir")
        runs = _measure(workload, variants, request.runs)
    findings = _findings(Baseline.of(workload.contract_option, database, runs), stored, obstacle)
    for line in report.lines(findings):
        click.echo(line)
    is_slower = request.fail_below is not None and _is_below(findings.comparisons[0], request.fail_below)
    _keep(request, findings, may_replace=not is_slower)
    return EXIT_SLOWER if is_slower else EXIT_OK


@contextmanager
def _workload(request: Request, stored: Baseline | None) -> Iterator[Workload]:
    """Prepare the documents and the scratch database, which is removed at the end of the block."""
    name = request.contract or (stored.contract.read_from if stored else DEFAULT_CONTRACT)
    documents = request.documents or (stored.documents if stored else DEFAULT_DOCUMENTS)
    contract = read_contract(name)
    tables = layouts(contract)
    with TemporaryDirectory(prefix="xml_extractor_baseline_", ignore_cleanup_errors=True) as temporary:
        directory = Path(temporary)
        scratch_database = open_scratch_database(request.target or f"sqlite:///{directory / 'target.db'}")
        is_server, makes = scratch_database.kind == "mssql", not request.source
        if is_server:
            check_schemas(contract, tables, with_samples=makes)
        # The documents of a server are on it too, because fetching them is part of the work.
        kept = [contract.source.table] if is_server and makes else []
        own_source = scratch_database.address if is_server else f"sqlite:///{directory / 'documents.db'}"
        source = request.source or own_source
        scratch = Scratch(scratch_database, [*kept, *table_names(tables)])
        scratch.claim()
        try:
            if makes:
                make_documents(contract, documents, source)
            yield Workload(name, contract, tables, documents, source, scratch, kept, directory)
        finally:
            scratch.remove()


def _measure(workload: Workload, variants: Sequence[Variant], rounds: int) -> list[tuple[Variant, list[Metrics]]]:
    """Run each variant a number of rounds, alternately, after one run to warm up."""
    taken: dict[str, list[Metrics]] = {variant.options: [] for variant in variants}
    total = rounds * len(variants)

    def measure(variant: Variant) -> float:
        metrics = workload.run(variant)
        taken[variant.options].append(metrics)
        number = sum(map(len, taken.values()))
        figure = float(metrics["documents_per_minute"])
        click.echo(f"run {number} of {total}: {variant.options}: {figure:,.0f} documents a minute", err=True)
        return figure

    figure = float(workload.run(variants[0])["documents_per_minute"])
    click.echo(f"run to warm up: {variants[0].options}: {figure:,.0f} documents a minute", err=True)
    alternately({variant.options: partial(measure, variant) for variant in variants}, rounds)
    return [(variant, taken[variant.options]) for variant in variants]


def _findings(now: Baseline, stored: Baseline | None, obstacle: str) -> Findings:
    if stored is None:
        return Findings(now, None, within(now), [])
    if obstacle:
        return Findings(now, None, within(now), [f"{obstacle}, so they are not compared"])
    return Findings(now, stored, [*with_stored(now, stored), *within(now)], list(warnings(now, stored)))


def _is_below(since_stored: Comparison, limit: float) -> bool:
    """Return whether the first variant of the stored baseline is slower than the limit, and report it."""
    if since_stored.ratio.median >= limit:
        return False
    click.echo(f"{since_stored.first} is {since_stored.ratio.median:.2f} of the stored baseline, below {limit:g}")
    return True


def _keep(request: Request, findings: Findings, *, may_replace: bool) -> None:
    """Write the report, and store the figures if none are stored yet or if requested."""
    path = request.metrics_dir / FILE
    was_there = path.exists()
    if request.store is False or (request.store is None and was_there):
        if was_there:
            click.echo(f"The baseline is unchanged in {path}; --store replaces it")
    elif not may_replace:
        click.echo(f"The baseline is unchanged in {path}, because this is below --fail-below")
    else:
        write_baseline(path, findings.now)
        click.echo(f"The baseline is stored in {path}")
    page = request.metrics_dir / report.FILE
    write_file(page, report.page(findings))
    click.echo(f"Report: {page}")
