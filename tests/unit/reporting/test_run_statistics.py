"""Documents and rows are counted from what has become of each document."""

from xml_extractor.documents import Failure, Outcome, Revision, Status
from xml_extractor.reasons import Reason, Stage
from xml_extractor.reporting.result import RunStatistics


def rejected(key: int, code: Reason) -> Outcome:
    return Outcome(key, Status.REJECTED, failure=Failure(Stage.MAP, code, "it is so"))


def test_rows_are_added_by_table_and_each_document_counts_once() -> None:
    statistics = RunStatistics(("order", "line"), seen=4)
    for outcome in (
        Outcome(1, Status.LOADED, (1, 2)),
        Outcome(2, Status.LOADED, (1, 0)),
        rejected(3, Reason.OVERFLOW),
        Outcome(4, Status.ALREADY_DONE),
    ):
        statistics.record(outcome)
    assert statistics.rows == [2, 2]
    assert (statistics.loaded, statistics.rejected, statistics.already_done) == (2, 1, 1)
    assert statistics.processed == 3
    assert statistics.unaccounted == 0


def test_a_reason_keeps_its_first_document_as_the_example() -> None:
    statistics = RunStatistics(("order",))
    for outcome in (rejected(7, Reason.OVERFLOW), rejected(5, Reason.OVERFLOW), rejected(9, Reason.MISSING_VALUE)):
        statistics.record(outcome)
    assert statistics.reasons == {(Stage.MAP, Reason.OVERFLOW): 2, (Stage.MAP, Reason.MISSING_VALUE): 1}
    assert statistics.examples == {(Stage.MAP, Reason.OVERFLOW): 7, (Stage.MAP, Reason.MISSING_VALUE): 9}


def test_skipped_documents_are_seen_and_done() -> None:
    statistics = RunStatistics(("order",))
    statistics.skip(3)
    assert (statistics.seen, statistics.already_done, statistics.unaccounted) == (3, 3, 0)


def test_a_document_that_was_seen_and_has_no_outcome_is_not_accounted_for() -> None:
    statistics = RunStatistics(("order",), seen=2)
    statistics.record(Outcome(1, Status.LOADED, (1,)))
    assert statistics.unaccounted == 1


def test_statistics_of_two_runs_share_nothing() -> None:
    first, second = RunStatistics(("order",)), RunStatistics(("order",))
    first.record(Outcome(1, Status.LOADED, (5,)))
    first.record(rejected(2, Reason.OVERFLOW))
    assert (second.rows, second.reasons, second.examples) == ([0], {}, {})


def test_a_thing_is_counted_once_while_a_newer_revision_of_it_is_rejected() -> None:
    def revision(order: int, place: int) -> Revision:
        return Revision("A", ("a",), (("number", str(order)),), (place, 0))

    statistics = RunStatistics(("order",))
    for place in (4, 2):
        statistics.record(rejected(place, Reason.OVERFLOW)._replace(revision=revision(9, place)))
    found = []
    for order, place in ((9, 3), (9, 5), (8, 6)):
        statistics.record(Outcome(place, Status.LOADED, (1,), revision=revision(order, place)))
        found.append(statistics.left_older)
    assert found == [1, 0, 1]
