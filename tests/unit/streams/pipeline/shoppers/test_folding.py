"""Step 3, with the rules that make it exact: fences, retries, order of scoring and folding, poison."""

from dataclasses import replace

import pytest

from feature_repo.basics.fences import SEEN_IDS
from feature_repo.shoppers import shopper
from feature_repo.store.row_store import StoredRow
from headrace.messages.events import Event, EventType
from headrace.messages.internal import ItemImpression, ItemUpdate, Watermark
from headrace.messages.requests import ScoreRequest
from headrace.scenarios import Row, Scenario
from headrace.settings.model import Settings
from streams.kafka.transport import RawRecord
from streams.pipeline.poison import PoisonRecord
from streams.pipeline.shoppers.decode import Accepted, RecordPosition
from streams.pipeline.shoppers.fold import BatchFold, Folded
from streams.pipeline.shoppers.rows import ShopperRow, SourceRow
from streams.scenarios.ctr import CTR
from streams.scenarios.recommend.scenario import RECOMMEND

EMPTY = StoredRow(b"", b"", (b"", b""))
HOUR = 3_600_000
SETTINGS = Settings()


def event(event_id: str, kind: EventType = EventType.VIEW, at: int = HOUR, **fields: object) -> Event:
    item_id = None if kind is EventType.IMPRESSION else "a"
    return Event(**{"event_id": event_id, "type": kind, "user_id": "u", "timestamp": at, "item_id": item_id, **fields})


def accepted(cause: Event | ScoreRequest, offset: int) -> Accepted:
    topic = "events" if isinstance(cause, Event) else "score.requests"
    return Accepted(cause, RecordPosition(topic, 0, offset), RawRecord(topic, 0, offset, 24 * HOUR, None, b"{}", ()))


class Shop:
    """Rows that live through batches as they would in the store."""

    def __init__(self, scenarios: tuple[Scenario, ...] = (CTR, RECOMMEND)) -> None:
        self.rows: dict[str, StoredRow] = {}
        self.source = EMPTY
        self.scenarios = scenarios

    def fold_batch(self, *records: Accepted) -> Folded:
        users = {t.input.user_id for t in records}
        rows = {user: ShopperRow(user, self.rows.get(user, EMPTY)) for user in users}
        source = SourceRow(0, self.source)
        fold = BatchFold(self.scenarios, SETTINGS, rows, source, lambda _: ())
        for record in records:
            fold.fold(record)
        for write in (row.to_write() for row in rows.values() if row.newest >= 0):
            self.rows[write.key] = StoredRow(write.fence, write.seen, tuple(state or b"" for state in write.states))
        [mark] = source.to_writes()
        self.source = StoredRow(mark.fence, mark.seen, (mark.states[0] or b"", b""))
        return fold.folded

    @property
    def state(self) -> shopper.ShopperState:
        return shopper.unpack(self.rows["u"].states[0])


def test_a_record_at_or_under_the_fence_folds_and_answers_nothing():
    """More records than a row remembers ids of, so that the fence alone can know them."""
    records = [accepted(event(f"e{n}"), n) for n in range(SEEN_IDS + 6)]
    shop = Shop()
    shop.fold_batch(*records)
    again = shop.fold_batch(*records, accepted(event("new"), len(records)))
    assert [requested.output_id for requested in again.queries] == ["recommend/u/new"]
    assert sum(shop.state.counts) == len(records) + 1


def test_a_producers_retry_at_a_new_offset_folds_and_answers_nothing():
    shop = Shop()
    folded = shop.fold_batch(accepted(event("e1"), 0), accepted(event("e1"), 1))
    assert len(folded.queries) == 1
    assert len([entry for entry in folded.item_updates if isinstance(entry, ItemUpdate)]) == 1
    assert sum(shop.state.counts) == 1


def test_two_hundred_events_of_a_phone_that_sends_them_twice_count_once():
    shop = Shop()
    first = shop.fold_batch(*(accepted(event(f"e{n}"), n) for n in range(200)))
    again = shop.fold_batch(*(accepted(event(f"e{n}"), 200 + n) for n in range(200)))
    assert sum(shop.state.counts) == len(first.queries) == 200
    assert (again.queries, again.item_updates) == ([], [])


def test_a_retry_that_another_producer_puts_into_another_partition_folds_and_answers_nothing():
    shop = Shop()
    elsewhere = accepted(event("e1"), 7)._replace(position=RecordPosition("events", 3, 7))
    assert len(shop.fold_batch(accepted(event("e1"), 0)).queries) == 1
    assert shop.fold_batch(elsewhere).queries == []
    assert sum(shop.state.counts) == 1


def test_any_other_event_is_folded_before_it_is_scored():
    requested = Shop().fold_batch(accepted(event("e1"), 0)).queries
    assert [e.item_id for e in requested[0].query.recent] == ["a"]


def test_an_impression_is_scored_before_it_is_folded():
    state_at_query: list[int] = []

    def spy(input_: object, row: Row, settings: Settings) -> object:
        state_at_query.append(sum(row.shopper.counts))
        return CTR.query(input_, row, settings)

    shop = Shop((replace(CTR, query=spy),))
    shop.fold_batch(accepted(event("i", EventType.IMPRESSION, items=["a", "b"]), 0))
    assert state_at_query == [0]
    assert sum(shop.state.counts) == 1


def test_a_score_request_is_answered_and_leaves_no_trace():
    shop = Shop()
    shop.fold_batch(accepted(event("e1"), 0))
    before = shop.rows["u"]
    request = ScoreRequest(request_id="r", user_id="u", timestamp=1, items=["a"])
    requested = shop.fold_batch(accepted(request, 5)).queries
    assert [a.output_id for a in requested] == ["ctr//score.requests/0/5"]
    assert shop.rows["u"] == before


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_batch_size_leaves_no_trace(size: int):
    records = [accepted(event(f"e{n % 9}", at=HOUR + n, user_id="uv"[n % 2]), n) for n in range(20)]
    whole, parts = Shop(), Shop()
    at_once = [requested.output_id for requested in whole.fold_batch(*records).queries]
    in_parts = [
        requested.output_id
        for at in range(0, 20, size)
        for requested in parts.fold_batch(*records[at : at + size]).queries
    ]
    assert in_parts == at_once
    assert parts.rows == whole.rows
    assert parts.source == whole.source


def test_crossing_a_windows_edge_is_told_between_the_deltas_where_it_happened():
    late_by = SETTINGS.window + SETTINGS.lateness
    records = [
        accepted(event("e1", at=HOUR, user_id="u"), 0),
        accepted(event("e2", at=HOUR, user_id="v"), 1),
        accepted(event("e3", at=HOUR + late_by, user_id="u"), 2),
        accepted(event("e4", at=HOUR + late_by, user_id="v"), 3),
        accepted(event("e5", at=HOUR, user_id="v"), 4),
    ]
    updates = Shop().fold_batch(*records).item_updates
    kinds = ["watermark" if isinstance(t, Watermark) else ("late" if t.late else "delta") for t in updates]
    assert kinds == ["delta", "delta", "watermark", "delta", "delta", "watermark", "late"]


def test_an_exception_in_a_pure_step_names_the_record():
    def explode(*_: object) -> object:
        raise ValueError("no such thing")

    shop = Shop((replace(RECOMMEND, query=explode),))
    with pytest.raises(PoisonRecord) as raised:
        shop.fold_batch(accepted(event("search", EventType.IMPRESSION, items=["a"]), 0), accepted(event("bad"), 1))
    assert raised.value.accepted.record.offset == 1


def test_an_item_shown_twice_in_an_impression_counts_once():
    updates = Shop().fold_batch(accepted(event("i", EventType.IMPRESSION, items=["a", "b", "a"]), 0)).item_updates
    assert [entry.items for entry in updates if isinstance(entry, ItemImpression)] == [["a", "b"]]
