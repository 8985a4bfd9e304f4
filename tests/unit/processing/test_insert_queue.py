"""The queue in the manager process: bounded by items and by bytes."""

from xml_extractor.processing.insert_queue import BoundedQueue, InsertQueueItem


def item(size: int) -> InsertQueueItem:
    return InsertQueueItem(sequence=0, documents=1, rows=1, payload=bytes(size))


def test_the_queue_is_full_when_its_items_have_as_many_bytes_as_it_may_hold() -> None:
    held = BoundedQueue(100, max_bytes=10)
    assert [held.offer(item(4)) for _ in range(3)] == [True, True, False]
    assert held.offer(item(2))
    assert held.counts().refused == 1


def test_bytes_that_were_taken_make_room() -> None:
    held = BoundedQueue(100, max_bytes=10)
    assert held.offer(item(6))
    assert held.offer(item(4))
    assert not held.offer(item(5))
    assert [taken.size for taken in held.take(max_documents=1, max_rows=1, timeout=0)] == [6]
    assert held.offer(item(6))
    assert [taken.size for taken in held.take(max_documents=9, max_rows=9, timeout=0)] == [4, 6]
    assert held.offer(item(10))


def test_an_empty_queue_takes_an_item_that_is_larger_than_it_may_hold() -> None:
    held = BoundedQueue(100, max_bytes=10)
    assert held.offer(item(11))
    assert not held.offer(item(1))
