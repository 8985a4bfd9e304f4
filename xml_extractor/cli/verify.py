"""The command `verify`: proof that the target holds what the source holds."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

import click

from xml_extractor.cli.addresses import other_address
from xml_extractor.cli.boundary import output, say
from xml_extractor.cli.command import NotEmpty, Parsed, WholeNumber, command
from xml_extractor.cli.options import LOOKING_OPTIONS, added, looking, with_addresses
from xml_extractor.cli.run_options import config_option
from xml_extractor.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_REJECTS, TargetError, UsageError
from xml_extractor.escaping import escaped
from xml_extractor.settings import KeyRange

if TYPE_CHECKING:
    from rich.table import Table

    from xml_extractor.contract.model import Contract
    from xml_extractor.quality.differences import Difference
    from xml_extractor.quality.verification_report import VerificationReport
    from xml_extractor.targets.interfaces import Target

MOST_DIFFERENCES = 100


@command("verify", "--contract orders.yaml --source orders --target sqlite:///orders.db")
@config_option
@added(*LOOKING_OPTIONS)
@click.option(
    "--range",
    "key_range",
    type=Parsed("FIRST:LAST", KeyRange.parse),
    help="Compare only documents with keys from FIRST to LAST.",
)
@click.option("--sample", type=WholeNumber(1), metavar="N", help="Compare N documents, spread evenly over the source.")
@click.option(
    "--run",
    cls=NotEmpty,
    metavar="RUN",
    help="Compare only documents that this run loaded: the beginning of its id.",
)
@click.option(
    "--against",
    cls=NotEmpty,
    metavar="ADDRESS",
    help="Compare with the same tables of another database or schema instead of with documents: a SQLAlchemy URL.",
)
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="TABLE[.COLUMN]",
    help="Do not compare this table or column of the contract; * for the column in all tables; repeatable.",
)
@click.option(
    "--max-differences",
    type=WholeNumber(0),
    default=MOST_DIFFERENCES,
    show_default=True,
    metavar="N",
    help="List at most N differences; all are counted.",
)
@click.option("--values", "with_values", is_flag=True, help="Show the values that differ, from documents.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_addresses
def verify_command(contract: str, source: str, target: str, *, with_values: bool, as_json: bool, **options: Any) -> int:
    """Prove that the target holds what the source holds.

    All documents are mapped again and compared with their rows in the target: changed, missing, added, duplicated,
    moved and orphaned rows, and missing and surplus documents. Nothing is written. Values are shown only with --values;
    names and keys always.

    Exit codes: 0 nothing differs, 1 something differs, 2 wrong usage or contract, 3 the databases cannot be compared,
    130 interrupted.
    """
    against = other_address(click.get_current_context(), target)
    if against:
        for name in ("key_range", "sample", "run"):
            if options[name] is not None:
                flag = "--range" if name == "key_range" else f"--{name}"
                raise UsageError(f"--against and {flag} exclude each other", "give one of them")
        report = _report_of_databases(contract, against, target, options)
    else:
        report = _report(contract, source or target, target, options)
    with output():
        if as_json:
            found = report.as_json(with_values=with_values)
            click.echo(escaped(json.dumps(found, indent=2, ensure_ascii=False), "\n"))
        else:
            _show(report, with_values=with_values)
    if report.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_OK if report.holds else EXIT_REJECTS


def _report(contract_name: str, source: str, target_address: str, options: Mapping[str, Any]) -> "VerificationReport":
    from xml_extractor.contract.reading import contract_hash, read_contract
    from xml_extractor.processing.verification import VerificationContext, verify_source
    from xml_extractor.quality.verification_report import verification_report
    from xml_extractor.records import open_documents
    from xml_extractor.reporting.console import Progress, shown_progress
    from xml_extractor.targets.registry import open_target

    contract = read_contract(contract_name)
    left_out = _left_out(contract, options["ignored"])
    target = open_target(target_address, contract)
    _check_tables(contract, target, left_out)
    run, sources = _runs(contract, target, options["run"] or "")
    with closing(open_documents(source, contract)) as opened, shown_progress(sys.stderr, "Comparing") as show:
        context = VerificationContext(
            **looking(contract, opened, options),
            contract_hash=contract_hash(contract),
            target=target_address,
            sources=sources,
            left_out=left_out,
            key_range=options["key_range"],
            run=run,
        )
        verified, interrupted = verify_source(context, opened, lambda done: show(Progress(done, done)))
    scope = ", ".join(
        f"{what} {value}"
        for what, value in (("range", options["key_range"]), ("sample of", options["sample"]), ("run", run))
        if value
    )
    names = (opened.name, target.name)
    most = options["max_differences"]
    return verification_report(contract, names, verified, scope, left_out, most=most, interrupted=interrupted)


def _report_of_databases(
    contract_name: str, other_address: str, target_address: str, options: Mapping[str, Any]
) -> "VerificationReport":
    from xml_extractor.contract.layout import run_columns
    from xml_extractor.contract.reading import read_contract
    from xml_extractor.processing.verification import verify_databases
    from xml_extractor.quality.verification_report import verification_report
    from xml_extractor.reporting.console import Progress, shown_progress
    from xml_extractor.targets.registry import open_target

    contract = read_contract(contract_name)
    left_out = _left_out(contract, options["ignored"])
    target, other = open_target(target_address, contract), open_target(other_address, contract)
    for each in (target, other):
        _check_tables(contract, each, left_out)
    with shown_progress(sys.stderr, "Comparing") as show:
        verified = verify_databases(contract, other, target, left_out, lambda done: show(Progress(done, done)))
    names, most = (other.name, target.name), options["max_differences"]
    of_runs = {name: columns for name, columns in run_columns(contract).items() if columns}
    return verification_report(contract, names, verified, "", left_out, of_runs, most=most)


def _left_out(contract: "Contract", ignored: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the columns that are not compared, by table.

    Raises:
        UsageError: The contract has no such table or column.
    """
    from difflib import get_close_matches

    found: dict[str, set[str]] = {}
    names = {f"{table}.{column}" for table, each in contract.tables.items() for column in each.columns}
    for place in ignored:
        table, dot, column = place.partition(".")
        places = [(name, column) for name in contract.tables if table in ("*", name)]
        places = [(name, column) for name, column in places if not dot or column in contract.tables[name].columns]
        if not places or place == "*":
            near = get_close_matches(place, [*contract.tables, *names], n=1)
            tip = f"did you mean {near[0]}?" if near else "write TABLE, TABLE.COLUMN or *.COLUMN"
            raise UsageError(f"--ignore: the contract has no table or column {place}", tip)
        for name, column in places:
            found.setdefault(name, set()).add(column or "*")
    return {name: frozenset(columns) for name, columns in found.items()}


def _check_tables(contract: "Contract", target: "Target", left_out: Mapping[str, frozenset[str]]) -> None:
    """Check that the target has all tables and columns that are compared.

    Raises:
        TargetError: One is missing.
    """
    from xml_extractor.contract.layout import layouts
    from xml_extractor.schema.comparison import NO_COLUMN, NO_TABLE, NO_VISIBLE_TABLE

    for difference in target.differences(layouts(contract)):
        left = left_out.get(difference.table, frozenset())
        if difference.table not in contract.tables or "*" in left or difference.column in left:
            continue
        if not difference.column and difference.found in (NO_TABLE, NO_VISIBLE_TABLE):
            tip = f"check that the target is the one that was loaded, or leave it out: --ignore {difference.table}"
            raise TargetError(f"there is no table {difference.database_table} in {target.name}", tip)
        if difference.found == NO_COLUMN:
            place = f"{difference.table}.{difference.column}"
            tip = f"check that the contract is the one that loaded it, or leave it out: --ignore {place}"
            raise TargetError(f"there is no column {difference.column} in {difference.database_table}", tip)


def _runs(contract: "Contract", target: "Target", wanted: str) -> tuple[str, dict[str, str]]:
    """Return the id of a run, and the names of the sources of all runs that the run history has.

    Raises:
        UsageError: No run of the processing log has such an id, or several have.
        TargetError: The processing log cannot be read.
    """
    from xml_extractor.targets.registry import open_processing_log, open_run_history

    with open_processing_log(target) as log:
        runs = sorted({count.run_id for count in log.counts(contract.contract)})
    run = ""
    if wanted:
        named = [each for each in runs if each.startswith(wanted)]
        if len(named) != 1:
            found = "several runs have" if named else "no run has"
            raise UsageError(f"{found} an id that begins with {wanted}", "`xml-extractor runs` lists the runs")
        (run,) = named
    sources: dict[str, str] = {}
    try:
        with open_run_history(target) as history:
            for entry in history.entries(contract.contract):
                name = json.loads(entry.metrics).get("source")
                if isinstance(name, str):
                    sources[entry.run_id] = name
    except TargetError:
        pass  # a log of an earlier version has none
    return run, sources


def _show(report: "VerificationReport", *, with_values: bool) -> None:
    from xml_extractor.reporting.console import rendered

    say(f"Contract {report.contract} version {report.version}")
    say(f"Expected: {report.source}")
    say(f"Found:    {report.target}")
    for name, differences in groupby(report.differences, key=lambda each: each.document):
        say(f"Document {name}" if name else "Rows without a document")
        for difference in differences:
            for line in _lines(difference, with_values=with_values):
                say(f"  {line}")
    total = sum(report.kinds.values())
    if total > len(report.differences):
        say(f"and {total - len(report.differences):,} differences more; --max-differences lists more")
    if total:
        say("")
        click.echo(rendered(_summary(report), sys.stdout), nl=False)
        say("")
    for line in report.not_compared:
        say(f"Not compared: {line}")
    documents = f"{report.compared:,} documents with {sum(report.rows.values()):,} rows"
    say(f"Compared {documents}{f' ({report.scope})' if report.scope else ''}")
    if report.interrupted:
        say("Interrupted: the rest was not compared")
    elif report.holds:
        say(f"The target holds what {'the other database holds' if report.is_of_databases else 'the documents say'}")
    else:
        say(f"The target differs: {total:,} difference{'' if total == 1 else 's'} in rows and documents")


def _lines(difference: "Difference", *, with_values: bool) -> Iterator[str]:
    from xml_extractor.quality.verification_report import EXPLANATIONS, shown_key, shown_value

    place = f" {difference.table}" if difference.table else ""
    key = ", ".join(f"{name} {value}" for name, value in shown_key(difference).items())
    columns = f": {', '.join(difference.columns)}" if difference.columns else ""
    yield f"{difference.kind}{place}{f' ({key})' if key else ''}{columns}"
    explanation = difference.detail or ("" if difference.table else EXPLANATIONS[difference.kind])
    if explanation:
        yield f"  {explanation}"
    if with_values and difference.table:
        for position, name in enumerate(difference.columns or difference.names):
            sides = (("expected", difference.expected), ("found", difference.held))
            values = [f"{side} {shown_value(row[position])!r}" for side, row in sides if row]
            yield f"  {name}: {', '.join(values)}"


def _summary(report: "VerificationReport") -> "Table":
    from xml_extractor.reporting.console import cell, plain_table

    table = plain_table("Difference", "Where", "Rows", numbers=1)
    counts = [item for item in report.counts.items() if item[1]]
    for (kind, of_table, column), number in islice(counts, MOST_DIFFERENCES):
        place = f"{of_table}.{column}" if column else of_table
        table.add_row(cell(kind), cell(place), f"{number:,}")
    return table
