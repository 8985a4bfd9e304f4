"""The command `coverage`: what a contract makes of many documents, without loading them."""

import json
import sys
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xml_extractor.cli.boundary import output, say
from xml_extractor.cli.command import WholeNumber, command
from xml_extractor.cli.options import LOOKING_OPTIONS, added, looking, with_addresses
from xml_extractor.cli.run_options import config_option
from xml_extractor.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_REJECTS, UsageError
from xml_extractor.escaping import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from xml_extractor.quality.coverage_report import CoverageReport

SHOWN = 40
"""Lines of each part on a terminal; JSON and HTML have all."""


@command("coverage", "--contract orders.yaml --source orders")
@config_option
@added(*LOOKING_OPTIONS)
@click.option("--limit", type=WholeNumber(1), metavar="N", help="Observe the first N documents.")
@click.option("--sample", type=WholeNumber(1), metavar="N", help="Observe N documents, spread evenly over the source.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the whole report to this file, as an HTML page.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
@with_addresses
def coverage_command(contract: str, source: str, target: str, **options: Any) -> int:
    """Report what a contract makes of all documents, and load nothing.

    The report has all faults of all documents; what is seen of each column; the paths that find nothing, with names
    that may be meant; and the elements and attributes that nothing reads. It contains no values of documents.

    Exit codes: 0 no document would be rejected, 1 some would be, 2 wrong usage or contract, 3 the documents cannot be
    observed, 130 interrupted.
    """
    from xml_extractor.quality.coverage_page import coverage_page
    from xml_extractor.reporting.console import rendered
    from xml_extractor.reporting.html import write_page

    if options["limit"] is not None and options["sample"] is not None:
        raise UsageError("--limit and --sample exclude each other", "give one of them")
    report = _report(contract, source or target, options)
    if options["page"] is not None:
        write_page(options["page"], coverage_page(report))
    with output():
        if options["as_json"]:
            click.echo(escaped(json.dumps(report.as_json(), indent=2, ensure_ascii=False), "\n"))
        else:
            click.echo(rendered(_shown(report), sys.stdout), nl=False)
            if options["page"] is not None:
                say(f"Written: {options['page']}")
    if report.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_REJECTS if report.documents["rejected"] else EXIT_OK


def _report(contract: str, source: str, options: dict[str, Any]) -> "CoverageReport":
    from xml_extractor.contract.reading import read_contract
    from xml_extractor.processing.coverage import CoverageContext, observe_source
    from xml_extractor.quality.coverage_report import coverage_report
    from xml_extractor.records import open_documents
    from xml_extractor.reporting.console import Progress, shown_progress

    checked = read_contract(contract)
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    with closing(open_documents(source, checked)) as opened, shown_progress(sys.stderr, "Observing") as show:
        context = CoverageContext(**looking(checked, opened, options), started_at=now, limit=options["limit"])
        observed, interrupted = observe_source(context, opened, lambda done: show(Progress(done, done)))
    return coverage_report(checked, opened.name, observed, interrupted=interrupted)


def _shown(report: "CoverageReport") -> "RenderableType":
    from rich.console import Group

    from xml_extractor.reporting.console import cell

    names = {"accepted": "would load", "rejected": "would be rejected", "skipped": "skipped", "deleted": "deletions"}
    documents = ", ".join(f"{number:,} {names[what]}" for what, number in report.documents.items() if number)
    parts: list[RenderableType] = [
        cell(f"Coverage of {report.source} by contract {report.contract} version {report.version}; nothing is loaded"),
        cell(f"Documents: {report.observed:,}{f' = {documents}' if documents else ''}", "bold"),
    ]
    if report.interrupted:
        parts.append(cell("Interrupted: the rest of the documents was not observed."))
    for some in (_faults(report), _tables(report), _columns(report), _never_found(report), _unread(report)):
        parts += some
    return Group(*parts)


def _faults(report: "CoverageReport") -> "Iterator[RenderableType]":
    from xml_extractor.reporting.console import cell, plain_table

    if report.faults:
        table = plain_table("Fault", "Reason", "First document", "Values", "Documents", numbers=2)
        for fault in islice(report.faults, SHOWN):
            table.add_row(
                cell(fault.place),
                cell(fault.description),
                cell(fault.first_document),
                f"{fault.values:,}",
                f"{fault.documents:,}",
            )
        yield cell("")
        yield table
        yield from _rest(len(report.faults))


def _tables(report: "CoverageReport") -> "Iterator[RenderableType]":
    from xml_extractor.reporting.console import cell, plain_table

    table = plain_table("Table", "Rows", "Left out", numbers=2)
    for each in report.tables:
        left_out = ", ".join(f"{number:,} by {what}" for what, number in each.left_out.items())
        table.add_row(cell(each.table), f"{each.rows:,}", left_out)
    yield cell("")
    yield table


def _columns(report: "CoverageReport") -> "Iterator[RenderableType]":
    from xml_extractor.reporting.console import cell, plain_table

    columns = [column for column in report.columns if column.counts]
    if not columns:
        return
    table = plain_table("Column", "Seen", "Largest of type", "Filled", "NULL", numbers=2)
    for column in columns[: SHOWN * 10]:
        table.add_row(
            cell(f"{column.table}.{column.column}"),
            cell(column.seen),
            cell(column.largest_of_type),
            f"{column.counts.get('filled', 0):,}",
            f"{column.counts.get('null', 0):,}",
        )
    yield cell("")
    yield table
    yield from _rest(len(columns), SHOWN * 10)


def _never_found(report: "CoverageReport") -> "Iterator[RenderableType]":
    from xml_extractor.reporting.console import cell, plain_table

    if report.never_found:
        table = plain_table("Read by", "Never found", "In path", "Perhaps meant")
        for each in islice(report.never_found, SHOWN):
            meant = ", ".join(f"{name} ({difference})" for name, difference in each.suggestions)
            table.add_row(cell(", ".join(each.readers)), cell(each.step), cell(each.path), cell(meant))
        yield cell("")
        yield table
        yield from _rest(len(report.never_found))


def _unread(report: "CoverageReport") -> "Iterator[RenderableType]":
    from xml_extractor.reporting.console import cell, plain_table

    unread = report.unread
    if unread:
        table = plain_table("Nothing reads", "Similar to", "First document", "Occurrences", numbers=1)
        for element in islice(unread, SHOWN):
            similar = ", ".join(f"{name} ({difference})" for name, difference in element.similar)
            table.add_row(cell(element.path), cell(similar), cell(element.first_document), f"{element.unread:,}")
        yield cell("")
        yield table
        yield from _rest(len(unread))
        if report.ignore:
            yield cell(f"Nothing reads anything in these; `ignore: [{', '.join(report.ignore[:SHOWN])}]` skips them.")
    elif report.elements:
        yield cell("Every element and attribute is read.")


def _rest(number: int, shown: int = SHOWN) -> "Iterator[RenderableType]":
    from xml_extractor.reporting.console import cell

    if number > shown:
        yield cell(f"and {number - shown:,} more; --json has all")
