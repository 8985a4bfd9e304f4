"""How documents are chosen, divided and bounded."""

import pickle
from collections.abc import Callable, Iterator, Sequence

import pytest

from xml_extractor.documents import DocumentKey
from xml_extractor.errors import RunError, SourceError, TargetError, UsageError, XmlExtractorError
from xml_extractor.processing.chunks import (
    CHUNKS_PER_WORKER,
    MAX_CHUNK,
    POISON_DOCUMENT,
    Chunk,
    ChunksInFlight,
    CrashMarker,
    Selection,
    WorkerFailure,
    divide,
    in_shard,
    select,
)
from xml_extractor.reasons import Stage
from xml_extractor.settings import Shard
from xml_extractor.sources.interfaces import KeyPage


def nothing_logged(_keys: Sequence[str]) -> set[str]:
    return set()


def pages(*sizes: int) -> Iterator[KeyPage]:
    first = 0
    for size in sizes:
        yield KeyPage(list(range(first, first + size)))
        first += size


@pytest.mark.parametrize("documents", [1, 2, 31, 32, 33, 100, 1000, 1001])
@pytest.mark.parametrize("workers", [1, 2, 4, 16])
def test_chunks_hold_each_document_of_a_page_once_in_order(documents: int, workers: int) -> None:
    keys = list(range(documents))
    divided = list(divide(keys, workers))
    assert [key for chunk in divided for key in chunk] == keys
    assert all(1 <= len(chunk) <= MAX_CHUNK for chunk in divided)


@pytest.mark.parametrize(
    ("documents", "workers", "size"),
    [(1000, 4, 32), (100, 4, 7), (100, 1, 25), (60, 4, 4), (16, 4, 1), (3, 4, 1), (10_000, 64, 32), (1000, 16, 16)],
)
def test_a_small_page_is_divided_so_that_every_worker_has_several_chunks(
    documents: int, workers: int, size: int
) -> None:
    assert len(next(divide(range(documents), workers))) == size


def test_a_page_without_documents_to_do_has_no_chunks() -> None:
    assert list(divide([], 4)) == []


def test_shards_divide_all_documents_without_overlap() -> None:
    keys: list[DocumentKey] = [*range(500), *(f"folder/{n}.xml" for n in range(500)), "lone \udc80 surrogate"]
    of_shard = [{key for key in keys if in_shard(key, Shard(number, 3))} for number in (1, 2, 3)]
    assert sum(map(len, of_shard)) == len(keys)
    assert set().union(*of_shard) == set(keys)
    assert min(map(len, of_shard)) > len(keys) / 3 * 0.8


@pytest.mark.parametrize(("key", "number"), [(1, 4), ("1", 4), (2, 2), ("orders/0001.xml", 3)])
def test_a_document_is_in_the_same_shard_on_every_machine_and_in_every_version(key: DocumentKey, number: int) -> None:
    assert [n for n in range(1, 5) if in_shard(key, Shard(n, 4))] == [number]


def test_documents_in_the_processing_log_are_counted_and_not_chosen() -> None:
    chosen = list(select(pages(5, 5), lambda keys: {key for key in keys if int(key) < 7}))
    assert chosen == [Selection(5, []), Selection(2, [7, 8, 9])]


def test_the_log_is_asked_for_keys_as_text() -> None:
    asked: list[str] = []

    def logged(keys: Sequence[str]) -> set[str]:
        asked.extend(keys)
        return {"b"}

    assert list(select([KeyPage([1, "b"])], logged)) == [Selection(1, [1])]
    assert asked == ["1", "b"]


def test_the_log_is_not_asked_where_the_source_has_looked_there() -> None:
    def logged(_keys: Sequence[str]) -> set[str]:
        pytest.fail("the log was asked again")

    assert list(select([KeyPage([1, 2, 3], {"2"})], logged)) == [Selection(1, [1, 3])]


def test_the_limit_does_not_count_documents_that_are_done() -> None:
    chosen = list(select(pages(4, 4, 4), lambda keys: {key for key in keys if int(key) < 6}, limit=3))
    assert chosen == [Selection(4, []), Selection(2, [6, 7]), Selection(0, [8])]


def test_documents_behind_the_limit_are_not_counted_as_done() -> None:
    assert list(select(pages(6), lambda _: {"0", "2", "5"}, limit=1)) == [Selection(1, [1])]


def test_no_further_page_is_listed_once_the_limit_is_reached() -> None:
    def endless() -> Iterator[KeyPage]:
        yield KeyPage([1, 2])
        pytest.fail("a page was listed that is not needed")

    assert list(select(endless(), nothing_logged, limit=2)) == [Selection(0, [1, 2])]


def test_a_limit_of_nothing_lists_nothing() -> None:
    assert list(select(pages(3), nothing_logged, limit=0)) == []


def test_documents_of_other_shards_are_neither_counted_nor_looked_up() -> None:
    shard = Shard(1, 2)
    asked: list[str] = []

    def logged(keys: Sequence[str]) -> set[str]:
        asked.extend(keys)
        return set()

    mine = [key for key in range(100) if in_shard(key, shard)]
    assert list(select(pages(100), logged, shard)) == [Selection(0, list(mine))]
    assert asked == [str(key) for key in mine]


def test_a_page_of_other_shards_only_does_not_end_the_selection() -> None:
    shard = Shard(1, 2)
    mine = next(key for key in range(100) if in_shard(key, shard))
    other = next(key for key in range(100) if not in_shard(key, shard))
    assert list(select([KeyPage([other]), KeyPage([mine])], nothing_logged, shard)) == [
        Selection(0, []),
        Selection(0, [mine]),
    ]


def hand_out(chunks: ChunksInFlight, count: int = 1) -> list[Chunk]:
    return [chunks.hand_out((f"{number}a", f"{number}b"), {}) for number in range(count)]


def test_the_newest_chunk_is_never_further_ahead_of_the_oldest_than_the_window_allows() -> None:
    chunks = ChunksInFlight(workers=100, window=3)
    for _ in range(3):
        assert chunks.has_room()
        hand_out(chunks)
    assert not chunks.has_room()
    for sequence in (1, 2):
        chunks.acknowledge(sequence)
        chunks.reported(sequence)
    assert not chunks.has_room(), "the oldest is not acknowledged"
    chunks.acknowledge(0)
    assert chunks.has_room()
    chunks.reported(0)
    assert chunks.has_room()


def test_a_chunk_that_is_committed_but_not_reported_does_not_hold_the_window_back() -> None:
    chunks = ChunksInFlight(workers=100, window=2)
    hand_out(chunks, 2)
    chunks.acknowledge(0)
    assert chunks.has_room()
    hand_out(chunks)
    assert not chunks.has_room()


def test_workers_have_few_chunks_at_once_and_those_in_the_queue_do_not_count() -> None:
    chunks = ChunksInFlight(workers=1)
    hand_out(chunks, CHUNKS_PER_WORKER)
    assert not chunks.has_room()
    chunks.acknowledge(0)
    assert not chunks.has_room(), "its worker has not reported"
    chunks.reported(1)
    assert chunks.has_room()


@pytest.mark.parametrize("order", ["reported first", "acknowledged first"])
def test_a_chunk_is_finished_when_it_is_acknowledged_and_its_worker_has_reported(order: str) -> None:
    chunks = ChunksInFlight(workers=2)
    (chunk,) = hand_out(chunks)
    steps: list[Callable[[int], object]] = [chunks.reported, chunks.acknowledge]
    for step in steps if order == "reported first" else reversed(steps):
        assert not chunks.are_all_finished()
        step(chunk.sequence)
    assert chunks.are_all_finished()


def test_a_chunk_is_acknowledged_once() -> None:
    chunks = ChunksInFlight(workers=2)
    hand_out(chunks)
    assert [chunks.acknowledge(0), chunks.acknowledge(0), chunks.acknowledge(7)] == [True, False, False]
    chunks.reported(0)
    chunks.reported(0)
    assert chunks.acknowledge(0) is False
    assert chunks.are_all_finished()


def test_only_chunks_that_are_at_workers_are_taken_back() -> None:
    chunks = ChunksInFlight(workers=2)
    handed_out = hand_out(chunks, 4)
    chunks.reported(0)
    chunks.acknowledge(1)
    assert chunks.take_back() == handed_out[2:]
    assert [chunks.acknowledge(0), chunks.acknowledge(1)] == [True, False]
    for sequence in (2, 3):
        chunks.reported(sequence)
        chunks.acknowledge(sequence)
    assert chunks.are_all_finished()


def test_a_chunk_that_is_taken_back_still_counts_as_one_at_a_worker() -> None:
    chunks = ChunksInFlight(workers=1)
    hand_out(chunks, CHUNKS_PER_WORKER)
    chunks.take_back()
    assert not chunks.has_room()
    chunks.reported(0)
    assert chunks.has_room()


def at(sequence: int, position: int, stage: Stage = Stage.MAP) -> CrashMarker:
    return CrashMarker(sequence, position, stage, since=0.0)


def test_a_document_is_poison_after_the_second_death_at_it() -> None:
    chunks = ChunksInFlight(workers=2)
    hand_out(chunks, 2)
    chunks.record_deaths([at(1, 0)])
    assert [dict(chunk.rejected) for chunk in chunks.take_back()] == [{}, {}]
    chunks.record_deaths([at(1, 1), at(1, 0)])
    assert [dict(chunk.rejected) for chunk in chunks.take_back()] == [{}, {"1a": POISON_DOCUMENT}]


def test_workers_that_die_while_they_enqueue_are_blamed_on_no_document() -> None:
    chunks = ChunksInFlight(workers=2)
    hand_out(chunks, 2)
    for _ in range(3):
        chunks.record_deaths([at(1, 0, Stage.LOAD), at(7, 0), None])
    assert [dict(chunk.rejected) for chunk in chunks.take_back()] == [{}, {}]


def test_the_death_of_the_whole_pool_is_blamed_on_documents_only_if_it_happens_again_at_once() -> None:
    chunks = ChunksInFlight(workers=2)
    hand_out(chunks, 3)
    whole_pool = [at(0, 0), at(1, 0)]
    for sequence in (2, 1):
        chunks.record_deaths(whole_pool, is_whole_pool=True)
        chunks.acknowledge(sequence)
    assert [dict(chunk.rejected) for chunk in chunks.take_back()] == [{}]
    for _ in range(3):
        chunks.record_deaths(whole_pool, is_whole_pool=True)
    assert [dict(chunk.rejected) for chunk in chunks.take_back()] == [{"0a": POISON_DOCUMENT}]


@pytest.mark.parametrize("stage", [Stage.PARSE, Stage.MAP])
def test_a_document_that_takes_too_long_is_rejected_the_first_time(stage: Stage) -> None:
    chunks = ChunksInFlight(workers=2)
    hand_out(chunks, 2)
    assert chunks.record_timeout(at(1, 1, stage), 300) == "1b"
    (rejected,) = [chunk.rejected for chunk in chunks.take_back() if chunk.rejected]
    assert [(key, failure.stage, failure.code) for key, failure in rejected.items()] == [("1b", stage, "timeout")]
    assert (chunks.hangs_in_a_row, chunks.incidents_in_a_row) == (0, 0)


@pytest.mark.parametrize("stage", [Stage.FETCH, Stage.LOAD])
def test_a_source_or_queue_that_hangs_is_no_documents_fault(stage: Stage) -> None:
    chunks = ChunksInFlight(workers=2)
    hand_out(chunks, 2)
    chunks.record_timeout(at(1, 1, stage), 300)
    assert [dict(chunk.rejected) for chunk in chunks.take_back()] == [{}, {}]
    assert chunks.hangs_in_a_row == 1
    chunks.acknowledge(0)
    assert chunks.hangs_in_a_row == 0
    assert chunks.record_timeout(at(0, 0, stage), 300) is None, "it was acknowledged"


def test_incidents_are_counted_until_a_chunk_is_acknowledged() -> None:
    chunks = ChunksInFlight(workers=2)
    hand_out(chunks, 2)
    chunks.acknowledge(0)
    chunks.record_deaths([at(0, 0), None, at(1, 1)])
    assert chunks.incidents_in_a_row == 1
    chunks.acknowledge(0)
    assert chunks.incidents_in_a_row == 1, "it was acknowledged before"
    chunks.acknowledge(1)
    assert chunks.incidents_in_a_row == 0


@pytest.mark.parametrize("kind", [XmlExtractorError, UsageError, RunError, SourceError, TargetError])
def test_a_failure_crosses_processes_as_data_and_is_the_same_error_again(kind: type[XmlExtractorError]) -> None:
    failure: WorkerFailure = pickle.loads(pickle.dumps(WorkerFailure.of(kind("what happened", "what to do"))))
    error = failure.exception()
    assert type(error) is kind
    assert (error.message, error.tip) == ("what happened", "what to do")
