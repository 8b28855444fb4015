"""Rows are kept only while nobody else has written in their partition."""

from streams.engine.row_cache import RowCache


def test_rows_come_back_while_the_fence_stands():
    cache: RowCache[int] = RowCache(10)
    cache.put(0, b"1", {"a": 1, "b": 2})
    assert cache.take(0, b"1", ["a", "c"]) == {"a": 1}


def test_a_fence_that_another_worker_moved_drops_everything_of_the_partition():
    cache: RowCache[int] = RowCache(10)
    cache.put(0, b"1", {"a": 1})
    cache.put(1, b"1", {"z": 9})
    assert cache.take(0, b"2", ["a"]) == {}
    assert cache.take(0, b"1", ["a"]) == {}
    assert cache.take(1, b"1", ["z"]) == {"z": 9}


def test_what_a_failed_chunk_took_is_not_there_again():
    cache: RowCache[int] = RowCache(10)
    cache.put(0, b"1", {"a": 1})
    cache.take(0, b"1", ["a"])
    assert cache.take(0, b"1", ["a"]) == {}


def test_rows_used_longest_ago_make_room():
    cache: RowCache[int] = RowCache(2)
    cache.put(0, b"1", {"a": 1, "b": 2})
    rows = cache.take(0, b"1", ["a"])
    cache.put(0, b"2", rows | {"c": 3})
    assert cache.take(0, b"2", ["a", "b", "c"]) == {"a": 1, "c": 3}


def test_forgotten_rows_leave_room():
    cache: RowCache[int] = RowCache(2)
    cache.put(0, b"1", {"a": 1, "b": 2})
    cache.forget(0, ["a", "unknown"])
    cache.put(0, b"2", {"c": 3})
    assert cache.take(0, b"2", ["a", "b", "c"]) == {"b": 2, "c": 3}
