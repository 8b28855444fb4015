"""Older windows are stored as cold windows and brought back, and the row says the same wherever the cut lies."""

import msgspec
import pytest

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.items.cold_windows import merge, merged, split_cold
from feature_repo.items.item import KEPT_WINDOWS, ItemActivity, as_features, fold, fold_impression, pack
from headrace.errors import DamagedRow, NewerRows
from headrace.messages.internal import ItemUpdate

HOUR = 3_600_000


def sale(hour, shard=-1):
    return ItemUpdate(0, "tea", ACTION_CODE["purchase"], hour * HOUR, 2, 450, False, shard)


def sold_in(hours, shard=-1):
    state = ItemActivity()
    for hour in hours:
        fold(state, sale(hour, shard), HOUR)
    return state


@pytest.fixture
def cut():
    """A row that sold for a hundred hours, and what is stored as cold windows of it."""
    state = sold_in(range(1, 101))
    return state, split_cold(state, b"")


def test_few_windows_stay_where_they_are():
    state = sold_in(range(8))
    assert split_cold(state, b"") is None
    assert state == sold_in(range(8))


def test_of_many_the_newest_stay_in_hand(cut):
    state, _ = cut
    assert sorted(state.windows) == sorted(state.sold) == [98, 99, 100]
    assert len(pack(state)) < 100


@pytest.mark.parametrize("shard", [-1, 3])
def test_joined_the_row_is_whole_again(shard):
    state = sold_in(range(1, 101), shard)
    cold_windows = split_cold(state, b"")
    assert merged(pack(state), cold_windows) == sold_in(range(1, 101), shard)


def test_what_is_in_hand_goes_on_and_is_set_aside_with_what_was(cut):
    state, cold_windows = cut
    for hour in range(101, 111):
        fold(state, sale(hour), HOUR)
    again = split_cold(state, cold_windows)
    assert merged(pack(state), again) == sold_in(range(1, 111))


def test_a_row_joined_and_not_cut_again_does_not_count_twice_what_is_still_stored(cut):
    state, cold_windows = cut
    merge(state, cold_windows)
    assert merged(pack(state), cold_windows) == sold_in(range(1, 101))


def test_windows_behind_the_span_are_forgotten_where_they_lie(cut):
    state, cold_windows = cut
    newest = 50 + KEPT_WINDOWS
    fold_impression(state, newest * HOUR, HOUR)
    assert min(merged(pack(state), cold_windows).windows) == 51
    whole = sold_in(range(1, 101))
    fold_impression(whole, newest * HOUR, HOUR)
    assert as_features(merged(pack(state), cold_windows)) == as_features(whole)


def test_a_clock_that_runs_ahead_leaves_in_hand_what_goes_on():
    hours = [*range(1, 101), 200]
    state = sold_in(hours)
    cold_windows = split_cold(state, b"")
    assert sorted(state.windows) == sorted(state.sold) == [99, 100, 200]
    assert merged(pack(state), cold_windows) == sold_in(hours)


def test_what_is_set_aside_already_is_not_written_again(cut):
    state, cold_windows = cut
    merge(state, cold_windows)
    assert split_cold(state, cold_windows) is None
    assert merged(pack(state), cold_windows) == sold_in(range(1, 101))


def test_a_row_without_the_windows_that_it_should_have_stops_the_worker(cut):
    state, _ = cut
    with pytest.raises(DamagedRow, match="before number 98"):
        merge(state, b"")


def test_the_order_in_which_windows_came_leaves_no_trace():
    one, other = sold_in(range(1, 101)), sold_in(reversed(range(1, 101)))
    assert split_cold(one, b"") == split_cold(other, b"")
    assert pack(one) == pack(other)


def test_windows_that_a_later_version_set_aside_stop_this_one(cut):
    state, cold_windows = cut
    later = [*msgspec.msgpack.decode(cold_windows, strict=False), "something new"]
    with pytest.raises(NewerRows, match="ColdWindows"):
        merge(state, msgspec.msgpack.encode(later))
