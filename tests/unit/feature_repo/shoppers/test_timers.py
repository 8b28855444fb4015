"""Entries of pending timers: in order, in bounded rows, and the same after any number of restarts."""

from hypothesis import given
from hypothesis import strategies as st

from feature_repo.shoppers.timers import (
    Entry,
    EntryRow,
    PendingTimers,
    TimerStates,
    entry_rows,
    pack_states,
    unpack_states,
)

HOUR = 3_600_000


def stored_again(store: dict[EntryRow, bytes], index: bytes, timers: PendingTimers) -> tuple[bytes, PendingTimers]:
    """What a worker that takes over finds: everything that was written, and nothing else."""
    index, changed, dropped = timers.changes()
    store.update(changed)
    for place in dropped:
        del store[place]
    return index, PendingTimers(index, {place: store[place] for place in entry_rows(index)})


def test_entries_come_up_in_order_of_time_and_no_sooner():
    timers = PendingTimers()
    for time in (30, 10, 20):
        timers.add(Entry(time, "u", "s/t"))
    timers.advance(20)
    assert [timers.pop(), timers.pop(), timers.pop()] == [Entry(10, "u", "s/t"), Entry(20, "u", "s/t"), None]
    assert timers.first == 30


def test_the_clock_never_goes_back():
    timers = PendingTimers()
    timers.advance(10)
    timers.advance(5)
    assert timers.clock == 10


def test_users_until_are_those_of_entries_that_come_up_by_then():
    timers = PendingTimers()
    for time in range(100):
        timers.add(Entry(time, f"u{time}", "s/t"))
    assert sorted(timers.users_until(2)) == ["u0", "u1", "u2"]


def test_a_batch_writes_the_rows_that_it_adds_to_and_no_others():
    timers = PendingTimers()
    for time in range(1_000):
        timers.add(Entry(time, "u", "s/t"))
    assert len(timers.changes()[1]) == 4
    timers.add(Entry(5, "v", "s/t"))
    assert [place for place, _ in timers.changes()[1]] == [EntryRow(0, 3)]


def test_an_hour_that_has_passed_is_dropped_as_a_whole():
    timers = PendingTimers()
    timers.add(Entry(1, "u", "s/t"))
    timers.add(Entry(HOUR, "u", "s/t"))
    timers.changes()
    timers.advance(HOUR)
    index, _, dropped = timers.changes()
    assert dropped == [EntryRow(0, 0)]
    assert entry_rows(index) == [EntryRow(1, 0)]


@given(st.lists(st.tuples(st.integers(0, 5 * HOUR), st.booleans(), st.integers(0, 5 * HOUR)), max_size=60))
def test_a_worker_that_takes_over_goes_on_where_the_last_one_ended(steps: list[tuple[int, bool, int]]):
    one, other = PendingTimers(), PendingTimers()
    store: dict[EntryRow, bytes] = {}
    index = b""
    for number, (ahead, restarts, passes) in enumerate(steps):
        for timers in (one, other):
            timers.add(Entry(timers.clock + 1 + ahead, f"u{number}", "s/t"))
            timers.advance(timers.clock + passes)
        assert list(iter(one.pop, None)) == list(iter(other.pop, None))
        if restarts:
            index, other = stored_again(store, index, other)
    assert len(one) == len(other)


def test_states_are_packed_and_a_row_without_timers_has_no_bytes():
    states = TimerStates({"s": {"t": 5}}, {"s/t": 4})
    assert unpack_states(pack_states(states)) == states
    assert pack_states(TimerStates({"s": {}}, {})) == b""
