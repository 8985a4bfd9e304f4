"""What a person reads at the end of a run."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from xml_extractor.documents import Failure, Outcome, Revision, Status
from xml_extractor.errors import RunError
from xml_extractor.reasons import Reason, Stage
from xml_extractor.reporting.console import rendered
from xml_extractor.reporting.result import RunResult
from xml_extractor.reporting.summary import summary
from xml_extractor.settings import KeyRange, Shard

MakeResult = Callable[..., RunResult]


def shown(result: RunResult, metrics_path: Path | None = Path("metrics/run.json")) -> str:
    return rendered(summary(result, metrics_path), StringIO())


class Terminal(StringIO):
    """A terminal that nobody sees."""

    def isatty(self) -> bool:
        return True


def test_a_summary_has_the_rows_of_each_table_the_sum_of_documents_and_the_rate(make_result: MakeResult) -> None:
    assert shown(make_result(loaded=3, already_done=1000, reasons={"overflow": "a.xml"})) == (
        "Run 20260305T013000000-0a1b2c3d: contract orders version 7\n"
        "incoming -> sqlite:///loaded.db\n"
        "Table       Rows inserted\n"
        "orders                  3\n"
        "order_line          3,600\n"
        "total               3,603\n"
        "Rejected documents by reason, with the first one of each\n"
        "      1  map: overflow\n"
        "         a.xml\n"
        "Documents: 1,004 in = 3 loaded + 1 rejected + 1,000 already done\n"
        "Took 2.5 s, 96 documents a minute.\n"
        "Metrics: metrics/run.json\n"
        "`xml-extractor rejects` lists what was rejected and why, `xml-extractor retry` marks it for the next run\n"
    )


def test_a_run_that_finds_only_other_root_elements_asks_whether_the_contract_is_right(make_result: MakeResult) -> None:
    hint = "Hint: is orders the contract for these documents? `xml-extractor preview` shows what differs\n"
    assert shown(make_result(reasons={"wrong_root": "a.xml"})).endswith(hint)
    assert hint not in shown(make_result(loaded=1, reasons={"wrong_root": "a.xml"}))
    assert hint not in shown(make_result(reasons={"overflow": "a.xml"}))


def test_a_summary_says_how_many_documents_another_contract_has_done(make_result: MakeResult) -> None:
    hint = "processed before the contract changed; --reprocess changed-contract processes them again\n"
    assert shown(make_result(loaded=1, outdated=1200)).endswith(f"\nHint: 1,200 documents were {hint}")
    assert shown(make_result(loaded=1, outdated=1)).endswith(f"\nHint: 1 document was {hint}")
    assert "--reprocess" not in shown(make_result(loaded=1))


def test_a_summary_says_that_rejected_revisions_leave_older_ones_in_place(make_result: MakeResult) -> None:
    result = make_result(loaded=1)
    for thing, hint in (
        ("A", "A newer revision of 1 document is rejected; the older one stays until it is "),
        ("B", "Newer revisions of 2 documents are rejected; the older ones stay until they are "),
    ):
        failure = Failure(Stage.MAP, Reason.OVERFLOW, "it is so")
        revision = Revision(thing, (thing,), (), (thing, 0))
        outcome = Outcome(thing, Status.REJECTED, failure=failure, revision=revision, leaves_older=True)
        result.statistics.record(outcome)
        assert f"\n{hint}corrected and retried\n" in shown(result)


def test_a_run_that_finds_nothing_to_do_again_says_so(make_result: MakeResult) -> None:
    assert "Nothing to do: the source has no documents that are new or to be reprocessed." in shown(
        make_result(settings={"reprocess": "changed-contract"})
    )


def test_outside_of_a_terminal_nothing_is_cut_or_wrapped_however_long_a_key_is(make_result: MakeResult) -> None:
    key = "/".join(["deep"] * 60) + "/document.xml"
    lines = shown(make_result(reasons={"overflow": key, "unexpected_time_zone": 3})).splitlines()
    assert f"{'':9}{key}" in lines
    assert "…" not in "".join(lines)
    assert all(line == line.rstrip() for line in lines)


def test_on_a_narrow_terminal_no_key_is_folded(make_result: MakeResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    key = f"2026/03/{'a long name ' * 9}.xml"
    assert key in rendered(summary(make_result(reasons={"overflow": key}), None), Terminal())


def test_names_and_keys_with_brackets_are_shown_as_they_are(make_result: MakeResult) -> None:
    text = shown(make_result(loaded=1, source="[red]in[/red]", reasons={"overflow": "[b]1[/b].xml"}))
    assert "[red]in[/red] -> " in text
    assert "[b]1[/b].xml" in text


def test_twenty_reasons_are_shown_and_the_number_of_all_others(make_result: MakeResult) -> None:
    codes = list(Reason)
    twenty = shown(make_result(reasons={code: number for number, code in enumerate(codes[:20])}))
    assert all(code in twenty for code in codes[:20])
    assert "more reasons" not in twenty
    more = shown(make_result(reasons={code: number for number, code in enumerate(codes[:23])}))
    assert codes[19] in more
    assert codes[20] not in more
    assert "and 3 more reasons in the metrics file\n" in more


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "Nothing to do: the source has no new documents."),
        ({"limit": 0}, "Nothing to do: the limit is 0."),
        (
            {"shard": Shard(1, 2)},
            "Nothing to do: this part of the source has no new documents.",
        ),
        (
            {"key_range": KeyRange("1", "")},
            "Nothing to do: this part of the source has no new documents.",
        ),
    ],
)
def test_a_run_with_nothing_to_do_says_why(make_result: MakeResult, settings: dict[str, Any], text: str) -> None:
    assert text in shown(make_result(already_done=5, settings=settings)).splitlines()


def test_an_interrupted_run_says_what_is_not_finished_and_how_to_go_on(make_result: MakeResult) -> None:
    text = shown(make_result(loaded=1, unfinished=2, interrupted=True))
    assert "Documents: 3 in = 1 loaded + 0 rejected + 0 already done + 2 not finished\n" in text
    assert "Interrupted: what is counted here is committed; run the same command again to continue.\n" in text
    assert "Took" not in text


def test_a_run_that_failed_before_its_first_document_had_not_nothing_to_do(make_result: MakeResult) -> None:
    assert "Nothing to do" not in shown(make_result(failure=RunError("the disk is full")))


def test_a_summary_without_metrics_names_no_file(make_result: MakeResult) -> None:
    assert "Metrics" not in shown(make_result(loaded=1), None)
