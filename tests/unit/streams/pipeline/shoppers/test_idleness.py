"""Rule 9: a source whose time stands still holds no window back, however much it says."""

from collections import deque

import msgspec
import pytest

from feature_repo.items import window_index
from feature_repo.shoppers.item_updates import derive_updates
from feature_repo.shoppers.timers import Entry
from feature_repo.store.row_store import StoredRow
from headrace.messages.events import Event, EventType
from headrace.messages.internal import ItemImpression, ItemUpdate, ItemUpdateBatch, Watermark
from headrace.settings.model import Settings
from headrace.topics import TICK, rekeyed
from streams.pipeline.emit import Outbox
from streams.pipeline.shoppers.idleness import Idleness
from streams.pipeline.shoppers.rows import SourceRow

SETTINGS = Settings()
HOUR, LATENESS = SETTINGS.window, SETTINGS.lateness
QUIET_S = SETTINGS.idle // 1000
decode = msgspec.msgpack.Decoder(ItemUpdateBatch).decode


class Stage:
    """A clock to advance, the rows of two sources, and what was announced of them."""

    def __init__(self):
        self.now = 0.0
        self.sources = {number: SourceRow(number, StoredRow(b"", b"", (b"", b""))) for number in (0, 1)}
        self.marks = [source.mark for source in self.sources.values()]
        self.announced: deque[ItemUpdateBatch] = deque()
        self.idleness = Idleness(SETTINGS, 1, self, self, lambda: self.now)

    async def read_sources(self, partitions):
        assert set(partitions) <= self.sources.keys()

    def note(self, partition: int, second: int | None = None):
        """Something came, after which the watermark stands there."""
        if second is not None:
            self.marks[partition].second = second
        self.idleness.note_watermark(self.sources[partition])

    async def send(self, outbox: Outbox):
        for messages in outbox.messages.values():
            self.announced.extend(decode(message.value) for message in messages)

    async def passing(self, seconds: int, at_zero_lag: tuple[int, ...] = (0,)):
        """Seconds in which the worker looks at its lag."""
        for _ in range(seconds):
            self.now += 1
            await self.idleness.announce(self.idleness.on_zero_lag(frozenset(at_zero_lag)))

    def announced_sources(self) -> list[int]:
        reported = [batch.source for batch in self.announced]
        self.announced.clear()
        return reported


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_source_at_zero_lag_is_told_of_once_the_quiet_time_is_over(stage):
    await stage.passing(QUIET_S)
    assert stage.announced_sources() == []
    await stage.passing(1)
    assert stage.announced_sources() == [0]
    await stage.passing(5 * QUIET_S)
    assert stage.announced_sources() == []


async def test_a_source_with_something_to_read_is_not_told_of(stage):
    await stage.passing(10 * QUIET_S, at_zero_lag=())
    assert stage.announced_sources() == []
    await stage.passing(QUIET_S)
    assert stage.announced_sources() == []


async def test_a_source_that_was_behind_for_long_is_quiet_only_from_when_it_has_caught_up(stage):
    await stage.passing(QUIET_S - 1)
    await stage.passing(2 * QUIET_S, at_zero_lag=())
    await stage.passing(QUIET_S)
    assert stage.announced_sources() == []
    await stage.passing(1)
    assert stage.announced_sources() == [0]


async def test_a_source_whose_mark_moves_is_not_told_of(stage):
    for mark in range(20):
        stage.note(0, mark)
        await stage.passing(QUIET_S - 1)
    assert stage.announced_sources() == []


async def test_what_moves_no_mark_puts_nothing_off(stage):
    """One shopper alone, dead letters, events for other partitions: whatever they are, they come every ten seconds."""
    for _ in range(QUIET_S // 10 + 1):
        stage.note(0, -1)
        await stage.passing(10)
    assert stage.announced_sources() == [0]


async def test_a_source_that_is_seen_to_lag_whenever_something_comes_is_told_of_all_the_same(stage):
    for _ in range(QUIET_S):
        stage.note(0, -1)
        await stage.passing(1, at_zero_lag=())
        await stage.passing(1)
    assert stage.announced_sources() == [0]


async def test_a_source_that_spoke_again_is_announced_again_and_not_at_every_word(stage):
    await stage.passing(QUIET_S + 1)
    assert stage.announced_sources() == [0]
    for _ in range(4 * QUIET_S):
        stage.note(0, -1)
        await stage.passing(1)
    assert stage.announced_sources() == [0] * 4


async def test_after_a_rebalance_all_begins_anew(stage):
    await stage.passing(QUIET_S)
    stage.idleness.reset()
    await stage.passing(QUIET_S)
    assert stage.announced_sources() == []


async def test_one_synthetic_user_alone_in_a_partition_holds_no_window_of_the_shop_back(stage):
    """For five hours seven shoppers buy in one partition, and a monitor looks at an item in the other."""
    index, closed = window_index.WindowIndex(), []

    def take(source: int, entries) -> None:
        for entry in entries:
            if isinstance(entry, ItemUpdate):
                window_index.observe(index, source, entry, HOUR)
            elif isinstance(entry, Watermark):
                closed_windows = window_index.advance(
                    index, source, entry, sources=2, windows=HOUR, lateness_ms=LATENESS
                )
                closed.extend((one.window_start // HOUR, stage.now) for one in closed_windows if one.judged)
            else:
                assert isinstance(entry, ItemImpression)

    for tick in range(5 * 360):
        at = int(stage.now * 1000)
        buyer = Event(event_id="b", type=EventType.PURCHASE, user_id=f"u{tick % 7}", timestamp=at, item_id="tea")
        monitor = Event(event_id="m", type=EventType.VIEW, user_id="monitor", timestamp=at, item_id="tea")
        for source, event in enumerate((buyer, monitor)):
            take(source, derive_updates(stage.marks[source], event, tick, at, HOUR, LATENESS))
            stage.note(source)
        await stage.passing(10, at_zero_lag=(0, 1))
        while stage.announced:
            batch = stage.announced.popleft()
            take(batch.source, batch.entries)
    assert [hour for hour, _ in closed] == [0, 1, 2, 3]
    for hour, seconds in closed:
        assert seconds <= ((hour + 1) * HOUR + LATENESS) / 1000 + 2 * QUIET_S


def ticks_of(outbox: Outbox) -> list[int]:
    messages = outbox.messages[rekeyed(SETTINGS.group), 0]
    return [int(value) for message in messages for name, value in message.headers if name == TICK]


async def test_the_time_of_an_idle_source_goes_on_as_the_clock_does_where_a_timer_comes_up(stage):
    ticks: list[int] = []

    async def send(outbox: Outbox):
        ticks.extend(ticks_of(outbox))

    stage.send = send
    newest, due = 10**12, 10**12 + 60_000
    stage.marks[0].newest = newest
    stage.sources[0].timers.add(Entry(due, "u", "visits/over"))
    stage.note(0, newest)
    until_due_s = (60_000 + LATENESS) // 1_000
    await stage.passing(until_due_s - 1)
    assert ticks == []
    await stage.passing(QUIET_S + 1)
    assert ticks and min(ticks) - LATENESS >= due
    assert newest + stage.now * 1_000 >= ticks[0]


async def test_an_idle_source_without_timers_has_no_ticks(stage):
    stage.marks[0].newest = 10**12
    stage.note(0, 10**12)
    stage.now += 10 * QUIET_S
    assert stage.idleness.on_zero_lag(frozenset({0})).ticks == {}
