"""The HTML page of a run, or of several that are compared: all with the same parts, scales and order."""

import re
import string
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from xml_extractor.documents import Counted
from xml_extractor.processing_log.run_history import RunStatus
from xml_extractor.reasons import Reason
from xml_extractor.reporting.html import Html, element, joined, key, page, pairs, section, table, text
from xml_extractor.reporting.plots import (
    MIN_WINDOW,
    WINDOWS,
    Bar,
    Panel,
    Window,
    bars,
    colour,
    duration_text,
    panels,
    windows,
)
from xml_extractor.reporting.reported_runs import ReportedRun, by_place
from xml_extractor.reporting.summary import MEANINGS

OUTCOMES = {
    "loaded": "loaded",
    "rejected": "rejected",
    "skipped": "skipped",
    "superseded": "superseded",
    "deleted": "deleted",
    "already_done": "already done",
}

_NAMED = {None: "none", True: "yes", False: "no"}

K = TypeVar("K", bound=Hashable)


class _Compared:
    """Runs with their letters, and parts of a page that show figures of each."""

    def __init__(self, runs: Sequence[ReportedRun]) -> None:
        self.runs = runs
        self.letters = string.ascii_uppercase[: len(runs)] if len(runs) > 1 else [""]

    def each(self) -> Iterator[tuple[int, str, ReportedRun]]:
        """Yield the number, the letter and the run."""
        return zip(range(len(self.runs)), self.letters, self.runs, strict=True)

    def headings(self, *first: object) -> list[object]:
        """Return the headings in front of a figure."""
        return [*first, key("Run")] if len(self.runs) > 1 else [*first]

    def cells(self, letter: str, *first: object) -> list[object]:
        """Return the cells in front of a figure of a run."""
        return [*first, key(letter)] if letter else [*first]

    def counts(
        self,
        of: Callable[[ReportedRun], Mapping[K, float]],
        cell: Callable[[K], object],
        shown: Callable[[float], str] = "{:,.0f}".format,
        note: Callable[[ReportedRun, K], str] = lambda _, __: "",
    ) -> Iterator[Bar]:
        """Yield a bar for each thing and run, the things in the order in which runs have them.

        Args:
            of: Returns the numbers of a run.
            cell: Returns what stands for a thing.
            shown: Formats a number.
            note: Returns the line below a bar.
        """
        numbers = [of(run) for run in self.runs]
        for thing in dict.fromkeys(thing for each in numbers for thing in each):
            first = cell(thing)
            for number, letter, run in self.each():
                value = numbers[number].get(thing, 0)
                said = note(run, thing) if value else ""
                yield Bar(self.cells(letter, first), [(colour(number), value)], shown(value), said)


def run_page(runs: Sequence[ReportedRun]) -> str:
    """Return the page of runs; at most as many as there are letters."""
    compared = _Compared(runs)
    if len(runs) == 1:
        title = f"Run {runs[0].run_id}"
    else:
        contracts = ", ".join(dict.fromkeys(run.contract.name for run in runs))
        title = f"{len(runs)} runs of {contracts}, compared"
    parts = (_outcomes, _documents, _progress, _stages, _rows, _quality, _rejects, _slowest, _queues, _settings)
    return page(title, (each for part in parts for each in part(compared)))


def _outcomes(compared: _Compared) -> Iterator[Html]:
    yield element("div", *(_card(letter, run) for _, letter, run in compared.each()), class_="cards")


def _card(letter: str, run: ReportedRun) -> Html:
    kind, said = _outcome(run)
    facts = {
        "started": f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC",
        "took": duration_text(run.elapsed_seconds),
        "rate": f"{run.documents_per_minute:,.0f} documents a minute",
        "loaded": f"{run.documents.get('loaded', 0):,} documents, {sum(run.rows.values()):,} rows",
        "rejected": f"{run.documents.get('rejected', 0):,} documents",
        "exit code": "none" if run.exit_code is None else f"{run.exit_code}",
        "contract": f"{run.contract.name}, version {run.contract.version}",
        "source": run.source,
        "target": run.target,
        "host": run.host,
    }
    return element(
        "article",
        element("h3", f"{letter} {run.run_id}".strip()) if letter else "",
        element("p", said, class_=f"state {kind}".strip()),
        element("dl", *(joined((element("dt", name), element("dd", fact))) for name, fact in facts.items() if fact)),
        class_="card",
    )


def _outcome(run: ReportedRun) -> tuple[str, str]:
    """Return the kind of an outcome, and a sentence."""
    last = f"its last report is of {run.reported_at:%Y-%m-%d %H:%M:%S} UTC" if run.reported_at else "it has not ended"
    match run.status:
        case RunStatus.RUNNING:
            return "", f"Running; {last}."
        case RunStatus.LOST:
            lost = f"Lost: it was killed, or lost its machine; {last}."
            return "bad", f"{lost} The next run resumes after its last commit."
        case RunStatus.INTERRUPTED:
            return "warn", "Interrupted. The next run resumes after its last commit."
        case RunStatus.FAILED:
            return "bad", f"Failed: {run.failure}."
    rejected, earlier = run.documents.get("rejected", 0), run.earlier_rejects
    if rejected or earlier:
        still = "" if rejected else " still"
        what = f"{rejected or earlier:,} {_documents_are(rejected or earlier)}{still} rejected"
        return "warn", f"Finished; {what}{'' if rejected else ' from earlier runs'}."
    return "good", "Finished; everything is loaded." if run.processed else "Finished; there was nothing to do."


def _documents_are(number: int) -> str:
    return "document is" if number == 1 else "documents are"


def _documents(compared: _Compared) -> Iterator[Html]:
    def outcomes(run: ReportedRun) -> dict[str, float]:
        return {name: run.documents.get(what, 0) for what, name in OUTCOMES.items()}

    def others(run: ReportedRun) -> dict[str, float]:
        return {
            "still rejected from earlier runs": run.earlier_rejects,
            "loaded without rows": run.documents_without_rows,
            "files without records": run.files_without_records,
            "files not read, because they were too new": run.files_too_new,
        }

    def some(of: Callable[[ReportedRun], dict[str, float]]) -> Callable[[ReportedRun], dict[str, float]]:
        numbers = [of(run) for run in compared.runs]
        there = {name for each in numbers for name, number in each.items() if number}
        return lambda run: {name: number for name, number in of(run).items() if name in there}

    drawn = [bar for of in (outcomes, others) for bar in compared.counts(some(of), str)]
    content = bars(compared.headings("Outcome"), drawn, "documents") if drawn else element("p", "The source has none.")
    yield section("Documents", content)


def _progress(compared: _Compared) -> Iterator[Html]:
    longest = max(0.1, *(run.elapsed_seconds for run in compared.runs))
    width = max(longest / WINDOWS, MIN_WINDOW)
    found = [
        windows(run.series.seconds, run.series.documents, run.series.queued, width) if run.processed else []
        for run in compared.runs
    ]
    if not any(found):
        yield section("Throughput over time", element("p", "No document was loaded or rejected."))
        return
    rates = [
        Panel(
            _named(letter, run),
            [(each.start, each.end, each.rate) for each in found[number]],
            number,
            run.documents_per_minute,
        )
        for number, letter, run in compared.each()
        if found[number]
    ]
    yield section(
        "Throughput over time",
        panels(rates, "documents a minute", longest),
        _numbers(compared, found),
        explained="Documents loaded or rejected. They are counted when their transaction has committed.",
    )
    depths = [
        Panel(
            _named(letter, run),
            [(each.start, each.end, each.queued) for each in found[number] if each.queued is not None],
            number,
        )
        for number, letter, run in compared.each()
    ]
    depths = [panel for panel in depths if panel.steps]
    if depths:
        yield section(
            "Queue depth over time",
            panels(depths, "chunks in the insert queue", longest),
            explained="A chunk is up to 32 documents. A full queue shows that the target is the bottleneck, "
            "an empty one that the workers or the source are.",
        )


def _named(letter: str, run: ReportedRun) -> str:
    return f"{letter} {run.started_at:%Y-%m-%d}" if letter else ""


def _numbers(compared: _Compared, found: Sequence[Sequence[Window]]) -> Html:
    rows = [
        [
            *compared.cells(letter),
            f"{each.end:,.1f}",
            f"{each.documents:,}",
            f"{each.rate:,.0f}",
            "" if each.queued is None else f"{each.queued:,}",
        ]
        for number, letter, _ in compared.each()
        for each in found[number]
    ]
    headings = [*compared.headings(), "Until second", "Documents so far", "A minute", "Most chunks queued"]
    return element("details", element("summary", "The numbers"), table(headings, rows, numbers=3))


def _stages(compared: _Compared) -> Iterator[Html]:
    drawn = [*compared.counts(lambda run: run.stage_seconds, str, "{:,.2f}".format)]
    if drawn:
        content = bars(compared.headings("Stage"), drawn, "seconds", whole=False)
        yield section("Time by stage", content, explained="Summed over worker processes and insert threads.")


def _rows(compared: _Compared) -> Iterator[Html]:
    content = bars(compared.headings("Table"), compared.counts(lambda run: run.rows, str), "rows inserted")
    yield section("Rows by table", content)


def _quality(compared: _Compared) -> Iterator[Html]:
    def place(thing: tuple[str, str]) -> Html:
        where, what = thing
        return joined((where, element("small", _meaning(what))))

    def rows(run: ReportedRun) -> dict[tuple[str, str], int]:
        return by_place(run.rows_not_inserted) | by_place(run.rows_disagreeing)

    values = [*compared.counts(lambda run: by_place(run.tolerated_values), place)]
    left_out = [*compared.counts(rows, place)]
    unread = [*compared.counts(lambda run: run.unread, str)]
    content = [
        bars(compared.headings(heading), drawn, meaning)
        for heading, drawn, meaning in (
            ("Column", values, "values"),
            ("Table", left_out, "rows"),
            ("Nothing reads", unread, "elements and attributes"),
        )
        if drawn
    ]
    nothing = element("p", "No value was tolerated, and no row was left out, kept or replaced.")
    yield section("Data quality by column", *content or [nothing], explained="Of loaded documents." if content else "")


def _meaning(what: str) -> str:
    return MEANINGS[Counted(what)] if what in {*Counted} else what


def _rejects(compared: _Compared) -> Iterator[Html]:
    def reason(thing: tuple[str, str]) -> Html:
        stage, code = thing
        return joined((f"{stage}: {code}", element("small", _markdown(_explained(stage, code)))))

    def example(run: ReportedRun, thing: tuple[str, str]) -> str:
        keys = (each.example_key for each in run.rejects if (each.stage, each.code) == thing)
        return f"first: {next(keys, '')}"

    def documents(run: ReportedRun) -> dict[tuple[str, str], float]:
        return {(each.stage, each.code): each.documents for each in run.rejects}

    drawn = [*compared.counts(documents, reason, note=example)]
    content = (
        bars(compared.headings("Reason"), drawn, "documents") if drawn else element("p", "No document was rejected.")
    )
    yield section("Rejects by reason", content)


def _explained(stage: str, code: str) -> str:
    known = Reason(code).explanations if code in {*Reason} else ()
    return next((f"{each.meaning} {each.remedy}" for each in known if each.stage == stage), "")


def _markdown(given: str) -> Html:
    """Return an explanation of a reason, whose only markup is code and links to pages."""
    without_links = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", given)
    return Html(re.sub(r"`([^`]*)`", r"<code>\1</code>", text(without_links)))


def _slowest(compared: _Compared) -> Iterator[Html]:
    drawn = [
        Bar(
            compared.cells(letter, _document_of(letter, f"{each.key}")),
            [(colour(number), each.seconds)],
            f"{each.seconds:,.3f}",
        )
        for number, letter, run in compared.each()
        for each in run.slowest
    ]
    if drawn:
        content = bars(compared.headings("Document"), drawn, "seconds", whole=False)
        yield section("Slowest documents", content, explained="To fetch, parse and map.")


def _document_of(letter: str, document: str) -> Html:
    """Return the cell of a document; those of several runs are not joined."""
    return element("span", document, title=f"of run {letter}") if letter else text(document)


def _queues(compared: _Compared) -> Iterator[Html]:
    def figures(run: ReportedRun) -> dict[str, str]:
        chunks = {f"chunks {name.replace('_', ' ')}": _figure(value) for name, value in run.queue.items()}
        names = dict.fromkeys(name for thread in run.insert_threads for name in thread)
        each = {
            f"insert threads: {name.replace('_', ' ')}": ", ".join(
                _figure(thread.get(name, 0)) for thread in run.insert_threads
            )
            for name in names
        }
        return chunks | each

    if any(run.queue for run in compared.runs):
        explained = "A chunk is up to 32 documents. Chunks that a full queue refused were loaded by workers."
        yield section("Insert queue and insert threads", *_listed(compared, figures), explained=explained)


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _settings(compared: _Compared) -> Iterator[Html]:
    yield section("Settings and versions", *_listed(compared, lambda run: dict(_conditions(run))))


def _listed(compared: _Compared, of: Callable[[ReportedRun], dict[str, str]]) -> Iterator[Html]:
    """Yield names with their values: those that differ between runs in a table, the others once."""
    values = [of(run) for run in compared.runs]
    names = dict.fromkeys(name for each in values for name in each)
    differing = {name for name in names if len({each.get(name, "") for each in values}) > 1}
    rows = [
        [name, *compared.cells(letter), values[number].get(name, "")]
        for name in names
        if name in differing
        for number, letter, _ in compared.each()
    ]
    if rows:
        yield table([*compared.headings("What differs"), "Value"], rows)
    same = [(name, values[0].get(name, "")) for name in names if name not in differing]
    if rows and same:
        yield element("h3", "The same in all runs")
    if same:
        yield pairs(same)


def _conditions(run: ReportedRun) -> Iterable[tuple[str, str]]:
    """Return the settings of a run, and what else it depends on."""
    yield from (
        (
            name.replace("_", " "),
            _NAMED.get(value, f"{value}") if value is None or isinstance(value, bool) else f"{value}",
        )
        for name, value in run.settings.items()
    )
    machine = run.machine
    yield "contract version", f"{run.contract.version}"
    yield "machine", f"{machine.cpus} CPUs, {machine.system} {machine.architecture}, Python {machine.python}"
    yield from machine.packages.items()
