"""Step 3, with the rules that make it exact: fences, retries, order of scoring and folding, poison."""

import pytest

from feature_repo import shopper
from feature_repo.fences import SEEN_IDS
from feature_repo.row_store import StoredRow
from streams.engine.folding import ChunkFold, Folded
from streams.engine.intake import Place, Taken
from streams.engine.poison import Poisoned
from streams.engine.questions import Question, Scenario
from streams.engine.rows import ShopperRow, SourceRow, touched
from streams.messages.events import Event, EventType
from streams.messages.internal import ItemDelta, Shown, Watermark
from streams.messages.requests import ScoreRequest
from streams.scenarios import CTR, RECOMMEND, SHOPPER_SCENARIOS
from streams.settings import Settings
from streams.transport import RawRecord

EMPTY = StoredRow(b"", b"", (b"",))
HOUR = 3_600_000
SETTINGS = Settings()


def event(event_id: str, kind: EventType = EventType.VIEW, at: int = HOUR, **fields: object) -> Event:
    item_id = None if kind is EventType.IMPRESSION else "a"
    return Event(**{"event_id": event_id, "type": kind, "user_id": "u", "timestamp": at, "item_id": item_id, **fields})


def taken(cause: Event | ScoreRequest, offset: int) -> Taken:
    topic = "events" if isinstance(cause, Event) else "score.requests"
    return Taken(cause, Place(topic, 0, offset), RawRecord(topic, 0, offset, 24 * HOUR, None, b"{}", ()))


class Shop:
    """Rows that live through chunks as they would in the store."""

    def __init__(self, scenarios: tuple[Scenario, ...] = SHOPPER_SCENARIOS) -> None:
        self.rows: dict[str, StoredRow] = {}
        self.source = EMPTY
        self.scenarios = scenarios

    def chunk(self, *records: Taken) -> Folded:
        users = {t.cause.user_id for t in records}
        rows = {user: ShopperRow(user, self.rows.get(user, EMPTY)) for user in users}
        source = SourceRow(0, self.source)
        fold = ChunkFold(self.scenarios, SETTINGS, rows, source, lambda _: ())
        for record in records:
            fold.take(record)
        for write in touched(rows.values()):
            self.rows[write.key] = StoredRow(write.fence, write.seen, write.states)
        mark = source.write()
        self.source = StoredRow(mark.fence, mark.seen, mark.states[:1])
        return fold.folded

    @property
    def state(self) -> shopper.ShopperState:
        return shopper.unpack(self.rows["u"].states[0])


def test_a_record_at_or_under_the_fence_folds_and_answers_nothing():
    """More records than a row remembers ids of, so that the fence alone can know them."""
    records = [taken(event(f"e{n}"), n) for n in range(SEEN_IDS + 6)]
    shop = Shop()
    shop.chunk(*records)
    again = shop.chunk(*records, taken(event("new"), len(records)))
    assert [asked.question.output_id for asked in again.asked] == ["recommend/u/new"]
    assert sum(shop.state.counts) == len(records) + 1


def test_a_producers_retry_at_a_new_offset_folds_and_answers_nothing():
    shop = Shop()
    folded = shop.chunk(taken(event("e1"), 0), taken(event("e1"), 1))
    assert len(folded.asked) == 1
    assert len([entry for entry in folded.told if isinstance(entry, ItemDelta)]) == 1
    assert sum(shop.state.counts) == 1


def test_two_hundred_events_of_a_phone_that_sends_them_twice_count_once():
    shop = Shop()
    first = shop.chunk(*(taken(event(f"e{n}"), n) for n in range(200)))
    again = shop.chunk(*(taken(event(f"e{n}"), 200 + n) for n in range(200)))
    assert sum(shop.state.counts) == len(first.asked) == 200
    assert (again.asked, again.told) == ([], [])


def test_a_retry_that_another_producer_puts_into_another_partition_folds_and_answers_nothing():
    shop = Shop()
    elsewhere = taken(event("e1"), 7)._replace(place=Place("events", 3, 7))
    assert len(shop.chunk(taken(event("e1"), 0)).asked) == 1
    assert shop.chunk(elsewhere).asked == []
    assert sum(shop.state.counts) == 1


def test_any_other_event_is_folded_before_it_is_scored():
    asked = Shop().chunk(taken(event("e1"), 0)).asked
    assert [e.item_id for e in asked[0].question.recent] == ["a"]


def test_an_impression_is_scored_before_it_is_folded():
    state_at_asking: list[int] = []

    def spy(scenario: Scenario, cause: object, output_id: str, state: shopper.ShopperState, s: Settings) -> Question:
        state_at_asking.append(sum(state.counts))
        return CTR.ask(scenario, cause, output_id, state, s)  # type: ignore[arg-type]

    shop = Shop((CTR._replace(ask=spy),))
    shop.chunk(taken(event("i", EventType.IMPRESSION, items=["a", "b"]), 0))
    assert state_at_asking == [0]
    assert sum(shop.state.counts) == 1


def test_a_score_request_is_answered_and_leaves_no_trace():
    shop = Shop()
    shop.chunk(taken(event("e1"), 0))
    before = shop.rows["u"]
    request = ScoreRequest(request_id="r", user_id="u", timestamp=1, items=["a"])
    asked = shop.chunk(taken(request, 5)).asked
    assert [a.question.output_id for a in asked] == ["ctr//score.requests/0/5"]
    assert shop.rows["u"] == before


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_chunk_size_leaves_no_trace(size: int):
    records = [taken(event(f"e{n % 9}", at=HOUR + n, user_id="uv"[n % 2]), n) for n in range(20)]
    whole, parts = Shop(), Shop()
    at_once = [asked.question.output_id for asked in whole.chunk(*records).asked]
    in_parts = [
        asked.question.output_id for at in range(0, 20, size) for asked in parts.chunk(*records[at : at + size]).asked
    ]
    assert in_parts == at_once
    assert parts.rows == whole.rows
    assert parts.source == whole.source


def test_crossing_a_windows_edge_is_told_between_the_deltas_where_it_happened():
    late_by = SETTINGS.window + SETTINGS.lateness
    records = [
        taken(event("e1", at=HOUR, user_id="u"), 0),
        taken(event("e2", at=HOUR, user_id="v"), 1),
        taken(event("e3", at=HOUR + late_by, user_id="u"), 2),
        taken(event("e4", at=HOUR + late_by, user_id="v"), 3),
        taken(event("e5", at=HOUR, user_id="v"), 4),
    ]
    told = Shop().chunk(*records).told
    kinds = ["watermark" if isinstance(t, Watermark) else ("late" if t.late else "delta") for t in told]
    assert kinds == ["delta", "delta", "watermark", "delta", "delta", "watermark", "late"]


def test_an_exception_in_a_pure_step_names_the_record():
    def explode(*_: object) -> Question:
        raise ValueError("no such thing")

    shop = Shop((RECOMMEND._replace(ask=explode),))
    with pytest.raises(Poisoned) as poisoned:
        shop.chunk(taken(event("search", EventType.IMPRESSION, items=["a"]), 0), taken(event("bad"), 1))
    assert poisoned.value.taken.record.offset == 1


def test_an_item_shown_twice_in_an_impression_counts_once():
    told = Shop().chunk(taken(event("i", EventType.IMPRESSION, items=["a", "b", "a"]), 0)).told
    assert [entry.items for entry in told if isinstance(entry, Shown)] == [["a", "b"]]
