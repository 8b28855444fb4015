"""Rows are kept as they were folded, the latest used of them, until they are dropped."""

from streams.pipeline.rows.cache import RowCache


def test_rows_come_back_as_they_were_put():
    cache: RowCache[int] = RowCache(10)
    cache.put({"a": 1, "b": 2})
    assert cache.take(["a", "c"]) == {"a": 1}


def test_what_was_taken_is_not_there_until_it_is_put_back():
    cache: RowCache[int] = RowCache(10)
    cache.put({"a": 1})
    cache.take(["a"])
    assert cache.take(["a"]) == {}


def test_rows_used_longest_ago_make_room():
    cache: RowCache[int] = RowCache(2)
    cache.put({"a": 1, "b": 2})
    rows = cache.take(["a"])
    cache.put(rows | {"c": 3})
    assert cache.take(["a", "b", "c"]) == {"a": 1, "c": 3}


def test_more_rows_than_room_at_once_leave_the_last_of_them():
    cache: RowCache[int] = RowCache(2)
    cache.put({"a": 1, "b": 2, "c": 3})
    assert cache.take(["a", "b", "c"]) == {"b": 2, "c": 3}


def test_cleared_it_keeps_nothing():
    cache: RowCache[int] = RowCache(2)
    cache.put({"a": 1})
    cache.clear()
    assert cache.take(["a"]) == {}
