"""Views and timers of scenarios in the shopper pipeline: no batch, restart or second reading leaves a trace."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from feature_repo.shoppers.scenario_states import ScenarioStateCodec
from feature_repo.shoppers.timers import entry_rows
from feature_repo.store.row_store import RowWrite, StoredRow
from headrace.errors import ScenarioError
from headrace.messages.events import Event, EventType
from headrace.messages.outputs import OutputBase
from headrace.scenarios import OutputTopic, Scenario, TimerFired, Timers, View
from headrace.settings import Settings
from streams.kafka.transport import RawRecord
from streams.pipeline.poison import PoisonRecord
from streams.pipeline.rows.keys import source_key, timers_key
from streams.pipeline.shoppers.decode import Accepted, DecodedBatch, RecordPosition, Tick
from streams.pipeline.shoppers.fold import BatchFold, latest_time
from streams.pipeline.shoppers.rows import ShopperRow, SourceRow

MINUTE = 60_000
SETTINGS = Settings()
LATENESS = SETTINGS.lateness
EMPTY = StoredRow(b"", b"", (b"", b""))


class Visit(Struct):
    """Events since the last silence of half an hour."""

    events: int = 0


def fold(visit: Visit, folded: Event | TimerFired, timers: Timers) -> None:
    if isinstance(folded, TimerFired):
        visit.events = 0
        return
    if folded.query == "explode":
        raise ValueError("no such thing")
    visit.events += 1
    timers.set("over", folded.timestamp + 30 * MINUTE)


VISITS = Scenario(
    name="visits",
    outputs=[OutputTopic(name="visits", message=OutputBase)],
    answers=lambda found, _: isinstance(found, TimerFired),
    query=lambda found, row, _: row.views["visit"].events,
    before_fold=True,
    views=[View(name="visit", state=Visit, fold=fold)],
    timers=frozenset({"over"}),
)


class Partition:
    """One partition's rows as the store holds them, folded by one worker after the other."""

    def __init__(self, scenario: Scenario = VISITS) -> None:
        self.scenario = scenario
        self.codec = ScenarioStateCodec(scenario.views)
        self.stored: dict[str, StoredRow] = {}
        self.answers: list[tuple[str, int]] = []

    def fold(self, records: Sequence[Accepted | Tick]) -> "Partition":
        decoded = DecodedBatch(
            [one for one in records if isinstance(one, Accepted)],
            [],
            [],
            [],
            [one for one in records if isinstance(one, Tick)],
        )
        source_row = self.stored.get(source_key(0), EMPTY)
        timers = {place: self.stored[timers_key(0, *place)] for place in entry_rows(source_row.states[1])}
        source = SourceRow(0, source_row, timers)
        users = {one.input.user_id for one in decoded.accepted}
        users.update(source.timers.users_until(latest_time(decoded, SETTINGS)))
        rows = {user: ShopperRow(user, self.stored.get(user, EMPTY), self.codec) for user in users}
        folded = BatchFold((self.scenario,), SETTINGS, rows, source, lambda _: ()).fold_all(decoded)
        for write in [*(row.to_write() for row in rows.values() if row.newest >= 0), *source.to_writes()]:
            self._store(write)
        self.answers += [(one.output_id, one.query) for one in folded.queries]
        return self

    def _store(self, write: RowWrite) -> None:
        before = self.stored.get(write.key, EMPTY).states
        states = tuple(old if new is None else new for old, new in zip(before, write.states, strict=True))
        self.stored[write.key] = StoredRow(write.fence, write.seen, states)

    @property
    def shoppers(self) -> dict[str, tuple[bytes, ...]]:
        return {key: row.states for key, row in self.stored.items() if "/" not in key}


def event(user_id: str, offset: int, at: int, query: str = "mug") -> Accepted:
    happened = Event(event_id=f"e{offset}", type=EventType.SEARCH, user_id=user_id, timestamp=at, query=query)
    record = RawRecord("events", 0, offset, 10**13, None, b"{}", ())
    return Accepted(happened, RecordPosition("events", 0, offset), record)


def visits(gaps: Sequence[tuple[str, int]]) -> list[Accepted]:
    """Events of a log whose time goes on by so many minutes each."""
    now, found = 10**12, list[Accepted]()
    for offset, (user_id, minutes) in enumerate(gaps):
        now += minutes * MINUTE
        found.append(event(user_id, offset, now))
    return found


LOGS = st.lists(st.tuples(st.sampled_from("uvw"), st.integers(0, 40)), min_size=1, max_size=30)


@settings(max_examples=60)
@given(LOGS, st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_batches_and_restarts_leave_no_trace(log: list[tuple[str, int]], sizes: list[int]):
    records = visits(log)
    whole, cut = Partition().fold(records), Partition()
    at = 0
    while at < len(records):
        size = sizes[at % len(sizes)]
        cut.fold(records[at : at + size])
        at += size
    assert cut.answers == whole.answers
    assert cut.shoppers == whole.shoppers


def test_a_batch_that_is_redelivered_after_it_was_written_answers_nothing():
    records = visits([("u", 0), ("v", 1), ("v", 50), ("u", 50)])
    shop = Partition().fold(records)
    answered = list(shop.answers)
    assert answered
    shop.fold(records)
    assert shop.answers == answered


def test_a_timer_fires_when_the_partitions_watermark_has_passed_it_by_the_lateness():
    shop = Partition().fold(visits([("u", 0), ("v", 39), ("w", 0)]))
    assert shop.answers == []
    shop.fold([event("v", 3, 10**12 + 40 * MINUTE), event("w", 4, 10**12 + 41 * MINUTE)])
    assert shop.answers == [(f"visits///over/{10**12 + 30 * MINUTE}/u", 1)]


def test_a_tick_fires_what_is_due_where_nothing_else_comes():
    shop = Partition().fold(visits([("u", 0), ("u", 5)]))
    shop.fold([Tick(7, 10**12 + 35 * MINUTE + LATENESS - 1)])
    assert shop.answers == []
    shop.fold([Tick(8, 10**12 + 35 * MINUTE + LATENESS)])
    assert shop.answers == [(f"visits///over/{10**12 + 35 * MINUTE}/u", 2)]


def test_ticks_and_events_are_taken_in_the_order_of_the_log():
    records: list[Accepted | Tick] = [
        *visits([("u", 0)]),
        Tick(1, 10**12 + 50 * MINUTE),
        event("u", 2, 10**12 + MINUTE),
    ]
    whole, cut = Partition().fold(records), Partition()
    for record in records:
        cut.fold([record])
    assert whole.answers == cut.answers
    assert whole.shoppers == cut.shoppers


def test_a_fold_that_raises_makes_its_event_the_poison_record_and_names_the_scenario():
    with pytest.raises(PoisonRecord, match="scenario visits: its fold raised ValueError: no such thing") as raised:
        Partition().fold([event("u", 0, 10**12), event("v", 1, 10**12, query="explode")])
    assert raised.value.accepted.record.offset == 1


def test_rows_of_another_version_are_refused_and_said_how_to_go_on():
    shop = Partition().fold(visits([("u", 0)]))
    newer = View(name="visit", state=Visit, fold=fold, version=2)
    with pytest.raises(ScenarioError, match="rows hold view visit in version 1, and its scenario has version 2"):
        ScenarioStateCodec([newer]).unpack(shop.stored["u"].states[1])


def test_views_of_scenarios_that_do_not_run_are_kept_as_they_are():
    shop = Partition().fold(visits([("u", 0), ("u", 1)]))
    packed = shop.stored["u"].states[1]
    none: ScenarioStateCodec = ScenarioStateCodec()
    assert none.pack(none.unpack(packed)) == packed


def test_a_shopper_of_whom_no_scenario_keeps_anything_has_no_bytes():
    none: Any = ScenarioStateCodec()
    assert none.pack(none.unpack(b"")) == b""
