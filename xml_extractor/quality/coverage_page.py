"""The HTML page of `coverage`."""

from collections.abc import Iterable, Iterator

from xml_extractor.quality.coverage_report import ColumnReport, CoverageReport
from xml_extractor.quality.near_misses import Suggestion
from xml_extractor.reporting.html import Html, element, joined, page, section, table
from xml_extractor.reporting.plots import Bar, bars, colour, legend

OUTCOMES = {
    "accepted": "would load",
    "rejected": "would be rejected",
    "skipped": "would be skipped",
    "deleted": "deletions",
}

FILLED, NULL, INVALID = colour(0), "rest", "bad"


def coverage_page(report: CoverageReport) -> str:
    """Return the page of a report, with all that it has."""
    parts = (_outcome, _faults, _never_found, _unread, _columns, _tables)
    title = f"Coverage of {report.contract}, version {report.version}"
    return page(title, (each for part in parts for each in part(report)))


def _outcome(report: CoverageReport) -> Iterator[Html]:
    rejected = report.documents["rejected"]
    if report.interrupted:
        kind, said = "warn", "Interrupted: the rest of the documents was not observed."
    elif rejected:
        kind, said = "warn", f"{rejected:,} of {report.observed:,} documents would be rejected."
    else:
        kind, said = "good", "No document would be rejected." if report.observed else "The source has no documents."
    facts = {"source": report.source, "documents": f"{report.observed:,}, nothing was loaded"}
    described = (joined((element("dt", name), element("dd", fact))) for name, fact in facts.items())
    card = element("article", element("p", said, class_=f"state {kind}"), element("dl", *described), class_="card")
    yield element("div", card, class_="cards")
    if report.observed:
        drawn = [
            Bar([OUTCOMES[what]], [(colour(0), number)], f"{number:,}")
            for what, number in report.documents.items()
            if number
        ]
        yield section("Documents", bars(["Outcome"], drawn, "documents"))


def _faults(report: CoverageReport) -> Iterator[Html]:
    drawn = [
        Bar(
            [_described(fault.place, fault.description)],
            [(colour(0), fault.documents)],
            f"{fault.documents:,}",
            f"{fault.values:,} values, first in {fault.first_document}",
        )
        for fault in report.faults
    ]
    content = bars(["Fault"], drawn, "documents") if drawn else element("p", "No document has a fault.")
    yield section("Faults", content, explained="All faults of all documents. A run names the first one of each.")


def _never_found(report: CoverageReport) -> Iterator[Html]:
    rows = [
        [_described(each.step, f"in {each.path}"), ", ".join(each.readers), _suggested(each.suggestions)]
        for each in report.never_found
    ]
    content = (
        table(["Never found", "Read by", "Perhaps meant"], rows) if rows else element("p", "Every path was found.")
    )
    yield section("Paths that find nothing", content)


def _unread(report: CoverageReport) -> Iterator[Html]:
    drawn = [
        Bar(
            [_described(each.path, f"similar to {_suggested(each.similar)}" if each.similar else "")],
            [(colour(0), each.unread)],
            f"{each.unread:,}",
            f"first in {each.first_document}",
        )
        for each in report.unread
    ]
    nothing = element("p", "Every element and attribute is read.")
    found = bars(["Element or attribute"], drawn, "occurrences") if drawn else nothing
    yield section("What nothing reads", found, _elements(report))


def _columns(report: CoverageReport) -> Iterator[Html]:
    shown = [column for column in report.columns if column.counts]
    if not shown:
        return
    drawn = [
        Bar(
            [_described(f"{column.table}.{column.column}", column.largest_of_type)],
            _parts(column),
            _filled(column),
            column.seen,
        )
        for column in shown
    ]
    colours = legend([(FILLED, "filled"), (NULL, "NULL"), (INVALID, "invalid: the document would be rejected")])
    yield section(
        "Columns", colours, bars(["Column"], drawn, "values"), explained="The number is that of filled values."
    )


def _parts(column: ColumnReport) -> list[tuple[str, float]]:
    return [
        (kind, column.counts.get(what, 0)) for kind, what in ((FILLED, "filled"), (NULL, "null"), (INVALID, "invalid"))
    ]


def _filled(column: ColumnReport) -> str:
    return f"{column.counts.get('filled', 0):,}"


def _tables(report: CoverageReport) -> Iterator[Html]:
    drawn = [
        Bar(
            [each.table],
            [(colour(0), each.rows)],
            f"{each.rows:,}",
            ", ".join(f"{number:,} left out by {what}" for what, number in each.left_out.items()),
        )
        for each in report.tables
    ]
    yield section("Rows by table", bars(["Table"], drawn, "rows"))


def _elements(report: CoverageReport) -> Html:
    rows = [
        [
            _described(each.path, f"read by {', '.join(each.readers) or 'nothing'}"),
            each.first_document,
            f"{each.occurrences:,}",
        ]
        for each in report.elements
    ]
    if not rows:
        return Html()
    heading = element("summary", f"All {len(rows):,} elements and attributes, and what reads them")
    return element("details", heading, table(["Path", "First document", "Occurrences"], rows, numbers=1))


def _described(name: str, description: str) -> Html:
    return joined((name, element("small", description) if description else ""))


def _suggested(suggestions: Iterable[Suggestion]) -> str:
    return ", ".join(f"{name} ({difference})" for name, difference in suggestions)
